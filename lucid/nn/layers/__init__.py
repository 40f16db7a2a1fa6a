"""The layers that a multi-label model needs."""

from lucid.nn.layers.activations import ReLU, Sigmoid, Tanh
from lucid.nn.layers.dropout import Dropout
from lucid.nn.layers.embedding import Embedding
from lucid.nn.layers.layer_norm import LayerNorm
from lucid.nn.layers.linear import Linear
from lucid.nn.layers.sequential import Sequential

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]

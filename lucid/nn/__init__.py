"""Layers, losses and the Module that they are."""

from lucid.nn import functional
from lucid.nn.layers import (
    Dropout,
    Embedding,
    LayerNorm,
    Linear,
    ReLU,
    Sequential,
    Sigmoid,
    Tanh,
)
from lucid.nn.losses import (
    MultiLabelMarginLoss,
    MultilabelMarginLoss,
    MultiLabelSoftMarginLoss,
    WARPLoss,
)
from lucid.nn.module import Module, Parameter

__all__ = [
    "Dropout",
    "Embedding",
    "LayerNorm",
    "Linear",
    "Module",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultilabelMarginLoss",
    "Parameter",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Tanh",
    "WARPLoss",
    "functional",
]

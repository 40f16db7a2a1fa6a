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
    BPMLLLoss,
    LSEPLoss,
    MultiLabelMarginLoss,
    MultilabelMarginLoss,
    MultiLabelSoftMarginLoss,
    WARPLoss,
    ZLPRLoss,
)
from lucid.nn.module import Module, Parameter
from lucid.system.listing import lists

__all__ = [
    "BPMLLLoss",
    "Dropout",
    "Embedding",
    "LSEPLoss",
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
    "ZLPRLoss",
    "functional",
]

__dir__ = lists(__all__)

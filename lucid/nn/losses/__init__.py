"""The losses as modules."""

from lucid.nn.losses.exponential import BPMLLLoss, LSEPLoss, ZLPRLoss
from lucid.nn.losses.margin import MultiLabelMarginLoss, MultilabelMarginLoss
from lucid.nn.losses.soft_margin import MultiLabelSoftMarginLoss
from lucid.nn.losses.warp import WARPLoss

__all__ = [
    "BPMLLLoss",
    "LSEPLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultilabelMarginLoss",
    "WARPLoss",
    "ZLPRLoss",
]

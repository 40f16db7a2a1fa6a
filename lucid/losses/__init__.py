"""The losses as functions of arrays: scores and labels in, the loss and its gradient out."""

from lucid.losses.exponential import bpmll_loss, lsep_loss, zlpr_loss
from lucid.losses.margin import multilabel_margin_loss
from lucid.losses.soft_margin import multilabel_soft_margin_loss
from lucid.losses.warp import warp_loss
from lucid.system.listing import lists

__all__ = [
    "bpmll_loss",
    "lsep_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "warp_loss",
    "zlpr_loss",
]

__dir__ = lists(__all__)

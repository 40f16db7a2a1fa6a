"""The losses as functions of arrays: scores and labels in, the loss and its gradient out."""

from lucid.losses.margin import multilabel_margin_loss
from lucid.losses.warp import warp_loss

__all__ = ["multilabel_margin_loss", "warp_loss"]

"""The soft margin loss as an op."""

from __future__ import annotations

import numpy as np

from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.ops.elementwise import sigmoid
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor
from lucid.labels import Labels
from lucid.losses.soft_margin import gradient_scale, soft_margin_of


def _single(x: Array) -> Array:
    """Widen half precision: a gradient may be too small for it, and be scaled up afterwards."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def _rounded(loss: Array, x: Tensor) -> Array:
    if x._data.dtype.char != "e":
        return loss
    with np.errstate(over="ignore"):
        return loss.astype(np.float16)


def _is_one(g: Tensor) -> bool:
    return g._data.ndim == 0 and g._data.item() == 1.0


@primitive
def multilabel_soft_margin_loss(
    x: Tensor, *, target: Array | Labels, weight: Array, reduction: str
) -> Result:
    want_gradient = x.requires_grad and grad_mode.enabled
    wide = _single(x._data)
    loss, gradient = soft_margin_of(wide, target, weight, reduction, want_gradient)
    loss = _rounded(loss, x)
    if gradient is None:
        return loss, None
    value = gradient
    weight = weight.copy()  # its owner may write into it

    def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
        if _is_one(g) and not grad_mode.enabled:
            return (Tensor(value),)
        per_row = g.reshape((*g.shape, 1)) if g.ndim else g
        scale = gradient_scale(wide, weight, reduction)
        return (per_row * _soft_margin_gradient(x, gradient=value, scale=scale),)

    return loss, pullback


@primitive
def _soft_margin_gradient(x: Tensor, *, gradient: Array, scale: Array) -> Result:
    """The gradient as a function of x; the target is a constant in it."""

    def pullback(h: Tensor, y: Tensor) -> tuple[Tensor]:
        p = sigmoid(x)
        return (h * (p * (1 - p) * scale),)

    return gradient, pullback

"""The losses as ops: one pass gives the value and, when it will be wanted, the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.graph import Pullback
from lucid.autograd.ops.elementwise import sigmoid
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor
from lucid.labels import Labels
from lucid.losses.margin import margin_of
from lucid.losses.soft_margin import gradient_scale, soft_margin_of


@primitive
def multilabel_margin_loss(x: Tensor, *, target: Any, reduction: str) -> Result:
    want_gradient = x.requires_grad and grad_mode.enabled
    loss, gradient = margin_of(_single(x._data), target, reduction, want_gradient)
    return _rounded(loss, x), None if gradient is None else _margin_pullback(x, gradient)


def _single(x: Array) -> Array:
    """Widen half precision: a gradient may be too small for it, and be scaled up afterwards."""
    return x.astype(np.float32) if x.dtype.char == "e" else x


def _rounded(loss: Array, x: Tensor) -> Array:
    if x._data.dtype.char != "e":
        return loss
    with np.errstate(over="ignore"):
        return loss.astype(np.float16)


def _margin_pullback(x: Tensor, gradient: Array) -> Pullback:
    def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
        if _is_one(g) and not grad_mode.enabled:
            return (Tensor(gradient),)
        return (_margin_gradient(g, x, gradient=gradient),)

    return pullback


@primitive
def _margin_gradient(g: Tensor, x: Tensor, *, gradient: Array) -> Result:
    """The gradient times that of what comes after; as a function of x it is constant in steps."""
    value = _per_row(g._data, gradient) * gradient

    def pullback(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        product = h * gradient
        return (
            product.sum() if g.ndim == 0 and x.ndim > 0 else product.sum(axis=-1),
            Tensor(np.zeros_like(x._data)),
        )

    return value, pullback


def _is_one(g: Tensor) -> bool:
    return g._data.ndim == 0 and g._data.item() == 1.0


def _per_row(g: Array, x: Array) -> Array:
    """Give ``g``, one number for all rows or one for each, the axes of ``x``."""
    return g[..., np.newaxis] if g.ndim == x.ndim - 1 else g


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

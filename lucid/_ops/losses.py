"""The losses as ops: one pass gives the value and, when it will be wanted, the gradient."""

from __future__ import annotations

from typing import Any

import numpy as np

from lucid._graph import Pullback, grad_mode
from lucid._margin import margin_of
from lucid._ops.elementwise import sigmoid
from lucid._ops.primitive import Result, primitive
from lucid._tensor import Array, Tensor


@primitive
def multilabel_margin_loss(x: Tensor, *, target: Any, reduction: str) -> Result:
    want_gradient = x.requires_grad and grad_mode.enabled
    loss, gradient = margin_of(x._data, target, reduction, want_gradient)
    return loss, None if gradient is None else _margin_pullback(x, gradient)


def _margin_pullback(x: Tensor, gradient: Array) -> Pullback:
    def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
        if g._data.ndim == 0 and g._data.item() == 1.0 and not grad_mode.enabled:
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


def _per_row(g: Array, x: Array) -> Array:
    """Give ``g``, one number for all rows or one for each, the axes of ``x``."""
    return g[..., np.newaxis] if g.ndim == x.ndim - 1 else g


@primitive
def multilabel_soft_margin_loss(
    x: Tensor, *, target: Array, weight: Array, reduction: str
) -> Result:
    """The mean over classes of weight * (softplus(x) - target * x), which is -log likelihood."""
    data = x._data
    # softplus(x) = max(x, 0) + log1p(exp(-|x|)) overflows nowhere.
    terms = np.maximum(data, 0) + np.log1p(np.exp(-np.abs(data))) - target * data
    rows = (weight * terms).mean(axis=-1)
    scale = weight / data.shape[-1]
    if reduction == "mean":
        scale = scale / rows.size if rows.size else scale
    loss = rows if reduction == "none" else rows.mean() if reduction == "mean" else rows.sum()

    def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
        per_row = g.reshape((*g.shape, 1)) if g.ndim else g
        return (per_row * ((sigmoid(x) - target) * scale),)

    return loss, pullback

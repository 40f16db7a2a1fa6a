"""Rows shifted and scaled to mean 0 and variance 1."""

from __future__ import annotations

import numpy as np

from lucid.autograd.ops.reductions import mean
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor


@primitive
def standardize(x: Tensor, *, eps: float) -> Result:
    """``(x - mean) / sqrt(variance + eps)`` along the last axis; `x` is float32 or float64.

    float32 is computed in float64: squares of what it holds overflow, and the mean of equal numbers
    is one of them only where their sum is exact.
    """
    centred = x._data.astype(np.promote_types(x.dtype, np.float64))
    centred -= _mean(centred)
    if centred.dtype == x.dtype:  # nothing finer at hand: take off what the mean was rounded by
        centred -= _mean(centred)
    scale = 1 / np.sqrt(_mean_product(centred, centred) + eps)
    centred *= scale
    scale = scale.astype(x.dtype, copy=False)
    return centred.astype(x.dtype, copy=False), lambda g, y: (
        _scale(x, value=scale, eps=eps) * _off_mean_and(y, g),
    )


@primitive
def _scale(x: Tensor, *, value: Array, eps: float) -> Result:
    """The factor of each row in `standardize`, as a function of x."""
    return value, lambda g, s: (-g * s * s * standardize(x, eps=eps) / x.shape[-1],)


@primitive
def _off_mean_and(y: Tensor, g: Tensor) -> Result:
    """``g - mean(g) - mean(g * y) * y``: what is left of g in a row beside a constant and y."""
    rest = g._data - _mean(g._data)
    rest -= _mean_product(g._data, y._data) * y._data
    return rest, lambda h, _: (
        -h * mean(g * y, -1, keepdims=True) - g * mean(h * y, -1, keepdims=True),
        _off_mean_and(y, h),
    )


def _mean(x: Array) -> Array:
    return _over_length(np.sum(x, axis=-1, keepdims=True), x)


def _mean_product(x: Array, y: Array) -> Array:
    # Not a product of BLAS, whose bits depend on its number of threads.
    return _over_length(np.einsum("...i,...i", x, y)[..., np.newaxis], x)


def _over_length(totals: Array, x: Array) -> Array:
    totals /= max(x.shape[-1], 1)
    return totals

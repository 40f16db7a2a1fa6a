"""Functions that take each element from one place or another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lucid.autograd.docs import SECTIONS
from lucid.autograd.primitive import Result, primitive, rounded_once
from lucid.autograd.tensor import Array, Tensor, TensorLike, method
from lucid.system.docstrings import shared

__all__ = ["clip", "maximum", "minimum", "where"]


@primitive
@rounded_once
@shared(SECTIONS)
def maximum(x: Tensor, y: Tensor) -> Result:
    """Return the larger one of each pair of elements.

    {of_two}

    Notes
    -----
    NaN where either is NaN, and both gradients are. Where both are equal, each gets half of the
    gradient, as in PyTorch.

    Examples
    --------
    >>> import lucid
    >>> lucid.maximum(lucid.tensor([1.0, 4.0]), lucid.tensor([3.0, 2.0]))
    tensor([3., 4.])
    """
    return np.maximum(x._data, y._data), lambda g, _: _to_winner(
        g, x, y, x._data > y._data, x._data < y._data
    )


@primitive
@rounded_once
@shared(SECTIONS)
def minimum(x: Tensor, y: Tensor) -> Result:
    """Return the smaller one of each pair of elements.

    {of_two}

    Notes
    -----
    NaN where either is NaN, and both gradients are. Where both are equal, each gets half of the
    gradient, as in PyTorch.

    Examples
    --------
    >>> import lucid
    >>> lucid.minimum(lucid.tensor([1.0, 4.0]), lucid.tensor([3.0, 2.0]))
    tensor([1., 2.])
    """
    return np.minimum(x._data, y._data), lambda g, _: _to_winner(
        g, x, y, x._data < y._data, x._data > y._data
    )


def _to_winner(
    g: Tensor, x: Tensor, y: Tensor, x_wins: Array, y_wins: Array
) -> tuple[Tensor | None, Tensor | None]:
    shared = where(x._data == y._data, g / 2, g.dtype.type(math.nan))
    return (
        where(x_wins, g, where(y_wins, 0, shared)) if x.requires_grad else None,
        where(y_wins, g, where(x_wins, 0, shared)) if y.requires_grad else None,
    )


@primitive
def where(condition: Tensor, x: Tensor, y: Tensor) -> Result:
    """Return `x` where the condition holds, else `y`, for each element.

    Parameters
    ----------
    condition : Tensor or array_like
        Bool; of other dtypes, nonzero counts as true.
    x, y : Tensor or array_like
        The three shapes broadcast together.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([-1.0, 2.0])
    >>> lucid.where(x > 0, x, 0)
    tensor([0., 2.])
    """
    return np.where(condition._data, x._data, y._data), lambda g, _: (
        None,
        where(condition, g, 0),
        where(condition, 0, g),
    )


@primitive
def _clip(x: Tensor, *, min: Any, max: Any) -> Result:
    def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
        low = -math.inf if min is None else min
        high = math.inf if max is None else max
        within = (low <= x._data) & (x._data <= high)
        return (where(within, g, where(np.isnan(y._data), g.dtype.type(math.nan), 0)),)

    return np.clip(x._data, min, max), pullback


def _bound(name: str, bound: Any) -> Any:
    """Return what a tensor is clipped at: as it is now, for the backward pass needs it again."""
    if isinstance(bound, Tensor):
        raise TypeError(
            f"clip: {name} must be a number or an array, got a Tensor: maximum and minimum take "
            f"tensors"
        )
    is_number = bound is None or isinstance(bound, (int, float, np.generic))
    return bound if is_number else np.array(bound)


@method
def clip(x: TensorLike, min: float | None = None, max: float | None = None) -> Tensor:
    """Return each element, or the bound that it exceeds.

    Parameters
    ----------
    x : Tensor or array_like
    min, max : float, optional
        The bounds; at least one.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If there is no bound.

    Notes
    -----
    The gradient passes where ``min <= x <= max``, as in PyTorch. NaN stays NaN, with a gradient of
    NaN.

    Examples
    --------
    >>> import lucid
    >>> lucid.clip(lucid.tensor([-5.0, 0.5, 5.0]), 0.0, 1.0)
    tensor([0. , 0.5, 1. ])
    """
    if min is None and max is None:
        raise ValueError("clip: min or max must be given")
    return _clip(x, min=_bound("min", min), max=_bound("max", max))

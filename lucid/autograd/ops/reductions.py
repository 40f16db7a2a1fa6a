"""Functions that take axes together: sums, means, extremes, softmax."""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.array_utils import normalize_axis_tuple

from lucid.arrays.reduction import Axis, pairwise_sum
from lucid.autograd.ops.shaping import broadcast_to
from lucid.autograd.primitive import Result, primitive, rounded_once
from lucid.autograd.tensor import Tensor, TensorLike, method

__all__ = ["log_softmax", "max", "mean", "min", "softmax", "sum"]


def _axes(x: Tensor, axis: Axis) -> tuple[int, ...]:
    return tuple(range(x.ndim)) if axis is None else normalize_axis_tuple(axis, x.ndim)


def _keep_axes(reduced: Tensor, x: Tensor, axis: Axis) -> Tensor:
    """Give a reduction's result, or its gradient, its axes back, with length 1."""
    axes = _axes(x, axis)
    return reduced.reshape(tuple(1 if a in axes else n for a, n in enumerate(x.shape)))


@primitive
@rounded_once
def _sum(x: Tensor, *, axis: Axis, keepdims: bool) -> Result:
    return pairwise_sum(x._data, axis, keepdims), lambda g, _: (
        broadcast_to(_keep_axes(g, x, axis), x.shape),
    )


@method
def sum(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the sum of the elements over some axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        The axes to sum over; all by default.
    keepdims : bool, default False
        Keep these axes with length 1.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> lucid.sum(x), lucid.sum(x, axis=1)
    (tensor(10.), tensor([3., 7.]))
    """
    return _sum(x, axis=axis, keepdims=keepdims)


@primitive
@rounded_once
def _mean(x: Tensor, *, axis: Axis, keepdims: bool) -> Result:
    count = math.prod(x.shape[a] for a in _axes(x, axis))
    array = x._data if x._data.dtype.kind in "fc" else x._data.astype(np.float64)
    total = pairwise_sum(array, axis, keepdims)
    value = np.asarray(total / np.float64(count) if count else total * math.nan, total.dtype)
    return value, lambda g, _: (broadcast_to(_keep_axes(g, x, axis) / (count or 1), x.shape),)


@method
def mean(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the mean of the elements over some axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        The axes to average over; all by default.
    keepdims : bool, default False
        Keep these axes with length 1.

    Returns
    -------
    Tensor

    Notes
    -----
    The mean of no elements is nan. The mean of integers is a float64.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> lucid.mean(x), lucid.mean(x, axis=0)
    (tensor(2.5), tensor([2., 3.]))
    """
    return _mean(x, axis=axis, keepdims=keepdims)


def _to_extremes(g: Tensor, extreme: Tensor, x: Tensor, axis: Axis) -> tuple[Tensor]:
    """Share the gradient of a maximum or minimum among the elements that reach it."""
    hits = x._data == _keep_axes(extreme, x, axis)._data
    ties = hits.sum(axis=axis, keepdims=True)
    # No element equals an extreme of NaN: then all shares are NaN, for the NaN to be seen.
    shares = hits / np.where(ties == 0, math.nan, ties)
    return (_keep_axes(g, x, axis) * Tensor(shares.astype(x.dtype)),)


@primitive
@rounded_once
def _max(x: Tensor, *, axis: Axis, keepdims: bool) -> Result:
    return np.max(x._data, axis=axis, keepdims=keepdims), lambda g, y: _to_extremes(g, y, x, axis)


@method
def max(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the largest element over some axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        The axes to search; all by default.
    keepdims : bool, default False
        Keep these axes with length 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If there is no element to choose from.

    Notes
    -----
    NaN where an element is NaN; the gradient of all elements is then, too. Elements that tie share
    the gradient. Both are as with ``torch.amax``.

    Examples
    --------
    >>> import lucid
    >>> lucid.max(lucid.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=0)
    tensor([7., 5.])
    """
    return _max(x, axis=axis, keepdims=keepdims)


@primitive
@rounded_once
def _min(x: Tensor, *, axis: Axis, keepdims: bool) -> Result:
    return np.min(x._data, axis=axis, keepdims=keepdims), lambda g, y: _to_extremes(g, y, x, axis)


@method
def min(x: TensorLike, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Return the smallest element over some axes.

    Parameters
    ----------
    x : Tensor or array_like
    axis : int or tuple of int, optional
        The axes to search; all by default.
    keepdims : bool, default False
        Keep these axes with length 1.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If there is no element to choose from.

    Notes
    -----
    NaN where an element is NaN; the gradient of all elements is then, too. Elements that tie share
    the gradient. Both are as with ``torch.amin``.

    Examples
    --------
    >>> import lucid
    >>> lucid.min(lucid.tensor([[1.0, 5.0], [7.0, 3.0]]), axis=0)
    tensor([1., 3.])
    """
    return _min(x, axis=axis, keepdims=keepdims)


@primitive
@rounded_once
def _softmax(x: Tensor, *, axis: int) -> Result:
    e = np.exp(x._data - np.max(x._data, axis=axis, keepdims=True, initial=-np.inf))
    e /= pairwise_sum(e, axis, keepdims=True)
    return e, lambda g, y: (y * (g - sum(g * y, axis=axis, keepdims=True)),)


@method
def softmax(x: TensorLike, axis: int = -1) -> Tensor:
    r"""Return :math:`e^{x_i} / \sum_j e^{x_j}` along an axis.

    Parameters
    ----------
    x : Tensor or array_like
        Floating-point.
    axis : int, default -1
        The axis along which the result sums to 1.

    Returns
    -------
    Tensor

    Notes
    -----
    The largest element is subtracted first, so nothing overflows.

    Examples
    --------
    >>> import lucid
    >>> lucid.softmax(lucid.tensor([1000.0, 1000.0]))
    tensor([0.5, 0.5])
    """
    return _softmax(x, axis=axis)


@primitive
@rounded_once
def _log_softmax(x: Tensor, *, axis: int) -> Result:
    shifted = x._data - np.max(x._data, axis=axis, keepdims=True, initial=-np.inf)
    shifted -= np.log(pairwise_sum(np.exp(shifted), axis, keepdims=True))
    return shifted, lambda g, y: (g - y.exp() * sum(g, axis=axis, keepdims=True),)


@method
def log_softmax(x: TensorLike, axis: int = -1) -> Tensor:
    r"""Return :math:`x_i - \log \sum_j e^{x_j}` along an axis.

    Parameters
    ----------
    x : Tensor or array_like
        Floating-point.
    axis : int, default -1

    Returns
    -------
    Tensor

    Notes
    -----
    More accurate than the logarithm of `softmax`, whose small values round to 0.

    Examples
    --------
    >>> import lucid
    >>> lucid.log_softmax(lucid.tensor([0.0, 1000.0]))
    tensor([-1000.,     0.])
    """
    return _log_softmax(x, axis=axis)

"""Functions that move elements and leave their values alone."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import Any

import numpy as np

from lucid.arrays.reduction import BLOCK, FEW
from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.primitive import Result, as_operands, primitive, rounded_once
from lucid.autograd.tensor import Array, Tensor, TensorLike, as_index, as_tensor, method

__all__ = ["broadcast_to", "concatenate", "reshape", "stack", "transpose"]


@primitive
def _reshape(x: Tensor, *, shape: tuple[int, ...]) -> Result:
    return x._data.reshape(shape), lambda g, _: (g.reshape(x.shape),)


def _flat(numbers: tuple[int | Sequence[int], ...]) -> tuple[int, ...]:
    """Let ``f(2, 3)`` and ``f((2, 3))`` mean the same."""
    if len(numbers) == 1 and isinstance(numbers[0], Sequence):
        return tuple(numbers[0])
    return numbers  # type: ignore[return-value]


@method
def reshape(x: TensorLike, *shape: int | Sequence[int]) -> Tensor:
    """Return the same elements in another shape.

    Parameters
    ----------
    x : Tensor or array_like
    *shape : int or sequence of int
        The new shape; one length may be -1, to be inferred.

    Returns
    -------
    Tensor
        A view of the memory of `x` where that is possible.

    Raises
    ------
    ValueError
        If the numbers of elements differ.

    Examples
    --------
    >>> import lucid
    >>> lucid.reshape(lucid.arange(6), 2, -1)
    tensor([[0, 1, 2],
            [3, 4, 5]])
    """
    return _reshape(x, shape=_flat(shape))


@primitive
def _permute(x: Tensor, *, axes: tuple[int, ...]) -> Result:
    return x._data.transpose(axes), lambda g, _: (_permute(g, axes=tuple(np.argsort(axes))),)


@method
def transpose(x: TensorLike, *axes: int | Sequence[int]) -> Tensor:
    """Return a view of the tensor with its axes in another order.

    Parameters
    ----------
    x : Tensor or array_like
    *axes : int or sequence of int
        Nothing: reverse the order of all axes. Two axes: swap these, as in PyTorch. All axes: their
        new order, as in NumPy.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If `axes` are no axes of `x`, or neither none, two nor all.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.zeros(2, 3, 4)
    >>> x.T.shape, x.transpose(0, 1).shape, x.transpose(1, 2, 0).shape
    ((4, 3, 2), (3, 2, 4), (3, 4, 2))
    """
    x = as_tensor(x)
    order = list(range(x.ndim))
    wanted = _flat(axes)
    if not wanted:
        order.reverse()
    elif len(wanted) == 2:
        if not all(-x.ndim <= axis < x.ndim for axis in wanted):
            raise ValueError(f"transpose: a tensor of shape {x.shape} has no axes {wanted}")
        first, second = wanted
        order[first], order[second] = order[second], order[first]
    else:
        order = [axis % x.ndim if -x.ndim <= axis < x.ndim else axis for axis in wanted]
        if sorted(order) != list(range(x.ndim)):
            raise ValueError(
                f"transpose: expected no axes, two, or all of a tensor of shape {x.shape}, "
                f"got {wanted}"
            )
    return _permute(x, axes=tuple(order))


@primitive
def _broadcast_to(x: Tensor, *, shape: tuple[int, ...]) -> Result:
    # The walk sums the gradient to the input's shape, as for every op.
    return np.broadcast_to(x._data, shape), lambda g, _: (g,)


def broadcast_to(x: TensorLike, shape: Sequence[int]) -> Tensor:
    """Return the tensor repeated to a larger shape, as a read-only view.

    Parameters
    ----------
    x : Tensor or array_like
    shape : sequence of int
        A shape that `x` broadcasts to.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If it does not.

    Examples
    --------
    >>> import lucid
    >>> lucid.broadcast_to(lucid.tensor([1.0, 2.0]), (2, 2))
    tensor([[1., 2.],
            [1., 2.]])
    """
    return _broadcast_to(x, shape=tuple(shape))


@primitive
def _select(x: Tensor, *, index: Any) -> Result:
    return x._data[index], lambda g, _: (_scatter(g, index=index, shape=x.shape),)


@primitive
@rounded_once
def _scatter(x: Tensor, *, index: Any, shape: tuple[int, ...]) -> Result:
    """The transpose of selecting: zeros, with each element of `x` added where it came from."""
    total = np.zeros(shape, x._data.dtype)
    if not _may_repeat(index):
        total[index] = x._data
    elif isinstance(index, np.ndarray) and _most_frequent(index) >= FEW:
        _add_rows(total, index.ravel(), x._data.reshape(index.size, *shape[1:]))
    else:
        np.add.at(total, index, x._data)
    return total, lambda g, _: (_select(g, index=index),)


def _may_repeat(index: Any) -> bool:
    """Whether the index holds integer arrays, which can name an element twice."""
    parts = index if isinstance(index, tuple) else (index,)
    return any(np.ndim(part) and np.asarray(part).dtype != np.bool_ for part in parts)


def _most_frequent(index: Array) -> int:
    """Return at least half of how often the place occurs that an index names most often."""
    if index.size < FEW:
        return 0
    index = index.ravel().astype(np.intp)
    return int(np.bincount(index - index.min()).max())  # -1 is not counted as the last place


def _add_rows(total: Array, index: Array, rows: Array) -> None:
    """Add each row to the one of `total` that its index names, as carefully as any other sum.

    Rows for the same place are added in blocks, and the sums of blocks likewise, until one is left.
    """
    index = index.astype(np.intp) % len(total)
    order = np.argsort(index, kind="stable")
    index, rows = index[order], rows[order]
    while True:
        first = np.flatnonzero(np.diff(index, prepend=-1))
        if first.size == index.size:
            break
        place = np.arange(index.size) - np.repeat(first, np.diff(first, append=index.size))
        starts = np.flatnonzero(place % BLOCK == 0)
        index, rows = index[starts], np.add.reduceat(rows, starts, axis=0)
    total[index] = rows


def getitem(x: TensorLike, index: Any) -> Tensor:
    """Return ``x[index]``: everything that NumPy understands, and tensors as indices."""
    x, index = as_tensor(x), as_index(index)
    if x.requires_grad and grad_mode.enabled:
        parts = index if isinstance(index, tuple) else (index,)
        parts = tuple(_constant(part) for part in parts)
        index = parts if isinstance(index, tuple) else parts[0]
    return _select(x, index=index)


def _constant(index: Any) -> Any:
    """Return a copy of what can change before the backward pass: an array, a list."""
    if index is None or index is ... or isinstance(index, (int, slice, np.generic)):
        return index
    array = np.array(index)
    is_empty_list = not array.size and isinstance(index, list)  # of no floats
    return array.astype(np.intp) if is_empty_list else array


@primitive
def _concatenate(*tensors: Tensor, axis: int) -> Result:
    def pullback(g: Tensor, _: Tensor) -> list[Tensor]:
        ends = accumulate((x.shape[axis] for x in tensors), initial=0)
        before = (slice(None),) * (axis % g.ndim)
        return [g[(*before, slice(start, stop))] for start, stop in pairwise(ends)]

    return np.concatenate([x._data for x in tensors], axis=axis), pullback


def concatenate(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors along an axis that they have.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
        Of equal shapes, except along `axis`.
    axis : int, default 0

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If there is no tensor or the shapes do not fit.

    Examples
    --------
    >>> import lucid
    >>> lucid.concatenate([lucid.zeros(2), lucid.ones(1)])
    tensor([0., 0., 1.])
    """
    return _concatenate(*as_operands(tensors), axis=axis)


def stack(tensors: Sequence[TensorLike], axis: int = 0) -> Tensor:
    """Join tensors of equal shapes along a new axis.

    Parameters
    ----------
    tensors : sequence of Tensor or array_like
    axis : int, default 0
        Where the new axis stands in the result.

    Returns
    -------
    Tensor

    Raises
    ------
    ValueError
        If there is no tensor or the shapes differ.

    Examples
    --------
    >>> import lucid
    >>> lucid.stack([lucid.zeros(2), lucid.ones(2)], axis=1)
    tensor([[0., 1.],
            [0., 1.]])
    """
    parts = as_operands(tensors)
    shapes = {x.shape for x in parts}
    if len(shapes) != 1:
        raise ValueError(f"stack: expected tensors of one shape, got {sorted(shapes)}")
    ndim = parts[0].ndim + 1
    if not -ndim <= axis < ndim:
        raise ValueError(f"stack: axis {axis} is out of range for a result with {ndim} axes")
    (shape,) = shapes
    place = axis % ndim
    return concatenate([x.reshape(*shape[:place], 1, *shape[place:]) for x in parts], axis=place)

"""Sums of arrays over axes."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from numpy.lib.array_utils import normalize_axis_tuple

Array = npt.NDArray[Any]

#: The axis or axes of a reduction; None for all of them.
Axis: TypeAlias = int | tuple[int, ...] | None

#: Fewer numbers than this may be added one by one, and are in blocks of so many beyond: the
#: rounding errors of a sum then grow with the logarithm of its length. NumPy's sums do the same.
FEW = 128
BLOCK = 16

#: What ``np.sum`` calls, without the detour.
_add: Any = np.add.reduce


def pairwise_sum(x: Array, axis: Axis = None, keepdims: bool = False) -> Any:
    """Return the sum over some axes, with the small error of pairwise summation along each.

    NumPy's own sum is pairwise where the numbers lie side by side in memory. Along other axes it
    adds one by one: in float32 the mean of four million times 0.1 comes out as 0.096.
    """
    if x.size < FEW or x.dtype.kind not in "fc":
        return _add(x, axis=axis, keepdims=keepdims)
    axes = range(x.ndim) if axis is None else normalize_axis_tuple(axis, x.ndim)
    if _are_side_by_side(x, axes):
        return _add(x, axis=axis, keepdims=keepdims)
    total = x
    for a in sorted(axes, key=lambda a: -abs(x.strides[a])):  # the longest runs in memory first
        total = _sum_along(total, a)
    return total if keepdims else total.squeeze(tuple(axes))


def _are_side_by_side(x: Array, axes: Sequence[int]) -> bool:
    """Whether NumPy finds the numbers of a sum in one run through memory."""
    if len(axes) == x.ndim:
        return x.flags.forc
    return not axes or (x.flags.c_contiguous and min(axes) == x.ndim - len(axes))


def _sum_along(x: Array, axis: int) -> Array:
    """Return the sum along one axis, which is kept with length 1."""
    n, strides = x.shape[axis], np.abs(x.strides)
    if n < FEW or (strides[axis] > 0 and strides[axis] == strides.min()):
        total: Array = _add(x, axis=axis, keepdims=True)
        return total
    # The rows i, i + k, i + 2k, ... are a block. All blocks are added at once: few, long loops.
    k = n // BLOCK
    before, after = x.shape[:axis], x.shape[axis + 1 :]
    every = (slice(None),) * axis
    blocks = x[(*every, slice(BLOCK * k))].reshape(*before, BLOCK, k, *after)
    total = _sum_along(_add(blocks, axis=axis), axis)
    if BLOCK * k < n:
        total += _add(x[(*every, slice(BLOCK * k, None))], axis=axis, keepdims=True)
    return total

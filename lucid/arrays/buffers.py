"""Memory for large gradients, kept from one step to the next.

The pages of a fresh array of tens of megabytes are handed out by the operating system one by one,
as they are first written, which takes longer than computing the gradient. A training step needs
an array of the same size as the step before, and by then nobody looks at the old one any more.
So the last large array is kept, and given out again as soon as it is free.
"""

import sys
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: Below this many bytes the allocator keeps the memory itself.
LARGE = 1 << 20

_kept: list[Array] = []


def empty_like(x: Array) -> Array:
    """Return an uninitialised C-contiguous array of the shape and dtype of ``x``."""
    if x.nbytes < LARGE:
        return np.empty(x.shape, x.dtype)
    try:
        array = _kept.pop()  # in one step: two threads cannot get the same
    except IndexError:
        array = None
    # Views hold a reference to the array that owns the memory, so two references (this name, and
    # the argument of getrefcount) mean that nobody can see it any more. Who had it may have changed
    # the object itself: its shape, its strides, whether it may be written to.
    if (
        array is None
        or array.shape != x.shape
        or array.dtype != x.dtype
        or not array.flags.carray
        or sys.getrefcount(array) > 2
    ):
        array = np.empty(x.shape, x.dtype)
    if not _kept:
        _kept.append(array)
    return array

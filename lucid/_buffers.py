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
        memory = _kept.pop()
    except IndexError:
        memory = None
    # Views hold a reference to the array they look at, so two (this name, and the argument of
    # getrefcount) mean that there is no other.
    if memory is None or memory.nbytes != x.nbytes or sys.getrefcount(memory) > 2:
        memory = np.empty(x.nbytes, np.uint8)
    if not _kept:
        _kept.append(memory)
    return memory.view(x.dtype).reshape(x.shape)

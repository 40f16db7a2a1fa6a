"""What the layers accept: sizes, and inputs that become floats."""

from typing import SupportsIndex

import numpy as np

from lucid.arrays.checks import as_int
from lucid.autograd.tensor import Tensor, TensorLike, as_tensor


def as_size(name: str, value: SupportsIndex) -> int:
    """Return a size that an array can have, or say which argument is none."""
    size = as_int(name, value)
    if size < 0:
        raise ValueError(f"{name} must not be negative, got {size}")
    return size


def as_floating(x: TensorLike) -> Tensor:
    """Return a tensor whose integers, if it holds such, are float64, as those of a mean."""
    x = as_tensor(x)
    return x.to(np.float64) if x.dtype.kind in "biu" else x

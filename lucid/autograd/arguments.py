"""What users hand to ops beside tensors that are differentiated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from lucid.arrays.checks import as_array
from lucid.autograd.grad_mode import is_grad_enabled
from lucid.autograd.tensor import Tensor, TensorLike


def real(name: str, x: TensorLike) -> Tensor:
    """Return an argument as a tensor, float32 for lists, also for those of ints."""
    if isinstance(x, Tensor):
        return x
    array = as_array(name, x)
    if array.dtype.kind in "iuf" and not hasattr(x, "dtype"):
        array = array.astype(np.float32, copy=False)
    return Tensor(array)


def constant(name: str, x: Any) -> Any:
    """Return an argument that is not differentiated: the array of a tensor, and else as it is."""
    if not isinstance(x, Tensor):
        return x
    if x.requires_grad and is_grad_enabled():
        raise ValueError(f"{name} must not require a gradient, which would be lost: detach() it")
    return x._data


def constants(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options with the arrays of tensors; where there are none, the same mapping."""
    for value in options.values():
        if isinstance(value, Tensor):
            return {name: constant(name, value) for name, value in options.items()}
    return options

"""How a loss of arrays becomes one of tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import numpy as np

from lucid.arrays.checks import as_array
from lucid.autograd.grad_mode import is_grad_enabled
from lucid.autograd.ops.losses import SecondDerivative, loss_of
from lucid.autograd.tensor import Array, Tensor, TensorLike
from lucid.losses import docs
from lucid.losses.problem import Loss, function_like

P = ParamSpec("P")

#: By a loss's name: from scores, target, reduction, sample weights and options to the loss.
CALLS: dict[str, Callable[[TensorLike, Any, str, Any, Mapping[str, Any]], Tensor]] = {}


def of_tensors(
    loss: Loss, arrays: Callable[P, Any], second_derivative: SecondDerivative, example: str
) -> Callable[P, Tensor]:
    """Return the function of tensors of a loss, with the parameters of the function of arrays."""

    def call(
        x: TensorLike, target: Any, reduction: str, sample_weight: Any, options: Mapping[str, Any]
    ) -> Tensor:
        if isinstance(target, Tensor):
            target = values("target", target)
        if options:
            options = constants(options)
        if sample_weight is not None:
            sample_weight = constant("sample_weight", sample_weight)
        if not isinstance(x, Tensor):
            x = real("x", x)
        return loss_of(x, loss, target, reduction, sample_weight, options, second_derivative)

    CALLS[loss.name] = call
    return function_like(arrays, call, docs.for_tensors(arrays, example), "Tensor")


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
    return values(name, x) if isinstance(x, Tensor) else x


def constants(options: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return options with the arrays of tensors; where there are none, the same mapping."""
    for value in options.values():
        if isinstance(value, Tensor):
            return {name: constant(name, value) for name, value in options.items()}
    return options


def values(name: str, x: TensorLike) -> Array:
    """Return a constant argument as an array."""
    if not isinstance(x, Tensor):
        return as_array(name, x)
    if x.requires_grad and is_grad_enabled():
        raise ValueError(f"{name} must not require a gradient, which would be lost: detach() it")
    return x._data

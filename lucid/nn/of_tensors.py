"""How a loss of arrays becomes one of tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec

from lucid.autograd.ops.losses import LossOp, SecondDerivative, loss_op
from lucid.autograd.tensor import Tensor
from lucid.losses import docs
from lucid.losses.problem import Loss, function_like

P = ParamSpec("P")

#: By a loss's name: from scores, target, reduction, sample weights and options to the loss.
CALLS: dict[str, LossOp] = {}


def of_tensors(
    loss: Loss, arrays: Callable[P, Any], second_derivative: SecondDerivative, example: str
) -> Callable[P, Tensor]:
    """Return the function of tensors of a loss, with the parameters of the function of arrays."""

    call = loss_op(loss, second_derivative)
    CALLS[loss.name] = call
    return function_like(arrays, call, docs.for_tensors(arrays, example), "Tensor")

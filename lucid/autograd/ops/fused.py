"""The last layer and a loss of its outputs as one op, which never holds all logits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lucid.autograd.grad import grad
from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.ops.elementwise import clone
from lucid.autograd.ops.losses import SecondDerivative, loss_op
from lucid.autograd.ops.products import linear
from lucid.autograd.primitive import Result, primitive, rounded_once
from lucid.autograd.tensor import Array, Tensor
from lucid.labels import Labels
from lucid.losses.fused import Gradients, Wanted, linear_loss_of
from lucid.losses.problem import Loss
from lucid.losses.solving import Problem
from lucid.losses.stepping import Step, linear_step_of


@dataclass(frozen=True)
class Asked:
    """What is wanted of the outputs of the layer."""

    loss: Loss
    options: Mapping[str, Any]
    second_derivative: SecondDerivative
    labels: Labels
    reduction: str
    sample_weight: Array | None

    def problem(self) -> Problem:
        """Return what is wanted of the losses of the rows, whatever their scores."""
        no_scores = np.empty((len(self.labels), 0))
        return Problem(no_scores, self.labels, self.sample_weight, self.reduction)


@primitive
@rounded_once
def linear_loss(
    weight: Tensor, bias: Tensor, features: Tensor, *, asked: Asked, chunk: int
) -> Result:
    return _solve((weight, bias, features), features._data, asked, chunk)


@primitive
@rounded_once
def sparse_linear_loss(
    weight: Tensor, bias: Tensor, *, features: object, asked: Asked, chunk: int
) -> Result:
    """The same of a constant CSR matrix."""
    return _solve((weight, bias), features, asked, chunk)


def _solve(inputs: tuple[Tensor, ...], features: Any, asked: Asked, chunk: int) -> Result:
    """Compute the gradients along with the loss, to be only scaled in the backward pass."""
    weight, bias = inputs[0]._data, inputs[1]._data
    wanted = Wanted(*(t.requires_grad and grad_mode.enabled for t in inputs))
    problem = asked.problem()

    def compute(wanted: Wanted, upstream: Array | float = 1.0) -> tuple[Array, Gradients]:
        with np.errstate(divide="ignore", invalid="ignore"):  # a mean of no rows
            scale = np.ravel(problem.factors()) * upstream
        return linear_loss_of(
            features,
            weight,
            bias,
            asked.labels,
            loss=asked.loss,
            options=asked.options,
            chunk=chunk,
            scale=scale if scale.size > 1 else scale.item() if scale.size else 1.0,
            wanted=wanted,
        )

    # For 'none' the gradients of the rows are added up in the backward pass: only then is it known
    # by what factors.
    losses, gradients = compute(Wanted() if problem.rows else wanted)

    def pullback(g: Tensor, y: Tensor) -> Sequence[Tensor | None]:
        if grad_mode.enabled:
            return _differentiable_gradients(g, inputs, features, asked)
        arrays: Sequence[Array | None] = gradients
        if problem.rows:
            arrays = compute(wanted, g._data)[1]
        elif g._data.item() != 1.0:
            arrays = [None if a is None else a * g._data for a in gradients]
        return [None if a is None else Tensor(a) for a in arrays[: len(inputs)]]

    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        value = np.asarray(problem.gathered(losses))
        return value.astype(np.result_type(*(t.dtype for t in inputs))), pullback


def linear_step(
    weight: Tensor, bias: Tensor, features: Any, *, asked: Asked, chunk: int, step: Step
) -> Tensor:
    """Compute the loss, and have ``step`` change weight and bias; only features are recorded."""
    if isinstance(features, Tensor):
        return _dense_step(
            features, weight=weight._data, bias=bias._data, asked=asked, chunk=chunk, step=step
        )
    return Tensor(_step(features, weight._data, bias._data, asked, chunk, step, wanted=False)[0])


@primitive
def _dense_step(
    features: Tensor, *, weight: Array, bias: Array, asked: Asked, chunk: int, step: Step
) -> Result:
    wanted = features.requires_grad and grad_mode.enabled
    x = features._data.astype(weight.dtype, copy=False)
    value, gradient = _step(x, weight, bias, asked, chunk, step, wanted)

    def pullback(g: Tensor, y: Tensor) -> Sequence[Tensor | None]:
        if grad_mode.enabled:
            raise RuntimeError("a step has no second derivative: the weight has changed since")
        assert gradient is not None
        return (Tensor((gradient * g._data).astype(features.dtype)),)

    return value, pullback if wanted else None


def _step(
    features: Any,
    weight: Array,
    bias: Array,
    asked: Asked,
    chunk: int,
    step: Step,
    wanted: bool,
) -> tuple[Array, Array | None]:
    problem = asked.problem()
    with np.errstate(all="ignore"):  # a mean of no rows; what overflows
        losses, gradient = linear_step_of(
            features,
            weight,
            bias,
            asked.labels,
            loss=asked.loss,
            options=asked.options,
            chunk=chunk,
            scale=np.ravel(problem.factors()) if asked.labels.shape[0] else 1.0,
            step=step,
            wanted=wanted,
        )
        return np.asarray(problem.gathered(losses)).astype(weight.dtype), gradient


def _differentiable_gradients(
    g: Tensor, inputs: Sequence[Tensor], features: Any, asked: Asked
) -> Sequence[Tensor | None]:
    """Go through the two ops that are fused here, and so through all logits."""
    inner = [clone(t) for t in inputs]  # independent, even if one input was computed from another
    weight, bias, *dense = inner
    logits = linear(dense[0] if dense else features, weight, bias)
    op = loss_op(asked.loss, asked.second_derivative)
    loss = op(logits, asked.labels, asked.reduction, asked.sample_weight, asked.options)
    wanted = [t for t in inner if t.requires_grad]
    gradients = dict(zip(wanted, grad(loss, wanted, g, create_graph=True), strict=True))
    return [gradients.get(t) for t in inner]

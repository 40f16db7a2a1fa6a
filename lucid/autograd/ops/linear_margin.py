"""The last layer and the margin loss as one op, which never holds all logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from lucid.arrays.reduction import reduced
from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.ops.elementwise import clone
from lucid.autograd.ops.losses import multilabel_margin_loss
from lucid.autograd.ops.products import linear
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor, grad
from lucid.labels import Labels
from lucid.losses.fused import Gradients, Wanted, linear_margin_of


@primitive
def linear_multilabel_margin_loss(
    weight: Tensor, bias: Tensor, features: Tensor, *, labels: Labels, reduction: str, chunk: int
) -> Result:
    return _solve((weight, bias, features), features._data, labels, reduction, chunk)


@primitive
def sparse_linear_multilabel_margin_loss(
    weight: Tensor, bias: Tensor, *, features: object, labels: Labels, reduction: str, chunk: int
) -> Result:
    """The same of a constant CSR matrix."""
    return _solve((weight, bias), features, labels, reduction, chunk)


def _solve(
    inputs: tuple[Tensor, ...], features: Any, labels: Labels, reduction: str, chunk: int
) -> Result:
    """Compute the gradients along with the loss, to be only scaled in the backward pass."""
    weight, bias = inputs[0]._data, inputs[1]._data
    wanted = Wanted(*(t.requires_grad and grad_mode.enabled for t in inputs))

    def compute(**options: Any) -> tuple[Array, Gradients]:
        return linear_margin_of(features, weight, bias, labels, chunk=chunk, **options)

    if reduction == "none":  # the gradients of the rows are added up in the backward pass:
        losses, gradients = compute(wanted=Wanted())  # only then is it known by what factors
    else:
        n = len(labels) if reduction == "mean" else 1
        losses, gradients = compute(wanted=wanted, scale=1 / max(n, 1))

    def pullback(g: Tensor, y: Tensor) -> Sequence[Tensor | None]:
        if grad_mode.enabled:
            return _differentiable_gradients(g, inputs, features, labels, reduction)
        arrays: Sequence[Array | None] = gradients
        if reduction == "none":
            arrays = compute(wanted=wanted, scale=g._data)[1]
        elif g._data.item() != 1.0:
            arrays = [None if a is None else a * g._data for a in gradients]
        return [None if a is None else Tensor(a) for a in arrays[: len(inputs)]]

    value = reduced(losses, reduction)
    return value.astype(np.result_type(*(t.dtype for t in inputs)), copy=False), pullback


def _differentiable_gradients(
    g: Tensor, inputs: Sequence[Tensor], features: Any, labels: Labels, reduction: str
) -> Sequence[Tensor | None]:
    """Go through the two ops that are fused here, and so through all logits."""
    inner = [clone(t) for t in inputs]  # independent, even if one input was computed from another
    weight, bias, *dense = inner
    logits = linear(dense[0] if dense else features, weight, bias)
    loss = multilabel_margin_loss(logits, target=labels, reduction=reduction)
    wanted = [t for t in inner if t.requires_grad]
    gradients = dict(zip(wanted, grad(loss, wanted, g, create_graph=True), strict=True))
    return [gradients.get(t) for t in inner]

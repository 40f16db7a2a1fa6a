"""The losses as ops: one pass gives the value and, when it will be wanted, the gradient.

One op, that of `loss_op`, serves all of them. What differs is how the gradient depends on the
scores, which matters only where the backward pass is recorded: it is constant in steps (the
hinges), linear in steps (`Curved`), or smooth, and then given by a formula of tensors (`Smooth`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from lucid.autograd.arguments import constant, constants, real
from lucid.autograd.grad import grad
from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.graph import Node
from lucid.autograd.ops.choices import where
from lucid.autograd.ops.elementwise import clone
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor, TensorLike
from lucid.labels import Labels
from lucid.losses.problem import Loss
from lucid.losses.solving import Problem

#: From the upstream gradient and the scores to the gradient of the scores, differentiable.
Gradient = Callable[[Tensor, Tensor], Tensor]


class Curved(NamedTuple):
    """A gradient that is linear in the scores, in steps."""

    product: Callable[..., Array]
    """``(problem, d, **options)`` to the second derivative times d, (N, C)."""

    def gradient(
        self, problem: Callable[[], Problem], options: dict[str, Any], value: Array
    ) -> Gradient:
        """Return the gradient as a function of tensors."""

        def curve(d: Array) -> Array:
            given = problem()
            return self.product(given, d.reshape(given.x.shape), **options).reshape(d.shape)

        return lambda g, x: _gradient(g, x, value=value, curve=curve)


class Smooth(NamedTuple):
    """A loss whose derivatives of all orders are those of a formula."""

    formula: Callable[..., Tensor]
    """``(x, problem, **options)`` to the loss of each row of the tensor x (N, C)."""

    def gradient(
        self, problem: Callable[[], Problem], options: dict[str, Any], value: Array
    ) -> Gradient:
        """Return the gradient as a function of tensors."""

        def gradient(g: Tensor, x: Tensor) -> Tensor:
            given = problem()
            losses = self.formula(x.reshape(given.x.shape), given, **options)
            if given.scale is not None:
                scale = np.where(given.scale > 0, given.scale, 1).astype(x.dtype)
                losses = where(given.scale > 0, losses * scale, 0)  # not 0 times inf
            # Where all rows weigh nothing, so does the gradient, of which this is the formula.
            loss = losses if given.rows else losses.sum() / (given.divisor or 1)
            (result,) = grad(loss.reshape(g.shape), [x], g, create_graph=True)
            assert result is not None
            return _with_value(result, value=_per_row(g._data, value) * value)

        return lambda g, x: _smooth_gradient(g, x, value=value, gradient=gradient)


#: From the options to how the loss is differentiated twice; None for a gradient constant in steps.
SecondDerivative = Callable[[Mapping[str, Any]], Curved | Smooth | None]


@primitive
def _with_value(x: Tensor, *, value: Array) -> Result:
    """What is as good as x, and more exact; derivatives are those of x, and NaN where it is."""
    undefined = np.isnan(value)
    if undefined.any():
        return value, lambda g, y: (where(undefined, np.nan, g),)
    return value, lambda g, y: (g,)


#: From scores, target, reduction, sample weights and options to the loss.
LossOp = Callable[[TensorLike, Any, str, Any, Mapping[str, Any]], Tensor]


def loss_op(loss: Loss, second_derivative: SecondDerivative) -> LossOp:
    """Return the op of a loss; ``second_derivative`` tells of its options how it goes on.

    It is an op like those that `primitive` makes, written out: small problems are in a hurry.
    """
    curved_by_default = second_derivative({})

    def op(
        x: TensorLike, target: Any, reduction: str, sample_weight: Any, options: Mapping[str, Any]
    ) -> Tensor:
        if isinstance(target, Tensor):
            target = constant("target", target)
        if options:
            options = constants(options)
        if sample_weight is not None:
            sample_weight = constant("sample_weight", sample_weight)
        if not isinstance(x, Tensor):
            x = real("x", x)
        scores = x._data
        if not (x.requires_grad and grad_mode.enabled):
            return Tensor(loss.compute(scores, target, reduction, sample_weight, options, False)[0])
        if scores.dtype.char == "e":  # computed in float32, and with it what comes back
            single = op(x.to(np.float32), target, reduction, sample_weight, options)
            value, _ = loss.compute(scores, target, reduction, sample_weight, options, False)
            return _with_value(single.to(np.float16), value=value)  # rounded once
        curved = second_derivative(options) if options else curved_by_default
        differentiable: Gradient | None = None
        if curved is None:
            value, found = loss.compute(scores, target, reduction, sample_weight, options, True)
            assert found is not None
            gradient = found
        else:
            value, gradient, differentiable = _differentiable(
                x, loss, target, reduction, sample_weight, options, curved
            )

        def pullback(g: Tensor, y: Tensor) -> tuple[Tensor]:
            if grad_mode.enabled:
                if differentiable is None:  # constant in steps
                    return (_gradient(g, x, value=gradient, curve=None),)
                return (differentiable(g, x),)
            upstream = g._data
            if upstream.ndim == 0 and upstream.item() == 1.0:
                return (Tensor(gradient),)
            return (Tensor(_per_row(upstream, gradient) * gradient),)

        output = Tensor(value)
        output.requires_grad = True
        output._node = Node((x,), pullback, output, loss.name)
        return output

    return op


def _differentiable(
    x: Tensor,
    loss: Loss,
    target: Any,
    reduction: str,
    sample_weight: Any,
    options: Mapping[str, Any],
    curved: Curved | Smooth,
) -> tuple[Array, Array, Gradient]:
    """Return value and gradient, and a function of tensors for the latter: it reads all again."""

    @cache
    def problem() -> Problem:
        return loss.problem(x._data, target, reduction, sample_weight)

    if loss.fast_path.is_ready(x._data, target):  # what is read again must be our own
        target = target if isinstance(target, Labels) else target.copy()
        sample_weight, options = deepcopy(sample_weight), deepcopy(options)
        value, gradient = loss.compute(x._data, target, reduction, sample_weight, options, True)
    else:
        value, gradient = loss.solved(problem(), x._data, options, True)
        options = deepcopy(options)
    assert gradient is not None
    checked = loss.checked(x.shape[-1], options)
    return value, gradient, curved.gradient(problem, checked, gradient)


@primitive
def _gradient(
    g: Tensor, x: Tensor, *, value: Array, curve: Callable[[Array], Array] | None
) -> Result:
    """The gradient of the scores: a product with that of the loss, ``g``."""

    def pullback(h: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        product = h * value
        of_g = product.sum() if g.ndim == 0 and x.ndim > 0 else product.sum(axis=-1)
        if curve is None:
            return of_g, Tensor(np.zeros_like(x._data))
        per_row = g.reshape((*g.shape, 1)) if g.ndim == x.ndim - 1 else g
        return of_g, _curvature(per_row * h, curve=curve)

    return _per_row(g._data, value) * value, pullback


@primitive
def _smooth_gradient(g: Tensor, x: Tensor, *, value: Array, gradient: Gradient) -> Result:
    """The gradient that the kernel has found, whose derivatives are those of ``gradient``."""

    def pullback(h: Tensor, y: Tensor) -> Sequence[Tensor | None]:
        recorded, grad_mode.enabled = grad_mode.enabled, True
        try:
            inner = clone(g), clone(x)  # independent, even if one was computed from the other
            wanted = [t for t in inner if t.requires_grad]
            found = grad(gradient(*inner), wanted, h, create_graph=recorded, allow_unused=True)
            gradients = dict(zip(wanted, found, strict=True))
            return [gradients.get(t) for t in inner]
        finally:
            grad_mode.enabled = recorded

    return _per_row(g._data, value) * value, pullback


@primitive
def _curvature(d: Tensor, *, curve: Callable[[Array], Array]) -> Result:
    """The second derivative times d: symmetric, and constant in steps."""
    return curve(d._data), lambda h, y: (_curvature(h, curve=curve),)


def _per_row(g: Array, x: Array) -> Array:
    """Give ``g``, one number for all rows or one for each, the axes of ``x``."""
    return g[..., np.newaxis] if g.ndim == x.ndim - 1 else g

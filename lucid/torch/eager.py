"""The loss of tensors that nothing traces: one call of the kernel, past PyTorch's dispatcher.

An operator costs some microseconds in the dispatcher, and more for its gradient; the kernel takes
less than that for a row of a few scores.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from lucid.losses.problem import Loss
from lucid.torch.exchange import array_at, is_unwatched
from lucid.torch.solving import FLOATS, HALVES, not_floats, on_cpu
from lucid.torch.targets import array_of, constant, readable, scores_of
from lucid.torch.versions import graph_is_kept, in_autocast

#: The loss once more, with all its derivatives.
SecondDerivative = Callable[[Tensor, Any, str, Any, Mapping[str, Any]], Tensor]


def transform_levels() -> int:
    """Return how many transforms of `torch.func` this runs within."""
    return len(torch._C._functorch.get_interpreter_stack() or ())


def is_plain(x: Any) -> bool:
    """Whether scores are on the CPU, and nobody watches what becomes of them but autograd.

    It is Python, for the compiler to see where it has left the callers alone.
    """
    return not torch.compiler.is_compiling() and is_unwatched(x)


def result_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the loss: that of half-precision scores, too, but not in autocast."""
    if x.dtype not in HALVES or not in_autocast(x.device.type):
        return x.dtype
    return torch.float32  # as PyTorch's own


def loss_of(
    loss: Loss,
    x: Tensor,
    target: Any,
    reduction: str,
    sample_weight: Any,
    options: Mapping[str, Any],
    second_derivative: SecondDerivative | None,
) -> Tensor:
    """Return the loss of plain scores; ``second_derivative`` unless that is 0."""
    if options or sample_weight is not None:
        options = {name: constant(name, value) for name, value in options.items()}
        sample_weight = constant("sample_weight", sample_weight)
    if not (x.requires_grad and torch.is_grad_enabled()):
        return _solved(x, target, loss, reduction, sample_weight, options, False)[0]
    kept: tuple[Tensor | None, ...] = ()
    once_more = None
    if second_derivative is not None:
        options, sample_weight = deepcopy((options, sample_weight))  # nobody else's, as the target
        if not isinstance(target, Tensor) or target.layout is not torch.strided:
            target = _own(loss, target, x)
        own, kept = target, (x, target if isinstance(target, Tensor) else None)

        def once_more(x: Tensor, target: Tensor | None) -> Tensor:
            labels = own if target is None else target
            return second_derivative(x, labels, reduction, sample_weight, options)

    value, gradient = _solved(x, target, loss, reduction, sample_weight, options, True)
    return differentiable(x, value, gradient, kept, once_more)


def differentiable(
    x: Tensor,
    value: Tensor,
    gradient: Tensor | None,
    kept: tuple[Tensor | None, ...] = (),
    once_more: Callable[..., Tensor] | None = None,
) -> Tensor:
    """Return a loss of scores that is found already, so that they get its gradient.

    What is ``kept`` is for the second derivative, and what ``once_more`` is called with.
    """
    found: Tensor = _apply(x, (value, gradient, kept, once_more))
    return found


def _solved(
    x: Tensor,
    target: Any,
    loss: Loss,
    reduction: str,
    sample_weight: Any,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    if type(target) is Tensor and target.layout is torch.strided:
        target = array_of("target", target)
    else:
        target = readable("target", target, x.shape[-1] if x.ndim else 0)
    if x.dtype not in HALVES:
        if x.dtype not in FLOATS:
            raise not_floats("x", x)
        return on_cpu(loss, x, target, reduction, sample_weight, options, want_gradient)
    value, gradient = on_cpu(
        loss, x.float(), target, reduction, sample_weight, options, want_gradient
    )
    return value.to(result_dtype(x)), gradient


def is_one(g: Tensor) -> bool:
    """Whether an upstream gradient is a single 1, without a wait for another device."""
    if g.ndim or not g.is_cpu:
        return False
    array = array_at(g)  # sooner than the tensor's own `item`
    return bool((g if array is None else array).item() == 1)


def handed_on(gradient: Tensor) -> Tensor:
    """Return a gradient to be given away.

    Where another backward pass needs it, that keeps its own, whatever becomes of this one.
    """
    return gradient.clone() if graph_is_kept() else gradient


class _Loss(torch.autograd.Function):
    """A loss that is found already, and its gradient; they come in a tuple, past autograd."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, found: tuple[Any, ...]) -> Any:
        value, gradient, kept, ctx.once_more = found
        ctx.save_for_backward(gradient, *kept)
        ctx.dtype = x.dtype
        return value

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor, None]:
        gradient, *kept = ctx.saved_tensors
        recorded = torch.is_grad_enabled()
        if kept and recorded:
            (result,) = torch.autograd.grad(ctx.once_more(*kept), kept[0], g, create_graph=True)
        elif not recorded and is_one(g):
            result = handed_on(gradient)
            if result.dtype is not ctx.dtype:
                result = result.to(ctx.dtype)
        else:
            # The gradient is constant in steps, so that this product has all derivatives. Rounded
            # to half precision behind it, so that scaling the loss keeps small gradients.
            result = (gradient * g.unsqueeze(-1)).to(ctx.dtype)
        return result, None


#: `_Loss.apply` without the question whether there is a transform: there is none.
_apply = super(torch.autograd.Function, _Loss).apply


def _own(loss: Loss, target: Any, x: Tensor) -> Any:
    """Return a target that nobody else can write into."""
    shape = tuple(x.shape)
    known = readable("target", target, shape[-1] if shape else 0)
    return loss.read_target(known, scores_of(shape))

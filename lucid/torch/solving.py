"""The loss of tensors and its gradient, on the device where the scores are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from lucid.losses.curvature import squared_curvature
from lucid.losses.problem import Loss
from lucid.system import threads
from lucid.torch import anywhere
from lucid.torch.exchange import tensor_at
from lucid.torch.targets import Parts, array_of, constant, known_of

#: Computed in float32.
HALVES = (torch.float16, torch.bfloat16)
#: What scores may be.
FLOATS = (torch.float32, torch.float64, *HALVES)

Solution = tuple[torch.Tensor, torch.Tensor | None]


def solve(
    loss: Loss,
    x: torch.Tensor,
    parts: Parts,
    sample_weight: torch.Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> Solution:
    """Return a loss of scores (N, C), float32 or float64, and its gradient if it is wanted."""
    if not has_kernels(x):
        return anywhere.solve(loss, x, parts, sample_weight, reduction, options, want_gradient)
    options = {name: constant(name, value) for name, value in options.items()}
    weights = constant("sample_weight", sample_weight)
    known = known_of(parts, x.shape[-1])
    return on_cpu(loss, x, known, reduction, weights, options, want_gradient)


def not_floats(name: str, x: torch.Tensor) -> TypeError:
    """Return the error of a tensor whose dtype is not taken."""
    return TypeError(f"{name} must be float32, float64, float16 or bfloat16, got {x.dtype}")


def has_kernels(x: torch.Tensor) -> bool:
    """Whether there are kernels for the device of a tensor."""
    return bool(x.is_cpu)


def on_cpu(
    loss: Loss,
    x: torch.Tensor,
    target: Any,
    reduction: str,
    sample_weight: Any,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> Solution:
    """Return the same from a kernel: scores of any shape and dtype, all else as arrays."""
    scores, torchs = array_of("x", x), torch.get_num_threads()
    if torchs == threads.get_num_threads():  # as a rule
        value, gradient = loss.compute(
            scores, target, reduction, sample_weight, options, want_gradient
        )
    else:
        with threads.using(torchs):
            value, gradient = loss.compute(
                scores, target, reduction, sample_weight, options, want_gradient
            )
    return tensor_at(value), None if gradient is None else tensor_at(gradient)


def curvature(
    loss: Loss,
    v: torch.Tensor,
    x: torch.Tensor,
    parts: Parts,
    sample_weight: torch.Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
) -> torch.Tensor:
    """Return the second derivative of the squared margin loss times v, (N, C)."""
    if not has_kernels(x):
        return anywhere.curvature(v, x, parts, sample_weight, reduction, options)
    scores, weights = array_of("x", x), constant("sample_weight", sample_weight)
    checked = loss.checked(x.shape[1], {k: constant(k, value) for k, value in options.items()})
    problem = loss.problem(scores, known_of(parts, x.shape[1]), reduction, weights)
    return tensor_at(squared_curvature(problem, array_of("v", v), **checked))

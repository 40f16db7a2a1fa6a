"""The loss of tensors and its gradient, on the device where the scores are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from lucid.losses.margin import squared_curvature
from lucid.losses.options import as_sample_weight, check_margin_fits
from lucid.losses.problem import Loss
from lucid.system import threads
from lucid.torch import anywhere
from lucid.torch.ranks import sum_dtype
from lucid.torch.targets import Parts, array_of, known_of, on_device

#: Computed in float32.
HALVES = (torch.float16, torch.bfloat16)

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
    way = _on_cpu if x.is_cpu else elsewhere
    return way(loss, x, parts, sample_weight, reduction, options, want_gradient)


def _on_cpu(
    loss: Loss,
    x: torch.Tensor,
    parts: Parts,
    sample_weight: torch.Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> Solution:
    known = known_of(parts, x.shape[-1])
    return on_cpu(loss, x, known, reduction, sample_weight, options, want_gradient)


def on_cpu(
    loss: Loss,
    x: torch.Tensor,
    target: Any,
    reduction: str,
    sample_weight: Any,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> Solution:
    """Return the same from a kernel: scores of any shape and dtype, a target that is readable."""
    if options or sample_weight is not None:
        options = {name: constant(name, value) for name, value in options.items()}
        sample_weight = constant("sample_weight", sample_weight)
    with threads.using(torch.get_num_threads()):
        value, gradient = loss.compute(
            array_of("x", x), target, reduction, sample_weight, options, want_gradient
        )
    return torch.from_numpy(value), None if gradient is None else torch.from_numpy(gradient)


def constant(name: str, value: Any) -> Any:
    """Return an argument that is not differentiated: the array of a tensor, else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{name} must not require a gradient, which would be lost: detach() it")
    return array_of(name, value.double() if value.dtype is torch.bfloat16 else value)


def elsewhere(
    loss: Loss,
    x: torch.Tensor,
    parts: Parts,
    sample_weight: torch.Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> Solution:
    """Return the same from PyTorch's operations, on the device of the scores."""
    labels = on_device(loss, parts, x)
    checked = _checked(loss, options, x)
    losses, gradient = anywhere.solve(loss.name, x, labels, checked, want_gradient)
    scale = _scale(sample_weight, x)
    losses = weighted(losses, scale, reduction, len(x))
    if gradient is not None:
        factors = None if scale is None else scale.unsqueeze(-1)
        gradient = weighted(gradient, factors, reduction, len(x)).to(x.dtype)
    if reduction != "none":
        losses = losses.sum(dtype=sum_dtype(x))
    return losses.to(x.dtype), gradient


def weighted(
    values: torch.Tensor, scale: torch.Tensor | None, reduction: str, rows: Any
) -> torch.Tensor:
    """Multiply what belongs to rows by what each of them counts in the result."""
    if scale is not None:
        values = torch.where(scale > 0, values * scale.to(values.dtype), 0)
    if reduction != "mean":
        return values
    return values / (rows if scale is None else scale.sum().to(values.dtype))


def _scale(sample_weight: torch.Tensor | None, x: torch.Tensor) -> torch.Tensor | None:
    if sample_weight is None:
        return None
    checked = as_sample_weight(constant("sample_weight", sample_weight), tuple(x.shape))
    return torch.from_numpy(checked).to(x.device, sum_dtype(x))


def _checked(loss: Loss, options: Mapping[str, Any], x: torch.Tensor) -> dict[str, Any]:
    """Return all options, those of classes on the device of the scores."""
    found = loss.checked(x.shape[1], {k: constant(k, value) for k, value in options.items()})
    if "margin" in found:
        check_margin_fits(found["margin"], str(x.dtype).partition(".")[2])
    return {
        name: torch.from_numpy(value).to(x.device, sum_dtype(x))
        if isinstance(value, np.ndarray)
        else value
        for name, value in found.items()
    }


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
    if not x.is_cpu:
        labels, checked = on_device(loss, parts, x), _checked(loss, options, x)
        product = anywhere.curvature(x, labels, checked, v)
        scale = _scale(sample_weight, x)
        factors = None if scale is None else scale.unsqueeze(-1)
        return weighted(product, factors, reduction, len(x)).to(x.dtype)
    scores, weights = array_of("x", x), constant("sample_weight", sample_weight)
    checked = loss.checked(x.shape[1], {k: constant(k, value) for k, value in options.items()})
    problem = loss.problem(scores, known_of(parts, x.shape[1]), reduction, weights)
    return torch.from_numpy(squared_curvature(problem, array_of("v", v), **checked))

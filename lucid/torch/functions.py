"""The losses as functions of PyTorch's tensors, each made from one entry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec

import numpy as np
import torch
from torch import Tensor

from lucid import losses
from lucid.arrays.checks import Reduction, check_reduction
from lucid.losses import docs
from lucid.losses.exponential import BPMLL, LSEP, ZLPR
from lucid.losses.margin import MARGIN
from lucid.losses.options import as_sample_weight, is_squared
from lucid.losses.problem import Loss, function_like
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.losses.warp import WARP
from lucid.torch import curvature, eager
from lucid.torch.exchange import solved_fast
from lucid.torch.operators import Curvature, Operators
from lucid.torch.solving import HALVES
from lucid.torch.targets import constant, parts_of
from lucid.torch.versions import untraced

P = ParamSpec("P")


#: From the name of a loss to its function, for modules: the arguments are x, target, reduction,
#: sample_weight, and the options that are not the default.
CALLS: dict[str, Callable[[Tensor, Any, str, Any, Mapping[str, Any]], Tensor]] = {}

#: The same losses by their names, which are all that operators can be given.
LOSSES: dict[str, Loss] = {}


def of_torch(
    loss: Loss, arrays: Callable[P, Any], curvature: Curvature | None, example: str
) -> Callable[P, Tensor]:
    """Return the function of PyTorch's tensors of a loss, with the parameters of that of arrays.

    Parameters
    ----------
    loss : Loss
    arrays : callable
        Its function of arrays.
    curvature : Curvature, optional
        How it is differentiated twice; by default the second derivative is 0.
    example : str
        For the docstring.
    """
    operators = Operators(loss, curvature)
    curved = None if curvature is None else curvature.is_there

    def traced(
        x: Tensor, target: Any, reduction: str, sample_weight: Any, options: Mapping[str, Any]
    ) -> Tensor:
        dtype = x.dtype
        if dtype in HALVES:
            dtype = eager.result_dtype(x)
            x = x.float()  # so that its gradient is rounded once
        rows = x.unsqueeze(0) if x.ndim == 1 else x
        if not torch.compiler.is_compiling():
            _check(loss, x, reduction, sample_weight, options)
        if sample_weight is not None:
            sample_weight = _constant("sample_weight", sample_weight, x, None)
            sample_weight = sample_weight.reshape(1) if x.ndim == 1 else sample_weight
        options = {k: _constant(k, value, x, loss.defaults[k]) for k, value in options.items()}
        parts = parts_of(loss, target, x)  # by itself, for here a graph may end
        value: Tensor = operators.value(
            rows, *parts, sample_weight, reduction, *operators.flat(options)
        )
        return (value.reshape(()) if x.ndim == 1 else value).to(dtype)

    def call(
        x: Tensor, target: Any, reduction: str, sample_weight: Any, options: Mapping[str, Any]
    ) -> Tensor:
        if sample_weight is None and not torch.compiler.is_compiling():
            solved = solved_fast(loss, x, target, reduction, options, curved)
            if solved is not None:
                value, gradient = solved
                return value if gradient is None else eager.differentiable(x, value, gradient)
        if not eager.is_plain(x):
            if not isinstance(x, Tensor):
                raise TypeError(f"x must be a torch.Tensor, got {type(x).__name__}")
            return traced(x, target, reduction, sample_weight, options)
        second_derivative = traced if curved and curved(options) else None
        return eager.loss_of(loss, x, target, reduction, sample_weight, options, second_derivative)

    CALLS[loss.name] = call
    LOSSES[loss.name] = loss
    return function_like(arrays, call, docs.for_torch(arrays, example), "torch.Tensor")


def _check(
    loss: Loss, x: Tensor, reduction: str, sample_weight: Any, options: Mapping[str, Any]
) -> None:
    """Refuse arguments as they were given, in the words of this library and not of PyTorch's.

    The numbers of a tensor, which may be traced or elsewhere, the operators look at.
    """
    check_reduction(reduction)
    given = {}
    for name, value in options.items():
        of_numbers = isinstance(loss.defaults.get(name), float | None)
        if not (of_numbers and isinstance(value, Tensor)):
            given[name] = constant(name, value)
    classes = x.shape[-1] if x.ndim else None
    loss.checked(classes if isinstance(classes, int) else None, given)
    if sample_weight is not None and not isinstance(sample_weight, Tensor):
        as_sample_weight(sample_weight, tuple(x.shape))


def _constant(name: str, value: Any, x: Tensor, default: Any) -> Any:
    """Return an option as operators take it: numbers for classes or rows as a tensor.

    Where there is none by default, that is what a single number is, too.
    """
    if isinstance(value, Tensor):
        if value.requires_grad and torch.is_grad_enabled():
            raise ValueError(
                f"{name} must not require a gradient, which would be lost: detach() it"
            )
        return value
    if value is None or isinstance(value, str):
        return value
    if default is not None and isinstance(value, (bool, int, float)):
        return value
    if isinstance(default, int):
        return _python_number(value)
    return torch.as_tensor(np.asarray(value), device=x.device)


@untraced("an option that is a number of NumPy's cannot be traced: it takes one of Python's")
def _python_number(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic | np.ndarray) and not value.ndim else value


multilabel_margin_loss = of_torch(
    MARGIN,
    losses.multilabel_margin_loss,
    Curvature(steps=True, is_there=is_squared),
    """
    >>> import torch
    >>> from lucid.torch import multilabel_margin_loss
    >>> x = torch.tensor([[1.0, 0.5, -0.3, 0.2]], requires_grad=True)
    >>> loss = multilabel_margin_loss(x, torch.tensor([[0, 1, -1, -1]]))
    >>> print(round(loss.item(), 4))
    0.275
    >>> loss.backward()
    >>> x.grad
    tensor([[-0.2500, -0.5000,  0.2500,  0.5000]])
    """,
)
warp_loss = of_torch(
    WARP,
    losses.warp_loss,
    None,
    """
    >>> import torch
    >>> from lucid.torch import warp_loss
    >>> loss = warp_loss(torch.tensor([[1.0, 0.5, -0.3, 0.2]]), [[0, 1]])
    >>> print(round(loss.item(), 4))
    0.875
    """,
)
lsep_loss = of_torch(
    LSEP,
    losses.lsep_loss,
    Curvature(curvature.lsep),
    """
    >>> import torch
    >>> from lucid.torch import lsep_loss
    >>> loss = lsep_loss(torch.tensor([[1.0, 0.5, -0.3, 0.2]]), [[0, 1]])
    >>> print(round(loss.item(), 4))
    1.0688
    """,
)
zlpr_loss = of_torch(
    ZLPR,
    losses.zlpr_loss,
    Curvature(curvature.zlpr),
    """
    >>> import torch
    >>> from lucid.torch import zlpr_loss
    >>> loss = zlpr_loss(torch.tensor([[1.0, 0.5, -0.3, 0.2]]), [[0, 1]])
    >>> print(round(loss.item(), 4))
    1.7662
    """,
)
bpmll_loss = of_torch(
    BPMLL,
    losses.bpmll_loss,
    Curvature(curvature.bpmll),
    """
    >>> import torch
    >>> from lucid.torch import bpmll_loss
    >>> loss = bpmll_loss(torch.tensor([[1.0, 0.5, -0.3, 0.2]]), [[0, 1]])
    >>> print(round(loss.item(), 4))
    0.478
    """,
)
_soft_margin = of_torch(
    SOFT_MARGIN,
    losses.multilabel_soft_margin_loss,
    Curvature(curvature.soft_margin),
    """
    >>> import torch
    >>> from lucid.torch import multilabel_soft_margin_loss
    >>> x = torch.tensor([[2.0, -1.0, 0.0]])
    >>> loss = multilabel_soft_margin_loss(x, torch.tensor([[1.0, 0.0, 0.0]]))
    >>> print(round(loss.item(), 4))
    0.3778
    >>> labels = torch.tensor([[True, False, False]]).to_sparse()
    >>> print(round(multilabel_soft_margin_loss(x, labels).item(), 4))
    0.3778
    """,
)


def multilabel_soft_margin_loss(  # the weight comes first, as in PyTorch
    x: Tensor,
    target: Any,
    weight: Any = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: Any = None,
) -> Tensor:
    options = {} if weight is None else {"weight": weight}
    return _soft_margin(x, target, reduction=reduction, sample_weight=sample_weight, **options)


multilabel_soft_margin_loss.__doc__ = _soft_margin.__doc__

"""The losses as modules of PyTorch's."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

import numpy as np
import torch

from lucid import nn
from lucid.arrays.checks import Reduction, check_reduction
from lucid.losses import docs
from lucid.losses.exponential import BPMLL, LSEP, ZLPR
from lucid.losses.margin import MARGIN
from lucid.losses.problem import Loss
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.losses.warp import WARP
from lucid.torch.functions import CALLS
from lucid.torch.targets import constant


class Criterion(torch.nn.Module):
    """A loss with its options; what an option holds for each class is a buffer."""

    _loss: ClassVar[Loss]

    def __init__(self, reduction: Reduction, **options: Any) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction: Reduction = reduction
        self._check(options)
        for name, value in options.items():
            setattr(self, name, value)

    def _check(self, options: dict[str, Any]) -> None:
        """Refuse options as they were given: PyTorch's own errors would name none of them."""
        if torch.compiler.is_compiling():  # which takes no compiled code: the operator will check
            return
        self._loss.checked(None, {name: constant(name, value) for name, value in options.items()})

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in type(self)._loss.defaults:
            super().__setattr__(name, value)
            return
        if name == "weight" or _is_by_class(value):
            if name in self.__dict__:
                del self.__dict__[name]
            if value is not None and not isinstance(value, torch.Tensor):
                self._check({name: value})
                value = torch.as_tensor(value)
            self.register_buffer(name, value)
        else:  # a number now
            self.__dict__.get("_buffers", {}).pop(name, None)
            super().__setattr__(name, value)

    def _options(self) -> dict[str, Any]:
        """Return the options that are not the default."""
        held, buffers, options = self.__dict__, self._buffers, {}
        for name, default in type(self)._loss.defaults.items():  # 2.7 exports no `self._loss`
            if name in buffers:
                value = buffers[name]
            else:
                value = held[name] if name in held else getattr(self, name)  # or a property
            if value is not default and (type(value) is not type(default) or value != default):
                options[name] = value
        return options

    def forward(
        self, x: torch.Tensor, target: Any, sample_weight: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Compute the loss between predictions and targets.

        Parameters
        ----------
        x : torch.Tensor
            The scores.
        target : torch.Tensor, array_like of int, or Labels
            The labels.
        sample_weight : torch.Tensor or array_like, optional
            A weight for each sample, shape ``(N,)``, not negative.

        Returns
        -------
        torch.Tensor
            Scalar loss, or the loss of each sample, as `reduction` says.
        """
        call = CALLS[type(self)._loss.name]
        return call(x, target, self.reduction, sample_weight, self._options())

    def extra_repr(self) -> str:
        """Return the options as PyTorch prints them.

        Returns
        -------
        str
        """
        options = {"reduction": self.reduction, **self._options()}
        return ", ".join(f"{name}={value!r}" for name, value in options.items())


def _is_by_class(value: Any) -> bool:
    """Whether an option holds something for each class; PyTorch's compiler does not take NumPy."""
    if isinstance(value, torch.Tensor):
        return bool(value.ndim)
    return not isinstance(value, (int, float, str, type(None))) and bool(np.ndim(value))


@docs.for_torch_module(nn.MultilabelMarginLoss)
class MultilabelMarginLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import MultilabelMarginLoss
    >>> criterion = MultilabelMarginLoss()
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]], requires_grad=True)
    >>> loss = criterion(scores, torch.tensor([[0, 3, -1, -1, -1]]))
    >>> print(round(loss.item(), 4))
    1.06
    >>> loss.backward()
    >>> scores.grad
    tensor([[-0.6000,  0.4000,  0.4000, -0.6000,  0.4000]])
    """

    _loss = MARGIN

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        p: Literal[1, 2] = 1,
        margin: Any = 1.0,
        weight: Any = None,
        normalize: Literal["classes", "pairs"] = "classes",
    ) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, p=p, margin=margin, weight=weight, normalize=normalize)


#: PyTorch's spelling of the same class.
MultiLabelMarginLoss = MultilabelMarginLoss


@docs.for_torch_module(nn.WARPLoss)
class WARPLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import WARPLoss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(WARPLoss()(scores, [[0, 3]]).item(), 4))
    3.2389
    """

    _loss = WARP

    def __init__(self, reduction: Reduction = "mean", *, margin: Any = 1.0) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, margin=margin)


@docs.for_torch_module(nn.LSEPLoss)
class LSEPLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import LSEPLoss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(LSEPLoss()(scores, [[0, 3]]).item(), 4))
    1.9043
    """

    _loss = LSEP

    def __init__(self, reduction: Reduction = "mean", *, per_label: bool = False) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, per_label=per_label)


@docs.for_torch_module(nn.ZLPRLoss)
class ZLPRLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import ZLPRLoss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(ZLPRLoss()(scores, [[0, 3]]).item(), 4))
    2.5087
    """

    _loss = ZLPR

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction)


@docs.for_torch_module(nn.BPMLLLoss)
class BPMLLLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import BPMLLLoss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(BPMLLLoss()(scores, [[0, 3]]).item(), 4))
    0.9524
    """

    _loss = BPMLL

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction)


@docs.for_torch_module(nn.MultiLabelSoftMarginLoss)
class MultiLabelSoftMarginLoss(Criterion):
    """
    >>> import torch
    >>> from lucid.torch import MultiLabelSoftMarginLoss
    >>> criterion = MultiLabelSoftMarginLoss()
    >>> logits = torch.tensor([[2.0, -1.0, 0.0]])
    >>> print(round(criterion(logits, torch.tensor([[1.0, 0.0, 0.0]])).item(), 4))
    0.3778
    """

    _loss = SOFT_MARGIN

    def __init__(self, weight: Any = None, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, weight=weight)

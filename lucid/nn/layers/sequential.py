"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import overload

from lucid.autograd.tensor import TensorLike
from lucid.nn.module import Module


class Sequential(Module):
    """Modules one after the other, each applied to the result of the one before.

    Parameters
    ----------
    *modules : Module
        They are named ``'0'``, ``'1'`` and so on, and found by index: ``model[0]``.

    Raises
    ------
    TypeError
        If one of them is no Module.

    Examples
    --------
    >>> from lucid import nn
    >>> nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 3))
    Sequential(
      (0): Linear(in_features=4, out_features=8, bias=True)
      (1): ReLU()
      (2): Linear(in_features=8, out_features=3, bias=True)
    )
    """

    def __init__(self, *modules: Module) -> None:
        for i, module in enumerate(modules):
            if not isinstance(module, Module):
                raise TypeError(f"modules: expected Modules, got {type(module).__name__} at {i}")
            setattr(self, str(i), module)

    def forward(self, x: TensorLike) -> TensorLike:
        """Return the result of the last module.

        Parameters
        ----------
        x : Tensor or array_like
            What the first module takes.

        Returns
        -------
        Tensor
        """
        for module in self:
            x = module(x)
        return x

    def __iter__(self) -> Iterator[Module]:
        return (part for part in vars(self).values() if isinstance(part, Module))

    def __len__(self) -> int:
        return sum(1 for _ in self)  # list() would ask for the length

    @overload
    def __getitem__(self, index: int) -> Module: ...
    @overload
    def __getitem__(self, index: slice) -> Sequential: ...
    def __getitem__(self, index: int | slice) -> Module:
        modules = list(self)
        return Sequential(*modules[index]) if isinstance(index, slice) else modules[index]

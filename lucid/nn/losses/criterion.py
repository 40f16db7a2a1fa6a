"""What all losses are as modules: they hold their options and call the function."""

from __future__ import annotations

from typing import Any, ClassVar

from lucid.arrays.checks import Reduction, check_reduction
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.losses.problem import Loss
from lucid.nn.module import Module
from lucid.nn.of_tensors import CALLS


class Criterion(Module):
    """A loss with its options."""

    _loss: ClassVar[Loss]
    _given: dict[str, Any]

    def __init__(self, reduction: Reduction, **options: Any) -> None:
        super().__init__()
        check_reduction(reduction)
        self.reduction: Reduction = reduction
        self._given = {}
        changed = self._loss.changed(options)
        self._loss.checked(None, changed)
        for name, default in self._loss.defaults.items():
            setattr(self, name, changed.get(name, default))

    def _changed(self) -> dict[str, Any]:
        """Return the options that are not the default."""
        return self._loss.changed(self._given)

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        defaults = self._loss.defaults
        if name in defaults:  # what is called with: found here, once, rather than in each call
            given = {each: getattr(self, each, defaults[each]) for each in defaults}
            self._given = {k: value for k, value in given.items() if value is not defaults[k]}

    def __delattr__(self, name: str) -> None:
        if name in self._loss.defaults:  # without it, as it is by default
            setattr(self, name, self._loss.defaults[name])
        else:
            super().__delattr__(name)

    def __call__(
        self, x: TensorLike, target: Any, sample_weight: TensorLike | None = None
    ) -> Tensor:
        return self.forward(x, target, sample_weight)

    def forward(
        self, x: TensorLike, target: Any, sample_weight: TensorLike | None = None
    ) -> Tensor:
        """Compute the loss between predictions and targets.

        Parameters
        ----------
        x : Tensor or array_like
            The scores.
        target : Tensor, array_like of int, or Labels
            The labels.
        sample_weight : Tensor or array_like, optional
            A weight for each sample, shape ``(N,)``, not negative.

        Returns
        -------
        Tensor
            Scalar loss, or the loss of each sample, as `reduction` says.
        """
        call = CALLS[self._loss.name]
        return call(x, target, self.reduction, sample_weight, self._given)

    def extra_repr(self) -> str:
        """Return a string representation of the layer's configuration.

        Returns
        -------
        str
        """
        options = {"reduction": self.reduction, **self._changed()}
        return ", ".join(f"{name}={value!r}" for name, value in options.items())

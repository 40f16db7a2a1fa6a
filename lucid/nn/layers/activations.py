"""Functions of each element, as modules."""

from __future__ import annotations

from lucid.autograd.docs import SECTIONS
from lucid.autograd.ops.elementwise import relu, sigmoid, tanh
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.nn.module import Module
from lucid.system.docstrings import shared


class ReLU(Module):
    r""":math:`\max(0, x)` for each element.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> nn.ReLU()(lucid.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    @shared(SECTIONS)
    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.relu` of the input.

        {of_one}
        """
        return relu(x)


class Tanh(Module):
    """The hyperbolic tangent of each element.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> nn.Tanh()(lucid.tensor([0.0]))
    tensor([0.])
    """

    @shared(SECTIONS)
    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.tanh` of the input.

        {of_one}
        """
        return tanh(x)


class Sigmoid(Module):
    r""":math:`1 / (1 + e^{-x})` for each element.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> nn.Sigmoid()(lucid.tensor([0.0]))
    tensor([0.5])
    """

    @shared(SECTIONS)
    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.sigmoid` of the input.

        {of_one}
        """
        return sigmoid(x)

"""Dropout, against overfitting."""

from __future__ import annotations

import numpy as np

from lucid.arrays.checks import as_number
from lucid.autograd.random import generator
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.nn.layers.arguments import as_floating
from lucid.nn.module import Module


class Dropout(Module):
    r"""Sets random elements to 0 while training, against overfitting.

    Each element becomes 0 with probability `p`, else :math:`x / (1 - p)`, so that its expectation
    is unchanged. In evaluation mode nothing happens.

    Parameters
    ----------
    p : float, default 0.5
        The probability, from 0 to 1.

    Raises
    ------
    TypeError
        If `p` is not a number.
    ValueError
        If it is not from 0 to 1.

    Notes
    -----
    * `lucid.manual_seed` makes the choice repeatable.
    * Integers become float64, in evaluation mode too.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> layer = nn.Dropout(0.5)
    >>> sorted(set(layer(lucid.ones(100)).tolist()))
    [0.0, 2.0]
    >>> layer.eval()(lucid.ones(3))
    tensor([1., 1., 1.])
    """

    def __init__(self, p: float = 0.5) -> None:
        self.p = as_number("p", p)
        if not 0 <= self.p <= 1:
            raise ValueError(f"p: expected a probability from 0 to 1, got {p}")

    def forward(self, x: TensorLike) -> Tensor:
        """Return the input, in training with random elements set to 0.

        Parameters
        ----------
        x : Tensor or array_like

        Returns
        -------
        Tensor
            The shape of `x`.
        """
        x = as_floating(x)
        if not self.training or self.p == 0:
            return x
        kept = generator().random(x.shape) >= self.p
        scale = 1 / (1 - self.p) if self.p < 1 else 0.0
        factors = kept * np.promote_types(x.dtype, np.float32).type(scale)
        return (x * Tensor(factors)).to(x.dtype)

    def extra_repr(self) -> str:
        """Return the layer's options.

        Returns
        -------
        str
        """
        return f"p={self.p}"

"""The affine map of each row."""

from __future__ import annotations

import math
from typing import Any, SupportsIndex

import numpy as np

from lucid.autograd.ops.products import linear
from lucid.autograd.random import generator
from lucid.autograd.tensor import Tensor
from lucid.nn.layers.arguments import as_size
from lucid.nn.module import Module, Parameter


class Linear(Module):
    r"""An affine map of each row, :math:`y = x W^T + b`.

    Parameters
    ----------
    in_features : int
        The length ``K`` of an input row.
    out_features : int
        The length ``C`` of an output row.
    bias : bool, default True
        Whether there is a `b`.

    Attributes
    ----------
    weight : Parameter
        Shape ``(C, K)``.
    bias : Parameter or None
        Shape ``(C,)``.

    Raises
    ------
    TypeError
        If a number of features is not an integer.
    ValueError
        If it is negative.

    Notes
    -----
    * Both start uniformly distributed between :math:`-1/\sqrt{K}` and :math:`1/\sqrt{K}`, as in
      PyTorch; `lucid.manual_seed` makes that repeatable.
    * A sparse input is a constant, never made dense; see `lucid.linear`.
    * For a last layer with very many outputs,
      `lucid.nn.functional.linear_multilabel_margin_loss` computes the loss from `weight` and `bias`
      without holding all outputs, `lucid.nn.functional.linear_multilabel_margin_step` without
      holding the gradient of the weight either.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> layer = nn.Linear(3, 2)
    >>> layer
    Linear(in_features=3, out_features=2, bias=True)
    >>> layer(lucid.ones(5, 3)).shape
    (5, 2)
    """

    def __init__(
        self, in_features: SupportsIndex, out_features: SupportsIndex, bias: bool = True
    ) -> None:
        self.in_features = k = as_size("in_features", in_features)
        self.out_features = c = as_size("out_features", out_features)
        bound = 1 / math.sqrt(k) if k else 0.0
        self.weight = Parameter(_uniform(bound, (c, k)))
        self.bias = Parameter(_uniform(bound, (c,))) if bias else None

    def forward(self, x: Any) -> Tensor:
        """Return the outputs.

        Parameters
        ----------
        x : Tensor or array_like, scipy.sparse matrix or array
            Shape ``(..., K)``; a sparse matrix ``(N, K)``.

        Returns
        -------
        Tensor
            Shape ``(..., C)``.
        """
        return linear(x, self.weight, self.bias)

    def extra_repr(self) -> str:
        """Return the layer's options.

        Returns
        -------
        str
        """
        return (
            f"in_features={self.in_features}, out_features={self.out_features}, "
            f"bias={self.bias is not None}"
        )


#: So many numbers are drawn at once: in float64, which a large layer should not take as a whole.
_DRAWN_AT_ONCE = 1 << 20


def _uniform(bound: float, shape: tuple[int, ...]) -> Tensor:
    values = np.empty(shape, np.float32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _DRAWN_AT_ONCE):
        part = flat[start : start + _DRAWN_AT_ONCE]
        part[...] = generator().uniform(-bound, bound, part.size)
    return Tensor(values)

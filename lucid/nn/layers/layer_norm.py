"""Layer normalisation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import SupportsIndex

import numpy as np

from lucid.arrays.checks import as_number
from lucid.autograd.creation import ones, zeros
from lucid.autograd.ops.standardize import standardize
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.nn.layers.arguments import as_floating, as_size
from lucid.nn.module import Module, Parameter


class LayerNorm(Module):
    r"""Shifts and scales each sample to mean 0 and variance 1, then by learned factors.

    .. math:: y = \frac{x - \mathrm{mean}}{\sqrt{\mathrm{variance} + \epsilon}} \, w + b

    with mean and (biased) variance taken over the last axes.

    Parameters
    ----------
    normalized_shape : int or sequence of int
        The lengths of these last axes, at least one.
    eps : float, default 1e-5
        Added to the variance.
    elementwise_affine : bool, default True
        Whether there is a `w`.
    bias : bool, default True
        Whether there is a `b` too.

    Attributes
    ----------
    weight : Parameter or None
        Shape ``normalized_shape``; starts with 1.
    bias : Parameter or None
        Shape ``normalized_shape``; starts with 0.

    Raises
    ------
    TypeError
        If a length is not an integer, or `eps` is not a number.
    ValueError
        If a length or `eps` is negative, or there is no length.

    Notes
    -----
    Mean and variance are float64, float16 is computed in float32, and integers become float64.

    References
    ----------
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016,
    :arxiv:`1607.06450`.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> y = nn.LayerNorm(3)(lucid.tensor([[1.0, 2.0, 3.0]]))
    >>> [round(value, 3) for value in y[0].tolist()]
    [-1.225, 0.0, 1.225]
    """

    def __init__(
        self,
        normalized_shape: SupportsIndex | Sequence[SupportsIndex],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
    ) -> None:
        if isinstance(normalized_shape, np.ndarray):
            normalized_shape = normalized_shape.tolist()
        sizes = normalized_shape if isinstance(normalized_shape, Sequence) else [normalized_shape]
        self.normalized_shape = shape = tuple(as_size("normalized_shape", size) for size in sizes)
        if not shape:
            raise ValueError("normalized_shape: expected at least one length, got none")
        self.eps = as_number("eps", eps)
        if not 0 <= self.eps < math.inf:
            raise ValueError(f"eps: expected a number >= 0, got {eps}")
        self.weight = Parameter(ones(shape)) if elementwise_affine else None
        self.bias = Parameter(zeros(shape)) if elementwise_affine and bias else None

    def forward(self, x: TensorLike) -> Tensor:
        """Return the normalised input.

        Parameters
        ----------
        x : Tensor or array_like
            Shape ``(..., *normalized_shape)``.

        Returns
        -------
        Tensor
            The shape of `x`.

        Raises
        ------
        TypeError
            If `x` holds complex numbers.
        ValueError
            If the last axes have other lengths.
        """
        x = as_floating(x)
        if x.dtype.kind != "f":
            raise TypeError(f"x: expected real numbers, got {x.dtype}")
        ndim = len(self.normalized_shape)
        if x.shape[-ndim:] != self.normalized_shape:
            raise ValueError(
                f"x: expected shape (..., {', '.join(map(str, self.normalized_shape))}), "
                f"got {x.shape}"
            )
        rows = x.reshape(*x.shape[:-ndim], math.prod(self.normalized_shape))
        dtype = x.dtype
        y = standardize(rows.to(np.promote_types(dtype, np.float32)), eps=self.eps)
        y = y.reshape(x.shape)
        if self.weight is not None:
            y = y * self.weight
            dtype = np.promote_types(dtype, self.weight.dtype)
        return (y if self.bias is None else y + self.bias).to(dtype)

    def extra_repr(self) -> str:
        """Return the layer's options.

        Returns
        -------
        str
        """
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.weight is not None}, bias={self.bias is not None}"
        )

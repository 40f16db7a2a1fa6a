"""The layers that a multi-label model needs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex, overload

import numpy as np

from lucid.arrays.checks import as_int, as_number
from lucid.autograd.creation import ones, zeros
from lucid.autograd.ops.elementwise import relu, sigmoid, tanh
from lucid.autograd.ops.products import linear
from lucid.autograd.ops.standardize import standardize
from lucid.autograd.random import generator, randn
from lucid.autograd.tensor import Tensor, TensorLike, as_tensor
from lucid.nn.module import Module, Parameter

__all__ = ["Dropout", "Embedding", "LayerNorm", "Linear", "ReLU", "Sequential", "Sigmoid", "Tanh"]


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
        self.in_features = k = _size("in_features", in_features)
        self.out_features = c = _size("out_features", out_features)
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


def _size(name: str, value: SupportsIndex) -> int:
    size = as_int(name, value)
    if size < 0:
        raise ValueError(f"{name} must not be negative, got {size}")
    return size


def _floating(x: TensorLike) -> Tensor:
    """Return a tensor whose integers, if it holds such, are float64, as those of a mean."""
    x = as_tensor(x)
    return x.to(np.float64) if x.dtype.kind in "biu" else x


#: So many numbers are drawn at once: in float64, which a large layer should not take as a whole.
_DRAWN_AT_ONCE = 1 << 20


def _uniform(bound: float, shape: tuple[int, ...]) -> Tensor:
    values = np.empty(shape, np.float32)
    flat = values.reshape(-1)
    for start in range(0, flat.size, _DRAWN_AT_ONCE):
        part = flat[start : start + _DRAWN_AT_ONCE]
        part[...] = generator().uniform(-bound, bound, part.size)
    return Tensor(values)


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


class ReLU(Module):
    r""":math:`\max(0, x)` for each element.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> nn.ReLU()(lucid.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """

    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.relu` of the input.

        Parameters
        ----------
        x : Tensor or array_like

        Returns
        -------
        Tensor
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

    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.tanh` of the input.

        Parameters
        ----------
        x : Tensor or array_like

        Returns
        -------
        Tensor
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

    def forward(self, x: TensorLike) -> Tensor:
        """Return `lucid.sigmoid` of the input.

        Parameters
        ----------
        x : Tensor or array_like

        Returns
        -------
        Tensor
        """
        return sigmoid(x)


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
        x = _floating(x)
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
    J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer normalization", 2016, :arxiv:`1607.06450`.

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
        self.normalized_shape = shape = tuple(_size("normalized_shape", size) for size in sizes)
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
        x = _floating(x)
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


class Embedding(Module):
    """A table of learned vectors, looked up by index.

    Parameters
    ----------
    num_embeddings : int
        The number of vectors.
    embedding_dim : int
        Their length.

    Attributes
    ----------
    weight : Parameter
        Shape ``(num_embeddings, embedding_dim)``; starts with standard normal values.

    Raises
    ------
    TypeError
        If one of the two is not an integer.
    ValueError
        If one of them is negative.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> table = nn.Embedding(10, 3)
    >>> table([[1, 2], [2, 9]]).shape
    (2, 2, 3)
    """

    def __init__(self, num_embeddings: SupportsIndex, embedding_dim: SupportsIndex) -> None:
        self.num_embeddings = _size("num_embeddings", num_embeddings)
        self.embedding_dim = _size("embedding_dim", embedding_dim)
        self.weight = Parameter(randn(self.num_embeddings, self.embedding_dim))

    def forward(self, indices: TensorLike) -> Tensor:
        """Return the vector of each index.

        Parameters
        ----------
        indices : Tensor or array_like
            Integers from 0 to ``num_embeddings - 1``, of any shape.

        Returns
        -------
        Tensor
            The shape of `indices`, and an axis of length ``embedding_dim``.

        Raises
        ------
        TypeError
            If `indices` are no integers.
        ValueError
            If an index is out of range; a negative one is.
        """
        rows = as_tensor(indices)._data
        if rows.dtype.kind not in "iu":
            raise TypeError(f"indices: expected integers, got {rows.dtype}")
        if rows.size and not (rows.min() >= 0 and rows.max() < self.num_embeddings):
            raise ValueError(
                f"indices: expected values from 0 to {self.num_embeddings - 1}, "
                f"got values from {rows.min()} to {rows.max()}"
            )
        return self.weight[rows]

    def extra_repr(self) -> str:
        """Return the layer's options.

        Returns
        -------
        str
        """
        return f"{self.num_embeddings}, {self.embedding_dim}"

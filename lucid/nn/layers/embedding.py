"""A table of learned vectors."""

from __future__ import annotations

from typing import SupportsIndex

from lucid.autograd.random import randn
from lucid.autograd.tensor import Tensor, TensorLike, as_tensor
from lucid.nn.layers.arguments import as_size
from lucid.nn.module import Module, Parameter


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
        self.num_embeddings = as_size("num_embeddings", num_embeddings)
        self.embedding_dim = as_size("embedding_dim", embedding_dim)
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

"""Matrix products."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from lucid.arrays.features import add_transposed_times, as_csr, times_transposed
from lucid.autograd.primitive import Result, as_operands, primitive, rounded_once
from lucid.autograd.tensor import Array, Tensor, TensorLike
from lucid.system.optional import is_sparse

__all__ = ["linear", "matmul"]

# A product's gradient is as much work as the product: none is computed for a constant operand.


@primitive
@rounded_once
def _matmul(x: Tensor, y: Tensor) -> Result:
    return x._data @ y._data, lambda g, _: (
        g @ y.transpose(-2, -1) if x.requires_grad else None,
        x.transpose(-2, -1) @ g if y.requires_grad else None,
    )


def matmul(x: TensorLike, y: TensorLike) -> Tensor:
    """Return the matrix product ``x @ y``.

    Parameters
    ----------
    x : Tensor or array_like
        Shape ``(..., M, K)``, or ``(K,)`` for a single row.
    y : Tensor or array_like
        Shape ``(..., K, N)``, or ``(K,)`` for a single column. Leading axes broadcast.

    Returns
    -------
    Tensor
        Shape ``(..., M, N)``, without the axes that a 1-D operand lacks.

    Raises
    ------
    ValueError
        If an operand is 0-d or the shapes do not fit.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([[1.0, 2.0], [3.0, 4.0]])
    >>> lucid.matmul(x, lucid.tensor([1.0, 1.0]))
    tensor([3., 7.])
    """
    x, y = as_operands((x, y))
    if x.ndim > 1 and y.ndim > 1:
        return _matmul(x, y)
    if not (x.ndim and y.ndim):
        raise ValueError(f"matmul: expected at least one axis, got shapes {x.shape} and {y.shape}")
    row = x.reshape(1, -1) if x.ndim == 1 else x
    column = y.reshape(-1, 1) if y.ndim == 1 else y
    product = _matmul(row, column)
    return product.reshape(
        product.shape[:-2]
        + (() if x.ndim == 1 else product.shape[-2:-1])
        + (() if y.ndim == 1 else product.shape[-1:])
    )


@primitive
@rounded_once
def _linear(x: Tensor, weight: Tensor) -> Result:
    return x._data @ weight._data.T, lambda g, _: _layer_gradients(g, x, weight)


@primitive
@rounded_once
def _affine(x: Tensor, weight: Tensor, bias: Tensor) -> Result:
    product = x._data @ weight._data.T
    return _plus(product, bias._data), lambda g, _: (*_layer_gradients(g, x, weight), g)


def _layer_gradients(g: Tensor, x: Tensor, weight: Tensor) -> tuple[Tensor | None, Tensor | None]:
    n = math.prod(x.shape[:-1])
    rows, g_rows = x.reshape(n, x.shape[-1]), g.reshape(n, weight.shape[0])
    return (
        g @ weight if x.requires_grad else None,
        g_rows.T @ rows if weight.requires_grad else None,
    )


@primitive
@rounded_once
def _sparse_linear(weight: Tensor, *, x: Any) -> Result:
    """The product of a constant CSR matrix and the transposed weight."""
    return _sparse_product(x, weight._data), lambda g, _: (_sparse_weight_gradient(g, x=x),)


@primitive
@rounded_once
def _sparse_affine(weight: Tensor, bias: Tensor, *, x: object) -> Result:
    return _plus(_sparse_product(x, weight._data), bias._data), lambda g, _: (
        _sparse_weight_gradient(g, x=x) if weight.requires_grad else None,
        g,
    )


def _sparse_product(x: Any, weight: Array) -> Array:
    product = np.empty((x.shape[0], len(weight)), x.dtype)
    times_transposed(x, weight, out=product)
    return product


def _plus(product: Array, bias: Array) -> Array:
    """Add in place where that is possible."""
    return np.add(product, bias, out=product if bias.dtype == product.dtype else None)


@primitive
@rounded_once
def _sparse_weight_gradient(g: Tensor, *, x: Any) -> Result:
    gradient = np.zeros((g.shape[1], x.shape[1]), x.dtype)
    add_transposed_times(g._data, x, out=gradient)
    return gradient, lambda h, _: (_sparse_linear(h, x=x),)


def linear(x: Any, weight: TensorLike, bias: TensorLike | None = None) -> Tensor:
    r"""Return the affine map :math:`x W^T + b` of each row.

    Parameters
    ----------
    x : Tensor or array_like, scipy.sparse matrix or array
        Shape ``(..., K)``; a sparse matrix ``(N, K)``.
    weight : Tensor or array_like
        Shape ``(C, K)``: one row for each output.
    bias : Tensor or array_like, optional
        Shape ``(C,)``.

    Returns
    -------
    Tensor
        Shape ``(..., C)``.

    Raises
    ------
    TypeError
        If a sparse `x` does not hold real numbers.
    ValueError
        If the shapes do not fit, or indices of a sparse `x` are out of range.

    Notes
    -----
    * The same as ``x @ weight.T + bias``, with the weight's gradient in the weight's own memory
      order, which spares the optimiser strided reads.
    * A sparse `x` is a constant: it has no gradient, and its values take the weight's dtype. It is
      never made dense; only the columns of the weight in which `x` has entries are read. The
      weight's gradient is an ordinary Tensor, zero in the other columns.

    Examples
    --------
    >>> import lucid
    >>> lucid.linear(lucid.tensor([1.0, 2.0]), lucid.tensor([[3.0, 0.0], [0.0, 5.0]]), [1.0, 1.0])
    tensor([ 4., 11.])
    """
    layer = (weight,) if bias is None else (weight, bias)
    if is_sparse(x):
        weight, *rest = as_operands(layer)
        x = as_csr("linear: x", x, weight.dtype)
    else:
        x, weight, *rest = as_operands((x, *layer))
    if weight.ndim != 2 or not x.ndim or x.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"linear: expected x of shape (..., K) and weight of shape (C, K), "
            f"got {x.shape} and {weight.shape}"
        )
    if not rest:
        return _sparse_linear(weight, x=x) if is_sparse(x) else _linear(x, weight)
    (b,) = rest
    if b.shape != weight.shape[:1]:
        raise ValueError(
            f"linear: expected bias of shape (C,), C = {len(weight)} as in weight "
            f"{weight.shape}, got {b.shape}"
        )
    return _sparse_affine(weight, b, x=x) if is_sparse(x) else _affine(x, weight, b)

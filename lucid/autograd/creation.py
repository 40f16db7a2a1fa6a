"""Functions that make tensors of given values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import refuse_masked
from lucid.autograd.tensor import Array, Tensor, TensorLike, as_tensor

__all__ = ["arange", "from_numpy", "full", "ones", "tensor", "zeros"]


def tensor(
    data: TensorLike, dtype: npt.DTypeLike | None = None, requires_grad: bool = False
) -> Tensor:
    """Make a tensor from a copy of the data.

    Parameters
    ----------
    data : array_like or Tensor
        Numbers, nested lists of numbers, arrays.
    dtype : numpy.dtype or str, optional
        By default float32 for Python floats, int64 for ints, bool for bools, and the array's own
        for arrays.
    requires_grad : bool, default False
        Whether operations on the tensor are recorded for `Tensor.backward`.

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If the data are no numbers, or if a tensor that is not floating-point should require a
        gradient.
    ValueError
        If nested lists have different lengths, or an array has masked entries.

    Examples
    --------
    >>> import lucid
    >>> lucid.tensor([[0.5, 1.0], [2.0, 3.0]])
    tensor([[0.5, 1. ],
            [2. , 3. ]])
    >>> lucid.tensor([1, 2]).dtype
    dtype('int64')
    """
    if isinstance(data, Tensor):
        data = data._data
    refuse_masked("data", data)
    # A dtype is applied to the data as they came: Python floats do not pass through float32.
    array = as_tensor(np.asarray(data, dtype) if dtype is not None else data)._data
    return Tensor(array.copy()).requires_grad_(requires_grad)


def from_numpy(array: Array) -> Tensor:
    """Make a tensor that shares the array's memory.

    Parameters
    ----------
    array : numpy.ndarray

    Returns
    -------
    Tensor

    Raises
    ------
    TypeError
        If `array` is not a NumPy array of numbers.

    Notes
    -----
    What is written into the array between an operation on the tensor and its backward pass goes
    unnoticed, and the gradient can be wrong. Operations on arrays themselves keep copies.

    Examples
    --------
    >>> import numpy as np
    >>> import lucid
    >>> array = np.zeros(2)
    >>> x = lucid.from_numpy(array)
    >>> array[0] = 1.0
    >>> x
    tensor([1., 0.], dtype=float64)
    """
    if not isinstance(array, np.ndarray):
        raise TypeError(f"array: expected a NumPy array, got {type(array).__name__}")
    return as_tensor(array)


def as_shape(sizes: tuple[int | Sequence[int], ...]) -> Any:
    """Let ``zeros(2, 3)`` and ``zeros((2, 3))`` mean the same."""
    return sizes[0] if len(sizes) == 1 else sizes


def zeros(
    *shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of zeros.

    Parameters
    ----------
    *shape : int or sequence of int
        The length of each axis.
    dtype : numpy.dtype or str, default float32
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.zeros(2, 3)
    tensor([[0., 0., 0.],
            [0., 0., 0.]])
    """
    return Tensor(np.zeros(as_shape(shape), dtype)).requires_grad_(requires_grad)


def ones(
    *shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of ones.

    Parameters
    ----------
    *shape : int or sequence of int
        The length of each axis.
    dtype : numpy.dtype or str, default float32
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.ones(3)
    tensor([1., 1., 1.])
    """
    return Tensor(np.ones(as_shape(shape), dtype)).requires_grad_(requires_grad)


def full(
    shape: int | Sequence[int],
    fill_value: float,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor that holds one value everywhere.

    Parameters
    ----------
    shape : int or sequence of int
        The length of each axis.
    fill_value : bool, int or float
    dtype : numpy.dtype or str, optional
        By default as `lucid.tensor` gives it to the value.
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.full((2,), 7.0)
    tensor([7., 7.])
    """
    value = tensor(fill_value, dtype)._data
    return Tensor(np.full(shape, value, value.dtype)).requires_grad_(requires_grad)


def arange(
    start: float,
    stop: float | None = None,
    step: float = 1,
    dtype: npt.DTypeLike | None = None,
    requires_grad: bool = False,
) -> Tensor:
    """Make a tensor of evenly spaced values, from `start` up to but not including `stop`.

    Parameters
    ----------
    start : int or float
        The first value; with this argument alone, it is `stop`, and the first value is 0.
    stop : int or float, optional
    step : int or float, default 1
    dtype : numpy.dtype or str, optional
        By default int64 when all arguments are ints, else float32.
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.arange(4)
    tensor([0, 1, 2, 3])
    """
    first, last = (0, start) if stop is None else (start, stop)
    values = np.arange(first, last, step)
    if dtype is None and values.dtype == np.float64:
        dtype = np.float32
    return tensor(values, dtype, requires_grad)

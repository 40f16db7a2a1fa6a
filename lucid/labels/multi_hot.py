"""A column for each class: one for a label, zero for none, and what says that nobody knows."""

from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import multi_hot as kernel
from lucid.arrays.checks import guess_of
from lucid.labels.entries import dense
from lucid.labels.objects import numbers_of
from lucid.labels.rows import Int64Array, Rows

_Bools = npt.NDArray[np.bool_]


def of_multi_hot(
    name: str, values: Any, unknown: float | None = None
) -> tuple[Int64Array, Int64Array, int, Int64Array | None, Int64Array | None]:
    """Read the multi-hot form; see `Labels.from_multi_hot`."""
    _check_unknown(unknown)
    masked = isinstance(values, np.ma.MaskedArray) and np.ma.is_masked(values)
    matrix = np.ma.getdata(values) if masked else dense(name, values)
    if matrix.dtype == object:
        matrix = numbers_of(matrix)
    if matrix.dtype.kind not in "biufcO":
        raise TypeError(f"{name} must hold bools, or numbers 0 and 1, got {matrix.dtype}")
    if matrix.ndim != 2 or matrix.shape[1] == 0:
        raise ValueError(f"{name} must have shape (N, C) with C >= 1, got shape {matrix.shape}")
    mask = np.ma.getmaskarray(values).copy() if masked else None
    labels, left_out = _told_apart(name, matrix, mask, unknown)
    parts = _columns(labels)
    return *parts, matrix.shape[1], *((None, None) if left_out is None else _columns(left_out))


def _told_apart(
    name: str, matrix: npt.NDArray[Any], mask: _Bools | None, unknown: float | None
) -> tuple[_Bools, _Bools | None]:
    """Return where the labels are, and where the unknown entries are, if there can be any."""
    if matrix.dtype == np.bool_:
        return (matrix, None) if mask is None else (matrix & ~mask, mask)
    labels = np.asarray(matrix == 1, np.bool_)
    other = ~(labels | np.asarray(matrix == 0, np.bool_))
    if mask is None and not other.any():
        return labels, None
    left_out = np.asarray(matrix != matrix, np.bool_)  # NaN
    if unknown is not None:
        left_out |= np.asarray(matrix == unknown, np.bool_)
    if mask is not None:
        left_out |= mask
    wrong = other & ~left_out
    if wrong.any():
        row, column = np.argwhere(wrong)[0]
        value = matrix[row, column]
        got = repr(value) if isinstance(value, str) else str(value)
        given = matrix[~left_out]
        whole = matrix.dtype.kind in "iuf" and np.array_equal(given, np.round(given))
        guess = f"; {guess_of(name, given)}" if whole else ""
        wanted = "0 and 1" if unknown is None else f"0, 1 and {unknown} for what is unknown"
        raise ValueError(
            f"{name} must hold only {wanted}, got {got} in row {row}, "
            f"column {column}{guess}; for rows of class indices use Labels.from_padded"
        )
    return labels & ~left_out, left_out


def _check_unknown(unknown: Any) -> None:
    if unknown is None:
        return
    if not isinstance(unknown, Real) or isinstance(unknown, bool):
        raise TypeError(f"unknown must be a number, got {unknown!r}")
    if unknown in (0, 1):
        raise ValueError(
            f"unknown must be neither 0 nor 1, which say that a class is a label or not, got "
            f"{unknown!r}: a mask of unknown entries goes through Labels.with_unknown"
        )


def _columns(marks: _Bools) -> Rows:
    """Return the columns of each row that are true, ascending."""
    matrix = np.ascontiguousarray(marks).view(np.uint8)
    indptr = np.empty(len(matrix) + 1, dtype=np.int64)
    kernel.count(matrix, indptr)
    columns = np.empty(indptr[-1] + 1, dtype=np.int64)
    kernel.fill(matrix, columns)
    return columns[:-1], indptr

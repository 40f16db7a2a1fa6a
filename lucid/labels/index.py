"""What an index says of the rows of labels, in NumPy's words for arrays of shape ``(N, C)``."""

from types import EllipsisType
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import kind_of


def chosen_rows(key: Any, num_rows: int, num_classes: int) -> int | slice | npt.NDArray[Any]:
    """Return a row, a slice of rows, or the rows in an array of integers; no row is looked at."""
    if type(key) is np.ndarray and key.ndim == 1 and key.dtype.kind in "iu":  # a shuffled batch
        return key
    if isinstance(key, (tuple, EllipsisType)):
        key = _of_first_axis(key, num_classes)
    if isinstance(key, slice):
        return key if key.step in (None, 1) else np.arange(num_rows)[key]
    chosen = key if type(key) is np.ndarray else _as_array(key)
    if chosen.size == 0 and chosen.dtype == np.float64:
        chosen = chosen.astype(np.int64)  # NumPy makes floats of an empty list
    if chosen.dtype.kind not in ("iub" if chosen.ndim == 1 else "iu") or chosen.ndim > 1:
        raise IndexError(
            "rows must be an int, a slice, or a 1-D array or list of ints or bools, got "
            f"{kind_of(chosen)} of shape {chosen.shape}: labels are cut by rows alone"
        )
    if chosen.ndim == 0:
        return int(chosen)
    if chosen.dtype.kind == "b":
        if chosen.size != num_rows:
            raise IndexError(f"rows is a mask of {chosen.size}, but there are {num_rows} rows")
        return np.flatnonzero(chosen)
    return chosen


def row_error(row: Any, num_rows: int) -> IndexError:
    """Return the error of a row that is not there."""
    return IndexError(f"row {row} is out of range: there are {num_rows} rows")


def _of_first_axis(key: Any, num_classes: int) -> Any:
    """Return what an index of both axes, such as ``(rows, :)``, says of the rows."""
    parts = list(key) if isinstance(key, tuple) else [key]
    dots = [part is Ellipsis for part in parts]
    if any(dots):
        place = dots.index(True)
        parts[place : place + 1] = [slice(None)] * (3 - len(parts))
    rows, columns, *more = [*parts, slice(None), slice(None)][: max(2, len(parts))]
    every = (0, num_classes, 1)
    if more or not isinstance(columns, slice) or columns.indices(num_classes) != every:
        raise IndexError(
            "labels are cut by rows alone, as in labels[rows] or labels[rows, :]; for some of "
            "the classes use to_csr()[rows, classes]"
        )
    if rows is Ellipsis:
        return slice(None)
    return list(rows) if isinstance(rows, tuple) else rows


def _as_array(rows: Any) -> npt.NDArray[Any]:
    try:
        chosen = np.asarray(rows)
    except (TypeError, ValueError, RuntimeError) as error:
        raise IndexError(f"rows cannot be read as an array: {error}") from None
    if isinstance(rows, np.ma.MaskedArray) and np.ma.is_masked(rows):
        raise IndexError("rows must not have masked entries")
    return chosen

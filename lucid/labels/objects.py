"""Arrays of objects, which NumPy makes of columns that pandas lets be empty."""

from typing import Any

import numpy as np
import numpy.typing as npt


def missing(objects: npt.NDArray[np.object_]) -> npt.NDArray[np.bool_]:
    """Return where there is nothing: None, NaN, or the NA of pandas."""
    return np.asarray(np.frompyfunc(_is_missing, 1, 1)(objects), np.bool_)


def numbers_of(objects: npt.NDArray[np.object_]) -> npt.NDArray[Any]:
    """Return objects as numbers where all are, and NaN in place of what is missing."""
    gaps = missing(objects)
    there = objects[~gaps]
    filled = np.where(gaps, np.nan, objects)
    if any(hasattr(value, "__len__") for value in there):  # a name, or a collection of them
        return filled
    try:
        numbers = filled.astype(np.float64)
        whole = bool((numbers == np.rint(numbers)).all())  # NaN is not
        return objects.astype(np.int64) if whole else numbers  # a float64 may not hold each int64
    except (TypeError, ValueError, OverflowError):
        return filled


def bools_of(objects: npt.NDArray[np.object_]) -> npt.NDArray[Any]:
    """Return objects as bools where all are, with a mask on what is missing, or as they are."""
    gaps = missing(objects)
    if gaps.all() or not all(isinstance(value, bool | np.bool_) for value in objects[~gaps]):
        return objects
    bools = np.where(gaps, False, objects).astype(np.bool_)
    return np.ma.masked_array(bools, gaps) if gaps.any() else bools


def _is_missing(value: Any) -> bool:
    if value is None:
        return True
    if hasattr(value, "__len__"):
        return False
    try:
        return bool(value != value)
    except TypeError:  # of NA nobody knows whether it is equal to itself
        return True

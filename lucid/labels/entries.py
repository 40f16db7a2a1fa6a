"""Class indices as users give them: looked at once, and named where they are wrong."""

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import (
    as_array,
    as_int,
    hint_for_names,
    kind_of,
    refuse_huge,
    refuse_masked,
    unsigned_padding,
)
from lucid.labels.rows import Int64Array, Rows, contains, row_of_each
from lucid.system.optional import is_sparse

_INT64_MAX = 2**63 - 1


def refuse_sparse(name: str, values: Any) -> None:
    """Refuse a sparse matrix where a dense array or lists are read."""
    if is_sparse(values):
        raise TypeError(
            f"{name} must not be sparse, got {type(values).__name__}: use Labels.from_csr"
        )


def dense(name: str, values: Any) -> npt.NDArray[Any]:
    """Return an array; refuse the forms of labels that have constructors of their own."""
    if type(values) is np.ndarray:
        return values
    if hasattr(values, "num_classes"):  # by what only they have: their file imports this one
        raise TypeError(f"{name} must be an array, got Labels, which need no conversion")
    refuse_sparse(name, values)
    refuse_masked_labels(name, values)
    return as_array(name, values)


def refuse_masked_labels(name: str, labels: Any) -> None:
    """Refuse masked entries, where they do not tell that nobody knows."""
    instead = (
        "as .filled(-1) fills up rows of labels; those of a multi-hot array are unknown in "
        "Labels.from_multi_hot"
    )
    refuse_masked(name, labels, instead)


def integers(name: str, values: Any, *, ndim: int) -> npt.NDArray[np.integer[Any]]:
    """Return ``values`` as an integer array, each value still the one that was given."""
    array = dense(name, values)
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype(np.int64)  # NumPy makes floats of an empty list
    if array.dtype.kind not in "iu":
        refuse_huge(name, array)
        hint = hint_for_names(array)
        if array.ndim == 2 and not hint:
            hint = "; for a multi-hot matrix use Labels.from_multi_hot"
        elif array.dtype.kind == "f" and np.all(array == np.round(array)):
            hint = "; if these are class indices, convert them with int"
        raise TypeError(f"{name} must hold integers, got {kind_of(array)}{hint}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-D, got shape {array.shape}")
    return array


def class_count(num_classes: SupportsIndex) -> int:
    """Return how many classes there are, at least one."""
    classes = as_int("num_classes", num_classes)
    if not 1 <= classes <= _INT64_MAX:
        wanted = "at least 1" if classes < 1 else f"at most {_INT64_MAX}"
        raise ValueError(f"num_classes must be {wanted}, got {classes}")
    return classes


def in_range(
    name: str,
    flat: npt.NDArray[np.integer[Any]],
    indptr: Int64Array,
    num_classes: int,
    *,
    padded: bool = False,
) -> Int64Array:
    """Return labels in int64, or say which one is out of range.

    They are looked at as they were given: a conversion might wrap 2**64 - 1 to -1.
    """
    if flat.size == 0 or (flat.min() >= 0 and flat.max() < num_classes):
        return flat.astype(np.int64, copy=False)
    place = int(np.argmax((flat < 0) | (flat >= num_classes)))
    row = int(np.searchsorted(indptr, place, side="right")) - 1
    hint = ""
    if flat.min() >= 1 and flat.max() == num_classes:
        hint = "; labels count from 0: subtract 1 if yours count from 1"
    elif flat[place] == -1:
        hint = "; only in the padded form does -1 end a row"
    elif padded and flat[place] < 0:
        hint = "; a row ends with -1"
    elif padded and (guess := unsigned_padding(name, flat)) is not None:
        hint = f"; {guess}"
    raise ValueError(
        f"{name}: label {flat[place]} in row {row}, {'column' if padded else 'position'} "
        f"{place - indptr[row]} is out of range: expected 0 <= label < {num_classes}{hint}"
    )


def abbreviated(array: npt.NDArray[Any]) -> str:
    """Return an array on one line, its middle left out if it is long."""
    return np.array2string(array, threshold=6, edgeitems=3, separator=", ")


def apart(labels: Rows, unknown: Rows) -> Rows:
    """Return unknown entries, ascending sets, none of which is a label."""
    indices, indptr = labels
    row = row_of_each(indptr)
    both = contains(*unknown, row, indices)
    if both.any():
        place = int(np.argmax(both))
        raise ValueError(
            f"class {indices[place]} is both a label and unknown in row {row[place]}: an entry is "
            "a label, unknown, or neither"
        )
    return unknown

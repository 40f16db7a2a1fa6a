"""Rows of class indices filled up with -1, PyTorch's form; and what looks like it and is not."""

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid._kernels import padded as kernel
from lucid.arrays.checks import guess_of
from lucid.labels.entries import abbreviated, class_count, in_range, integers
from lucid.labels.rows import Int64Array, indptr_of
from lucid.system.warnings import warn_user


def of_padded(
    name: str, padded: Any, num_classes: SupportsIndex
) -> tuple[Int64Array, Int64Array, int]:
    """Read the padded form; see `Labels.from_padded`."""
    rows = integers(name, padded, ndim=2)
    classes = class_count(num_classes)
    num_rows, width = rows.shape
    ends = np.full((num_rows, width + 1), True)
    np.equal(rows, -1, out=ends[:, :width])
    lengths = ends.argmax(axis=1)
    longest = int(lengths.max(initial=0))
    flat = rows[:, :longest][np.arange(longest) < lengths[:, np.newaxis]]
    indptr = indptr_of(lengths)
    if width == classes > 1:
        refuse_other_forms(name, rows, lengths)
    return in_range(name, flat, indptr, classes, padded=True), indptr, classes


def of_plain_padded(
    rows: npt.NDArray[np.signedinteger[Any]], num_classes: int
) -> tuple[Int64Array, Int64Array, int] | None:
    """Read rows that cannot be mistaken; None where they need a closer look."""
    indptr = np.empty(len(rows) + 1, np.int64)
    try:
        total = kernel.count(rows, num_classes, indptr)
    except (TypeError, ValueError):  # not contiguous, or of another byte order
        return None
    if total < 0:
        return None
    indices = np.empty(total, np.int64)
    if not kernel.fill(rows, num_classes, indptr, total, indices):
        return None
    return indices, indptr, num_classes


def refuse_other_forms(name: str, rows: npt.NDArray[np.integer[Any]], lengths: Int64Array) -> None:
    """Refuse rows as wide as the classes that cannot be class indices, see `Labels.from_padded`.

    What follows a -1 is no reason where the values are those of indices: PyTorch ignores it.
    """
    if len(rows) == 0:
        return
    whole = lengths == rows.shape[1]
    ascending = np.sort(rows[whole], axis=1)
    wrong = np.zeros(len(rows), np.bool_)
    wrong[whole] = (ascending[:, 1:] == ascending[:, :-1]).any(axis=1)
    fault = "names one twice"
    if not wrong.any() and rows.max() <= 1 and rows.min() >= -1:
        wrong = (lengths > 2) | ((lengths == 2) & (rows[:, 0] == rows[:, 1]))
        if not wrong.any():
            wrong = np.count_nonzero(rows != -1, axis=1) > lengths
            fault = "goes on after a -1"
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name} cannot be class indices, a row as wide as the classes {fault}: row {row} is "
            f"{abbreviated(rows[row])}: {guess_of(name, rows)}; class indices are taken with one "
            "more column of -1"
        )


def doubt(
    name: str, array: npt.NDArray[np.integer[Any]], indptr: Int64Array, num_classes: int
) -> None:
    """Warn of a padded array that was not said to be one, and may be meant as something else."""
    if num_classes == 2 == array.shape[1] and array.size and array.min() >= 0:
        warn_user(
            f"{name} holds only 0 and 1, row 0 is {abbreviated(array[0])}: "
            f"{guess_of(name, array)}; if they are indices, end each row with -1"
        )
    # A label right behind the first -1 of its row: the margin kernel looks there too.
    behind = np.diff(indptr) + 1
    (rows,) = np.nonzero(behind < array.shape[1])
    stray = rows[array[rows, behind[rows]] != -1]
    if stray.size:
        row = int(stray[0])
        warn_user(
            f"row {row} is {abbreviated(array[row])}: what stands after its first -1 is ignored"
        )

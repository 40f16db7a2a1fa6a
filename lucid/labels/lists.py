"""One list, array or set of class indices for each row; the rows may differ in length."""

from collections.abc import Iterable
from itertools import chain
from typing import Any, SupportsIndex

import numpy as np

from lucid._kernels import lists as kernel
from lucid.labels.entries import (
    class_count,
    in_range,
    integers,
    refuse_masked_labels,
    refuse_sparse,
)
from lucid.labels.padded import refuse_other_forms
from lucid.labels.rows import Int64Array, indptr_of


def of_lists(
    name: str, rows: Any, num_classes: SupportsIndex
) -> tuple[Int64Array, Int64Array, int]:
    """Read lists; see `Labels.from_lists`."""
    refuse_sparse(name, rows)
    is_matrix = getattr(rows, "ndim", 1) == 2
    if not isinstance(rows, Iterable):
        raise TypeError(f"{name} must hold one list of labels each, got {type(rows).__name__}")
    rows = list(rows)
    refuse_masked_labels(name, rows)
    for i, row in enumerate(rows):
        if not isinstance(row, Iterable) or getattr(row, "ndim", 1) == 0:
            raise TypeError(
                f"{name} must hold one list of labels each, got {type(row).__name__} as row {i}"
            )
    lists = [list(row) for row in rows]
    indptr = indptr_of(np.fromiter(map(len, lists), np.int64, count=len(lists)))
    flat = list(chain.from_iterable(lists))
    try:
        if not {bool, np.bool_}.isdisjoint(map(type, flat)):  # NumPy makes 1 of it beside ints
            raise TypeError(f"{name} must hold integers, got bool")
        labels = integers(name, flat, ndim=1)
    except (TypeError, ValueError):
        for i, row in enumerate(lists):
            for label in row:
                if length_of(label) is not None and not isinstance(label, str):
                    raise TypeError(
                        f"{name} must hold integers in each row, "
                        f"got {type(label).__name__} in row {i}"
                    ) from None
        raise
    classes = class_count(num_classes)
    if is_matrix and labels.size == len(lists) * classes > len(lists):
        refuse_other_forms(name, labels.reshape(-1, classes), np.diff(indptr))
    return in_range(name, labels, indptr, classes), indptr, classes


def of_plain_lists(rows: list[Any], num_classes: int) -> tuple[Int64Array, Int64Array, int] | None:
    """Read lists or tuples of ints that cannot be mistaken; None where they need a closer look.

    If all are as long as there are classes, they may be meant as zeros and ones.
    """
    indptr = np.empty(len(rows) + 1, np.int64)
    total = kernel.count(rows, indptr)
    if total < 0 or total == len(rows) * num_classes:
        return None
    indices = np.empty(total, np.int64)
    if not kernel.fill(rows, num_classes, total, indices):
        return None
    return indices, indptr, num_classes


def are_lists(rows: Any) -> bool:
    """Whether rows are lists that make no array: sets, not all of one length, or all empty."""
    if not isinstance(rows, (list, tuple)):
        return False
    has_set = any(isinstance(row, (set, frozenset)) for row in rows)
    lengths = {length_of(row) for row in rows}
    return has_set or len(lengths) != 1 or lengths == {0}


def length_of(row: Any) -> int | None:
    """Return the length of a row; None for a number, also as an array without axes."""
    try:
        return len(row)
    except TypeError:
        return None

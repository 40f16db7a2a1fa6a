"""Rows of different lengths in two arrays, as in a CSR matrix without its values.

Row ``i`` is ``indices[indptr[i]:indptr[i + 1]]``. Labels are kept so, and unknown entries too.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

Int64Array = np.ndarray[Any, np.dtype[np.int64]]
Rows = tuple[Int64Array, Int64Array]


def indptr_of(lengths: npt.NDArray[np.integer[Any]]) -> Int64Array:
    """Return where each row begins, and where the last one ends."""
    indptr = np.zeros(lengths.size + 1, dtype=np.int64)
    lengths.cumsum(out=indptr[1:])
    return indptr


def row_of_each(indptr: Int64Array) -> Int64Array:
    """Return the row of each entry."""
    return np.repeat(np.arange(indptr.size - 1), np.diff(indptr))


def cut(indices: Int64Array, indptr: Int64Array, ends: tuple[int, int]) -> Rows:
    """Return the rows from the first end to before the second; their entries are not copied."""
    first, last = ends
    cuts = indptr[first : max(first, last) + 1]
    return indices[cuts[0] : cuts[-1]], cuts - cuts[0]


def take(indices: Int64Array, indptr: Int64Array, chosen: npt.NDArray[np.integer[Any]]) -> Rows:
    """Return the chosen rows in their order; raises NumPy's IndexError."""
    starts = indptr[:-1][chosen]
    lengths = indptr[1:][chosen] - starts
    cuts = indptr_of(lengths)
    # Element p of the result, in row i, comes from starts[i] + (p - cuts[i]).
    places = (starts - cuts[:-1]).repeat(lengths)
    places += np.arange(places.size)
    return indices[places], cuts


def are_sets(indices: Int64Array, indptr: Int64Array) -> bool:
    """Whether each row ascends, and so has each entry once."""
    rising = np.diff(indices) > 0
    between_rows = indptr[1:-1]
    rising[between_rows[(between_rows > 0) & (between_rows < indices.size)] - 1] = True
    return bool(rising.all())


def as_sets(*parts: Rows) -> Rows:
    """Return the union, row by row, of what may be in any order and repeated: ascending sets."""
    if len(parts) == 1 and are_sets(*parts[0]):
        return parts[0]
    row = np.concatenate([row_of_each(indptr) for _, indptr in parts])
    entry = np.concatenate([indices for indices, _ in parts])
    order = np.lexsort((entry, row))
    row, entry = row[order], entry[order]
    first = np.ones(entry.size, dtype=np.bool_)
    first[1:] = (row[1:] != row[:-1]) | (entry[1:] != entry[:-1])
    lengths = np.bincount(row[first], minlength=parts[0][1].size - 1)
    return entry[first], indptr_of(lengths)


def contains(
    indices: Int64Array, indptr: Int64Array, row: Int64Array, entry: Int64Array
) -> npt.NDArray[np.bool_]:
    """Whether rows, ascending sets, hold entries: ``entry[k]`` is looked up in ``row[k]``.

    All are found by one bisection. Keys ``row * C + entry`` would not always fit 64 bits.
    """
    if indices.size == 0:
        return np.zeros(row.size, dtype=np.bool_)
    low, end = indptr[row], indptr[row + 1]
    high = end
    for _ in range(int((high - low).max(initial=0)).bit_length()):
        middle = (low + high) >> 1
        below = (middle < high) & (indices[np.minimum(middle, indices.size - 1)] < entry)
        low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
    found: npt.NDArray[np.bool_] = indices[np.minimum(low, indices.size - 1)] == entry
    return found & (low < end)

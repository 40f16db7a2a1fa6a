"""SciPy's sparse matrices, looked at before any compiled loop trusts them.

SciPy's conversions, and the kernels here, write to where the indices point. SciPy itself looks at
indices hardly ever: not when its arrays are set, nor when a CSR or CSC matrix comes from a file.
What is looked at is a copy, which no other thread can change before it is used.
"""

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: The arrays of indices of each form. Theirs, and that of the values, can be set by anybody.
_INDICES = {
    "csr": ("indices", "indptr"),
    "csc": ("indices", "indptr"),
    "bsr": ("indices", "indptr"),
    "coo": ("row", "col"),
}


def checked_csr(name: str, matrix: Any) -> Any:
    """Return a sparse matrix in CSR form, or raise a ValueError that names the argument.

    It shares nothing with the one that was given. After its last entry, ``indptr[-1]``, indices
    and values may hold anything.
    """
    if matrix.ndim != 2:
        raise ValueError(f"{name} must be a matrix of two axes, got shape {matrix.shape}")
    # The other forms are converted without a look at their indices.
    matrix = _copied(name, matrix) if matrix.format in _INDICES else matrix.tocsr()
    fault = _fault_of_coo(matrix) if matrix.format == "coo" else _fault_of_compressed(matrix)
    if fault:
        raise ValueError(f"{name} is not a valid {matrix.format} matrix: {fault}")
    return matrix.tocsr()


def with_small_indices(
    sparse: Any, values: Array, indices: Array, indptr: Array, shape: Sequence[int]
) -> Any:
    """Make a ``csr_array`` with int32 indices where they fit: many readers take no others."""
    fits = max(*shape, values.size) <= np.iinfo(np.int32).max
    dtype = np.int32 if fits else np.int64
    return sparse.csr_array((values, indices.astype(dtype), indptr.astype(dtype)), shape=shape)


def _copied(name: str, matrix: Any) -> Any:
    """Return a copy, its indices of the one type, int32 or int64, that SciPy's loops want."""
    matrix = copy.copy(matrix)  # shallow: SciPy's own copies would look at the arrays first
    for flag in ("_has_sorted_indices", "_has_canonical_format"):
        vars(matrix).pop(flag, None)  # SciPy's memory of the arrays as they may have been once
    indices = [np.asarray(getattr(matrix, part)) for part in _INDICES[matrix.format]]
    if not all(part.dtype.kind in "iu" for part in indices):
        types = " and ".join(str(part.dtype) for part in indices)
        raise ValueError(f"{name} is not a valid {matrix.format} matrix: its indices are {types}")
    small = all(part.dtype == np.int32 for part in indices)
    for part, values in zip(_INDICES[matrix.format], indices, strict=True):
        setattr(matrix, part, values.astype(np.int32 if small else np.int64))
    values = np.asarray(matrix.data)
    matrix.data = np.array(values, dtype=dtype_for_scipy(values.dtype), order="C")
    return matrix


def dtype_for_scipy(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the dtype that holds such values, and that SciPy's conversions take."""
    half = dtype.kind == "f" and dtype.itemsize == 2
    return np.dtype(np.float32) if half else dtype.newbyteorder("=")


def _fault_of_coo(matrix: Any) -> str:
    rows, columns, values = matrix.row, matrix.col, matrix.data
    if not rows.shape == columns.shape == values.shape or rows.ndim != 1:
        return f"rows, columns and values have shapes {rows.shape}, {columns.shape}, {values.shape}"
    return _outside(rows, matrix.shape[0]) or _outside(columns, matrix.shape[1])


def _fault_of_compressed(matrix: Any) -> str:
    """Of a CSR or CSC matrix, or of a BSR one, whose entries are blocks."""
    cuts, indices, values = matrix.indptr, matrix.indices, matrix.data
    block = values.shape[1:] if matrix.format == "bsr" else (1, 1)
    if indices.ndim != 1 or values.ndim != (3 if matrix.format == "bsr" else 1):
        return f"indices and values have shapes {indices.shape}, {values.shape}"
    if 0 in block or matrix.shape[0] % block[0] or matrix.shape[1] % block[1]:
        return f"blocks of shape {block} do not fill one of shape {matrix.shape}"
    rows, columns = matrix.shape[0] // block[0], matrix.shape[1] // block[1]
    slices, size = (columns, rows) if matrix.format == "csc" else (rows, columns)
    if cuts.shape != (slices + 1,):
        return f"indptr must have shape ({slices + 1},), got {cuts.shape}"
    end = int(cuts[-1])
    if (
        cuts[0] != 0
        or not end <= min(len(indices), len(matrix.data))
        or (cuts[1:] < cuts[:-1]).any()
    ):
        return (
            f"indptr must rise from 0 to at most the number of entries: "
            f"{len(indices)} indices, {len(matrix.data)} values"
        )
    return _outside(indices[:end], size)


def _outside(indices: Array, size: int) -> str:
    if indices.size == 0 or (indices.min() >= 0 and indices.max() < size):
        return ""
    wrong = indices[(indices < 0) | (indices >= size)][0]
    return f"index {wrong} is out of range: expected 0 <= index < {size}"

"""SciPy's sparse matrices, looked at before any compiled loop trusts them.

SciPy's conversions, and the kernels here, write to where the indices point. SciPy itself looks at
indices hardly ever: not when its arrays are set, nor when a CSR or CSC matrix comes from a file.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def checked_csr(name: str, matrix: Any) -> Any:
    """Return a sparse matrix in CSR form, or raise a ValueError that names the argument.

    It is the matrix itself where it has that form. Behind its last entry, ``indptr[-1]``, indices
    and values may hold anything.
    """
    if matrix.ndim != 2:
        raise ValueError(f"{name} must be a matrix of two axes, got shape {matrix.shape}")
    if matrix.format not in ("csr", "csc", "bsr", "coo"):
        matrix = matrix.tocsr()  # these are converted without a look at their indices
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


def _fault_of_coo(matrix: Any) -> str:
    rows, columns = matrix.row, matrix.col
    if not len(rows) == len(columns) == len(matrix.data):
        return f"{len(rows)} rows, {len(columns)} columns and {len(matrix.data)} values"
    return _outside(rows, matrix.shape[0]) or _outside(columns, matrix.shape[1])


def _fault_of_compressed(matrix: Any) -> str:
    """Of a CSR or CSC matrix, or of a BSR one, whose entries are blocks."""
    block = matrix.data.shape[1:] or (1, 1)
    rows, columns = matrix.shape[0] // block[0], matrix.shape[1] // block[1]
    slices, size = (columns, rows) if matrix.format == "csc" else (rows, columns)
    cuts, indices = matrix.indptr, matrix.indices
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

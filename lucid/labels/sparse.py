"""A SciPy sparse matrix, where each nonzero entry is a label."""

from typing import Any

import numpy as np

from lucid.arrays.sparse import checked_csr
from lucid.labels.rows import Int64Array
from lucid.system.optional import is_sparse


def of_sparse(name: str, matrix: Any) -> tuple[Int64Array, Int64Array, int]:
    """Read a sparse matrix; see `Labels.from_csr`."""
    if not is_sparse(matrix):
        raise TypeError(
            f"{name} must be a scipy.sparse matrix or array, got {type(matrix).__name__}"
        )
    if matrix.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold bools or real numbers, got {matrix.dtype}")
    csr = checked_csr(name, matrix)
    if csr.shape[1] == 0:
        raise ValueError(f"{name} must have shape (N, C) with C >= 1, got shape {csr.shape}")
    values = csr.data[: csr.nnz]
    known = f"Labels.from_csr({name} > 0)"
    if csr.dtype.kind == "f" and np.isnan(values).any():
        raise ValueError(
            f"{name} must not hold NaN: nonzero is a label, zero is none; if NaN is unknown, use "
            f"{known}.with_unknown({name} != {name})"
        )
    if csr.dtype.kind in "if" and values.min(initial=0) < 0:
        raise ValueError(
            f"{name} must not hold negative values, got {values.min()}: if only positive ones "
            f"are labels, use {name} > 0; if negative ones are unknown, use "
            f"{known}.with_unknown({name} < 0)"
        )
    csr.sum_duplicates()
    csr.eliminate_zeros()
    indices, indptr = (part.astype(np.int64, copy=False) for part in (csr.indices, csr.indptr))
    return indices, indptr, csr.shape[1]

"""Rows of features, dense or sparse, and the two products that a linear layer makes with them.

A sparse row stores few of its D features. Its products visit only the columns of the weight that
occur in the rows at hand, and SciPy wants these as a matrix of their own: they are copied a block
of classes at a time, so that memory stays small for any number of classes.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._optional import is_sparse

Array = npt.NDArray[Any]

#: A block's temporary arrays hold about so many numbers. Smaller ones would fit a cache, but the
#: threads of a matrix product have to meet at the end of each block.
_BLOCK = 1 << 22


def as_csr(name: str, x: Any, dtype: np.dtype[Any]) -> Any:
    """Return a sparse matrix in CSR form, its values as ``dtype``, but float32 for float16."""
    if x.ndim != 2:
        raise ValueError(f"{name}: expected a sparse matrix of shape (N, D), got shape {x.shape}")
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected a sparse matrix of real numbers, got {x.dtype}")
    return x.tocsr().astype(np.result_type(dtype, np.float32), copy=False)


def times_transposed(x: Any, weight: Array, out: Array) -> None:
    """Write ``x @ weight.T`` into ``out``: features (N, D), weight (C, D), out (N, C)."""
    if not is_sparse(x):
        np.matmul(x, weight.T, out=out)
        return
    columns, rows = _occurring(x)
    for classes in _blocks(len(weight), columns.size + len(out)):
        out[:, classes] = rows @ np.take(weight[classes], columns, axis=1).T


def add_transposed_times(g: Array, x: Any, out: Array) -> None:
    """Add ``g.T @ x`` to ``out``: gradient (N, C), features (N, D), out (C, D)."""
    if not is_sparse(x):
        for classes in _blocks(*out.shape):
            out[classes] += g[:, classes].T @ x
        return
    columns, rows = _occurring(x)
    for classes in _blocks(len(out), columns.size + len(g)):
        out[classes, columns] += (rows.T @ g[:, classes]).T


def _occurring(x: Any) -> tuple[Array, Any]:
    """Return the columns in which ``x`` has entries, and the matrix of these columns alone."""
    occurs = np.zeros(x.shape[1], bool)
    occurs[x.indices] = True
    columns = np.flatnonzero(occurs)
    number = np.cumsum(occurs) - 1
    compact = type(x)((x.data, number[x.indices], x.indptr), shape=(x.shape[0], columns.size))
    return columns, compact


def _blocks(num_classes: int, numbers_per_class: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, numbers_per_class))
    return (slice(start, start + step) for start in range(0, num_classes, step))

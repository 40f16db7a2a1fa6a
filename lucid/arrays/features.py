"""Rows of features, dense or sparse, and the two products that a linear layer makes with them.

A sparse row stores few of its D features. Its products visit only the columns of the weight that
occur in the rows at hand, and the compiled kernel ``sparse.pyx`` multiplies an entry with many
classes at once. SciPy's own product, classes side by side, would need the weight transposed.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import sparse
from lucid.arrays.sparse import checked_csr
from lucid.system import threads
from lucid.system.optional import is_sparse

Array = npt.NDArray[Any]

#: The product of a block of classes, before it is added, holds about so many numbers. Smaller ones
#: would fit a cache, but the threads of a matrix product have to meet at the end of each block.
_BLOCK = 1 << 22


def as_csr(name: str, x: Any, dtype: np.dtype[Any]) -> Any:
    """Return a sparse matrix in CSR form, its values as the weight's ``dtype``, but not float16."""
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name}: expected a sparse matrix of real numbers, got {x.dtype}")
    values = np.result_type(dtype, np.float32)
    if values.char not in "fd":
        raise TypeError(
            f"{name} is sparse: expected a weight of float32, float64 or float16, got {dtype}"
        )
    return checked_csr(name, x).astype(values, copy=False)


def times_transposed(x: Any, weight: Array, out: Array) -> None:
    """Write ``x @ weight.T`` into ``out``: features (N, D), weight (C, D), out (N, C)."""
    if not is_sparse(x):
        np.matmul(x, weight.T, out=out)
        return
    weight = np.require(weight, x.dtype, ["C", "ALIGNED"])
    product = out if out.flags.c_contiguous else np.empty(out.shape, out.dtype)
    sparse.times_transposed(*_parts(x), weight, product, threads.get_num_threads())
    if product is not out:
        out[...] = product


def transposed_times(g: Array, x: Any, out: Array) -> None:
    """Write ``g.T @ x`` into ``out``."""
    if is_sparse(x):
        out.fill(0)
        add_transposed_times(g, x, out)
    else:
        np.matmul(g.T, x, out=out)


def add_transposed_times(g: Array, x: Any, out: Array) -> None:
    """Add ``g.T @ x`` to ``out``: gradient (N, C), features (N, D), out (C, D)."""
    if not is_sparse(x):
        for classes in _blocks(*out.shape):
            out[classes] += g[:, classes].T @ x
        return
    g = np.require(g, x.dtype, ["C", "ALIGNED"])
    sparse.add_transposed_times(g, *_parts(x), out, threads.get_num_threads())


def _parts(x: Any) -> tuple[Array, Array, Array, Array]:
    """Return values, the place of each among the columns with entries, ``indptr``, the columns."""
    entries = slice(x.indptr[-1])  # there may be more room
    indices = x.indices[entries]
    occurs = np.zeros(x.shape[1], bool)
    occurs[indices] = True
    columns = np.flatnonzero(occurs)
    number = np.empty(x.shape[1], np.int64)
    number[columns] = np.arange(columns.size)
    return (
        np.require(x.data[entries], None, ["C", "ALIGNED"]),
        number[indices],
        x.indptr.astype(np.int64),
        columns,
    )


def _blocks(num_classes: int, numbers_per_class: int) -> Iterator[slice]:
    step = max(1, _BLOCK // max(1, numbers_per_class))
    return (slice(start, start + step) for start in range(0, num_classes, step))

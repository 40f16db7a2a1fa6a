# The interface of sparse_baseline and sparse_x86_64_v3, which are compiled from sparse.pyx.

import numpy as np
import numpy.typing as npt

_Real = npt.NDArray[np.float32] | npt.NDArray[np.float64]

def times_transposed(
    values: _Real,
    places: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    weight: _Real,
    out: _Real,
    threads: int,
) -> None:
    """Write ``x @ weight.T`` to ``out`` (N, C), with ``weight`` (C, D).

    Row n of x holds ``values[p]`` in column ``columns[places[p]]``, for p from ``indptr[n]`` to
    ``indptr[n + 1]``. ``columns`` (K,) are in range, ``places`` from 0 to K - 1: this is not
    checked. All reals of one type, arrays C-contiguous and aligned; ValueError, with no word for
    users, where ``indptr`` does not cut the values into N rows.
    """

def add_transposed_times(
    g: _Real,
    values: _Real,
    places: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    columns: npt.NDArray[np.int64],
    out: _Real,
    threads: int,
) -> None:
    """Add ``g.T @ x`` to ``out`` (C, D), with ``g`` (N, C) and the same x."""

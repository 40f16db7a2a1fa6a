# The interface of margin_baseline and margin_x86_64_v3, which are compiled from margin.pyx.

import numpy as np
import numpy.typing as npt

def margin_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float32] | None,
    threads: int,
) -> float:
    """Return the sum over rows of C * L, over ``divisor``.

    Scores ``x`` (N, C). Labels: without ``indptr``, ``indices`` (N, K), each row ended by its first
    -1 or by its end; with ``indptr`` (N + 1,), ``indices`` (1, nnz) in CSR form. Each row's loss
    goes to ``out`` (N,) and the gradient to ``grad`` (N, C), unless these are None. All arrays
    C-contiguous and aligned; ValueError or TypeError, with no word for users, where they are not,
    or where the labels need another look.
    """

def margin_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 scores."""

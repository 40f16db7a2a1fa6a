# The interface of exponential_baseline and exponential_x86_64_v3, compiled from exponential.pyx.

import numpy as np
import numpy.typing as npt

def lsep_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float32] | None,
    threads: int,
) -> float:
    """Return the sum over rows of their losses, over ``divisor``.

    Scores ``x`` (N, C). Labels in CSR form: ``indices`` and ``indptr`` (N + 1,); unknown columns
    likewise, or None. The loss of each row times its ``scale`` (N,), where there is one, goes to
    ``out`` (N,), the gradient of what is returned to ``grad`` (N, C); a row of scale 0 is left out.
    All arrays C-contiguous and aligned; ValueError or TypeError, with no word for users, where they
    are not, or where the labels need another look.
    """

def lsep_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 scores."""

def lsep_per_label_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float32] | None,
    threads: int,
) -> float:
    """Return the same for LSEP per label."""

def lsep_per_label_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 scores."""

def zlpr_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float32] | None,
    threads: int,
) -> float:
    """Return the same for ZLPR."""

def zlpr_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 scores."""

def bpmll_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float32] | None,
    threads: int,
) -> float:
    """Return the same for BP-MLL."""

def bpmll_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64],
    indptr: npt.NDArray[np.int64],
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 scores."""

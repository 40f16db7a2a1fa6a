# The interface of squared_baseline and squared_x86_64_v3, which are compiled from squared.pyx.

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels.margin import Terms

def squared_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.signedinteger[Any]],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float32] | None,
    threads: int,
    terms: Terms | None = None,
) -> float:
    """Return the same for pairs of squares; see `margin_float32`."""

def squared_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.signedinteger[Any]],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float64] | None,
    threads: int,
    terms: Terms | None = None,
) -> float:
    """Return the same of float64 scores."""

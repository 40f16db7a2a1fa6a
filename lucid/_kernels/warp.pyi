# The interface of warp_baseline and warp_x86_64_v3, which are compiled from warp.pyx.

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels.margin import Terms

def warp_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.signedinteger[Any]],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float32] | None,
    threads: int,
    terms: Terms | None = None,
) -> float:
    """Return the same for pairs that WARP weighs; see `margin_float32`."""

def warp_float64(
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

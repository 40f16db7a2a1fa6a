# The interface of weighted_baseline and weighted_x86_64_v3, which are compiled from weighted.pyx.

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels.margin import Terms

def weighted_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.signedinteger[Any]],
    indptr: npt.NDArray[np.int64] | None,
    divisor: float,
    out: npt.NDArray[np.float64] | None,
    grad: npt.NDArray[np.float32] | None,
    threads: int,
    terms: Terms | None = None,
) -> float:
    """Return the same for pairs with a weight for each label; see `margin_float32`."""

def weighted_float64(
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

"""From the losses of the rows to the result."""

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def reduced(losses: Array, reduction: str) -> Array:
    """Return the losses of the rows, their sum or their mean, in their dtype."""
    if reduction == "none":
        return losses
    total = losses.sum(dtype=np.float64)
    with np.errstate(invalid="ignore", over="ignore"):
        # A float64 divisor makes the mean of no rows nan.
        result = total / np.float64(losses.size) if reduction == "mean" else total
        return np.asarray(result, losses.dtype)

# The interface of soft_margin_baseline and soft_margin_x86_64_v3, compiled from soft_margin.pyx.

import numpy as np
import numpy.typing as npt

def soft_margin_float32(
    x: npt.NDArray[np.float32],
    indices: npt.NDArray[np.int64] | None,
    indptr: npt.NDArray[np.int64] | None,
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    target: npt.NDArray[np.float32] | None,
    weight: npt.NDArray[np.float64] | None,
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
    In place of labels, which are None then, a ``target`` (N, C) of numbers from 0 to 1, NaN
    where nothing is known. ``weight`` (C,) is that of the classes.
    All arrays C-contiguous and aligned; ValueError or TypeError, with no word for users, where they
    are not, or where the labels need another look.
    """

def soft_margin_float64(
    x: npt.NDArray[np.float64],
    indices: npt.NDArray[np.int64] | None,
    indptr: npt.NDArray[np.int64] | None,
    unknown_indices: npt.NDArray[np.int64] | None,
    unknown_indptr: npt.NDArray[np.int64] | None,
    target: npt.NDArray[np.float64] | None,
    weight: npt.NDArray[np.float64] | None,
    scale: npt.NDArray[np.float64] | None,
    divisor: float,
    out: npt.NDArray[np.float64],
    grad: npt.NDArray[np.float64] | None,
    threads: int,
) -> float:
    """Return the same of float64 logits."""

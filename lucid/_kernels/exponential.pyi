# The interface of exponential_baseline and exponential_x86_64_v3, compiled from exponential.pyx.

from typing import Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Real = TypeVar("Real", np.float32, np.float64, contravariant=True)

class SumsKernel(Protocol[Real]):
    """A kernel of a loss of sums of exponentials."""

    def __call__(
        self,
        x: npt.NDArray[Real],
        indices: npt.NDArray[np.int64],
        indptr: npt.NDArray[np.int64],
        unknown_indices: npt.NDArray[np.int64] | None,
        unknown_indptr: npt.NDArray[np.int64] | None,
        scale: npt.NDArray[np.float64] | None,
        divisor: float,
        out: npt.NDArray[np.float64],
        grad: npt.NDArray[Real] | None,
        threads: int,
    ) -> float:
        """Return the sum over rows of their losses, over ``divisor``.

        Scores ``x`` (N, C). Labels in CSR form: ``indices`` and ``indptr`` (N + 1,); unknown
        columns likewise, or None. The loss of each row times its ``scale`` (N,), where there is
        one, goes to ``out`` (N,), the gradient of what is returned to ``grad`` (N, C); a row of
        scale 0 is left out. All arrays C-contiguous and aligned; ValueError or TypeError, with no
        word for users, where they are not, or where the labels need another look.
        """

lsep_float32: SumsKernel[np.float32]
lsep_float64: SumsKernel[np.float64]
lsep_per_label_float32: SumsKernel[np.float32]
lsep_per_label_float64: SumsKernel[np.float64]
zlpr_float32: SumsKernel[np.float32]
zlpr_float64: SumsKernel[np.float64]
bpmll_float32: SumsKernel[np.float32]
bpmll_float64: SumsKernel[np.float64]

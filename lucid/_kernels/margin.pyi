# The interface of margin_baseline and margin_x86_64_v3, which are compiled from margin.pyx.

from typing import Any, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

Real = TypeVar("Real", np.float32, np.float64, contravariant=True)

class Terms(Protocol):
    """What is asked for beside plain labels, where a loss has it. Arrays are C-contiguous."""

    margin: float
    """Of pairs, that of every label,"""
    margins: npt.NDArray[np.float64] | None
    """or those of the classes (C,)."""
    weights: npt.NDArray[np.float64] | None
    """Those of the classes (C,), or, ``by_entry``, of the labels as they are given."""
    by_entry: bool
    base: int
    """What the sum over the pairs of a row is divided by, as `pairs/row.pxd` numbers it."""
    scale: npt.NDArray[np.float64] | None
    """By what the loss of each row is multiplied (N,); one of 0 leaves the row out."""
    worth_of_count: npt.NDArray[np.float64] | None
    """What n active negatives of a label are worth (C + 1,)."""
    unknown_indices: npt.NDArray[np.int64] | None
    """The unknown columns of the rows in CSR form,"""
    unknown_indptr: npt.NDArray[np.int64] | None
    """(N + 1,)."""

class Kernel(Protocol[Real]):
    """A kernel of a loss."""

    def __call__(
        self,
        x: npt.NDArray[Real],
        indices: npt.NDArray[np.signedinteger[Any]],
        indptr: npt.NDArray[np.int64] | None,
        divisor: float,
        out: npt.NDArray[np.float64] | None,
        grad: npt.NDArray[Real] | None,
        threads: int,
        terms: Terms | None = None,
    ) -> float:
        """Return the sum over rows of their losses, over ``divisor``.

        Scores ``x`` (N, C). Labels, of any signed integer type: with ``indptr`` (N + 1,), all that
        there are, row after row; without, kernels of pairs read ``indices`` (N, K), each row ended
        by its first -1 or by its end, and that of soft margin numbers from 0 to 1 (N, C) in place
        of labels, of the type of ``x``, NaN where nothing is known. Each row's loss goes to ``out``
        (N,) and the gradient to ``grad`` (N, C), unless these are None. All arrays C-contiguous and
        aligned; ValueError or TypeError, with no word for users, where they are not, or where the
        labels need another look.
        """

margin_float32: Kernel[np.float32]
margin_float64: Kernel[np.float64]

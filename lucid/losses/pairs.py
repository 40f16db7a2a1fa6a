"""The losses of pairs that kernels find by ranks: from a problem to its kernel and back."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from lucid import _kernels
from lucid.labels import Labels
from lucid.losses.hinges import as_worth
from lucid.losses.options import check_margin_fits
from lucid.losses.problem import Solver
from lucid.losses.solving import KernelSolver, Terms

Array = npt.NDArray[Any]

#: What the sum over the pairs of a row is divided by, as `_kernels/pairs/row.pxd` numbers them.
BASES = {"classes": 0, "pairs": 1, None: 2}

Kernel = Literal["margin", "weighted", "squared", "warp"]

#: By name and `dtype.char`. A foreign byte order has the same character, and kernels refuse it.
KERNELS: dict[str, dict[str, Any]] = {
    name: {
        "f": getattr(getattr(_kernels, name), f"{name}_float32"),
        "d": getattr(getattr(_kernels, name), f"{name}_float64"),
    }
    for name in ("margin", "weighted", "squared", "warp")
}


def pairs_solver(
    kernel: Kernel,
    dtype: str,
    margin: float | Array = 1.0,
    normalize: str | None = "classes",
    weights: Array | None = None,
    worth_of_count: Array | None = None,
) -> Solver:
    """Return what has a kernel solve problems with scores of a `dtype.char`."""
    check_margin_fits(margin, np.dtype(dtype))
    if worth_of_count is not None:
        worth_of_count = as_worth(worth_of_count)
    number, margins = (margin, None) if isinstance(margin, float) else (1.0, margin)
    terms = Terms(number, margins, weights, base=BASES[normalize], worth_of_count=worth_of_count)
    arrays = (margins, weights, worth_of_count)
    plain = number == 1 and normalize == "classes" and all(array is None for array in arrays)
    return KernelSolver(KERNELS[kernel][dtype], None if plain else terms)


def bases(labels: Labels, weights: Array | None, normalize: str | None) -> Array:
    """Return what the sum over the pairs of each row is divided by, (N,).

    ``weights`` are those of the labels in ``labels.indices``; None for 1.
    """
    n = len(labels)
    if normalize is None:
        return np.ones(n)
    known = np.full(n, float(labels.num_classes))
    if labels.unknown_indptr is not None:
        known -= np.diff(labels.unknown_indptr)
    if normalize == "pairs":
        row = np.repeat(np.arange(n), labels.lengths())
        total = np.bincount(row, weights, minlength=n)
        known = total * (known - labels.drop_duplicates().lengths())
    return np.where(known > 0, known, 1)

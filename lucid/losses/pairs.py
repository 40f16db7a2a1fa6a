"""The losses of pairs that kernels find by ranks: from a problem to its kernel and back."""

from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid import _kernels
from lucid.arrays.buffers import empty_like
from lucid.labels import Labels
from lucid.losses.options import check_margin_fits
from lucid.losses.problem import Problem, Solution
from lucid.system import threads

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


class Terms(NamedTuple):
    """What is asked for beside plain labels; see `_kernels/margin.pyi`."""

    margin: float = 1.0
    margins: Array | None = None
    weights: Array | None = None
    by_entry: bool = False
    base: int = BASES["classes"]
    scale: Array | None = None
    worth_of_count: Array | None = None
    unknown_indices: Array | None = None
    unknown_indptr: Array | None = None

    def are_plain(self) -> bool:
        """Whether nothing is asked for but the plain loss."""
        return (
            self.margin == 1.0
            and self.base == 0
            and all(part is None or part is False for part in self[1:4] + self[5:])
        )


def solve_pairs(
    kernel: Kernel,
    problem: Problem,
    want_gradient: bool,
    *,
    margin: float | Array = 1.0,
    normalize: str | None = "classes",
    **terms: Any,
) -> Solution:
    """Have a kernel solve a problem."""
    check_margin_fits(margin, problem.x.dtype)
    target = problem.target
    indices, indptr, unknown_indices, unknown_indptr = target, None, None, None
    if isinstance(target, Labels):
        indices, indptr = target.indices[np.newaxis], target.indptr
        unknown_indices, unknown_indptr = target.unknown_indices, target.unknown_indptr
    asked = Terms(
        margin if isinstance(margin, float) else 1.0,
        None if isinstance(margin, float) else margin,
        base=BASES[normalize],
        scale=problem.scale,
        unknown_indices=unknown_indices,
        unknown_indptr=unknown_indptr,
        **terms,
    )
    return call(
        KERNELS[kernel][problem.x.dtype.char],
        problem.x,
        indices,
        indptr,
        problem.divisor,
        problem.rows,
        want_gradient,
        None if asked.are_plain() else asked,
    )


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


def call(
    kernel: Any,
    x: Array,
    indices: Array,
    indptr: Array | None,
    divisor: float,
    rows: bool,
    want_gradient: bool,
    terms: Terms | None = None,
) -> Solution:
    """Call a kernel: all threads, and memory that is kept for large gradients."""
    gradient = empty_like(x) if want_gradient else None
    out = np.empty(len(x)) if rows else None
    total = kernel(x, indices, indptr, divisor, out, gradient, threads.current(), terms)
    return total if out is None else out, gradient

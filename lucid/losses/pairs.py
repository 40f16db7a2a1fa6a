"""The losses of pairs that kernels find by ranks: from a problem to its kernel and back."""

from functools import partial
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid import _kernels
from lucid.arrays.buffers import empty_like
from lucid.labels import Labels
from lucid.losses.options import check_margin_fits
from lucid.losses.problem import Problem, Solution, Solver
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


#: Those of the plain loss, for which kernels take None.
_PLAIN = Terms()


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
    terms = Terms(
        margin=margin if isinstance(margin, float) else 1.0,
        margins=None if isinstance(margin, float) else margin,
        weights=weights,
        base=BASES[normalize],
        worth_of_count=worth_of_count,
    )
    plain = weights is worth_of_count is None and terms.margins is None and terms == _PLAIN
    return partial(_solve, KERNELS[kernel][dtype], None if plain else terms)


def _solve(kernel: Any, terms: Terms | None, problem: Problem, want_gradient: bool) -> Solution:
    target = problem.target
    indices, indptr = target, None
    if problem.scale is not None:
        terms = (terms or _PLAIN)._replace(scale=problem.scale)
    if isinstance(target, Labels):
        indices, indptr = target.indices, target.indptr
        if target.unknown_indptr is not None:
            terms = (terms or _PLAIN)._replace(
                unknown_indices=target.unknown_indices, unknown_indptr=target.unknown_indptr
            )
    x, divisor, rows = problem.x, problem.divisor, problem.rows
    return call(kernel, x, indices, indptr, divisor, rows, want_gradient, terms)


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

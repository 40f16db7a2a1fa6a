# The interface of solving, which is compiled from solving.pyx.

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.losses.problem import Loss, Solution

Array = npt.NDArray[Any]

class Problem:
    """Rows of scores with their labels, and what of their losses is wanted."""

    @property
    def x(self) -> Array:
        """Scores (N, C), float32 or float64.

        If a solver has refused others: C-contiguous, aligned, of native byte order.
        """
    @property
    def target(self) -> Any:
        """The labels of the rows: Labels, or what a loss's `read_target` makes of the user's."""
    @property
    def scale(self) -> npt.NDArray[np.float64] | None:
        """What the loss of each row is multiplied by (N,), its sample weight; None for 1."""
    @property
    def rows(self) -> bool:
        """Whether the loss of each row is wanted, rather than their sum."""
    @property
    def divisor(self) -> float:
        """What losses are divided by: for a mean the number of rows, or the sum of the weights."""
    def __init__(self, x: Array, target: Any, scale: Array | None, reduction: str) -> None: ...
    def gathered(self, losses: Array) -> Any:
        """Make of the losses of the rows, in float64, what is wanted."""
    def factors(self) -> Array | float:
        """Return what the gradient of each row is multiplied by, (N, 1), or one number for all."""

class Terms:
    """What is asked of a kernel beside plain labels; see `_kernels/margin.pyi`."""

    margin: float
    margins: npt.NDArray[np.float64] | None
    weights: npt.NDArray[np.float64] | None
    by_entry: bool
    base: int
    scale: npt.NDArray[np.float64] | None
    worth_of_count: npt.NDArray[np.float64] | None
    unknown_indices: npt.NDArray[np.int64] | None
    unknown_indptr: npt.NDArray[np.int64] | None

    def __init__(
        self,
        margin: float = 1.0,
        margins: Array | None = None,
        weights: Array | None = None,
        by_entry: bool = False,
        base: int = 0,
        scale: Array | None = None,
        worth_of_count: Array | None = None,
        unknown_indices: Array | None = None,
        unknown_indptr: Array | None = None,
    ) -> None: ...

class KernelSolver:
    """A kernel with the options of a loss: from a `Problem` to its solution."""

    def __init__(self, kernel: Any, terms: Terms | None = None) -> None: ...
    def __call__(self, problem: Problem, want_gradient: bool) -> Solution: ...

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

class FastPath:
    """What a loss does with arguments that are plainly good.

    Kernels refuse what they do not understand, so that good arguments pay for no closer look.

    Parameters
    ----------
    loss : Loss
    padded : bool
        Whether its kernels read padded labels as they are.
    reads_labels : bool
        Whether lists and arrays of ints are labels, rather than numbers for all classes.
    """

    def __init__(self, loss: Loss, padded: bool, reads_labels: bool) -> None: ...
    def compute(
        self,
        x: Array,
        target: Any,
        reduction: str,
        sample_weight: Any,
        options: Mapping[str, Any],
        want_gradient: bool,
    ) -> tuple[Array, Array | None]:
        """Return the loss and its gradient, or None: after a closer look, if need be."""
    def solve(
        self,
        x: Array,
        target: Any,
        reduction: str,
        sample_weight: Any,
        options: Mapping[str, Any],
        want_gradient: bool,
    ) -> tuple[Array, Array | None] | None:
        """Return the loss and its gradient or None; None if the arguments take a closer look."""
    def is_ready(self, x: Array, target: Any) -> bool:
        """Whether kernels may be handed labels as they are."""

def are_constant(options: Mapping[str, Any], array: Any = None) -> bool:
    """Whether options are such as cannot change, or the `array`: they are looked at once."""

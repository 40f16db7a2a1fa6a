"""The losses that kernels sum up row by row: from a problem to its kernel and back."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.buffers import empty_like
from lucid.labels import Labels
from lucid.losses.problem import Solution
from lucid.losses.solving import Problem
from lucid.system import threads

Array = npt.NDArray[Any]


def solve_sums(kernel: Any, problem: Problem, want_gradient: bool, *more: Any) -> Solution:
    """Have a kernel solve a problem; ``more`` is what it takes after the labels."""
    x, target = problem.x, problem.target
    labels: tuple[Array | None, ...] = (None,) * 4
    if isinstance(target, Labels):
        labels = (target.indices, target.indptr, target.unknown_indices, target.unknown_indptr)
    losses = np.empty(len(x))
    gradient = empty_like(x) if want_gradient else None
    total = kernel(
        x,
        *labels,
        *more,
        problem.scale,
        problem.divisor,
        losses,
        gradient,
        threads.get_num_threads(),
    )
    return losses if problem.rows else total, gradient

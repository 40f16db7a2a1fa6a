"""The second derivative of the squared margin loss, from ranks."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.losses.pairs import bases
from lucid.losses.solving import Problem

Array = npt.NDArray[Any]


def squared_curvature(
    problem: Problem, d: Array, *, p: int, margin: Any, weight: Array | None, normalize: str
) -> Array:
    """Return the second derivative of the squared loss times ``d``, (N, C), from ranks.

    With W, D the sums of w and w d over the thresholds below a negative j, and n, E the number and
    the sum of d over the negatives above the threshold of a label i, it is 2 (W d_j - D) and
    2 w_i (n d_i - E).
    """
    labels = problem.target
    w = np.ones(labels.indices.size) if weight is None else weight[labels.indices]
    margins = np.broadcast_to(np.asarray(margin, problem.x.dtype), problem.x.shape[1])
    product = np.zeros(problem.x.shape)
    for n, (x, result) in enumerate(zip(problem.x, product, strict=True)):
        here = slice(labels.indptr[n], labels.indptr[n + 1])
        of_labels, weights = labels.indices[here][w[here] > 0], w[here][w[here] > 0]
        tau = x[of_labels] - margins[of_labels]
        order = np.argsort(tau)
        ascending = tau[order]
        rank = np.searchsorted(ascending, x)
        rank[labels.indices[here]] = 0  # in no pair: as if below all thresholds
        if labels.unknown_indptr is not None:
            rank[labels.unknown_indices[slice(*labels.unknown_indptr[n : n + 2])]] = 0
        below = np.concatenate([[0], np.cumsum(weights[order])])
        below_d = np.concatenate([[0], np.cumsum((weights * d[n, of_labels])[order])])
        result += below[rank] * d[n] - below_d[rank]
        above = np.bincount(rank, minlength=tau.size + 1)[::-1].cumsum()[::-1]
        above_d = np.bincount(rank, d[n], minlength=tau.size + 1)[::-1].cumsum()[::-1]
        place = np.searchsorted(ascending, tau) + 1
        np.add.at(result, of_labels, weights * (above[place] * d[n, of_labels] - above_d[place]))
    factors = 2 / bases(labels, None if weight is None else w, normalize)
    return (product * factors[:, np.newaxis] * problem.factors()).astype(problem.x.dtype)

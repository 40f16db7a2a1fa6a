"""What a loss promises that says it is one of hinges, and whether it keeps that.

The fused layers do not call a loss's solver: they compute the sum that is promised here from the
loss's options. A loss that were another sum would have wrong numbers there, and no error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from lucid.labels import Labels
from lucid.losses.solving import Problem

if TYPE_CHECKING:
    from lucid.losses.problem import Loss

Array = npt.NDArray[Any]

#: The options that fused layers read, and what they take for one that a loss does not have.
PLAIN: dict[str, Any] = {"margin": 1.0, "weight": None, "p": 1, "normalize": None}

#: Scores of a row whose labels are the first two: with margins of 1 they are in 1 and 3 pairs.
_SCORES = np.array([[2.0, -0.75, 1.5, 0.25, 0.125, -3.0]])
_NUM_CLASSES = _SCORES.size

#: Other options than the plain ones, by which it is seen whether a loss means the same by them.
_OTHERS = {
    "margin": 0.5,
    "weight": np.array([0.5, 2.0, 1.0, 3.0, 1.0, 1.0]),
    "p": 2,
    "normalize": "pairs",
}


def check_hinges(loss: Loss, reads_labels: bool) -> None:
    """Refuse a loss of which fused layers would compute another one."""
    instead = "with hinges=False, fused layers refuse it"
    if not reads_labels:
        raise ValueError(f"{loss.name} reads targets in a way of its own: {instead}")
    # What a count is worth takes the place of weights; nor are there squares or bases for it.
    read = [*PLAIN] if loss.worth_of_count is None else ["margin"]
    for name in loss.defaults:
        if name not in read:
            raise ValueError(
                f"{loss.name} has the option {name!r}, of which fused layers know nothing: with "
                f"hinges it has no option but {', '.join(read)}; {instead}"
            )
    if loss.worth_of_count is not None:
        as_worth(loss.worth_of_count(_NUM_CLASSES), _NUM_CLASSES)
    problem = Problem(_SCORES, Labels.from_lists([[0, 1]], _NUM_CLASSES), None, "none")
    for given in ({}, {name: _OTHERS[name] for name in loss.defaults}):
        options = loss.checked(_NUM_CLASSES, given)
        solve = loss.solver("d", _NUM_CLASSES, **options)
        for found, promised in zip(solve(problem, True), _promised(loss, options), strict=True):
            if not np.allclose(found, promised):
                raise ValueError(
                    f"{loss.name} is not the sum of hinges that `Loss` describes, for the options "
                    f"{options}: {instead}"
                )


def _promised(loss: Loss, options: dict[str, Any]) -> tuple[Array, Array]:
    """Return the loss of the scores above and its gradient, pair by pair."""
    margin, weight, p, normalize = ({**PLAIN, **options}[name] for name in PLAIN)
    x, labels = _SCORES[0], 2
    weights = np.ones((labels, 1)) if weight is None else np.asarray(weight)[:labels, np.newaxis]
    taus = x - margin
    hinges = np.maximum(0, x[labels:] - taus[:labels, np.newaxis])
    if loss.worth_of_count is not None:
        n = np.count_nonzero(hinges, axis=1, keepdims=True)
        weights = np.asarray(loss.worth_of_count(x.size))[n] / np.maximum(n, 1)
    pairs = weights.sum() * hinges.shape[1]
    base = {None: 1, "classes": x.size, "pairs": pairs}.get(normalize, np.nan)
    p = p if p in (1, 2) else np.nan  # which nothing is equal to
    slopes = weights * p * hinges ** (p - 1) * (hinges > 0) / base
    gradient = np.concatenate([-slopes.sum(axis=1), slopes.sum(axis=0)])
    return np.array([(weights * hinges**p).sum() / base]), gradient[np.newaxis]


def as_worth(worth_of_count: npt.ArrayLike, num_classes: int | None = None) -> Array:
    """Return what the hinges of a label count in all, in float64, if that can be meant.

    A label without an active pair would get a gradient otherwise, and one of a negative worth a
    gradient without a loss.
    """
    worth = np.asarray(worth_of_count, np.float64)
    if num_classes is not None and worth.shape != (num_classes + 1,):
        raise ValueError(
            f"worth_of_count must have shape ({num_classes + 1},), for 0 to {num_classes} of the "
            f"classes, got {worth.shape}"
        )
    if not (worth.min() >= 0 and worth.max() < np.inf):
        if (negative := worth[worth < 0]).size:
            raise ValueError(f"worth_of_count must not be negative, got {negative[0]}")
        raise ValueError(f"worth_of_count must be finite, got {worth[~np.isfinite(worth)][0]}")
    if worth[0] != 0:
        raise ValueError(f"worth_of_count must be 0 for 0 of them, got {worth[0]}")
    return worth

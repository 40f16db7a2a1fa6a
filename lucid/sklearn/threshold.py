"""Where the scores of a row are cut: above are its labels.

A loss of pairs says nothing of it: add a number to all scores of a row, and the loss is the same.
So the cut is learnt afterwards, and leaves the order of the classes as it is. The best one of each
row of the training set is known; what it is for others is told from their highest scores, by least
squares, as A. Elisseeff and J. Weston do ("A kernel method for multi-labelled classification", NIPS
2001). They count errors; here the F1 score of the row says which cut is best, which is what most
people measure, and cuts lower where labels are rare.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.labels import Labels
from lucid.training import top_k

Array = npt.NDArray[Any]

#: What tells the cut of a row: so many of its highest scores.
HIGHEST = 5
#: No cut is looked for below so many scores: were they all labels, F1 would still be low.
_MOST_LABELS = 1000
#: Keeps the weights small where few rows tell little.
_RIDGE = 1e-3


@dataclass(frozen=True)
class Cut:
    """The threshold of a row: a linear function of its highest scores."""

    weights: npt.NDArray[np.float64]
    offset: float

    def __call__(self, scores: Array) -> Array:
        """Return the threshold of each row, shape (N, 1), in the dtype of the scores."""
        cuts: Array = (_highest(scores) * self.weights).sum(axis=1, keepdims=True) + self.offset
        return cuts.astype(scores.dtype, copy=False)

    @classmethod
    def fit(cls, blocks: Iterable[tuple[Array, Labels, Array]]) -> Cut:
        """Learn it from scores, labels and weights of rows, some rows at a time."""
        parts = [
            (_highest(scores), best_cuts(scores, labels), weight)
            for scores, labels, weight in blocks
        ]
        highest, cuts, weight = (
            np.concatenate(each).astype(np.float64) for each in zip(*parts, strict=True)
        )
        weight /= weight.sum()
        mean, offset = weight @ highest, weight @ cuts
        centred = highest - mean
        weighted = (centred * weight[:, np.newaxis]).T
        covariance = weighted @ centred
        covariance[np.diag_indices_from(covariance)] *= 1 + _RIDGE
        weights = np.linalg.lstsq(covariance, weighted @ (cuts - offset), rcond=None)[0]
        return cls(weights.astype(np.float64), float(offset - weights @ mean))


def _highest(scores: Array) -> Array:
    """Return the highest scores of each row, the highest first."""
    count = min(HIGHEST, scores.shape[1])
    return np.sort(np.partition(scores, -count, axis=1)[:, -count:], axis=1)[:, ::-1]


def best_cuts(scores: Array, labels: Labels) -> Array:
    """Return for each row the cut with the best F1 score; unknown entries do not count.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels
    >>> best_cuts(np.array([[0.1, 0.9, 0.5], [3.0, 2.0, 1.0]]), Labels.from_lists([[1], [0, 2]], 3))
    array([0.7, 0. ])
    >>> best_cuts(np.array([[0.1, 0.9, 0.5]]), Labels.from_lists([[]], 3))  # above all
    array([0.9])
    """
    rows, classes = scores.shape
    places, ordered = top_k(scores, min(classes, _MOST_LABELS))
    hits = np.take_along_axis(labels.to_multi_hot(unknown=False), places, axis=1)
    predicted = np.arange(1, ordered.shape[1] + 1)
    if labels.unknown_indices is not None:
        unknown = labels.unknown.to_multi_hot()
        predicted = np.cumsum(~np.take_along_axis(unknown, places, axis=1), axis=1)
    total = labels.lengths()[:, np.newaxis]
    f1 = 2 * np.cumsum(hits, axis=1) / np.maximum(predicted + total, 1)
    last = f1.argmax(axis=1)  # the place of the last score above the cut
    every = np.arange(rows)
    gap = (ordered[:, 0] - ordered[:, -1]) / max(1, ordered.shape[1] - 1)
    below = np.column_stack([ordered, ordered[:, -1] - 2 * gap])[every, last + 1]
    cuts = (ordered[every, last] + below) / 2
    return np.where(total[:, 0] == 0, ordered[:, 0], cuts)

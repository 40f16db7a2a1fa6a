"""Where the scores of a row are cut: above are its labels.

A loss of pairs says nothing of it: add a number to all scores of a row, and the loss is the same.
So the cut is learnt afterwards, and leaves the order of the classes as it is. The best one of each
row of the training set is known; what it is for others is told from their highest scores, by least
squares, as A. Elisseeff and J. Weston do ("A kernel method for multi-labelled classification", NIPS
2001). They count errors; here the F1 score of the row says which cut is best, which is what most
people measure, and cuts lower where labels are rare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.io import Dataset
from lucid.labels import Labels
from lucid.nn import Module
from lucid.sklearn.scores import scores_in_parts
from lucid.training import top_k
from lucid.training.best import highest

Array = npt.NDArray[Any]

#: What tells the cut of a row: so many of its highest scores.
HIGHEST = 5
#: No cut is looked for below so many scores: were they all labels, F1 would still be low.
_MOST_LABELS = 1000
#: The cuts are learnt from as many rows as have so many scores together.
_SCORES_AT_MOST = 1 << 28
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


def above_all(scores: Array) -> Array:
    """Return thresholds that no score of a row is above, shape (N, 1)."""
    return np.asarray(scores.max(axis=1, keepdims=True))


def below_all(scores: Array) -> Array:
    """Return thresholds that all scores of a row are above, shape (N, 1)."""
    lowest = scores.min(axis=1, keepdims=True)
    return np.asarray(lowest - (1 + np.abs(lowest)))


class Cuts:
    """What is known of the best cuts of rows, some rows at a time: sums, and no row.

    They are those of the least squares: the weight of the rows, and the means and products of what
    is observed of each, its highest scores and its best cut. All rows count equally, also those
    that were scored before the model was trained on: to let them fade was not better, on average,
    on held-out rows of four data sets.
    """

    def __init__(self) -> None:
        self._labels = self._others = False  # whether there was one in any row
        self._weight = 0.0
        self._mean: Any = 0.0
        self._scatter: Any = 0.0  # sum of the products of differences from the mean

    def learn(self, net: Module, data: Dataset) -> Callable[[Array], Array]:
        """Take in rows, or some of them where there are very many, and return the thresholds."""
        classes = data.num_classes
        most = max(1, _SCORES_AT_MOST // classes)
        if most < len(data):
            data = data[np.linspace(0, len(data) - 1, most).astype(np.int64)]
        weight = np.ones(len(data)) if data.sample_weight is None else data.sample_weight
        for part, scores in scores_in_parts(net, data.features, classes):
            self.add(scores, data.labels[part], weight[part])
        return self.fitted()

    def add(self, scores: Array, labels: Labels, weight: Array) -> None:
        """Take in rows; one of which nothing is known tells nothing."""
        of_rows = labels.drop_duplicates().lengths()
        known = labels.num_classes - labels.unknown.lengths()
        self._labels |= bool(of_rows.any())
        self._others |= bool((of_rows < known).any())
        weight = np.where(known > 0, weight, 0.0)
        if not weight.any():
            return
        observed = np.column_stack([_highest(scores), best_cuts(scores, labels)]).astype(np.float64)
        total = float(weight.sum())
        mean = weight @ observed / total
        centred = observed - mean
        apart = mean - self._mean
        share = total / (self._weight + total)
        self._scatter = (
            self._scatter
            + (centred * weight[:, np.newaxis]).T @ centred
            + np.multiply.outer(apart, apart) * (self._weight * share)
        )
        self._mean = self._mean + apart * share
        self._weight += total

    def fitted(self) -> Callable[[Array], Array]:
        """Return the thresholds: by least squares, or beyond all scores where all rows agree."""
        if not self._labels:
            return above_all
        if not self._others:
            return below_all
        mean, offset = self._mean[:-1], self._mean[-1]
        covariance = self._scatter[:-1, :-1] / self._weight
        covariance[np.diag_indices_from(covariance)] *= 1 + _RIDGE
        weights = np.linalg.lstsq(covariance, self._scatter[:-1, -1] / self._weight, rcond=None)[0]
        return Cut(weights.astype(np.float64), float(offset - weights @ mean))


def _highest(scores: Array) -> Array:
    """Return the scores of each row that tell its cut."""
    return highest(scores, min(HIGHEST, scores.shape[1]))


def best_cuts(scores: Array, labels: Labels) -> Array:
    """Return for each row the cut with the best F1 score; unknown entries do not count.

    A cut above or below all scores is off by the mean gap between two, so that it is still there
    when it is learnt to within that.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels
    >>> best_cuts(np.array([[0.1, 0.9, 0.5], [3.0, 2.0, 1.0]]), Labels.from_lists([[1], [0, 2]], 3))
    array([0.7, 0. ])
    >>> best_cuts(np.array([[0.1, 0.9, 0.5]]), Labels.from_lists([[]], 3))  # above all
    array([1.3])
    >>> best_cuts(np.zeros((1, 3)), Labels.from_lists([[0, 1, 2]], 3))  # below all
    array([-1.])
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
    gap[gap == 0] = 1  # where all are equal, a cut on them would be above all
    below = np.column_stack([ordered, ordered[:, -1] - 2 * gap])[every, last + 1]
    cuts = (ordered[every, last] + below) / 2
    return np.asarray(np.where(total[:, 0] == 0, ordered[:, 0] + gap, cuts))

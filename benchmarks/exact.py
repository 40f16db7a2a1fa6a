"""The exact loss and gradient, against which every contender is checked before it is timed."""

from dataclasses import dataclass

import numpy as np

from cases import Array


@dataclass(frozen=True)
class Exact:
    """The mean loss, and the gradient as whole numbers: times C and N."""

    loss: float
    counts: Array

    def loss_error(self, loss: float) -> float:
        """Return the error of ``loss``, relative to it, or to what one pair's margin adds."""
        return abs(loss - self.loss) / max(abs(self.loss), 1 / self.counts.size)

    def gradient_error(self, gradient: Array, sums_serially: bool) -> float:
        """Return the largest relative error of an entry of ``gradient``.

        A gradient that is summed up in float32, one pair after another, may be off by half an ulp
        for each of its terms. With ``sums_serially`` errors are given in units of that bound.
        """
        worst = []
        for counts, row in zip(self.counts, gradient, strict=True):
            off = np.abs(row.astype(np.float64) * self.counts.size - counts)
            size = np.maximum(np.abs(counts), 1)
            bound = size * 2.0**-24 if sums_serially else 1.0
            worst.append((off / (size * bound)).max())
        return float(np.max(worst))  # unlike Python's, NumPy's max keeps NaN


def solve(scores: Array, labels: Array) -> Exact:
    """Count the active pairs of each score; the loss follows in float64.

    A pair is active when ``x[j]`` is above ``x[label] - 1`` as rounded to the dtype of the scores.
    """
    counts = np.empty(scores.shape, np.int32)
    total = 0.0
    for x, row_labels, row_counts in zip(scores, labels, counts, strict=True):
        thresholds = x[row_labels] - 1
        order = thresholds.argsort()
        ranks = thresholds.searchsorted(x, sorter=order)  # thresholds below each score
        ranks[row_labels] = 0
        sizes = np.bincount(ranks, minlength=len(labels.T) + 1)
        above = sizes[:0:-1].cumsum()[::-1]  # negatives above each sorted threshold
        row_counts[:] = ranks
        np.subtract.at(row_counts, row_labels[order], above)
        lowest = float(thresholds[order[0]])
        total += ranks @ (x.astype(np.float64) - lowest)
        total -= above @ (thresholds[order].astype(np.float64) - lowest)
    return Exact(total / scores.size, counts)

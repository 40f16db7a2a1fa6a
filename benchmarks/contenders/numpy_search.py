"""NumPy with sorted thresholds: only scores above the lowest are ranked, by binary search."""

import numpy as np

from cases import Array


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.x, self.labels = scores, labels
        self.rows = np.arange(len(scores))[:, np.newaxis]
        self.gradient = np.empty_like(scores)
        self.active = np.empty(scores.shape[1], bool)

    def forward(self) -> float:
        return self._solve(None)

    def forward_backward(self) -> tuple[float, Array]:
        return self._solve(self.gradient), self.gradient

    def _solve(self, gradient: Array | None) -> float:
        thresholds = self.x[self.rows, self.labels] - 1
        order = thresholds.argsort(axis=1)
        thresholds = np.take_along_axis(thresholds, order, axis=1)
        labels = np.take_along_axis(self.labels, order, axis=1)
        scale = np.float32(1 / self.x.size)
        total = 0.0
        for n, x in enumerate(self.x):
            np.greater(x, thresholds[n, 0], out=self.active)
            self.active[labels[n]] = False
            columns = np.flatnonzero(self.active)
            if gradient is None:
                total += self.row_loss(x.take(columns), thresholds[n])
            else:
                loss, columns, ranks, above = self.row_ranks(x, columns, thresholds[n])
                total += loss
                gradient[n] = 0
                gradient[n, columns] = ranks * scale
                gradient[n, labels[n]] = above * -scale
        return total / self.x.size

    def row_loss(self, values: Array, thresholds: Array) -> float:
        """Return C times the loss of a row, given its negatives above the lowest threshold."""
        ranks = thresholds.searchsorted(values)
        return self._loss(values, ranks, thresholds, self._above(ranks, thresholds))

    def row_ranks(
        self, x: Array, columns: Array, thresholds: Array
    ) -> tuple[float, Array, Array, Array]:
        """Return also the thresholds below each of the ``columns``, and the scores above each."""
        values = x.take(columns)
        ranks = thresholds.searchsorted(values)
        above = self._above(ranks, thresholds)
        return self._loss(values, ranks, thresholds, above), columns, ranks, above

    def _above(self, ranks: Array, thresholds: Array) -> Array:
        return np.bincount(ranks, minlength=len(thresholds) + 1)[:0:-1].cumsum()[::-1]

    def _loss(self, values: Array, ranks: Array, thresholds: Array, above: Array) -> float:
        return float(np.vdot(ranks, values)) - float(np.vdot(above, thresholds))

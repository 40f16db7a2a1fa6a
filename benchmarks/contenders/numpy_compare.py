"""NumPy with one compare a label and no array of pairs, in pieces that stay in the cache."""

import itertools

import numpy as np

from cases import Array

PIECE = 1 << 15  # scores: with counts and gradient, half of a usual L2 cache


class Loss:
    """Counts the thresholds below each score in bytes, so it takes at most 255 labels.

    The loss is linear in the scores once it is known which pairs are active, so it follows from
    the gradient g: loss = <g, x> + active pairs / (N C).
    """

    def __init__(self, scores: Array, labels: Array) -> None:
        n, c = scores.shape
        self.x, self.labels = scores, labels
        self.rows = np.arange(n)[:, np.newaxis]
        width = min(c, PIECE)
        height = PIECE // width
        self.pieces = [
            np.s_[i : i + height, j : j + width]
            for i, j in itertools.product(range(0, n, height), range(0, c, width))
        ]
        self.gradient = np.empty_like(scores)
        self.scratch = np.empty((height, width), np.float32)
        self.above = np.empty((height, width), bool)
        self.counts = np.empty((height, width), np.uint8)

    def forward(self) -> float:
        return self._solve(None)

    def forward_backward(self) -> tuple[float, Array]:
        return self._solve(self.gradient), self.gradient

    def _solve(self, gradient: Array | None) -> float:
        x = self.x
        scale = np.float32(1 / x.size)
        at_labels = x[self.rows, self.labels]
        thresholds = at_labels - 1
        # What the labels add as if they were negatives is taken off again.
        label_pairs = at_labels[:, :, np.newaxis] > thresholds[:, np.newaxis]
        label_counts = label_pairs.sum(2)
        active = -label_pairs.sum(1)
        loss = -float(np.vdot(label_counts, at_labels)) / x.size
        for piece in self.pieces:
            part = x[piece]
            counts = self._count(part, thresholds[piece[0]], active[piece[0]])
            out = (
                self.scratch[: len(part), : part.shape[1]] if gradient is None else gradient[piece]
            )
            np.multiply(counts, scale, out=out)
            loss += float(np.vecdot(out, part).sum(dtype=np.float64))
        if gradient is not None:
            gradient[self.rows, self.labels] = active * -scale
        return loss - float(np.vdot(active, thresholds)) / x.size

    def _count(self, part: Array, thresholds: Array, active: Array) -> Array:
        """Return the thresholds below each score, and add the scores above each threshold."""
        above = self.above[: len(part), : part.shape[1]]
        counts = self.counts[: len(part), : part.shape[1]]
        counts.fill(0)
        for i in range(thresholds.shape[1]):
            np.greater(part, thresholds[:, i, np.newaxis], out=above)
            np.add(counts, above.view(np.uint8), out=counts)
            active[:, i] += above.view(np.uint8).sum(1, dtype=np.uint16)
        return counts

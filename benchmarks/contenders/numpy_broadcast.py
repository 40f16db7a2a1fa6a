"""NumPy as one would first write it: all pairs at once."""

import numpy as np

from cases import Array


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.x = scores
        self.labels = labels
        self.rows = np.arange(len(scores))[:, np.newaxis]

    def _margins(self) -> Array:
        """Return max(0, 1 - x[label] + x[j]), shape ``(N, P, C)``."""
        thresholds = self.x[self.rows, self.labels] - 1
        margins: Array = self.x[:, np.newaxis] - thresholds[:, :, np.newaxis]
        margins[self.rows, :, self.labels] = 0  # labels are no negatives
        np.maximum(margins, 0, out=margins)
        return margins

    def forward(self) -> float:
        return float(self._margins().sum()) / self.x.size

    def forward_backward(self) -> tuple[float, Array]:
        margins = self._margins()
        active = margins > 0
        scale = np.float32(1 / self.x.size)
        gradient = active.sum(1) * scale
        gradient[self.rows, self.labels] = active.sum(2) * -scale
        return float(margins.sum()) / self.x.size, gradient

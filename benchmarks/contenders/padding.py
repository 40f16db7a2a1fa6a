"""The target as wide as the scores, padded with -1."""

import numpy as np

from cases import Array


def pad(labels: Array, shape: tuple[int, ...]) -> Array:
    target = np.full(shape, -1, np.int64)
    target[:, : labels.shape[1]] = labels
    return target

"""The row of scores that all drawings of the loss show: two labels, five other classes."""

import numpy as np

import lucid

SCORES = np.array([1.9, -1.1, 1.3, 0.7, 0.2, -0.1, 1.0])
LABELS = np.array([0, 3])
OTHERS = np.setdiff1d(np.arange(SCORES.size), LABELS)

THRESHOLDS = SCORES[LABELS] - 1
#: Whether the pair of label i and of the other class j counts, shape (2, 5).
ACTIVE = SCORES[OTHERS] > THRESHOLDS[:, np.newaxis]

LOSS, GRADIENT = lucid.multilabel_margin(SCORES, LABELS)

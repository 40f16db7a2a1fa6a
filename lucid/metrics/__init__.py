"""Ranking metrics for multi-label scores.

Every metric here is a function of a few exact counts: for each label of a row, how many scores of
the row are greater than the label's, and how many are not below it. One compiled kernel counts
(``lucid/_kernels/ranking.pyx``, threaded; ``rows.py`` asks it); each metric is then its formula.

All take ``scores`` of shape ``(N, C)`` and the labels in any form that `lucid.Labels` has a
constructor for: `Labels`, a bool array of shape ``(N, C)`` (multi-hot), an integer array of shape
``(N, K)`` (indices, padded with -1), a SciPy sparse matrix, or one list of indices for each row.
A label listed twice is one label. A class that is unknown in a row (`lucid.Labels.with_unknown`) is
left out of it, as if the row had no column for it; a row with fewer than k known classes misses the
places that are left. A NaN score of a known class is an error, and so are scores that float64 does
not tell apart: longdouble, and integers beyond 2**53. Without rows the mean is nan.

`one_error` and those ``at_k``, which look at the highest scores alone, also take them as models of
very many classes predict: as a SciPy sparse matrix, or as the indices of each row's highest classes
(`TopK`). Each stored score is ranked, whatever its value; a class without one is not predicted at
all, so that a row that stores fewer than k scores misses the places that are left. Nothing of shape
``(N, C)`` is made.

Each takes weights for the rows, of which weight k is k repetitions, and says what equal scores are
worth: `ties`.
"""

from lucid.metrics.all_ranks import (
    coverage_error,
    label_ranking_average_precision_score,
    label_ranking_loss,
)
from lucid.metrics.propensity import propensities, psndcg_at_k, psp_at_k
from lucid.metrics.top import ndcg_at_k, one_error, precision_at_k, recall_at_k
from lucid.metrics.topk import TopK
from lucid.system.listing import lists

__all__ = [
    "TopK",
    "coverage_error",
    "label_ranking_average_precision_score",
    "label_ranking_loss",
    "ndcg_at_k",
    "one_error",
    "precision_at_k",
    "propensities",
    "psndcg_at_k",
    "psp_at_k",
    "recall_at_k",
]

__dir__ = lists(__all__)

"""Metrics of the ranking of all classes: ranking loss, coverage error, average precision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from lucid.losses.warp import harmonic
from lucid.metrics.docs import ALL
from lucid.metrics.rows import Counts, Rows, Values
from lucid.system.docstrings import shared

#: Where equal scores come in a ranking of all classes: labels last, or in all orders.
Ties = Literal["worst", "expected"]


@shared(ALL)
def label_ranking_loss(
    scores: npt.ArrayLike,
    labels: Any,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "worst",
) -> float:
    r"""Return the fraction of pairs of a label and another class that are in the wrong order.

    .. math:: \frac1N \sum_n \frac{1}{|Y_n| (C - |Y_n|)}
        \bigl|\{(t, j) : t \in Y_n, j \notin Y_n, x_{nj} \ge x_{nt}\}\bigr|

    A tie is in the wrong order, or half in it where `ties` is ``'expected'``. 0 is the best value,
    1 the worst.

    Parameters
    ----------
    {scores}
    {labels}
    {sample_weight}
    {ties}

    Returns
    -------
    float

    Raises
    ------
    {raises}

    Notes
    -----
    A row without labels, or with nothing but labels, counts 0. Equal to
    ``sklearn.metrics.label_ranking_loss``.

    References
    ----------
    G. Tsoumakas, I. Katakis, I. Vlahavas, "Mining multi-label data", in *Data Mining and Knowledge
    Discovery Handbook*, 2010.

    Examples
    --------
    >>> label_ranking_loss([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0], [2]])
    0.75
    """
    rows, tied = _ranked(scores, labels, sample_weight, ties)
    wrong = rows.sum(tied.not_below - tied.labels_not_below)
    if ties == "expected":
        wrong -= rows.sum(tied.classes - tied.labels) / 2
    pairs = rows.num_labels * (rows.num_known - rows.num_labels)
    return rows.mean(wrong / np.maximum(pairs, 1))


@shared(ALL)
def coverage_error(
    scores: npt.ArrayLike,
    labels: Any,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "worst",
) -> float:
    r"""Return how far down the ranking one has to go, on average, to cover all labels of a row.

    .. math:: \frac1N \sum_n \max_{t \in Y_n} \bigl|\{j : x_{nj} \ge x_{nt}\}\bigr|

    The best value is the mean number of labels, the worst ``C``.

    Parameters
    ----------
    {scores}
    {labels}
    {sample_weight}
    {ties}

    Returns
    -------
    float

    Raises
    ------
    {raises}

    Notes
    -----
    A row without labels counts 0. Equal to ``sklearn.metrics.coverage_error``.

    References
    ----------
    G. Tsoumakas, I. Katakis, I. Vlahavas, "Mining multi-label data", in *Data Mining and Knowledge
    Discovery Handbook*, 2010.

    Examples
    --------
    >>> coverage_error([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0], [2]])
    2.5
    """
    if ties == "worst":
        rows = Rows(scores, labels, sample_weight)
        (depth,) = rows.count("depth")
        return rows.mean(depth)
    rows, tied = _ranked(scores, labels, sample_weight, ties)
    # The last of t labels among s equal classes is expected at place t (s + 1) / (t + 1) of them.
    last = tied.not_below - tied.classes + tied.labels * (tied.classes + 1) / (tied.labels + 1)
    deepest = np.zeros(len(rows.labels))
    np.maximum.at(deepest, rows.of_label(), last)
    return rows.mean(deepest)


@shared(ALL)
def label_ranking_average_precision_score(
    scores: npt.ArrayLike,
    labels: Any,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "worst",
) -> float:
    r"""Return, averaged over labels, the fraction of labels among the classes ranked as high.

    .. math:: \frac1N \sum_n \frac{1}{|Y_n|} \sum_{t \in Y_n}
        \frac{|\{u \in Y_n : x_{nu} \ge x_{nt}\}|}{|\{j : x_{nj} \ge x_{nt}\}|}

    1 is the best value.

    Parameters
    ----------
    {scores}
    {labels}
    {sample_weight}
    {ties}

    Returns
    -------
    float

    Raises
    ------
    {raises}

    Notes
    -----
    A row without labels, or with nothing but labels, counts 1. Equal to
    ``sklearn.metrics.label_ranking_average_precision_score``.

    References
    ----------
    G. Tsoumakas, I. Katakis, I. Vlahavas, "Mining multi-label data", in *Data Mining and Knowledge
    Discovery Handbook*, 2010.

    Examples
    --------
    >>> label_ranking_average_precision_score([[0.75, 0.5, 1.0], [1.0, 0.2, 0.25]], [[0], [2]])
    0.5
    """
    rows, tied = _ranked(scores, labels, sample_weight, ties)
    of_label = tied.labels_not_below / tied.not_below if ties == "worst" else tied.precision()
    precision = rows.sum(of_label) / np.maximum(rows.num_labels, 1)
    nothing_to_rank = (rows.num_labels == 0) | (rows.num_labels == rows.num_known)
    return rows.mean(np.where(nothing_to_rank, 1.0, precision))


@dataclass(frozen=True)
class _Tied:
    """Counts for each label of a row, and how many classes and labels have a score equal to its."""

    not_below: Counts
    labels_not_below: Counts
    classes: Counts
    labels: Counts

    def precision(self) -> Values:
        """Return the expected fraction of labels among the classes up to the label's rank [1]_.

        With a classes above, r of them labels, and s equal ones, t of them labels, a label is at
        the i-th of these places, i = 1 .. s, equally often; the expected labels up to there are
        r + 1 + (i - 1) (t - 1) / (s - 1).

        .. [1] F. McSherry, M. Najork, ECIR 2008.
        """
        above = self.not_below - self.classes
        labels_above = self.labels_not_below - self.labels
        sums = harmonic(int(self.not_below.max(initial=0)))
        inverse = sums[self.not_below] - sums[above]  # the sum of 1 / (a + i)
        slope = (self.labels - 1) / np.maximum(self.classes - 1, 1)
        rest = self.classes - (above + 1) * inverse  # the sum of (i - 1) / (a + i)
        return np.asarray(((labels_above + 1) * inverse + slope * rest) / self.classes)


def _ranked(scores: Any, labels: Any, sample_weight: Any, ties: str) -> tuple[Rows, _Tied]:
    if ties not in get_args(Ties):
        raise ValueError(f"ties must be one of {get_args(Ties)}, got {ties!r}")
    rows = Rows(scores, labels, sample_weight)
    if ties == "worst":
        not_below, labels_not_below = rows.count("not_below", "labels_not_below")
        return rows, _Tied(not_below, labels_not_below, not_below, labels_not_below)
    above, not_below, labels_not_below = rows.count("above", "not_below", "labels_not_below")
    # Labels of a row with as many classes above them have the same score.
    _, group = np.unique(np.stack([rows.of_label(), above]), axis=1, return_inverse=True)
    group = group.ravel()
    together = np.bincount(group)[group] if group.size else above
    return rows, _Tied(not_below, labels_not_below, not_below - above, together)

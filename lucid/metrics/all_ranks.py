"""Metrics of the ranking of all classes: ranking loss, coverage error, average precision."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.metrics.rows import Rows, mean


def label_ranking_loss(scores: npt.ArrayLike, labels: Any) -> float:
    r"""Return the fraction of pairs of a label and another class that are in the wrong order.

    .. math:: \frac1N \sum_n \frac{1}{|Y_n| (C - |Y_n|)}
        \bigl|\{(t, j) : t \in Y_n, j \notin Y_n, x_{nj} \ge x_{nt}\}\bigr|

    A tie is in the wrong order. 0 is the best value, 1 the worst.

    Parameters
    ----------
    scores : array_like
        Shape ``(N, C)``, real numbers.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, or the labels do not fit the scores.

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
    rows = Rows(scores, labels)
    not_below, labels_not_below = rows.count("not_below", "labels_not_below")
    wrong = rows.sum(not_below - labels_not_below)
    pairs = rows.num_labels * (rows.num_known - rows.num_labels)
    return mean(wrong / np.maximum(pairs, 1))


def coverage_error(scores: npt.ArrayLike, labels: Any) -> float:
    r"""Return how far down the ranking one has to go, on average, to cover all labels of a row.

    .. math:: \frac1N \sum_n \max_{t \in Y_n} \bigl|\{j : x_{nj} \ge x_{nt}\}\bigr|

    The best value is the mean number of labels, the worst ``C``.

    Parameters
    ----------
    scores : array_like
        Shape ``(N, C)``, real numbers.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, or the labels do not fit the scores.

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
    (depth,) = Rows(scores, labels).count("depth")
    return mean(depth)


def label_ranking_average_precision_score(scores: npt.ArrayLike, labels: Any) -> float:
    r"""Return, averaged over labels, the fraction of labels among the classes ranked as high.

    .. math:: \frac1N \sum_n \frac{1}{|Y_n|} \sum_{t \in Y_n}
        \frac{|\{u \in Y_n : x_{nu} \ge x_{nt}\}|}{|\{j : x_{nj} \ge x_{nt}\}|}

    1 is the best value.

    Parameters
    ----------
    scores : array_like
        Shape ``(N, C)``, real numbers.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, or the labels do not fit the scores.

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
    rows = Rows(scores, labels)
    not_below, labels_not_below = rows.count("not_below", "labels_not_below")
    precision = rows.sum(labels_not_below / not_below) / np.maximum(rows.num_labels, 1)
    nothing_to_rank = (rows.num_labels == 0) | (rows.num_labels == rows.num_known)
    return mean(np.where(nothing_to_rank, 1.0, precision))

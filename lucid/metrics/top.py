"""Metrics of the highest scores of a row."""

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.metrics.rows import checked_k, mean, rows_of_best


def one_error(scores: npt.ArrayLike, labels: Any) -> float:
    r"""Return the fraction of rows whose highest score is not that of a label.

    .. math:: \frac1N \bigl|\{n : \arg\max_j x_{nj} \notin Y_n\}\bigr|
        = 1 - \mathrm{P@1}

    Parameters
    ----------
    scores : array_like, scipy.sparse matrix or array
        Shape ``(N, C)``, real numbers; also a SciPy sparse matrix, where a class without a
        score is not predicted.
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
    Among equal scores the lowest column is the highest. A row without labels is an error.

    References
    ----------
    R. E. Schapire, Y. Singer, "BoosTexter: a boosting-based system for text categorization",
    *Machine Learning* 39, 2000.

    Examples
    --------
    >>> one_error([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]])
    0.5
    """
    return mean(1.0 - rows_of_best(scores, labels).hits(1))


def precision_at_k(scores: npt.ArrayLike, labels: Any, k: SupportsIndex) -> float:
    r"""Return the mean fraction of labels among the `k` highest scores of a row (P@k).

    .. math:: \frac1N \sum_n \frac{|Y_n \cap \mathrm{top}_k(x_n)|}{k}

    Parameters
    ----------
    scores : array_like, scipy.sparse matrix or array
        Shape ``(N, C)``, real numbers; also a SciPy sparse matrix, where a class without a
        score is not predicted.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.
    k : int
        From 1 to ``C``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, the labels do not fit the scores, or `k` is out of range.

    Notes
    -----
    Equal scores are ranked by column, the lowest first. A row without labels counts 0.

    References
    ----------
    K. Bhatia et al., "The extreme classification repository: multi-label datasets and code", 2016,
    http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> precision_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]], k=2)
    0.5
    """
    rows = rows_of_best(scores, labels)
    places = checked_k(k, rows.num_classes)
    return mean(rows.hits(places) / places)


def recall_at_k(scores: npt.ArrayLike, labels: Any, k: SupportsIndex) -> float:
    r"""Return the mean fraction of a row's labels that are among its `k` highest scores.

    .. math:: \frac1N \sum_n \frac{|Y_n \cap \mathrm{top}_k(x_n)|}{|Y_n|}

    Parameters
    ----------
    scores : array_like, scipy.sparse matrix or array
        Shape ``(N, C)``, real numbers; also a SciPy sparse matrix, where a class without a
        score is not predicted.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.
    k : int
        From 1 to ``C``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, the labels do not fit the scores, or `k` is out of range.

    Notes
    -----
    Equal scores are ranked by column, the lowest first. A row without labels counts 0.

    Examples
    --------
    >>> recall_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]], k=2)
    0.75
    """
    rows = rows_of_best(scores, labels)
    places = checked_k(k, rows.num_classes)
    return mean(rows.hits(places) / np.maximum(rows.num_labels, 1))


def ndcg_at_k(scores: npt.ArrayLike, labels: Any, k: SupportsIndex) -> float:
    r"""Return the mean normalised discounted cumulative gain of the `k` highest scores.

    .. math:: \frac1N \sum_n \Bigl(\sum_{r=1}^{k} \frac{[\,\text{rank } r \text{ is a label}\,]}
        {\log_2(r + 1)}\Bigr) \Big/ \sum_{r=1}^{\min(k, |Y_n|)} \frac{1}{\log_2(r + 1)}

    Parameters
    ----------
    scores : array_like, scipy.sparse matrix or array
        Shape ``(N, C)``, real numbers; also a SciPy sparse matrix, where a class without a
        score is not predicted.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.
    k : int
        From 1 to ``C``.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If a score is NaN, the labels do not fit the scores, or `k` is out of range.

    Notes
    -----
    Classes with equal scores share the mean discount of the ranks that they fill: the value is the
    expectation over random orders of the ties. A row without labels counts 0. Equal to
    ``sklearn.metrics.ndcg_score``.

    References
    ----------
    K. Järvelin, J. Kekäläinen, "Cumulated gain-based evaluation of IR techniques", *ACM TOIS* 20,
    2002. F. McSherry, M. Najork, "Computing information retrieval performance measures efficiently
    in the presence of tied scores", ECIR 2008 (the ties).

    Examples
    --------
    >>> ndcg_at_k([[0.75, 0.5, 1.0]], [[0, 2]], k=2)
    1.0
    """
    rows = rows_of_best(scores, labels)
    places = checked_k(k, rows.num_classes)
    discounts = 1 / np.log2(np.arange(2, places + 2))
    discount_of_first = np.append(0.0, np.cumsum(discounts))  # entry r: of the first r ranks

    above, not_below = rows.count("above", "not_below")
    upper = discount_of_first[np.minimum(above, places)]
    lower = discount_of_first[np.minimum(not_below, places)]
    gain = rows.sum((lower - upper) / (not_below - above))
    best_gain = discount_of_first[np.minimum(rows.num_labels, places)]
    return mean(gain / np.where(best_gain > 0, best_gain, 1.0))

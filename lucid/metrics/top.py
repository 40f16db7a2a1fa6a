"""Metrics of the highest scores of a row."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.metrics.docs import BEST, GAINS
from lucid.metrics.rows import Ties, checked_k, discounts_of_first, rows_of_best
from lucid.metrics.topk import TopK
from lucid.system.docstrings import shared


@shared(BEST)
def one_error(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "column",
) -> float:
    r"""Return the fraction of rows whose highest score is not that of a label.

    .. math:: \frac1N \bigl|\{n : \arg\max_j x_{nj} \notin Y_n\}\bigr|
        = 1 - \mathrm{P@1}

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
    ValueError
        If a score is NaN, or the labels do not fit the scores.

    Notes
    -----
    A row without labels is an error.

    References
    ----------
    R. E. Schapire, Y. Singer, "BoosTexter: a boosting-based system for text categorization",
    *Machine Learning* 39, 2000.

    Examples
    --------
    >>> one_error([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]])
    0.5
    """
    rows = rows_of_best(scores, labels, sample_weight)
    return rows.mean(1.0 - rows.sum(rows.in_top(1, ties)))


@shared(BEST)
def precision_at_k(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    k: SupportsIndex,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "column",
) -> float:
    r"""Return the mean fraction of labels among the `k` highest scores of a row (P@k).

    .. math:: \frac1N \sum_n \frac{|Y_n \cap \mathrm{top}_k(x_n)|}{k}

    Parameters
    ----------
    {scores}
    {labels}
    {k}
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
    A row without labels counts 0.

    References
    ----------
    K. Bhatia et al., "The extreme classification repository: multi-label datasets and code", 2016,
    http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> precision_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]], k=2)
    0.5
    """
    rows = rows_of_best(scores, labels, sample_weight)
    places = checked_k(k, rows.num_classes)
    return rows.mean(rows.sum(rows.in_top(places, ties)) / places)


@shared(BEST)
def recall_at_k(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    k: SupportsIndex,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "column",
) -> float:
    r"""Return the mean fraction of a row's labels that are among its `k` highest scores.

    .. math:: \frac1N \sum_n \frac{|Y_n \cap \mathrm{top}_k(x_n)|}{|Y_n|}

    Parameters
    ----------
    {scores}
    {labels}
    {k}
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
    A row without labels counts 0.

    Examples
    --------
    >>> recall_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0, -1], [0, 2]], k=2)
    0.75
    """
    rows = rows_of_best(scores, labels, sample_weight)
    places = checked_k(k, rows.num_classes)
    hits = rows.sum(rows.in_top(places, ties))
    return rows.mean(hits / np.maximum(rows.num_labels, 1))


@shared(GAINS)
def ndcg_at_k(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    k: SupportsIndex,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "expected",
) -> float:
    r"""Return the mean normalised discounted cumulative gain of the `k` highest scores.

    .. math:: \frac1N \sum_n \Bigl(\sum_{r=1}^{k} \frac{[\,\text{rank } r \text{ is a label}\,]}
        {\log_2(r + 1)}\Bigr) \Big/ \sum_{r=1}^{\min(k, |Y_n|)} \frac{1}{\log_2(r + 1)}

    Parameters
    ----------
    {scores}
    {labels}
    {k}
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
    In the expectation, classes with equal scores share the mean discount of the ranks that they
    fill; it is equal to ``sklearn.metrics.ndcg_score``. A row without labels counts 0.

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
    rows = rows_of_best(scores, labels, sample_weight)
    places = checked_k(k, rows.num_classes)
    gain = rows.sum(rows.discounted(places, ties))
    best_gain = discounts_of_first(places)[np.minimum(rows.num_labels, places)]
    return rows.mean(gain / np.where(best_gain > 0, best_gain, 1.0))

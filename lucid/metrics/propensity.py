"""Propensity-scored precision, for labels that are missing the more often the rarer they are."""

from __future__ import annotations

from collections.abc import Iterable
from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, as_int, kind_of
from lucid.labels import Labels, any_form
from lucid.metrics.docs import BEST
from lucid.metrics.rows import Rows, Ties, Values, checked_k, discounts_of_first, rows_of_best
from lucid.metrics.topk import TopK
from lucid.system.docstrings import shared

#: Inverses of smaller propensities might overflow where they are added.
_LEAST = 1e-280


@shared(BEST)
def psp_at_k(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    propensities: npt.ArrayLike,
    k: SupportsIndex,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "column",
) -> float:
    r"""Return the propensity-scored precision at `k` (PSP@k), where rare labels weigh more.

    .. math:: \frac{\sum_n \sum_{t \in Y_n \cap \mathrm{top}_k(x_n)} 1 / p_t}
        {\sum_n \max_{S \subseteq Y_n, |S| \le k} \sum_{t \in S} 1 / p_t}

    the gain over all rows, divided by the gain of the best possible ranking, so that 1 is the best
    value.

    Parameters
    ----------
    {scores}
    {labels}
    propensities : array_like
        Shape ``(C,)``, the probability that a label that applies was seen; from the function
        `propensities`.
    {k}
    {sample_weight}
    {ties}

    Returns
    -------
    float
        nan if no row has a label.

    Raises
    ------
    ValueError
        If a score is NaN, the labels or propensities do not fit the scores, a propensity is not
        from 1e-280 to 1, or `k` is out of range.

    Notes
    -----
    This is the normalised form of the tables of the Extreme Classification Repository, there in
    percent.

    References
    ----------
    {propensity_paper}

    Examples
    --------
    >>> psp_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0], [0]], [0.5, 0.5, 0.1], k=1)
    0.5
    """
    rows = rows_of_best(scores, labels, sample_weight)
    return ratio(*psp_sums(rows, propensities, checked_k(k, rows.num_classes), ties))


def psp_sums(
    rows: Rows, propensities: npt.ArrayLike, places: int, ties: Ties = "column"
) -> tuple[float, float]:
    """Return the gain of rows and that of their best ranking, whose ratio is PSP@k.

    Both add up over parts of the rows.
    """
    gains = _gains(rows, propensities)
    best = (_best_places(rows, gains) < places).astype(np.float64)
    return _sum(rows, gains * rows.in_top(places, ties)), _sum(rows, gains * best)


@shared(BEST)
def psndcg_at_k(
    scores: npt.ArrayLike | TopK,
    labels: Any,
    propensities: npt.ArrayLike,
    k: SupportsIndex,
    *,
    sample_weight: npt.ArrayLike | None = None,
    ties: Ties = "column",
) -> float:
    r"""Return the propensity-scored NDCG at `k` (PSnDCG@k), where rare labels weigh more.

    .. math:: \sum_n \frac{G_n}{Z_n} \Big/ \sum_n \frac{G^*_n}{Z_n}, \qquad
        G_n = \sum_{r=1}^{k} \frac{[\,\text{rank } r \text{ is a label } t\,]}{p_t \log_2(r + 1)},
        \qquad Z_n = \sum_{r=1}^{\min(k, |Y_n|)} \frac{1}{\log_2(r + 1)}

    where :math:`G^*_n` is the gain of the best possible ranking, labels by rising propensity, so
    that 1 is the best value.

    Parameters
    ----------
    {scores}
    {labels}
    propensities : array_like
        Shape ``(C,)``, as in `psp_at_k`.
    {k}
    {sample_weight}
    {ties}

    Returns
    -------
    float
        nan if no row has a label.

    Raises
    ------
    ValueError
        As from `psp_at_k`.

    See Also
    --------
    psp_at_k : The same without discounts.

    Notes
    -----
    The form of the tables of the Extreme Classification Repository, there in percent: as its
    evaluation scripts compute it.

    References
    ----------
    {propensity_paper}

    Examples
    --------
    >>> psndcg_at_k([[0.75, 0.5, 1.0]], [[0, 2]], [0.5, 0.5, 0.25], k=2)
    1.0
    """
    rows = rows_of_best(scores, labels, sample_weight)
    places = checked_k(k, rows.num_classes)
    gains = _gains(rows, propensities)
    sums = discounts_of_first(places)
    gains = gains / sums[np.minimum(rows.num_labels, places)][rows.of_label()]
    discounts = np.append(np.diff(sums), 0.0)
    best = discounts[np.minimum(_best_places(rows, gains), places)]
    return ratio(_sum(rows, gains * rows.discounted(places, ties)), _sum(rows, gains * best))


def _gains(rows: Rows, propensities: npt.ArrayLike) -> Values:
    """Return for each label the inverse of its propensity."""
    weight = 1 / _checked_propensities(propensities, rows.num_classes)
    return np.asarray(weight[rows.labels.indices])


def _best_places(rows: Rows, gains: Values) -> npt.NDArray[np.int64]:
    """Return the place of each label where those of a row come by descending gain."""
    of_label = rows.of_label()
    places = np.empty(gains.size, np.int64)
    places[np.lexsort((-gains, of_label))] = np.arange(gains.size)
    return places - rows.labels.indptr[of_label]


def _sum(rows: Rows, gains: Values) -> float:
    """Return the gain of all rows, by their weights, from that of each label."""
    if rows.weight is not None:
        gains = rows.weight[rows.of_label()] * gains
    return float(gains.sum())


def ratio(gain: float, best: float) -> float:
    """Return a gain as a fraction of the best one."""
    return gain / best if best > 0 else float("nan")


def _checked_propensities(propensities: npt.ArrayLike, num_classes: int) -> Values:
    p = as_array("propensities", propensities)
    if p.dtype.kind not in "fiu":
        raise TypeError(f"propensities must hold real numbers, got {kind_of(p)}")
    p = p.astype(np.float64, copy=False)
    if p.shape != (num_classes,):
        raise ValueError(f"propensities must have shape ({num_classes},), got {p.shape}")
    valid = (p >= _LEAST) & (p <= 1)
    if not valid.all():
        column = int(valid.argmin())
        raise ValueError(
            f"propensities must be from {_LEAST} to 1, got {p[column]} for class {column}"
        )
    return p


@shared(BEST)
def propensities(
    labels: Any, a: float = 0.55, b: float = 1.5, *, num_classes: SupportsIndex | None = None
) -> Values:
    r"""Return for each class the probability that it is seen on a row to which it applies.

    .. math:: p_l = \frac{1}{1 + (\log N - 1)(b + 1)^a (N_l + b)^{-a}}

    with :math:`N_l` the number of rows that have label :math:`l`. Where entries are unknown, each
    class has an :math:`N` of its own: the number of rows where it is known.

    Parameters
    ----------
    labels : Labels or array_like
        Those of the training set, ``N`` rows, in any form that the module's page names.
    a, b : float
        The defaults suit most data; the repository uses 0.5 and 0.4 for its Wikipedia sets, 0.6
        and 2.6 for its Amazon sets.
    num_classes : int, optional
        The number of classes ``C``, where the labels are class indices that do not tell it.

    Returns
    -------
    ndarray of float64
        Shape ``(C,)``, positive, at most 1.

    Raises
    ------
    TypeError
        If the labels are class indices, other than `lucid.Labels`, and `num_classes` is not given,
        or they cannot be labels. If `a` or `b` is not a number.
    ValueError
        If there are no rows, `b` is not positive, `a` and `b` give a propensity below 1e-280, a
        label is out of range, or the labels have another number of classes than `num_classes`.

    See Also
    --------
    psp_at_k

    References
    ----------
    {propensity_paper}

    Examples
    --------
    >>> from lucid import Labels
    >>> train = Labels.from_lists([[0]] * 99 + [[1]], num_classes=3)
    >>> propensities(train).round(3)
    array([0.679, 0.217, 0.173])
    """
    classes = None if num_classes is None else as_int("num_classes", num_classes)
    known = any_form("labels", labels, classes).drop_duplicates()
    if classes not in (None, known.num_classes):
        raise ValueError(f"num_classes is {classes}, but labels have {known.num_classes} classes")
    for name, value in (("a", a), ("b", b)):
        if not isinstance(value, Real):
            raise TypeError(f"{name} must be a number, got {value!r}")
    if not b > 0:
        raise ValueError(f"b must be positive, got {b}")
    return propensities_of_pieces([known], known.num_classes, a, b)


def propensities_of_pieces(
    pieces: Iterable[Labels], num_classes: int, a: float = 0.55, b: float = 1.5
) -> Values:
    """Return the propensities from the labels of all pieces, of which only one is held.

    Each is in a row once.
    """
    rows, unknown = 0, np.zeros(num_classes, np.int64)
    rows_with = np.zeros(num_classes, np.int64)
    for labels in pieces:
        rows += len(labels)
        rows_with += np.bincount(labels.indices, minlength=num_classes)
        if labels.unknown_indices is not None:
            unknown += np.bincount(labels.unknown_indices, minlength=num_classes)
    if rows == 0:
        raise ValueError("propensities need labels with at least one row")
    # Below e rows the model has no meaning; nothing is missing then.
    scale = np.maximum(np.log(np.maximum(rows - unknown, 1)) - 1, 0.0)
    with np.errstate(all="ignore"):
        scale = scale * np.float64(b + 1) ** a
        inverse: Values = 1 + scale * (rows_with + b) ** -a
        found = 1 / inverse
    valid = found >= _LEAST
    if not valid.all():
        column = int(valid.argmin())
        raise ValueError(
            f"a and b must give propensities of at least {_LEAST}, got a={a}, b={b}: "
            f"{found[column]} for class {column}"
        )
    return found

"""Ranking metrics for multi-label scores.

Every metric here is a function of a few exact counts: for each label of a row, how many scores of
the row are greater than the label's, and how many are not below it. One compiled kernel counts
(``lucid/_kernels/ranking.pyx``, threaded); each metric is then its formula.

All take ``scores`` of shape ``(N, C)`` and the labels in any form that `lucid.Labels` has a
constructor for: `Labels`, a bool array of shape ``(N, C)`` (multi-hot), an integer array of shape
``(N, K)`` (indices, padded with -1), a SciPy sparse matrix, or one list of indices for each row.
A label listed twice is one label. A NaN score is an error, and so are scores that float64 does not
tell apart: longdouble, and integers beyond 2**53. Without rows the mean is nan.

`one_error`, `precision_at_k`, `recall_at_k`, `ndcg_at_k` and `psp_at_k`, which look at the highest
scores alone, also take them as a SciPy sparse matrix, the form in which models of very many classes
predict. Each stored score is ranked, whatever its value; a class without one is not predicted at
all, so that a row that stores fewer than k scores misses the places that are left. The matrix is
never made dense.
"""

from numbers import Real
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid._kernels import ranking
from lucid.arrays.checks import as_array, as_int, guess_of, kind_of
from lucid.arrays.sparse import checked_csr
from lucid.labels import Labels, any_form, as_labels, is_array_like
from lucid.system.optional import is_sparse
from lucid.system.threads import get_num_threads

__all__ = [
    "coverage_error",
    "label_ranking_average_precision_score",
    "label_ranking_loss",
    "ndcg_at_k",
    "one_error",
    "precision_at_k",
    "propensities",
    "psp_at_k",
    "recall_at_k",
]

_Counts = npt.NDArray[np.int64]
_Values = npt.NDArray[np.float64]


class _Rows:
    """The scores and labels of rows, and the counts of where the labels are in the ranking."""

    def __init__(self, scores: npt.ArrayLike, labels: Any) -> None:
        self.scores = _checked_scores(scores)
        self._take_labels(labels, self.scores.shape)

    def _take_labels(self, labels: Any, shape: tuple[int, ...]) -> None:
        if is_array_like(labels):
            labels = _checked_order(as_array("labels", labels))
        self.labels = as_labels(labels, shape).drop_duplicates()
        self.num_classes = self.labels.num_classes
        self.num_labels = self.labels.lengths()

    def count(self, *which: str) -> tuple[_Counts, ...]:
        """Return counts by the names that the kernel, ``ranking.pyx``, defines."""
        indices, indptr = self.labels.indices, self.labels.indptr
        size = {"depth": len(self.labels)}  # the others have a value for each label
        counts = {name: np.zeros(size.get(name, indices.size), np.int64) for name in which}
        if ranking.count(self.scores, indices, indptr, get_num_threads(), **counts):
            raise _nan_error(*np.argwhere(np.isnan(self.scores))[0])
        return tuple(counts.values())

    def of_label(self) -> _Counts:
        """Return the row of each label."""
        return np.repeat(np.arange(len(self.labels)), self.num_labels)

    def sum(self, of_each_label: npt.NDArray[Any]) -> _Values:
        """Add up the values of each row's labels; 0 without labels."""
        sums = np.bincount(self.of_label(), weights=of_each_label, minlength=len(self.labels))
        return sums.astype(np.float64, copy=False)  # without any label, NumPy gives integers

    def hits(self, k: int) -> _Values:
        """Return the number of labels among each row's k highest scores."""
        (place,) = self.count("place")
        return self.sum(place < k)


class _SparseRows(_Rows):
    """The same where few scores of a row are stored: no other class is in the ranking."""

    def __init__(self, scores: Any, labels: Any) -> None:
        csr = checked_csr("scores", scores)
        csr.sum_duplicates()
        entries = slice(csr.indptr[-1])
        stored, self.column = csr.data[entries], csr.indices[entries]
        self.scores = stored.astype(_ranking_dtype(stored, csr.shape), copy=False)
        self.first, self.size = csr.indptr[:-1].astype(np.int64), np.diff(csr.indptr)
        self.row = np.repeat(np.arange(csr.shape[0]), self.size)
        if (wrong := np.isnan(self.scores)).any():
            raise _nan_error(self.row[wrong][0], self.column[wrong][0])
        self._take_labels(labels, csr.shape)

    def count(self, *which: str) -> tuple[_Counts, ...]:
        """Return counts as if each row had no classes but those stored, a label among these."""
        row = self.of_label()
        entry, found = self._entries(row, self.labels.indices)
        missed = {"not_below": self.num_classes + 1}  # a label without a score comes after all
        counts = {name: np.full(row.size, missed.get(name, self.num_classes)) for name in which}
        # Rows that store equally many scores make an array for the kernel, without any padding.
        for size in np.unique(self.size[row[found]]):
            rows = np.flatnonzero(self.size == size)
            chosen = np.flatnonzero(found & (self.size[row] == size))
            scores = self.scores[self.first[rows, np.newaxis] + np.arange(size)]
            columns = entry[chosen] - self.first[row[chosen]]
            indptr = np.searchsorted(row[chosen], np.append(rows, self.size.size))
            part = {name: np.zeros(chosen.size, np.int64) for name in which}
            ranking.count(scores, columns, indptr, get_num_threads(), **part)
            for name in which:
                counts[name][chosen] = part[name]
        return tuple(counts.values())

    def _entries(self, row: _Counts, column: _Counts) -> tuple[_Counts, npt.NDArray[np.bool_]]:
        """Return the stored entry at each place, and whether there is one; all in rising order."""
        stored = self.row * self.num_classes + self.column
        wanted = row * self.num_classes + column
        entry = np.searchsorted(stored, wanted)
        return entry, np.append(stored, -1)[entry] == wanted


def _rows_of_best(scores: npt.ArrayLike, labels: Any) -> _Rows:
    """Return rows for a metric that asks for the highest scores alone."""
    return (_SparseRows if is_sparse(scores) else _Rows)(scores, labels)


def _checked_scores(scores: npt.ArrayLike) -> npt.NDArray[Any]:
    if is_sparse(scores):
        raise TypeError(
            f"scores must be dense, got {type(scores).__name__}: this metric ranks all classes, "
            "those for the k highest scores and one_error take sparse scores"
        )
    if isinstance(scores, Labels):
        raise TypeError("scores must be an array, got Labels; the order is (scores, labels)")
    x = as_array("scores", scores)
    return np.ascontiguousarray(x, _ranking_dtype(x, x.shape))


def _ranking_dtype(x: npt.NDArray[Any], shape: tuple[int, ...]) -> type[np.floating[Any]]:
    """Return the dtype that keeps the order of scores; ``x`` are those that are stored of them."""
    if x.dtype.kind not in "fiu" or x.dtype.itemsize > 8:
        raise TypeError(f"scores must hold real numbers of up to 64 bits, got {kind_of(x)}")
    if len(shape) != 2 or shape[1] == 0:
        raise ValueError(f"scores must have shape (N, C) with C >= 1, got {shape}")
    if shape[0] * shape[1] >= 2**63:
        raise ValueError(f"scores must be fewer than 2**63, got shape {shape}")
    whole = x.dtype.kind in "iu"
    if whole and x.size and (x.min() < -(2**53) or x.max() > 2**53):
        raise ValueError(
            "scores must be within 2**53 if they are integers: float64 rounds larger ones"
        )
    in_float32 = x.dtype.kind == "f" and x.dtype.itemsize <= 4
    return np.float32 if in_float32 else np.float64


def _nan_error(row: int, column: int) -> ValueError:
    return ValueError(f"scores must not be NaN, got NaN in row {row}, column {column}")


def _checked_order(labels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Refuse floats: most likely they are the scores, given second as scikit-learn wants them."""
    if labels.dtype.kind == "f" and labels.size:
        guess = f", and {guess_of('labels', labels)}" if np.isin(labels, [-1, 0, 1]).all() else ""
        raise TypeError(
            f"labels must be Labels, bools or integers, got {labels.dtype}; "
            f"the order is (scores, labels){guess}"
        )
    return labels


def _checked_k(k: SupportsIndex, num_classes: int) -> int:
    places = as_int("k", k)
    if not 1 <= places <= num_classes:
        raise ValueError(f"k must be from 1 to C = {num_classes}, got {places}")
    return places


def _mean(of_each_row: npt.NDArray[Any]) -> float:
    return float(of_each_row.mean()) if of_each_row.size else float("nan")


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
    rows = _Rows(scores, labels)
    not_below, labels_not_below = rows.count("not_below", "labels_not_below")
    wrong = rows.sum(not_below - labels_not_below)
    pairs = rows.num_labels * (rows.num_classes - rows.num_labels)
    return _mean(wrong / np.maximum(pairs, 1))


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
    (depth,) = _Rows(scores, labels).count("depth")
    return _mean(depth)


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
    rows = _Rows(scores, labels)
    not_below, labels_not_below = rows.count("not_below", "labels_not_below")
    precision = rows.sum(labels_not_below / not_below) / np.maximum(rows.num_labels, 1)
    nothing_to_rank = (rows.num_labels == 0) | (rows.num_labels == rows.num_classes)
    return _mean(np.where(nothing_to_rank, 1.0, precision))


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
    return _mean(1.0 - _rows_of_best(scores, labels).hits(1))


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
    rows = _rows_of_best(scores, labels)
    places = _checked_k(k, rows.num_classes)
    return _mean(rows.hits(places) / places)


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
    rows = _rows_of_best(scores, labels)
    places = _checked_k(k, rows.num_classes)
    return _mean(rows.hits(places) / np.maximum(rows.num_labels, 1))


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
    rows = _rows_of_best(scores, labels)
    places = _checked_k(k, rows.num_classes)
    discounts = 1 / np.log2(np.arange(2, places + 2))
    discount_of_first = np.append(0.0, np.cumsum(discounts))  # entry r: of the first r ranks

    above, not_below = rows.count("above", "not_below")
    upper = discount_of_first[np.minimum(above, places)]
    lower = discount_of_first[np.minimum(not_below, places)]
    gain = rows.sum((lower - upper) / (not_below - above))
    best_gain = discount_of_first[np.minimum(rows.num_labels, places)]
    return _mean(gain / np.where(best_gain > 0, best_gain, 1.0))


def psp_at_k(
    scores: npt.ArrayLike, labels: Any, propensities: npt.ArrayLike, k: SupportsIndex
) -> float:
    r"""Return the propensity-scored precision at `k` (PSP@k), where rare labels weigh more.

    .. math:: \frac{\sum_n \sum_{t \in Y_n \cap \mathrm{top}_k(x_n)} 1 / p_t}
        {\sum_n \max_{S \subseteq Y_n, |S| \le k} \sum_{t \in S} 1 / p_t}

    the gain over all rows, divided by the gain of the best possible ranking, so that 1 is the best
    value.

    Parameters
    ----------
    scores : array_like, scipy.sparse matrix or array
        Shape ``(N, C)``, real numbers; also a SciPy sparse matrix, where a class without a
        score is not predicted.
    labels : Labels or array_like
        ``N`` rows, in any form that the module's page names.
    propensities : array_like
        Shape ``(C,)``, the probability that a label that applies was seen; from the function
        `propensities`.
    k : int
        From 1 to ``C``.

    Returns
    -------
    float
        nan if no row has a label.

    Raises
    ------
    ValueError
        If a score is NaN, the labels or propensities do not fit the scores, a propensity is not
        positive, or `k` is out of range.

    Notes
    -----
    Equal scores are ranked by column, the lowest first. This is the normalised form of the tables
    of the Extreme Classification Repository, there in percent.

    References
    ----------
    H. Jain, Y. Prabhu, M. Varma, "Extreme multi-label loss functions for recommendation, tagging,
    ranking & other missing label applications", KDD 2016, doi:10.1145/2939672.2939756.

    Examples
    --------
    >>> psp_at_k([[0.75, 0.5, 1.0], [1.0, 0.2, 0.1]], [[0], [0]], [0.5, 0.5, 0.1], k=1)
    0.5
    """
    rows = _rows_of_best(scores, labels)
    places = _checked_k(k, rows.num_classes)
    weight = 1 / _checked_propensities(propensities, rows.num_classes)
    gains = weight[rows.labels.indices]
    (place,) = rows.count("place")
    gain = gains[place < places].sum()

    # The best ranking has the labels of each row by descending gain.
    of_label = rows.of_label()
    by_gain = np.lexsort((-gains, of_label))
    best_place = np.arange(gains.size) - rows.labels.indptr[of_label]
    best_gain = gains[by_gain][best_place < places].sum()
    return float(gain / best_gain) if best_gain > 0 else float("nan")


def _checked_propensities(propensities: npt.ArrayLike, num_classes: int) -> _Values:
    p = as_array("propensities", propensities)
    if p.dtype.kind not in "fiu":
        raise TypeError(f"propensities must hold real numbers, got {kind_of(p)}")
    p = p.astype(np.float64, copy=False)
    if p.shape != (num_classes,):
        raise ValueError(f"propensities must have shape ({num_classes},), got {p.shape}")
    if not np.all(p > 0):
        column = int(np.argmin(p > 0))
        raise ValueError(f"propensities must be positive, got {p[column]} for class {column}")
    return p


def propensities(
    labels: Any, a: float = 0.55, b: float = 1.5, *, num_classes: SupportsIndex | None = None
) -> _Values:
    r"""Return for each class the probability that it is seen on a row to which it applies.

    .. math:: p_l = \frac{1}{1 + (\log N - 1)(b + 1)^a (N_l + b)^{-a}}

    with :math:`N_l` the number of rows that have label :math:`l`.

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
        If there are no rows, `b` is not positive, a label is out of range, or the labels have
        another number of classes than `num_classes`.

    See Also
    --------
    psp_at_k

    References
    ----------
    H. Jain, Y. Prabhu, M. Varma, "Extreme multi-label loss functions for recommendation, tagging,
    ranking & other missing label applications", KDD 2016, doi:10.1145/2939672.2939756.

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
    if len(known) == 0:
        raise ValueError("propensities need labels with at least one row")
    rows_with = np.bincount(known.indices, minlength=known.num_classes)
    # Below e rows the model has no meaning; nothing is missing then.
    scale = max(np.log(len(known)) - 1, 0.0) * (b + 1) ** a
    inverse: _Values = 1 + scale * (rows_with + b) ** -a
    return 1 / inverse

"""Scores and labels of rows, and the counts that every metric is made from."""

from typing import Any, Literal, SupportsIndex, get_args

import numpy as np
import numpy.typing as npt

from lucid._kernels import ranking
from lucid.arrays.checks import as_array, as_int, guess_of, kind_of
from lucid.arrays.sparse import checked_csr
from lucid.labels import Labels, as_labels, is_array_like, label_array
from lucid.labels.rows import contains
from lucid.losses.options import as_sample_weight
from lucid.metrics.topk import Entries, TopK
from lucid.system.optional import is_sparse
from lucid.system.threads import get_num_threads

Counts = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]

#: Who is first among equal scores, where the highest are looked at: the lowest column, or the
#: expectation over all orders.
Ties = Literal["column", "expected"]


class Rows:
    """The scores and labels of rows, and the counts of where the labels are in the ranking."""

    def __init__(self, scores: npt.ArrayLike, labels: Any, sample_weight: Any = None) -> None:
        self.scores = _checked_scores(scores)
        self._take_labels(labels, self.scores.shape)
        self._take_weights(sample_weight)

    def _take_labels(self, labels: Any, shape: tuple[int, ...]) -> None:
        if is_array_like(labels):
            labels = _checked_order(label_array("labels", labels))
        self.labels = as_labels(labels, shape).drop_duplicates()
        self.num_classes = self.labels.num_classes
        self.num_labels = self.labels.lengths()

    def _take_weights(self, sample_weight: Any) -> None:
        self.weight: Values | None = None
        if sample_weight is not None:
            self.weight = as_sample_weight(sample_weight, self.labels.shape)

    @property
    def num_known(self) -> int | Counts:
        """The number of known classes of each row, or of all rows if it is the same."""
        unknown = self.labels.unknown_indptr
        return self.num_classes if unknown is None else self.num_classes - np.diff(unknown)

    def count(self, *which: str) -> tuple[Counts, ...]:
        """Return counts by the names that the kernel, ``ranking.pyx``, defines."""
        indices, indptr = self.labels.indices, self.labels.indptr
        size = {"depth": len(self.labels)}  # the others have a value for each label
        counts = {name: np.zeros(size.get(name, indices.size), np.int64) for name in which}
        unknown = {
            "unknown_indices": self.labels.unknown_indices,
            "unknown_indptr": self.labels.unknown_indptr,
        }
        if ranking.count(self.scores, indices, indptr, get_num_threads(), **unknown, **counts):
            wrong = np.isnan(self.scores)
            wrong[self.labels.unknown.to_multi_hot()] = False  # a NaN there is left out
            raise _nan_error(*np.argwhere(wrong)[0])
        return tuple(counts.values())

    def of_label(self) -> Counts:
        """Return the row of each label."""
        return np.repeat(np.arange(len(self.labels)), self.num_labels)

    def sum(self, of_each_label: npt.NDArray[Any]) -> Values:
        """Add up the values of each row's labels; 0 without labels."""
        sums = np.bincount(self.of_label(), weights=of_each_label, minlength=len(self.labels))
        return sums.astype(np.float64, copy=False)  # without any label, NumPy gives integers

    def in_top(self, k: int, ties: Ties) -> Values:
        """Return for each label whether, or how probably, it is among the k highest scores."""
        check_ties(ties)
        if ties == "column":
            (place,) = self.count("place")
            return (place < k).astype(np.float64)
        above, not_below = self.count("above", "not_below")
        return np.clip((k - above) / (not_below - above), 0.0, 1.0)

    def discounted(self, k: int, ties: Ties) -> Values:
        """Return for each label the discount, 1 / log2(1 + rank), that it gets within k ranks."""
        check_ties(ties)
        first = discounts_of_first(k)
        if ties == "column":
            (place,) = self.count("place")
            return np.append(np.diff(first), 0.0)[np.minimum(place, k)]
        # Classes with equal scores share the discounts of the ranks that they fill.
        above, not_below = self.count("above", "not_below")
        shared = first[np.minimum(not_below, k)] - first[np.minimum(above, k)]
        return np.asarray(shared / (not_below - above))

    def mean(self, of_each_row: npt.NDArray[Any]) -> float:
        """Return the mean over rows by their weights; nan where there is nothing to average."""
        if self.weight is None:
            return float(of_each_row.mean()) if of_each_row.size else float("nan")
        total = self.weight.sum()
        return float((self.weight * of_each_row).sum() / total) if total > 0 else float("nan")


class SparseRows(Rows):
    """The same where few scores of a row are stored: no other class is in the ranking."""

    def __init__(self, scores: Any, labels: Any, sample_weight: Any = None) -> None:
        of = scores._entries(labels) if isinstance(scores, TopK) else _entries_of_csr(scores)
        self.scores = of.scores.astype(_ranking_dtype(of.scores, of.shape), copy=False)
        self.row, self.column = of.row, of.column
        self._take_labels(labels, of.shape)
        self._take_weights(sample_weight)
        self._leave_out_unknown()
        self.size = np.bincount(self.row, minlength=of.shape[0])
        self.first = np.cumsum(self.size) - self.size
        if (wrong := np.isnan(self.scores)).any():
            raise _nan_error(self.row[wrong][0], self.column[wrong][0])

    def _leave_out_unknown(self) -> None:
        indices, indptr = self.labels.unknown_indices, self.labels.unknown_indptr
        if indices is None or indptr is None:
            return
        known = ~contains(indices, indptr, self.row, self.column)
        self.scores, self.row, self.column = self.scores[known], self.row[known], self.column[known]

    def count(self, *which: str) -> tuple[Counts, ...]:
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

    def _entries(self, row: Counts, column: Counts) -> tuple[Counts, npt.NDArray[np.bool_]]:
        """Return the stored entry at each place, and whether there is one; all in rising order."""
        stored = self.row * self.num_classes + self.column
        wanted = row * self.num_classes + column
        entry = np.searchsorted(stored, wanted)
        return entry, np.append(stored, -1)[entry] == wanted


def rows_of_best(scores: npt.ArrayLike | TopK, labels: Any, sample_weight: Any) -> Rows:
    """Return rows for a metric that asks for the highest scores alone."""
    if is_sparse(scores) or isinstance(scores, TopK):
        return SparseRows(scores, labels, sample_weight)
    return Rows(scores, labels, sample_weight)


def _entries_of_csr(scores: Any) -> Entries:
    csr = checked_csr("scores", scores)
    csr.sum_duplicates()
    entries = slice(csr.indptr[-1])
    row = np.repeat(np.arange(csr.shape[0]), np.diff(csr.indptr))
    return Entries(row, csr.indices[entries], csr.data[entries], csr.shape)


def check_ties(ties: str) -> None:
    if ties not in get_args(Ties):
        raise ValueError(f"ties must be one of {get_args(Ties)}, got {ties!r}")


def discounts_of_first(k: int) -> Values:
    """Return, for r = 0 .. k, the sum of the discounts of the first r ranks."""
    return np.append(0.0, np.cumsum(1 / np.log2(np.arange(2, k + 2))))


def _checked_scores(scores: npt.ArrayLike) -> npt.NDArray[Any]:
    if is_sparse(scores) or isinstance(scores, TopK):
        raise TypeError(
            f"scores must be dense, got {type(scores).__name__}: this metric ranks all classes, "
            "those for the k highest scores and one_error take these"
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
        known = labels[labels == labels]
        guess = f", and {guess_of('labels', labels)}" if np.isin(known, [-1, 0, 1]).all() else ""
        raise TypeError(
            f"labels must be Labels, bools or integers, got {labels.dtype}; "
            f"the order is (scores, labels){guess}"
        )
    return labels


def checked_k(k: SupportsIndex, num_classes: int) -> int:
    places = as_int("k", k)
    if not 1 <= places <= num_classes:
        raise ValueError(f"k must be from 1 to C = {num_classes}, got {places}")
    return places

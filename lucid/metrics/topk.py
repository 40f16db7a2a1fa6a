"""Predictions that are the highest classes of each row, as indices."""

from __future__ import annotations

from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, as_int, kind_of
from lucid.labels import Labels
from lucid.system.optional import is_sparse


class Entries(NamedTuple):
    """The scores that are stored of an array (N, C): rows rise, and columns within each."""

    row: npt.NDArray[Any]
    column: npt.NDArray[Any]
    scores: npt.NDArray[Any]
    shape: tuple[int, ...]


class TopK:
    """The classes that a model ranks highest in each row, in place of the scores of all classes.

    The metrics that look at the highest scores alone, `one_error` and those ``at_k``, take it.

    Parameters
    ----------
    classes : array_like of int
        Shape ``(N, K)``, the classes of each row, best first; -1 stands for none.
    scores : array_like, optional
        Shape ``(N, K)``, the scores of these classes, in any order. Without them the first class
        is the highest, and there are no ties.
    num_classes : int, optional
        The number of classes ``C``, where the labels are class indices that do not tell it.

    Raises
    ------
    TypeError
        If the classes are no integers.
    ValueError
        If shapes do not fit, a class is below -1, or a row names one twice.

    See Also
    --------
    lucid.io.PredictionWriter : Write them to a file.

    Examples
    --------
    >>> from lucid import Labels
    >>> from lucid.metrics import TopK, precision_at_k
    >>> labels = Labels.from_lists([[3, 7], [0]], num_classes=1_000_000)
    >>> precision_at_k(TopK([[7, 2], [5, 0]]), labels, k=2)
    0.5
    """

    def __init__(
        self,
        classes: npt.ArrayLike,
        scores: npt.ArrayLike | None = None,
        *,
        num_classes: SupportsIndex | None = None,
    ) -> None:
        chosen = as_array("classes", classes)
        if chosen.size == 0 and chosen.dtype == np.float64:
            chosen = chosen.astype(np.int64)  # NumPy makes floats of an empty list
        if chosen.dtype.kind not in "iu":
            raise TypeError(f"classes must hold integers, got {kind_of(chosen)}")
        if chosen.ndim != 2:
            raise ValueError(f"classes must have shape (N, K), got {chosen.shape}")
        if chosen.size and (chosen.min() < -1 or chosen.max() >= 2**63):
            raise ValueError(f"classes must be at least -1 and below 2**63, got {chosen}")
        self._classes = chosen.astype(np.int64)
        self._scores: npt.NDArray[Any] | None = None
        if scores is not None:
            values = as_array("scores", scores)
            if values.shape != chosen.shape:
                raise ValueError(
                    f"scores must have shape {chosen.shape}, that of the classes, "
                    f"got {values.shape}"
                )
            self._scores = values.copy()
        self._num_classes = None if num_classes is None else as_int("num_classes", num_classes)
        self._check_once()

    def _check_once(self) -> None:
        ordered = np.sort(self._classes, axis=1)
        twice = (ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)
        if twice.any():
            row, place = np.argwhere(twice)[0]
            raise ValueError(
                f"classes must be different, got {ordered[row, place]} twice in row {row}"
            )

    def __len__(self) -> int:
        return len(self._classes)

    def __repr__(self) -> str:
        return f"TopK(rows={len(self)}, k={self._classes.shape[1]})"

    def _entries(self, labels: Any) -> Entries:
        """Return them as the scores of an array as wide as the labels have classes."""
        num_classes = self._num_classes
        if num_classes is None:
            num_classes = _classes_of(labels)
        if num_classes is None:
            raise TypeError("TopK needs num_classes where the labels are class indices")
        if self._classes.size and self._classes.max() >= num_classes:
            row, place = np.argwhere(self._classes >= num_classes)[0]
            raise ValueError(
                f"classes must be below {num_classes}, got {self._classes[row, place]} in row {row}"
            )
        order = np.argsort(self._classes, axis=1)
        column = np.take_along_axis(self._classes, order, axis=1)
        scores = -order if self._scores is None else self._scores
        if self._scores is not None:
            scores = np.take_along_axis(scores, order, axis=1)
        there = column >= 0
        row = np.nonzero(there)[0]
        return Entries(row, column[there], scores[there], (len(self), num_classes))


def _classes_of(labels: Any) -> int | None:
    """Return the number of classes, where labels tell it."""
    if isinstance(labels, Labels):
        return labels.num_classes
    if is_sparse(labels) or (isinstance(labels, np.ndarray) and labels.dtype == np.bool_):
        return int(labels.shape[1]) if labels.ndim == 2 else None
    return None

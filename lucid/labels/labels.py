"""The class `Labels`, and what is done with labels as sets."""

from __future__ import annotations

from types import FunctionType
from typing import Any, Self

import numpy as np

from lucid.labels.base import LabelsBase
from lucid.labels.constructors import Constructors
from lucid.labels.conversions import Conversions
from lucid.labels.entries import apart
from lucid.labels.forms import of_any_form
from lucid.labels.rows import as_sets


class Labels(Constructors, Conversions):
    r"""The labels of a batch or of a whole data set, immutable.

    Row :math:`i` holds the class indices

    .. math:: Y_i = \{\mathrm{indices}_p : \mathrm{indptr}_i \le p < \mathrm{indptr}_{i+1}\}.

    Most callers use one of the constructors `from_padded`, `from_multi_hot`, `from_csr`,
    `from_lists`, `from_indices_and_offsets`.

    Parameters
    ----------
    indices : array_like of int
        The labels of all rows, one row after the other.
    indptr : array_like of int
        Shape ``(N + 1,)``: where each row begins, and where the last one ends.
    num_classes : int
        The number of classes ``C``, at least 1.
    unknown_indices, unknown_indptr : array_like of int, optional
        The same for unknown entries: the classes of which nobody knows whether they are labels of
        the row. `with_unknown` and `from_multi_hot` make them of what most callers have.

    Attributes
    ----------
    indices : ndarray of int64
        Read-only.
    indptr : ndarray of int64
        Read-only.
    num_classes : int
    unknown_indices : ndarray of int64, or None
        Read-only; ascending in each row, each class once. None if nothing is unknown.
    unknown_indptr : ndarray of int64, or None
        Read-only. None if nothing is unknown.

    Raises
    ------
    TypeError
        If an array does not hold integers, or only one of the two arrays of unknown entries is
        given.
    ValueError
        If a label is not in ``0 .. C - 1`` (the message names its row), if `indptr` does not
        cut `indices` into rows, or a class is both a label and unknown in the same row.

    Notes
    -----
    * ``len(labels)`` is the number of rows. ``labels[3]`` is the array of row 3's labels;
      ``labels[2:7]``, ``labels[[4, 0]]`` and ``labels[mask]`` are `Labels` of those rows, so that
      mini-batches are cut like those of an array. ``labels[rows, :]`` and ``labels[rows, ...]``
      are the same as ``labels[rows]``: so scikit-learn's ``train_test_split`` and ``KFold`` cut.
    * Order within a row and labels given twice are kept: the margin loss counts a label that is
      listed twice twice. `drop_duplicates` makes sets of the rows.
    * Losses and metrics leave an unknown class out of its row, as if it had no column there: it is
      in no pair, and its gradient is 0.
    * Two `Labels` are equal when they have the same classes, the same labels in the same order and
      the same unknown entries.
    * ``np.savez(file, indices=labels.indices, indptr=labels.indptr,
      num_classes=labels.num_classes)`` saves one and ``Labels(**np.load(file))`` brings it back;
      where entries are unknown, `unknown_indices` and `unknown_indptr` are saved as well.
      `pickle` works too.

    Examples
    --------
    >>> labels = Labels.from_lists([[0, 3], [], [2]], num_classes=5)
    >>> labels
    Labels(rows=3, num_classes=5, labels=3)
    >>> labels[0]
    array([0, 3])
    >>> labels[[2, 0]].to_padded()
    array([[ 2, -1],
           [ 0,  3]])
    >>> labels.with_unknown([[4], [], [1, 3]])
    Labels(rows=3, num_classes=5, labels=3, unknown=3)
    """

    __slots__ = ()

    def with_unknown(self, unknown: Any) -> Self:
        """Return these labels with unknown entries: classes that may be labels of a row or not.

        Parameters
        ----------
        unknown : array_like, scipy.sparse matrix or array, list of lists, or Labels
            The unknown classes of each of the ``N`` rows, in any form that labels have: a bool
            array of shape ``(N, C)``, a sparse matrix, rows of class indices. What is unknown
            already stays unknown.

        Returns
        -------
        Labels

        Raises
        ------
        TypeError
            If `unknown` is in none of these forms.
        ValueError
            If `unknown` has other rows or classes than these labels, a class is out of range, or
            one is a label of the same row.

        Examples
        --------
        >>> import numpy as np
        >>> labels = Labels.from_lists([[0], [1, 2]], num_classes=4)
        >>> labels.with_unknown([[1, 3], []])
        Labels(rows=2, num_classes=4, labels=3, unknown=2)
        >>> seen = np.array([[True, False, True, False], [True, True, True, True]])
        >>> labels.with_unknown(~seen) == labels.with_unknown([[1, 3], []])
        True
        """
        if not isinstance(unknown, Labels):
            unknown = Labels._checked(*of_any_form("unknown", unknown, self._num_classes))
        if unknown.shape != self.shape:
            hint = "; are they transposed?" if unknown.shape == self.shape[::-1] else ""
            raise ValueError(
                f"unknown: entries of shape {unknown.shape} (rows, classes) do not fit labels of "
                f"shape {self.shape}{hint}"
            )
        if unknown._unknown_indices is not None:
            raise ValueError(
                "unknown must say of each entry whether it is unknown, got "
                f"{unknown._unknown_indices.size} that are masked or unknown themselves"
            )
        rows = self._indices, self._indptr
        more = unknown._indices, unknown._indptr
        before = self._unknown_rows()
        union = as_sets(more) if before is None else as_sets(before, more)
        return self._checked(*rows, self._num_classes, *apart(rows, union))

    def without_unknown(self) -> Self:
        """Return these labels with nothing unknown: what was, is no label.

        Returns
        -------
        Labels
            The object itself if nothing is unknown.

        Examples
        --------
        >>> labels = Labels.from_lists([[0], [2]], num_classes=3).with_unknown([[1], [0, 1]])
        >>> labels.without_unknown().to_multi_hot().astype(int)
        array([[1, 0, 0],
               [0, 0, 1]])
        """
        if self._unknown_indices is None:
            return self
        return self._checked(self._indices, self._indptr, self._num_classes)

    @property
    def unknown(self) -> Self:
        """The unknown entries of each row, as `Labels` of their own; they may be none."""
        none = np.empty(0, np.int64), np.zeros(self._indptr.size, np.int64)
        indices, indptr = self._unknown_rows() or none
        return self._checked(indices, indptr, self._num_classes)

    def drop_duplicates(self) -> Self:
        """Return these labels as sets: each label of a row once, in ascending order.

        Returns
        -------
        Labels
            The object itself where it has that form already.

        Examples
        --------
        >>> Labels.from_lists([[2, 0, 2]], num_classes=3).drop_duplicates()[0]
        array([0, 2])
        """
        indices, indptr = as_sets((self._indices, self._indptr))
        if indices is self._indices:
            return self
        return self._checked(
            indices, indptr, self._num_classes, self._unknown_indices, self._unknown_indptr
        )


def _name_methods() -> None:
    """Let Python's own errors name the class that users know, not the part with the method."""
    for part in (LabelsBase, Constructors, Conversions):
        for name, member in vars(part).items():
            function = getattr(member, "__func__", member)
            if isinstance(function, FunctionType):
                function.__qualname__ = f"Labels.{name}"


_name_methods()

"""`Labels` from other forms: a constructor for each form that people hold."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.labels.base import LabelsBase
from lucid.labels.entries import abbreviated, integers
from lucid.labels.lists import of_lists
from lucid.labels.multi_hot import of_multi_hot
from lucid.labels.padded import of_padded
from lucid.labels.sparse import of_sparse


class Constructors(LabelsBase):
    """The constructors of `Labels`."""

    __slots__ = ()

    @classmethod
    def from_padded(cls, padded: npt.ArrayLike, num_classes: SupportsIndex) -> Self:
        """Make `Labels` from rows of indices that are filled up with -1, PyTorch's form.

        Parameters
        ----------
        padded : array_like of int
            Shape ``(N, K)``, any ``K``. A row's labels end at its first -1; what follows is
            ignored.
        num_classes : int
            The number of classes ``C``.

        Returns
        -------
        Labels
            A label listed twice is kept twice.

        Raises
        ------
        TypeError
            If `padded` does not hold integers.
        ValueError
            If `padded` is not 2-D, a label is below -1 or at least ``C``, or the array cannot be
            class indices.

        Notes
        -----
        An array as wide as the classes may be another form that got here: multi-hot, signs, or
        graded relevances. It is refused when a row without -1 names a class twice: there is room
        for each class once. When all values are -1, 0 and 1, it is also refused when a row with a
        -1 names a class twice before it, or goes on after it. One more column of -1 says that they
        are indices.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_padded([[0, 3, -1], [2, -1, 1]], num_classes=4)[1]
        array([2])
        """
        return cls._checked(*of_padded("padded", padded, num_classes))

    @classmethod
    def from_multi_hot(cls, multi_hot: npt.ArrayLike, *, unknown: float | None = None) -> Self:
        """Make `Labels` from a matrix with a one for each label and a zero elsewhere.

        Parameters
        ----------
        multi_hot : array_like
            Shape ``(N, C)``, bool, or numbers that are all 0 or 1 but for unknown entries: NaN,
            what is missing in a table of pandas (NA, None), the masked entries of a `numpy.ma`
            array, and those equal to `unknown`.
        unknown : float, optional
            The number, neither 0 nor 1, of entries of which nobody knows whether they are labels.

        Returns
        -------
        Labels
            The labels of each row in ascending order.

        Raises
        ------
        TypeError
            If `multi_hot` is not an array of numbers, or `unknown` is not a number.
        ValueError
            If `multi_hot` is not 2-D, has no column or holds anything but 0, 1 and unknown entries;
            if `unknown` is 0 or 1.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_multi_hot([[True, False, True], [False, False, False]]).to_padded()
        array([[ 0,  2],
               [-1, -1]])
        >>> Labels.from_multi_hot([[1, 0, -1], [0, -1, -1]], unknown=-1)
        Labels(rows=2, num_classes=3, labels=1, unknown=3)
        """
        return cls._checked(*of_multi_hot("multi_hot", multi_hot, unknown))

    @classmethod
    def from_csr(cls, matrix: Any) -> Self:
        """Make `Labels` from a SciPy sparse matrix or array: each nonzero entry is a label.

        Parameters
        ----------
        matrix : scipy.sparse matrix or array
            Shape ``(N, C)``, in CSR or any other format (CSC, COO, ...), with any index type.

        Returns
        -------
        Labels
            The labels of each row in ascending order, each once: entries stored twice are added,
            as SciPy defines them, and stored zeros are no labels.

        Raises
        ------
        TypeError
            If `matrix` is not a SciPy sparse matrix or array of bools or real numbers.
        ValueError
            If it is not 2-D, has no column, its parts do not fit together, or a stored value is NaN
            or negative: a sign is no label.

        Examples
        --------
        >>> from lucid import Labels
        >>> from scipy.sparse import csr_array
        >>> Labels.from_csr(csr_array([[0, 1, 0], [1, 0, 1]])).to_padded()
        array([[ 1, -1],
               [ 0,  2]])
        """
        return cls._checked(*of_sparse("matrix", matrix))

    @classmethod
    def from_lists(cls, rows: Iterable[Iterable[int]], num_classes: SupportsIndex) -> Self:
        """Make `Labels` from one list, array or set of class indices for each row.

        Parameters
        ----------
        rows : iterable of iterables of int
            The rows may differ in length; there is no padding.
        num_classes : int
            The number of classes ``C``.

        Returns
        -------
        Labels
            A label listed twice is kept twice.

        Raises
        ------
        TypeError
            If a row is not iterable, or a label is not an integer.
        ValueError
            If a label is not in ``0 .. C - 1``.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_lists([{2}, [], (0, 1)], num_classes=3).to_multi_hot().astype(int)
        array([[0, 0, 1],
               [0, 0, 0],
               [1, 1, 0]])
        """
        return cls._checked(*of_lists("rows", rows, num_classes))

    @classmethod
    def from_indices_and_offsets(
        cls, indices: npt.ArrayLike, offsets: npt.ArrayLike, num_classes: SupportsIndex
    ) -> Self:
        """Make `Labels` from all labels in one array and the place where each row begins.

        Parameters
        ----------
        indices : array_like of int
            The labels of all rows, one row after the other.
        offsets : array_like of int
            Shape ``(N,)``: where each row begins, the first at 0. The last row ends where
            `indices` does, as in ``torch.nn.EmbeddingBag``. (With that end as one more entry it
            is an `indptr`: call ``Labels(indices, indptr, num_classes)``.)
        num_classes : int
            The number of classes ``C``.

        Returns
        -------
        Labels
            A label listed twice is kept twice.

        Raises
        ------
        TypeError
            If an array does not hold integers.
        ValueError
            If a label is not in ``0 .. C - 1``, or the offsets do not rise from 0.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_indices_and_offsets([0, 3, 2], [0, 2], num_classes=4).to_padded()
        array([[ 0,  3],
               [ 2, -1]])
        """
        flat = integers("indices", indices, ndim=1)
        starts = integers("offsets", offsets, ndim=1)
        if starts.size and (starts[0] != 0 or np.any(starts[1:] < starts[:-1])):
            raise ValueError(f"offsets must rise from 0, got {abbreviated(starts)}")
        if starts.size and starts[-1] > flat.size:
            raise ValueError(f"the last offset is {starts[-1]}, beyond {flat.size} indices")
        return cls(flat, np.append(starts.astype(np.int64), flat.size), num_classes)

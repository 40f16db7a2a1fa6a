"""`Labels` as other forms."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.arrays.sparse import with_small_indices
from lucid.labels.base import LabelsBase
from lucid.labels.rows import Int64Array, as_sets, row_of_each
from lucid.system.optional import require


class Conversions(LabelsBase):
    """The conversions of `Labels`."""

    __slots__ = ()

    def to_padded(self, width: int | None = None) -> Int64Array:
        """Return the padded form: one row of indices each, filled up with -1.

        Parameters
        ----------
        width : int, optional
            The number of columns ``K``; by default that of the longest row. PyTorch wants
            ``num_classes``.

        Returns
        -------
        ndarray of int64
            Shape ``(N, K)``.

        Raises
        ------
        TypeError
            If `width` is not an integer.
        ValueError
            If a row has more than `width` labels, or an entry is unknown.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_padded(width=3)
        array([[ 1, -1, -1],
               [ 0,  2, -1]])
        """
        self._refuse_unknown("padded")
        lengths = self.lengths()
        longest = int(lengths.max(initial=0))
        columns = longest if width is None else as_int("width", width)
        if columns < longest:
            raise ValueError(
                f"width is {width}, but row {int(lengths.argmax())} has {longest} labels"
            )
        padded = np.full((len(self), columns), -1, dtype=np.int64)
        padded[np.arange(columns) < lengths[:, np.newaxis]] = self._indices
        return padded

    def to_csr(self) -> Any:
        """Return a sparse matrix that is True at each label.

        Returns
        -------
        scipy.sparse.csr_array of bool
            Shape ``(N, C)``, with int32 indices if they fit; the caller's own, to be written to.

        Raises
        ------
        ImportError
            If SciPy is not installed.
        ValueError
            If an entry is unknown.

        Examples
        --------
        >>> from lucid import Labels
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_csr().sum(axis=1)
        array([1, 2])
        """
        sparse = require("scipy.sparse", extra="cli", purpose="Labels.to_csr")
        self._refuse_unknown("csr")
        indices, indptr = as_sets((self._indices, self._indptr))
        marks = np.ones(indices.size, dtype=np.bool_)
        return with_small_indices(sparse, marks, indices, indptr, self.shape)

    def to_multi_hot(self, unknown: float | None = None) -> npt.NDArray[Any]:
        """Return an array that is True, or 1, at each label.

        Parameters
        ----------
        unknown : float or bool, optional
            What stands for an unknown entry, such as -1 or ``numpy.nan``; True or False to count
            all of them as labels, or none.

        Returns
        -------
        ndarray
            Shape ``(N, C)``; bool, or where `unknown` is a number that it holds: int8, int64 or
            float64.

        Raises
        ------
        TypeError
            If `unknown` is not a number.
        ValueError
            If an entry is unknown and `unknown` does not say what stands for it.

        Examples
        --------
        >>> from lucid import Labels
        >>> labels = Labels.from_lists([[1], [0, 2]], num_classes=3)
        >>> labels.to_multi_hot()
        array([[False,  True, False],
               [ True, False,  True]])
        >>> labels.with_unknown([[2], []]).to_multi_hot(unknown=-1)
        array([[ 0,  1, -1],
               [ 1,  0,  1]], dtype=int8)
        """
        multi_hot = np.zeros(self.shape, dtype=_dtype_with(unknown))
        multi_hot[row_of_each(self._indptr), self._indices] = True
        rows = self._unknown_rows()
        if rows is not None:
            if unknown is None:
                raise ValueError(
                    f"unknown must say what stands for the {rows[0].size} unknown entries, as in "
                    "to_multi_hot(unknown=-1); with unknown=False they are no labels"
                )
            multi_hot[row_of_each(rows[1]), rows[0]] = unknown
        return multi_hot

    def _refuse_unknown(self, form: str) -> None:
        """Refuse to lose unknown entries in a form that has no place for them."""
        if self._unknown_indices is not None:
            raise ValueError(
                f"to_{form}() has no place for the {self._unknown_indices.size} unknown entries: "
                f"use without_unknown().to_{form}(), and unknown.to_{form}() for these alone"
            )


def _dtype_with(unknown: float | None) -> npt.DTypeLike:
    """Return the dtype that holds 0, 1 and what stands for unknown entries."""
    if unknown is None or isinstance(unknown, (bool, np.bool_)):
        return np.bool_
    if not isinstance(unknown, Real):
        raise TypeError(f"unknown must be a number, got {unknown!r}")
    if not isinstance(unknown, Integral):
        return np.float64
    return np.int8 if -128 <= unknown <= 127 else np.int64

"""What `Labels` are: arrays that were checked once, immutable, and cut by rows as one array is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from types import EllipsisType
from typing import Any, ClassVar, Self, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from lucid.labels.entries import abbreviated, apart, class_count, in_range, integers
from lucid.labels.index import chosen_rows, row_error
from lucid.labels.rows import Int64Array, Rows, as_sets, cut, take


class LabelsBase:
    """The arrays of `Labels`, their rows, and what makes an object of them."""

    __slots__ = ("_indices", "_indptr", "_num_classes", "_unknown_indices", "_unknown_indptr")

    __hash__: ClassVar[None]  # type: ignore[assignment]  # equal by content, as arrays are
    __array_ufunc__: ClassVar[None] = None  # NumPy leaves == to `__eq__`

    _indices: Int64Array
    _indptr: Int64Array
    _num_classes: int
    _unknown_indices: Int64Array | None
    _unknown_indptr: Int64Array | None

    def __init__(
        self,
        indices: npt.ArrayLike,
        indptr: npt.ArrayLike,
        num_classes: SupportsIndex,
        unknown_indices: npt.ArrayLike | None = None,
        unknown_indptr: npt.ArrayLike | None = None,
    ) -> None:
        classes = class_count(num_classes)
        rows = _checked_rows("indices", indices, "indptr", indptr, classes)
        self._set(*rows, classes)
        if (unknown_indices is None) != (unknown_indptr is None):
            raise TypeError("unknown_indices and unknown_indptr must be given together")
        if unknown_indices is None or unknown_indptr is None:
            return
        names = "unknown_indices", "unknown_indptr"
        unknown = _checked_rows(names[0], unknown_indices, names[1], unknown_indptr, classes)
        if unknown[1].size != self._indptr.size:
            raise ValueError(
                f"unknown_indptr must have shape ({self._indptr.size},), that of indptr, "
                f"got {unknown[1].shape}"
            )
        self._set(*rows, classes, *apart(rows, as_sets(unknown)))

    @classmethod
    def _checked(
        cls,
        indices: Int64Array,
        indptr: Int64Array,
        num_classes: int,
        unknown_indices: Int64Array | None = None,
        unknown_indptr: Int64Array | None = None,
    ) -> Self:
        """Make one of arrays that are known to be right and that nobody else writes to.

        Unknown entries must be ascending sets, without any label; there may be none of them.
        """
        labels = cls.__new__(cls)
        labels._set(indices, indptr, num_classes, unknown_indices, unknown_indptr)
        return labels

    def _set(
        self,
        indices: Int64Array,
        indptr: Int64Array,
        num_classes: int,
        unknown_indices: Int64Array | None = None,
        unknown_indptr: Int64Array | None = None,
    ) -> None:
        indices.setflags(write=False)
        indptr.setflags(write=False)
        self._indices = indices
        self._indptr = indptr
        self._num_classes = num_classes
        self._unknown_indices = self._unknown_indptr = None
        if unknown_indices is not None and unknown_indptr is not None and unknown_indices.size:
            unknown_indices.setflags(write=False)
            unknown_indptr.setflags(write=False)
            self._unknown_indices = unknown_indices
            self._unknown_indptr = unknown_indptr

    def _unknown_rows(self) -> Rows | None:
        if self._unknown_indices is None or self._unknown_indptr is None:
            return None
        return self._unknown_indices, self._unknown_indptr

    # The parts.

    @property
    def indices(self) -> Int64Array:
        """The labels of all rows, one row after the other."""
        return self._indices

    @property
    def indptr(self) -> Int64Array:
        """Shape ``(N + 1,)``: where each row begins, and where the last one ends."""
        return self._indptr

    @property
    def unknown_indices(self) -> Int64Array | None:
        """The unknown classes of all rows, one row after the other, ascending; None without any."""
        return self._unknown_indices

    @property
    def unknown_indptr(self) -> Int64Array | None:
        """Shape ``(N + 1,)``: where the unknown classes of each row begin; None without any."""
        return self._unknown_indptr

    @property
    def num_classes(self) -> int:
        """The number of classes ``C``."""
        return self._num_classes

    @property
    def shape(self) -> tuple[int, int]:
        """``(N, C)``, the shape of the scores that these labels belong to."""
        return len(self), self._num_classes

    @property
    def ndim(self) -> int:
        """2, the number of axes of those scores."""
        return 2

    def lengths(self) -> Int64Array:
        """Return the number of labels in each row.

        Returns
        -------
        ndarray of int64
            Shape ``(N,)``.
        """
        return np.diff(self._indptr)

    # As a sequence of rows.

    def __len__(self) -> int:
        return self._indptr.size - 1

    def __iter__(self) -> Iterator[Int64Array]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> Int64Array: ...
    @overload
    def __getitem__(self, rows: slice | Sequence[int] | npt.NDArray[Any]) -> Self: ...
    @overload
    def __getitem__(self, rows: EllipsisType | tuple[Any, ...]) -> Any: ...
    def __getitem__(self, rows: Any) -> Self | Int64Array:
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            return self._of_rows(cut, (first, last))
        if isinstance(rows, (int, np.integer)) and not isinstance(rows, bool):
            if not -len(self) <= rows < len(self):
                raise row_error(rows, len(self))
            row = range(len(self))[rows]
            return self._indices[self._indptr[row] : self._indptr[row + 1]]
        chosen = chosen_rows(rows, *self.shape)
        if not isinstance(chosen, np.ndarray):
            return self[chosen]
        try:
            return self._of_rows(take, chosen)
        except IndexError:
            wrong = chosen[(chosen < -len(self)) | (chosen >= len(self))][0]
            raise row_error(wrong, len(self)) from None

    def _of_rows(self, choose: Callable[..., Rows], which: Any) -> Self:
        """Return `Labels` of the rows that ``choose`` cuts or takes."""
        indices, indptr = choose(self._indices, self._indptr, which)
        if self._unknown_indices is None:
            return self._checked(indices, indptr, self._num_classes)
        unknown = choose(self._unknown_indices, self._unknown_indptr, which)
        return self._checked(indices, indptr, self._num_classes, *unknown)

    # As an object.

    def __repr__(self) -> str:
        unknown = "" if self._unknown_indices is None else f", unknown={self._unknown_indices.size}"
        return (
            f"Labels(rows={len(self)}, num_classes={self._num_classes}, "
            f"labels={self._indices.size}{unknown})"
        )

    def __contains__(self, row: object) -> bool:
        raise TypeError("labels hold rows: ask for a label of one of them, as in `3 in labels[0]`")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, LabelsBase):
            return False  # without asking a sparse matrix, which would want an array
        return (
            self._num_classes == other._num_classes
            and np.array_equal(self._indptr, other._indptr)
            and np.array_equal(self._indices, other._indices)
            and self._unknown_equals(other)
        )

    def _unknown_equals(self, other: LabelsBase) -> bool:
        own, others = self._unknown_rows(), other._unknown_rows()
        if own is None or others is None:
            return own is others
        return all(map(np.array_equal, own, others))

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        raise TypeError(
            "Labels are not an array: use to_padded(), to_multi_hot() or to_csr(), or indices, "
            "the labels of all rows"
        )

    def __reduce__(self) -> tuple[type[Self], tuple[Any, ...]]:
        parts: tuple[Any, ...] = self._indices, self._indptr, self._num_classes
        return type(self), (*parts, *(self._unknown_rows() or ()))


def _checked_rows(
    name: str, indices: npt.ArrayLike, indptr_name: str, indptr: npt.ArrayLike, num_classes: int
) -> Rows:
    # Copies, then looks: what is kept is what was checked, whatever becomes of the originals.
    flat = integers(name, indices, ndim=1).copy()
    cuts = integers(indptr_name, indptr, ndim=1).copy()
    if cuts.size == 0 or cuts[0] != 0 or cuts[-1] != flat.size or np.any(cuts[1:] < cuts[:-1]):
        raise ValueError(
            f"{indptr_name} must rise from 0 to len({name}) = {flat.size} without falling, "
            f"got {abbreviated(cuts)}"
        )
    starts = cuts.astype(np.int64, copy=False)
    return in_range(name, flat, starts, num_classes), starts

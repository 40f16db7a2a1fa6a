"""The class `Labels`: checked once, immutable, cut like an array."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral, Real
from types import EllipsisType
from typing import Any, ClassVar, Self, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.arrays.sparse import with_small_indices
from lucid.labels.entries import abbreviated, class_count, in_range, integers
from lucid.labels.forms import of_any_form
from lucid.labels.index import chosen_rows, row_error
from lucid.labels.lists import of_lists
from lucid.labels.multi_hot import of_multi_hot
from lucid.labels.padded import of_padded
from lucid.labels.rows import Int64Array, Rows, as_sets, contains, cut, row_of_each, take
from lucid.labels.sparse import of_sparse
from lucid.system.optional import require


class Labels:
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
        self._set(*rows, classes, *_apart(rows, as_sets(unknown)))

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

    # Constructors: one for each form that people hold.

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
            the masked entries of a `numpy.ma` array, and those equal to `unknown`.
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

    # Entries of which nobody knows whether they are labels.

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
        return self._checked(*rows, self._num_classes, *_apart(rows, union))

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

    # As other forms.

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
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_csr().sum(axis=1)
        array([1, 2])
        """
        sparse = require("scipy.sparse", extra="cli", purpose="Labels.to_csr")
        self._refuse_unknown("csr")
        once = self.drop_duplicates()
        marks = np.ones(once.indices.size, dtype=np.bool_)
        return with_small_indices(sparse, marks, once.indices, once.indptr, self.shape)

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
        if not isinstance(other, Labels):
            return False  # without asking a sparse matrix, which would want an array
        return (
            self._num_classes == other._num_classes
            and np.array_equal(self._indptr, other._indptr)
            and np.array_equal(self._indices, other._indices)
            and self._unknown_equals(other)
        )

    def _unknown_equals(self, other: "Labels") -> bool:
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


def _apart(labels: Rows, unknown: Rows) -> Rows:
    """Return unknown entries, ascending sets, none of which is a label."""
    indices, indptr = labels
    row = row_of_each(indptr)
    both = contains(*unknown, row, indices)
    if both.any():
        place = int(np.argmax(both))
        raise ValueError(
            f"class {indices[place]} is both a label and unknown in row {row[place]}: an entry is "
            "a label, unknown, or neither"
        )
    return unknown


def _dtype_with(unknown: float | None) -> npt.DTypeLike:
    """Return the dtype that holds 0, 1 and what stands for unknown entries."""
    if unknown is None or isinstance(unknown, (bool, np.bool_)):
        return np.bool_
    if not isinstance(unknown, Real):
        raise TypeError(f"unknown must be a number, got {unknown!r}")
    if not isinstance(unknown, Integral):
        return np.float64
    return np.int8 if -128 <= unknown <= 127 else np.int64

"""Labels: the one form that all label inputs become.

The labels of row ``i`` are ``indices[indptr[i]:indptr[i + 1]]``, as in a CSR matrix without its
values. Whatever users hold is brought into this form, and checked, once; the losses and metrics
then read it without another look.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from types import EllipsisType
from typing import Any, ClassVar, Self, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from lucid._kernels import multi_hot as multi_hot_kernel
from lucid.arrays.checks import as_array, as_int, guess_of, kind_of, refuse_masked
from lucid.arrays.sparse import checked_csr, with_small_indices
from lucid.system.optional import is_sparse, require
from lucid.system.warnings import warn_user

_Int64Array = np.ndarray[Any, np.dtype[np.int64]]

_INT64_MAX = 2**63 - 1


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

    Attributes
    ----------
    indices : ndarray of int64
        Read-only.
    indptr : ndarray of int64
        Read-only.
    num_classes : int

    Raises
    ------
    TypeError
        If an array does not hold integers.
    ValueError
        If a label is not in ``0 .. C - 1`` (the message names its row), or if `indptr` does not
        cut `indices` into rows.

    Notes
    -----
    * ``len(labels)`` is the number of rows. ``labels[3]`` is the array of row 3's labels;
      ``labels[2:7]``, ``labels[[4, 0]]`` and ``labels[mask]`` are `Labels` of those rows, so that
      mini-batches are cut like those of an array. ``labels[rows, :]`` and ``labels[rows, ...]``
      are the same as ``labels[rows]``: so scikit-learn's ``train_test_split`` and ``KFold`` cut.
    * Order within a row and labels given twice are kept: the margin loss counts a label that is
      listed twice twice. `drop_duplicates` makes sets of the rows.
    * Two `Labels` are equal when they have the same classes and the same labels in the same order.
    * ``np.savez(file, indices=labels.indices, indptr=labels.indptr,
      num_classes=labels.num_classes)`` saves one and ``Labels(**np.load(file))`` brings it back;
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
    """

    __slots__ = ("_indices", "_indptr", "_num_classes")

    __hash__: ClassVar[None]  # type: ignore[assignment]  # equal by content, as arrays are
    __array_ufunc__: ClassVar[None] = None  # NumPy leaves == to `__eq__`

    _indices: _Int64Array
    _indptr: _Int64Array
    _num_classes: int

    def __init__(
        self, indices: npt.ArrayLike, indptr: npt.ArrayLike, num_classes: SupportsIndex
    ) -> None:
        # Copies, then looks: what is kept is what was checked, whatever becomes of the originals.
        flat = _integers("indices", indices, ndim=1).copy()
        cuts = _integers("indptr", indptr, ndim=1).copy()
        classes = _class_count(num_classes)
        if cuts.size == 0 or cuts[0] != 0 or cuts[-1] != flat.size or np.any(cuts[1:] < cuts[:-1]):
            raise ValueError(
                f"indptr must rise from 0 to len(indices) = {flat.size} without falling, "
                f"got {_abbreviated(cuts)}"
            )
        starts = cuts.astype(np.int64, copy=False)
        self._set(_in_range("indices", flat, starts, classes), starts, classes)

    def _set(self, indices: _Int64Array, indptr: _Int64Array, num_classes: int) -> None:
        indices.flags.writeable = False
        indptr.flags.writeable = False
        self._indices = indices
        self._indptr = indptr
        self._num_classes = num_classes

    @classmethod
    def _checked(cls, indices: _Int64Array, indptr: _Int64Array, num_classes: int) -> Self:
        """Make one of arrays that are known to be right and that nobody else writes to."""
        labels = cls.__new__(cls)
        labels._set(indices, indptr, num_classes)
        return labels

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
        return cls._of_padded("padded", padded, num_classes)

    @classmethod
    def _of_padded(cls, name: str, padded: Any, num_classes: SupportsIndex) -> Self:
        rows = _integers(name, padded, ndim=2)
        classes = _class_count(num_classes)
        num_rows, width = rows.shape
        ends = np.full((num_rows, width + 1), True)
        np.equal(rows, -1, out=ends[:, :width])
        lengths = ends.argmax(axis=1)
        longest = int(lengths.max(initial=0))
        flat = rows[:, :longest][np.arange(longest) < lengths[:, np.newaxis]]
        indptr = _indptr_of(lengths)
        if width == classes > 1:
            _refuse_other_forms(name, rows, lengths)
        return cls._checked(_in_range(name, flat, indptr, classes, padded=True), indptr, classes)

    @classmethod
    def from_multi_hot(cls, multi_hot: npt.ArrayLike) -> Self:
        """Make `Labels` from a matrix with a one for each label and a zero elsewhere.

        Parameters
        ----------
        multi_hot : array_like
            Shape ``(N, C)``, bool, or numbers that are all 0 or 1.

        Returns
        -------
        Labels
            The labels of each row in ascending order.

        Raises
        ------
        TypeError
            If `multi_hot` is no array of numbers.
        ValueError
            If `multi_hot` is not 2-D, has no column or holds anything but 0 and 1.

        Examples
        --------
        >>> Labels.from_multi_hot([[True, False, True], [False, False, False]]).to_padded()
        array([[ 0,  2],
               [-1, -1]])
        """
        return cls._of_multi_hot("multi_hot", multi_hot)

    @classmethod
    def _of_multi_hot(cls, name: str, multi_hot: Any) -> Self:
        matrix = _dense(name, multi_hot)
        if matrix.dtype.kind not in "biufcO":
            raise TypeError(f"{name} must hold bools, or numbers 0 and 1, got {matrix.dtype}")
        if matrix.ndim != 2 or matrix.shape[1] == 0:
            raise ValueError(f"{name} must have shape (N, C) with C >= 1, got shape {matrix.shape}")
        if matrix.dtype != np.bool_:
            wrong = np.argwhere((matrix != 0) & (matrix != 1))
            if wrong.size:
                row, column = wrong[0]
                whole = matrix.dtype.kind in "iuf" and np.array_equal(matrix, np.round(matrix))
                guess = f"; {guess_of(name, matrix)}" if whole else ""
                raise ValueError(
                    f"{name} must hold only 0 and 1, got {matrix[row, column]!s} in row {row}, "
                    f"column {column}{guess}; for rows of class indices use Labels.from_padded"
                )
            matrix = matrix.astype(np.bool_)
        marks = np.ascontiguousarray(matrix).view(np.uint8)
        indptr = np.empty(len(marks) + 1, dtype=np.int64)
        multi_hot_kernel.count(marks, indptr)
        columns = np.empty(indptr[-1] + 1, dtype=np.int64)
        multi_hot_kernel.fill(marks, columns)
        return cls._checked(columns[:-1], indptr, matrix.shape[1])

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
        return cls._of_sparse("matrix", matrix)

    @classmethod
    def _of_sparse(cls, name: str, matrix: Any) -> Self:
        if not is_sparse(matrix):
            raise TypeError(
                f"{name} must be a scipy.sparse matrix or array, got {type(matrix).__name__}"
            )
        if matrix.dtype.kind not in "biuf":
            raise TypeError(f"{name} must hold bools or real numbers, got {matrix.dtype}")
        csr = checked_csr(name, matrix)
        if csr.shape[1] == 0:
            raise ValueError(f"{name} must have shape (N, C) with C >= 1, got shape {csr.shape}")
        values = csr.data[: csr.nnz]
        if csr.dtype.kind == "f" and np.isnan(values).any():
            raise ValueError(f"{name} must not hold NaN: nonzero is a label, zero is none")
        if csr.dtype.kind in "if" and values.min(initial=0) < 0:
            raise ValueError(
                f"{name} must not hold negative values, got {values.min()}: if only positive ones "
                f"are labels, use {name} > 0"
            )
        csr.sum_duplicates()
        csr.eliminate_zeros()
        indices, indptr = (part.astype(np.int64, copy=False) for part in (csr.indices, csr.indptr))
        return cls._checked(indices, indptr, csr.shape[1])

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
        return cls._of_lists("rows", rows, num_classes)

    @classmethod
    def _of_lists(cls, name: str, rows: Any, num_classes: SupportsIndex) -> Self:
        _refuse_sparse(name, rows)
        refuse_masked(name, rows)
        is_matrix = getattr(rows, "ndim", 1) == 2
        if not isinstance(rows, Iterable):
            raise TypeError(f"{name} must hold one list of labels each, got {type(rows).__name__}")
        rows = list(rows)
        for i, row in enumerate(rows):
            if not isinstance(row, Iterable) or getattr(row, "ndim", 1) == 0:
                raise TypeError(
                    f"{name} must hold one list of labels each, got {type(row).__name__} as row {i}"
                )
        lists = [list(row) for row in rows]
        indptr = _indptr_of(np.fromiter(map(len, lists), np.int64, count=len(lists)))
        flat = list(chain.from_iterable(lists))
        try:
            if not {bool, np.bool_}.isdisjoint(map(type, flat)):  # NumPy makes 1 of it beside ints
                raise TypeError(f"{name} must hold integers, got bool")
            labels = _integers(name, flat, ndim=1)
        except (TypeError, ValueError):
            for i, row in enumerate(lists):
                for label in row:
                    if _length(label) is not None and not isinstance(label, str):
                        raise TypeError(
                            f"{name} must hold integers in each row, "
                            f"got {type(label).__name__} in row {i}"
                        ) from None
            raise
        classes = _class_count(num_classes)
        if is_matrix and labels.size == len(lists) * classes > len(lists):
            _refuse_other_forms(name, labels.reshape(-1, classes), np.diff(indptr))
        return cls._checked(_in_range(name, labels, indptr, classes), indptr, classes)

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
        flat = _integers("indices", indices, ndim=1)
        starts = _integers("offsets", offsets, ndim=1)
        if starts.size and (starts[0] != 0 or np.any(starts[1:] < starts[:-1])):
            raise ValueError(f"offsets must rise from 0, got {_abbreviated(starts)}")
        if starts.size and starts[-1] > flat.size:
            raise ValueError(f"the last offset is {starts[-1]}, beyond {flat.size} indices")
        return cls(flat, np.append(starts.astype(np.int64), flat.size), num_classes)

    # The parts.

    @property
    def indices(self) -> _Int64Array:
        """The labels of all rows, one row after the other."""
        return self._indices

    @property
    def indptr(self) -> _Int64Array:
        """Shape ``(N + 1,)``: where each row begins, and where the last one ends."""
        return self._indptr

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

    def lengths(self) -> _Int64Array:
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

    def __iter__(self) -> Iterator[_Int64Array]:
        return (self[row] for row in range(len(self)))

    @overload
    def __getitem__(self, rows: int | np.integer[Any]) -> _Int64Array: ...
    @overload
    def __getitem__(self, rows: slice | Sequence[int] | npt.NDArray[Any]) -> Self: ...
    @overload
    def __getitem__(self, rows: EllipsisType | tuple[Any, ...]) -> Any: ...
    def __getitem__(self, rows: Any) -> Self | _Int64Array:
        if isinstance(rows, slice) and rows.step in (None, 1):
            first, last, _ = rows.indices(len(self))
            cuts = self._indptr[first : max(first, last) + 1]
            return self._checked(
                self._indices[cuts[0] : cuts[-1]], cuts - cuts[0], self._num_classes
            )
        if isinstance(rows, (int, np.integer)) and not isinstance(rows, bool):
            if not -len(self) <= rows < len(self):
                raise _row_error(rows, len(self))
            row = range(len(self))[rows]
            return self._indices[self._indptr[row] : self._indptr[row + 1]]
        return self._gather(rows)

    def _gather(self, rows: Any) -> Self | _Int64Array:
        if isinstance(rows, tuple) or rows is Ellipsis:
            of_rows: Self | _Int64Array = self[self._of_first_axis(rows)]
            return of_rows
        if isinstance(rows, slice):
            rows = np.arange(len(self))[rows]
        chosen = rows if type(rows) is np.ndarray else _as_array_of_rows(rows)
        if chosen.size == 0 and chosen.dtype == np.float64:
            chosen = chosen.astype(np.int64)  # NumPy makes floats of an empty list
        if chosen.dtype.kind not in ("iub" if chosen.ndim == 1 else "iu") or chosen.ndim > 1:
            raise IndexError(
                "rows must be an int, a slice, or a 1-D array or list of ints or bools, got "
                f"{kind_of(chosen)} of shape {chosen.shape}: labels are cut by rows alone"
            )
        if chosen.ndim == 0:
            return self[int(chosen)]
        if chosen.dtype.kind == "b":
            if chosen.size != len(self):
                raise IndexError(f"rows is a mask of {chosen.size}, but there are {len(self)} rows")
            chosen = np.flatnonzero(chosen)
        try:
            starts = self._indptr[:-1][chosen]
        except IndexError:
            wrong = chosen[(chosen < -len(self)) | (chosen >= len(self))][0]
            raise _row_error(wrong, len(self)) from None
        lengths = self._indptr[1:][chosen] - starts
        indptr = _indptr_of(lengths)
        # Element p of the result, in row i, stands at starts[i] + (p - indptr[i]) in the source.
        places = (starts - indptr[:-1]).repeat(lengths)
        places += np.arange(places.size)
        return self._checked(self._indices[places], indptr, self._num_classes)

    def _of_first_axis(self, key: Any) -> Any:
        """Return what an index of both axes, such as ``(rows, :)``, says of the rows."""
        parts = list(key) if isinstance(key, tuple) else [key]
        dots = [part is Ellipsis for part in parts]
        if any(dots):
            place = dots.index(True)
            parts[place : place + 1] = [slice(None)] * (3 - len(parts))
        rows, columns, *more = [*parts, slice(None), slice(None)][: max(2, len(parts))]
        every = (0, self._num_classes, 1)
        if more or not isinstance(columns, slice) or columns.indices(self._num_classes) != every:
            raise IndexError(
                "labels are cut by rows alone, as in labels[rows] or labels[rows, :]; for some of "
                "the classes use to_csr()[rows, classes]"
            )
        return list(rows) if isinstance(rows, tuple) else rows

    # As other forms.

    def to_padded(self, width: int | None = None) -> _Int64Array:
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
            If a row has more than `width` labels.

        Examples
        --------
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_padded(width=3)
        array([[ 1, -1, -1],
               [ 0,  2, -1]])
        """
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

        Examples
        --------
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_csr().sum(axis=1)
        array([1, 2])
        """
        sparse = require("scipy.sparse", extra="cli", purpose="Labels.to_csr")
        once = self.drop_duplicates()
        marks = np.ones(once.indices.size, dtype=np.bool_)
        return with_small_indices(sparse, marks, once.indices, once.indptr, self.shape)

    def to_multi_hot(self) -> npt.NDArray[np.bool_]:
        """Return an array that is True at each label.

        Returns
        -------
        ndarray of bool
            Shape ``(N, C)``.

        Examples
        --------
        >>> Labels.from_lists([[1], [0, 2]], num_classes=3).to_multi_hot()
        array([[False,  True, False],
               [ True, False,  True]])
        """
        multi_hot = np.zeros(self.shape, dtype=np.bool_)
        multi_hot[self._row_of_each(), self._indices] = True
        return multi_hot

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
        rising = np.diff(self._indices) > 0
        between_rows = self._indptr[1:-1]
        rising[between_rows[(between_rows > 0) & (between_rows < self._indices.size)] - 1] = True
        if rising.all():
            return self
        row = self._row_of_each()
        order = np.lexsort((self._indices, row))
        row, label = row[order], self._indices[order]
        first = np.ones(label.size, dtype=np.bool_)
        first[1:] = (row[1:] != row[:-1]) | (label[1:] != label[:-1])
        lengths = np.bincount(row[first], minlength=len(self))
        return self._checked(label[first], _indptr_of(lengths), self._num_classes)

    def _row_of_each(self) -> _Int64Array:
        return np.repeat(np.arange(len(self)), self.lengths())

    # As an object.

    def __repr__(self) -> str:
        return (
            f"Labels(rows={len(self)}, num_classes={self._num_classes}, "
            f"labels={self._indices.size})"
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
        )

    def __array__(self, dtype: Any = None, copy: Any = None) -> npt.NDArray[Any]:
        raise TypeError(
            "Labels are not an array: use to_padded(), to_multi_hot() or to_csr(), or indices, "
            "the labels of all rows"
        )

    def __reduce__(self) -> tuple[type[Self], tuple[_Int64Array, _Int64Array, int]]:
        return type(self), (self._indices, self._indptr, self._num_classes)


def as_labels(labels: Any, shape: tuple[int, ...], name: str = "labels") -> Labels:
    """Bring any form of labels that cannot be mistaken into `Labels`.

    Parameters
    ----------
    labels : Labels, array_like, scipy.sparse matrix or array, or list of lists
        Integer arrays are padded indices, bool arrays are multi-hot, sparse matrices are
        multi-hot, and lists of different lengths (or sets) are indices.
    shape : tuple of int
        ``(N, C)`` or ``(C,)``, that of the scores that the labels belong to.
    name : str
        What the caller's user knows the labels as, for the errors.

    Returns
    -------
    Labels

    Raises
    ------
    TypeError
        If the labels are floats or complex numbers.
    ValueError
        If their rows or classes are not those of the scores, or a label is out of range.

    Examples
    --------
    >>> as_labels([[0, 2], [1]], shape=(2, 3)) == as_labels([[0, 2], [1, -1]], shape=(2, 3))
    True
    """
    if len(shape) == 1:
        shape = (1, *shape)
        if is_array_like(labels):
            labels = np.atleast_2d(_dense(name, labels))
        elif isinstance(labels, (list, tuple)) and not labels:
            labels = [[]]
    known = any_form(name, labels, num_classes=shape[1])
    if known.shape != shape:
        hint = "; are they transposed?" if known.shape == shape[::-1] else ""
        raise ValueError(
            f"{name}: labels of shape {known.shape} (rows, classes) do not fit scores of shape "
            f"{shape}{hint}"
        )
    return known


def is_array_like(labels: Any) -> bool:
    """Whether labels are an array, or nested lists that NumPy makes one of."""
    return not (isinstance(labels, Labels) or is_sparse(labels) or _are_lists(labels))


def any_form(name: str, labels: Any, num_classes: int | None) -> Labels:
    """Bring any form of labels into `Labels`; some forms bring their own number of classes."""
    if isinstance(labels, Labels):
        return labels
    if is_sparse(labels):
        return Labels._of_sparse(name, labels)
    array = None if _are_lists(labels) else _dense(name, labels)
    if array is not None and array.dtype == np.bool_:
        return Labels._of_multi_hot(name, array)
    if num_classes is None:
        if array is not None:
            _integers(name, array, ndim=2)
        raise TypeError(
            f"{name} are class indices, which need num_classes; multi-hot ones are passed as bool"
        )
    if array is None:
        return Labels._of_lists(name, labels, num_classes)
    known = Labels._of_padded(name, array, num_classes)
    if num_classes == 2 == array.shape[1] and array.size and array.min() >= 0:
        warn_user(
            f"{name} holds only 0 and 1, row 0 is {_abbreviated(array[0])}: "
            f"{guess_of(name, array)}; if they are indices, end each row with -1"
        )
    _doubt_stray_labels(array, known)
    return known


def _refuse_other_forms(
    name: str, rows: npt.NDArray[np.integer[Any]], lengths: _Int64Array
) -> None:
    """Refuse rows as wide as the classes that cannot be class indices, see `Labels.from_padded`.

    What follows a -1 is no reason where the values are those of indices: PyTorch ignores it.
    """
    if len(rows) == 0:
        return
    whole = lengths == rows.shape[1]
    ascending = np.sort(rows[whole], axis=1)
    wrong = np.zeros(len(rows), np.bool_)
    wrong[whole] = (ascending[:, 1:] == ascending[:, :-1]).any(axis=1)
    fault = "names one twice"
    if not wrong.any() and rows.max() <= 1 and rows.min() >= -1:
        wrong = (lengths > 2) | ((lengths == 2) & (rows[:, 0] == rows[:, 1]))
        if not wrong.any():
            wrong = np.count_nonzero(rows != -1, axis=1) > lengths
            fault = "goes on after a -1"
    if wrong.any():
        row = int(np.argmax(wrong))
        raise ValueError(
            f"{name} cannot be class indices, a row as wide as the classes {fault}: row {row} is "
            f"{_abbreviated(rows[row])}: {guess_of(name, rows)}; class indices are taken with one "
            "more column of -1"
        )


def _doubt_stray_labels(array: npt.NDArray[Any], known: Labels) -> None:
    """Doubt a label right behind the first -1 of its row, where the margin kernel looks for one."""
    behind = known.lengths() + 1
    (rows,) = np.nonzero(behind < array.shape[1])
    stray = rows[array[rows, behind[rows]] != -1]
    if stray.size:
        row = int(stray[0])
        warn_user(
            f"row {row} is {_abbreviated(array[row])}: what stands after its first -1 is ignored"
        )


def _are_lists(rows: Any) -> bool:
    """Whether rows are lists that make no array: sets, not all of one length, or all empty."""
    if not isinstance(rows, (list, tuple)):
        return False
    has_set = any(isinstance(row, (set, frozenset)) for row in rows)
    lengths = {_length(row) for row in rows}
    return has_set or len(lengths) != 1 or lengths == {0}


def _length(row: Any) -> int | None:
    try:
        return len(row)
    except TypeError:  # a number, also as an array without axes
        return None


def _refuse_sparse(name: str, values: Any) -> None:
    if is_sparse(values):
        raise TypeError(
            f"{name} must not be sparse, got {type(values).__name__}: use Labels.from_csr"
        )


def _dense(name: str, values: Any) -> npt.NDArray[Any]:
    """Return an array; refuse the forms of labels that have constructors of their own."""
    if isinstance(values, Labels):
        raise TypeError(f"{name} must be an array, got Labels, which need no conversion")
    _refuse_sparse(name, values)
    return as_array(name, values)


def _integers(name: str, values: Any, *, ndim: int) -> npt.NDArray[np.integer[Any]]:
    """Return ``values`` as an integer array, each value still the one that was given."""
    array = _dense(name, values)
    if array.size == 0 and array.dtype == np.float64:
        array = array.astype(np.int64)  # NumPy makes floats of an empty list
    if array.dtype.kind not in "iu":
        hint = ""
        if array.ndim == 2:
            hint = "; for a multi-hot matrix use Labels.from_multi_hot"
        elif array.dtype.kind == "f" and np.all(array == np.round(array)):
            hint = "; if these are class indices, convert them with int"
        raise TypeError(f"{name} must hold integers, got {kind_of(array)}{hint}")
    if array.ndim != ndim:
        raise ValueError(f"{name} must be {ndim}-D, got shape {array.shape}")
    return array


def _as_array_of_rows(rows: Any) -> npt.NDArray[Any]:
    try:
        chosen = np.asarray(rows)
    except (TypeError, ValueError, RuntimeError) as error:
        raise IndexError(f"rows cannot be read as an array: {error}") from None
    if isinstance(rows, np.ma.MaskedArray) and np.ma.is_masked(rows):
        raise IndexError("rows must not have masked entries")
    return chosen


def _row_error(row: Any, count: int) -> IndexError:
    return IndexError(f"row {row} is out of range: there are {count} rows")


def _class_count(num_classes: SupportsIndex) -> int:
    classes = as_int("num_classes", num_classes)
    if not 1 <= classes <= _INT64_MAX:
        wanted = "at least 1" if classes < 1 else f"at most {_INT64_MAX}"
        raise ValueError(f"num_classes must be {wanted}, got {classes}")
    return classes


def _in_range(
    name: str,
    flat: npt.NDArray[np.integer[Any]],
    indptr: _Int64Array,
    num_classes: int,
    *,
    padded: bool = False,
) -> _Int64Array:
    """Return labels in int64, or say which one is out of range.

    They are looked at as they were given: a conversion might wrap 2**64 - 1 to -1.
    """
    if flat.size == 0 or (flat.min() >= 0 and flat.max() < num_classes):
        return flat.astype(np.int64, copy=False)
    place = int(np.argmax((flat < 0) | (flat >= num_classes)))
    row = int(np.searchsorted(indptr, place, side="right")) - 1
    hint = ""
    if flat.min() >= 1 and flat.max() == num_classes:
        hint = "; labels count from 0: subtract 1 if yours count from 1"
    elif flat[place] == -1:
        hint = "; only in the padded form does -1 end a row"
    elif padded and flat[place] < 0:
        hint = "; a row ends with -1"
    raise ValueError(
        f"{name}: label {flat[place]} in row {row}, {'column' if padded else 'position'} "
        f"{place - indptr[row]} is out of range: expected 0 <= label < {num_classes}{hint}"
    )


def _indptr_of(lengths: npt.NDArray[np.integer[Any]]) -> _Int64Array:
    indptr = np.zeros(lengths.size + 1, dtype=np.int64)
    lengths.cumsum(out=indptr[1:])
    return indptr


def _abbreviated(array: npt.NDArray[Any]) -> str:
    return np.array2string(array, threshold=6, edgeitems=3, separator=", ")

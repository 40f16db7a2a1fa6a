"""The svmlight (libsvm) form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.arrays.sparse import with_small_indices
from lucid.data.dataset import DataFileError, Dataset, scipy_sparse
from lucid.data.files import FilePath, read_text
from lucid.data.lines import Lines
from lucid.data.names import ClassNames, check_names, names_in, with_numbers
from lucid.data.scanning import checked_dtype, scan
from lucid.data.streams import DataStream, checked_rows
from lucid.data.writing import TextRows, written
from lucid.labels.rows import indptr_of

#: What follows the value that keeps a row without labels and features.
_EMPTY = b"# an empty row"
_EMPTY_ROW = re.compile(rb"\s+[01]:0 " + _EMPTY + rb"\s*")

_LARGEST_SIZE = 2**63 - 2  # of what a caller asks for: the scanner adds 1 to it


def read_svmlight(
    path: FilePath,
    *,
    num_features: SupportsIndex | None = None,
    num_classes: SupportsIndex | None = None,
    zero_based: bool = False,
    class_names: ClassNames = False,
    dtype: npt.DTypeLike = np.float32,
) -> Dataset:
    """Read a multi-label file in svmlight (libsvm) form.

    Each line is a row, ``label,label,... feature:value feature:value ...``, without a header; what
    follows a ``#`` is a comment.

    Parameters
    ----------
    path : str or path
        Plain text, or compressed with gzip, bzip2 or xz, told apart by the first bytes.
    num_features, num_classes : int, optional
        The sizes ``F`` and ``C``; by default one more than the largest index in the file. Give
        them for a test file, which may lack the last ones.
    zero_based : bool
        Whether features count from 0. Labels always do.
    class_names : bool or sequence of str, default False
        Whether labels are names, as in `read_xmc`; then there are as many classes as names.
    dtype : {numpy.float32, numpy.float64}
        The type of the feature values.

    Returns
    -------
    Dataset
        As `read_xmc` returns it.

    Raises
    ------
    DataFileError
        If the file is not of that form, or holds no row. The message names the file, the line and
        what is wrong.
    TypeError, ValueError
        If `num_features` or `num_classes` is no integer, or not positive, or is not the number of
        the `class_names`. If these are no different names.
    OSError, ImportError
        As from `read_xmc`.

    Notes
    -----
    Lines that hold nothing but blanks or a comment are skipped, as scikit-learn's reader does. In
    all else the notes of `read_xmc` hold.

    Examples
    --------
    >>> with open("tiny.svm", "w") as file:
    ...     _ = file.write("0,3 2:0.5 # a comment\\n 1:1 3:-2\\n")
    >>> read_svmlight("tiny.svm").features.toarray()
    array([[ 0. ,  0.5,  0. ],
           [ 1. ,  0. , -2. ]], dtype=float32)
    """
    text = read_text(path)
    features = _size("num_features", num_features)
    classes = _size("num_classes", num_classes)
    names: tuple[str, ...] | None = None
    if class_names:
        found = names_in(path, text, comments=True) if class_names is True else class_names
        if not found:
            raise DataFileError(f"{path}: no row has a label, so no class has a name")
        numbers = check_names(found, classes)
        text = with_numbers(path, text, numbers, comments=True)
        names, classes = tuple(numbers), len(numbers)
    data = _scanned(
        path,
        text,
        num_features=features,
        num_classes=classes,
        first_feature=0 if zero_based else 1,
        dtype=dtype,
    )
    if len(data) == 0:
        raise DataFileError(f"{path}:1: the file holds no row")
    return replace(data, class_names=names)


def stream_svmlight(
    path: FilePath,
    *,
    num_features: SupportsIndex,
    num_classes: SupportsIndex | None = None,
    rows: SupportsIndex = 4096,
    zero_based: bool = False,
    class_names: Sequence[str] | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> DataStream:
    r"""Read a multi-label file in svmlight (libsvm) form in pieces.

    Only one piece is in memory at a time, so that a file larger than memory can be trained on.

    Parameters
    ----------
    path : str or path
        As `read_svmlight` takes it.
    num_features, num_classes : int
        The sizes ``F`` and ``C``, which only the whole file could tell. `num_classes` may be left
        out beside `class_names`.
    rows : int, default 4096
        How many lines make a piece. Lines that hold no row make it smaller.
    zero_based : bool
        Whether features count from 0. Labels always do.
    class_names : sequence of str, optional
        The names of the classes, where labels are names.
    dtype : {numpy.float32, numpy.float64}
        The type of the feature values.

    Returns
    -------
    DataStream
        Each time that it is iterated over, the file is read from the beginning.

    Raises
    ------
    DataFileError, OSError, ImportError, TypeError, ValueError
        As from `read_svmlight`. What is wrong with a row is found when its piece is read.

    Examples
    --------
    >>> with open("tiny.svm", "w") as file:
    ...     _ = file.write("0,3 2:0.5\n 1:1 3:-2\n")
    >>> [len(piece) for piece in stream_svmlight("tiny.svm", num_features=3, num_classes=4, rows=1)]
    [1, 1]
    """
    features = _size("num_features", num_features)
    classes = _size("num_classes", num_classes)
    numbers = check_names(class_names, classes) if class_names else None
    classes = len(numbers) if numbers else classes
    if features is None or classes is None:
        raise TypeError("num_features and num_classes must be given: pieces do not tell them")
    size, real = checked_rows(rows), checked_dtype(dtype)

    def read() -> Iterator[Dataset]:
        lines, empty = Lines(path), True
        while text := lines.take(size):
            first = lines.number - text.count(b"\n")
            if numbers:
                text = with_numbers(path, text, numbers, comments=True, first_line=first)
            piece = _scanned(
                path,
                text,
                first_line=first,
                num_features=features,
                num_classes=classes,
                first_feature=0 if zero_based else 1,
                dtype=real,
            )
            if len(piece):
                empty = False
                yield piece
        if empty:
            raise DataFileError(f"{path}:1: the file holds no row")

    return DataStream(read, None, features, classes, size, tuple(numbers) if numbers else None)


def write_svmlight(
    path: FilePath,
    features: Any,
    labels: Any,
    *,
    zero_based: bool = False,
    class_names: Sequence[str] | None = None,
) -> None:
    """Write a multi-label file in svmlight (libsvm) form.

    `read_svmlight` reads the same features and labels from it, to the last bit, if it is told the
    sizes, `zero_based`, and the dtype of the features.

    Parameters
    ----------
    path : str or path
        As in `write_xmc`.
    features : scipy.sparse matrix or array, or array_like
        As in `write_xmc`.
    labels : Labels, or any form that tells the number of classes
        As in `write_xmc`.
    zero_based : bool, default False
        Whether features count from 0. Labels always do.
    class_names : sequence of str, optional
        The names of the classes, to be written in place of their numbers.

    Raises
    ------
    TypeError, ValueError, OSError
        As from `write_xmc`.

    Notes
    -----
    Readers skip empty lines. A row without labels and features is kept by a feature of value 0,
    which a comment tells `read_svmlight` to leave out again.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lucid import Labels
    >>> from lucid.io import write_svmlight
    >>> labels = Labels.from_lists([[0, 3], [], []], num_classes=4)
    >>> write_svmlight("tiny.svm", [[0.0, 0.5], [1.0, -0.25], [0.0, 0.0]], labels)
    >>> print(Path("tiny.svm").read_text(), end="")
    0,3 2:0.5
     1:1 2:-0.25
     1:0 # an empty row
    """
    rows = TextRows(features, labels, class_names)
    first = 0 if zero_based else 1
    nothing = f" {first}:0 {_EMPTY.decode()}"
    with written(path) as file:
        file.writelines(rows.lines(first_feature=first, for_nothing=nothing))


def _scanned(path: FilePath, text: bytes, **how: Any) -> Dataset:
    """Scan lines, and leave out the values that are there for empty rows only."""
    data = scan(path, text, rows=None, **how)
    if _EMPTY not in text:
        return data
    rows = (line for line in text.split(b"\n") if line.partition(b"#")[0].strip())
    empty = np.array([_EMPTY_ROW.fullmatch(line) is not None for line in rows])
    x, lengths = data.features, np.diff(data.features.indptr)
    kept, indptr = np.repeat(~empty, lengths), indptr_of(np.where(empty, 0, lengths))
    values, indices = x.data[kept], x.indices[kept]
    features = with_small_indices(scipy_sparse(), values, indices, indptr, x.shape)
    return replace(data, features=features)


def _size(name: str, size: SupportsIndex | None) -> int | None:
    if size is None:
        return None
    number = as_int(name, size)
    if not 1 <= number <= _LARGEST_SIZE:
        raise ValueError(f"{name} must be from 1 to {_LARGEST_SIZE}, got {number}")
    return number

"""The text form of the Extreme Classification Repository."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.data.dataset import DataFileError, Dataset
from lucid.data.files import FilePath, read_text
from lucid.data.lines import Lines
from lucid.data.names import ClassNames, check_names, names_in, with_numbers, without_labels
from lucid.data.scanning import LARGEST_INDEX, checked_dtype, scan, shown
from lucid.data.streams import DataStream, checked_rows
from lucid.data.writing import TextRows, written


def read_xmc(
    path: FilePath,
    *,
    class_names: ClassNames = False,
    dtype: npt.DTypeLike = np.float32,
) -> Dataset:
    r"""Read a file in the text form of the Extreme Classification Repository [1]_.

    The first line is ``rows features labels``; each further line is a row,
    ``label,label,... feature:value feature:value ...``, all counted from 0. A row without labels
    begins with a space.

    Parameters
    ----------
    path : str or path
        Plain text, or compressed with gzip, bzip2 or xz, told apart by the first bytes.
    class_names : bool or sequence of str, default False
        Whether labels are names, UTF-8 words without a comma. Their classes are in sorted order,
        or in that of the sequence, such as the ``class_names`` of a training set.
    dtype : {numpy.float32, numpy.float64}
        The type of the feature values.

    Returns
    -------
    Dataset
        Features of shape ``(rows, features)``, and labels, each once in a row and ascending.

    Raises
    ------
    DataFileError
        If the file is not of that form. The message names the file, the line and what is wrong.
    OSError
        If it cannot be read, or is no regular file.
    ImportError
        If SciPy is not installed, or this Python was built without what unpacks the file.
    TypeError, ValueError
        If `class_names` are no different names, or `dtype` is neither of the two.

    See Also
    --------
    stream_xmc : Read a file in pieces, one that is larger than memory too.
    write_xmc : Write such a file.

    Notes
    -----
    * A label that a line lists twice is one label.
    * A feature that a line lists twice is stored twice, which SciPy reads as the sum.
    * Each value is the double nearest to the text, then rounded to `dtype`; ``nan``, ``inf`` and
      what overflows `dtype` are errors. float32 rounds whole numbers beyond 2**24 (16,777,216):
      it makes neighbouring time stamps one, which float64 tells apart.
    * An empty line is a row without labels and features, except behind the last row that the
      header promises.
    * There are no comments: a ``#`` is an error.
    * The text is ASCII, its lines end in ``\n`` or ``\r\n``. A UTF-8 byte-order mark is skipped.
    * A compressed file may be one stream or several, one after the other. One that unpacks to more
      than 128 MiB and more than 100 times its size is refused before it fills the memory.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: multi-label datasets and
       code", 2016, http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> with open("tiny.txt", "w") as file:
    ...     _ = file.write("2 3 4\n0,3 1:0.5\n 0:1 2:-2.5e-1\n")
    >>> data = read_xmc("tiny.txt")
    >>> data.labels.to_padded()
    array([[ 0,  3],
           [-1, -1]])
    >>> data.features.toarray()
    array([[ 0.  ,  0.5 ,  0.  ],
           [ 1.  ,  0.  , -0.25]], dtype=float32)
    """
    text = read_text(path)
    first_line = BytesIO(text).readline()
    header = read_header(path, first_line)
    lines = count_lines(text) - 1
    if lines < header.rows:
        raise header.too_few(path, lines)
    text, names = text[len(first_line) :] if class_names else text, None
    if class_names is True:
        names = header.names_in(path, [text])
    elif class_names:
        names = tuple(check_names(class_names, header.num_classes))
    if names:
        text = with_numbers(path, text, check_names(names), comments=False, first_line=2)
    data = scan(
        path,
        text,
        start=0 if names else len(first_line),
        first_line=2 if names else 1,
        rows=header.rows,
        num_features=header.num_features,
        num_classes=header.num_classes,
        dtype=dtype,
    )
    return replace(data, class_names=names)


class Header(NamedTuple):
    """What the first line of a file says."""

    rows: int
    num_features: int
    num_classes: int

    def too_few(self, path: FilePath, rows: int) -> DataFileError:
        """Return the error of a file that ends too early."""
        return DataFileError(
            f"{path}:{rows + 1}: the file ends after {rows} rows, its header promises {self.rows}"
        )

    def names_in(self, path: FilePath, texts: Iterable[bytes]) -> tuple[str, ...]:
        """Return the names of all classes that the header promises, from the lines after it."""
        found: set[str] = set()
        line = 2
        for text in texts:
            found.update(names_in(path, text, comments=False, first_line=line))
            line += text.count(b"\n")
        names = tuple(sorted(found))
        if len(names) != self.num_classes:
            hint = "" if len(names) > self.num_classes else "; class_names can name the others"
            raise DataFileError(
                f"{path}: its labels have {len(names)} names, its header promises "
                f"{self.num_classes} classes{hint}"
            )
        return names


def read_header(path: FilePath, line: bytes) -> Header:
    """Read the three numbers of the first line."""
    if not line:
        raise DataFileError(f"{path}:1: the file is empty")
    sizes = line.split(maxsplit=3)
    if len(sizes) != 3 or not all(s.isdigit() and len(s) < 19 for s in sizes):
        hint = ""
        if re.search(rb"(^|\s)[0-9]+:", line):  # a feature
            hint = (
                "; a file in svmlight's form has none: lucid.io.read_svmlight reads it, and "
                "lucid.io.write_xmc writes the same rows with a header"
            )
        if re.fullmatch(rb"\s*[0-9]+\s+[0-9]+\s*", line):
            hint = (
                "; features and labels that are in two files are read by lucid.io.read_xmc_pair, "
                "or with --labels"
            )
        raise DataFileError(
            f"{path}:1: the header must be three numbers, `rows features labels`, "
            f"got {shown(line.strip())}{hint}"
        )
    header = Header(*map(int, sizes))
    if not (1 <= header.num_features <= LARGEST_INDEX and 1 <= header.num_classes <= LARGEST_INDEX):
        raise DataFileError(
            f"{path}:1: the numbers of features and labels must be 1 .. {LARGEST_INDEX}, "
            f"got {header.num_features} and {header.num_classes}"
        )
    return header


def count_lines(text: bytes) -> int:
    """Return how many lines a text has; the end of the last one may be missing."""
    return text.count(b"\n") + (len(text) > 0 and not text.endswith(b"\n"))


def stream_xmc(
    path: FilePath,
    *,
    rows: SupportsIndex = 4096,
    class_names: ClassNames | None = None,
    labels: bool = True,
    dtype: npt.DTypeLike = np.float32,
) -> DataStream:
    r"""Read a file in the text form of the Extreme Classification Repository in pieces.

    Only one piece is in memory at a time, so that a file larger than memory can be trained on.

    Parameters
    ----------
    path : str or path
        As `read_xmc` takes it. Only the header is read at once.
    rows : int, default 4096
        How many rows a piece has; the last one may have fewer.
    class_names : bool or sequence of str, optional
        Whether labels are names, as in `read_xmc`. With True they are looked for at once, in the
        whole file.
    labels : bool, default True
        Whether labels are read. If not, rows have none, whatever the file says: for predictions.
    dtype : {numpy.float32, numpy.float64}
        The type of the feature values.

    Returns
    -------
    DataStream
        Each time that it is iterated over, the file is read from the beginning.

    Raises
    ------
    DataFileError, OSError, ImportError, TypeError, ValueError
        As from `read_xmc`. What is wrong with a row is found when its piece is read.

    Examples
    --------
    >>> with open("tiny.txt", "w") as file:
    ...     _ = file.write("3 3 4\n0,3 1:0.5\n 0:1 2:-2.5e-1\n2 0:1\n")
    >>> pieces = stream_xmc("tiny.txt", rows=2)
    >>> pieces
    DataStream(rows=3, features=3, classes=4, in pieces of 2)
    >>> for piece in pieces:
    ...     print(piece.features.shape, piece.labels)
    (2, 3) Labels(rows=2, num_classes=4, labels=2)
    (1, 3) Labels(rows=1, num_classes=4, labels=1)
    """
    header = read_header(path, Lines(path).take(1))
    size = checked_rows(rows)
    real = checked_dtype(dtype)
    names: Sequence[str] = ()
    if labels and class_names is True:
        lines = Lines(path)
        lines.take(1)
        names = header.names_in(path, iter(lambda: lines.take(size), b""))
    elif labels and not isinstance(class_names, bool):
        names = class_names or ()
    numbers = check_names(names, header.num_classes) if names else None

    def read() -> Iterator[Dataset]:
        lines = Lines(path)
        if read_header(path, lines.take(1)) != header:
            raise DataFileError(f"{path}:1: the header has changed since the file was opened")
        left = header.rows
        while text := lines.take(size):
            found = count_lines(text)
            first = lines.number - text.count(b"\n")
            if numbers:
                text = with_numbers(path, text, numbers, comments=False, first_line=first)
            elif not labels:
                text = without_labels(text)
            piece = scan(
                path,
                text,
                first_line=first,
                rows=min(found, left),
                promised=header.rows,
                num_features=header.num_features,
                num_classes=header.num_classes,
                dtype=real,
            )
            left -= len(piece)
            if len(piece):
                yield piece
        if left:
            raise header.too_few(path, header.rows - left)

    return DataStream(read, *header, size, tuple(numbers) if numbers else None)


def write_xmc(
    path: FilePath,
    features: Any,
    labels: Any,
    *,
    class_names: Sequence[str] | None = None,
) -> None:
    """Write a file in the text form of the Extreme Classification Repository.

    `read_xmc` reads the same features and labels from it, to the last bit, if its `dtype` is that
    of the features.

    Parameters
    ----------
    path : str or path
        A file that is there already is replaced in one step; if writing fails, it stays as it was.
        A name that ends in ``.gz``, ``.bz2`` or ``.xz`` is packed so.
    features : scipy.sparse matrix or array, or array_like
        Shape ``(N, F)``, finite real numbers. What a sparse matrix stores is written, a zero too;
        of an array, what is not 0.
    labels : Labels, or any form that tells the number of classes
        ``N`` rows. What a row names twice is written once.
    class_names : sequence of str, optional
        The names of the classes, to be written in place of their numbers.

    Raises
    ------
    TypeError
        If the features are not real numbers of at most 64 bits, or the labels are class indices
        other than `Labels`.
    ValueError
        If the rows of features and labels differ, a value is not finite, an entry of the labels is
        unknown (the form has no place for these), or a name cannot be written.
    OSError
        If the file cannot be written.

    See Also
    --------
    read_xmc : The form, and its reader.
    write_svmlight : The same without the header.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from lucid import Labels
    >>> from lucid.io import read_xmc, write_xmc
    >>> labels = Labels.from_lists([[0, 3], []], num_classes=4)
    >>> write_xmc("tiny.txt.gz", csr_array([[0.0, 0.5, 0.0], [1.0, 0.0, -0.25]]), labels)
    >>> read_xmc("tiny.txt.gz")
    Dataset(rows=2, features=3, classes=4)
    """
    rows = TextRows(features, labels, class_names)
    with written(path) as file:
        sizes = (len(rows), rows.features.shape[1], rows.labels.num_classes)
        file.write("{} {} {}\n".format(*sizes).encode())
        file.writelines(rows.lines(first_feature=0, for_nothing=""))

"""The text form of the Extreme Classification Repository with features and labels apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.data.dataset import DataFileError, Dataset
from lucid.data.files import FilePath, read_text
from lucid.data.scanning import LARGEST_INDEX, scan, shown
from lucid.data.xmc import Header, count_lines
from lucid.labels import Labels
from lucid.labels.rows import indptr_of


def read_xmc_pair(
    features: FilePath,
    labels: FilePath,
    *,
    filter_pairs: FilePath | None = None,
    dtype: npt.DTypeLike = np.float32,
) -> Dataset:
    r"""Read features and labels from two text files of the Extreme Classification Repository.

    Each is a sparse matrix: a first line ``rows columns``, then a line for each row,
    ``column:value column:value ...``, all counted from 0. In the repository they are called, for
    instance, ``trn_X_Xf.txt`` and ``trn_X_Y.txt``.

    Parameters
    ----------
    features : str or path
        The matrix ``(N, F)`` of features. Plain text, or compressed with gzip, bzip2 or xz.
    labels : str or path
        The matrix ``(N, C)`` of labels: each value that is not 0 is one.
    filter_pairs : str or path, optional
        Pairs of a row and a class to leave out, as `read_filter_pairs` reads them: they become
        unknown entries of the labels, as by `Dataset.leave_out`.
    dtype : {numpy.float32, numpy.float64}
        The type of the feature values.

    Returns
    -------
    Dataset

    Raises
    ------
    DataFileError
        If a file is not of that form, or the two have different numbers of rows. The message names
        the file, the line and what is wrong.
    OSError, ImportError
        As from `read_xmc`.

    Examples
    --------
    >>> with open("trn_X_Xf.txt", "w") as file:
    ...     _ = file.write("2 3\n1:0.5\n0:1 2:-2.5e-1\n")
    >>> with open("trn_X_Y.txt", "w") as file:
    ...     _ = file.write("2 4\n0:1 3:1\n\n")
    >>> data = read_xmc_pair("trn_X_Xf.txt", "trn_X_Y.txt")
    >>> data
    Dataset(rows=2, features=3, classes=4)
    >>> data.labels.to_padded()
    array([[ 0,  3],
           [-1, -1]])
    """
    values = _read_matrix(features, "columns", dtype)
    marks = _read_matrix(labels, "classes", np.float32)
    if values.shape[0] != marks.shape[0]:
        raise DataFileError(
            f"{labels}: {marks.shape[0]} rows, but {features} has {values.shape[0]}"
        )
    if (negative := marks.data < 0).any():
        first = int(np.argmax(negative))
        line = int(np.searchsorted(marks.indptr, first, side="right")) + 1
        raise DataFileError(
            f"{labels}:{line}: the value of a label must not be negative, got {marks.data[first]:g}"
        )
    marks.eliminate_zeros()
    data = Dataset(values, Labels.from_csr(marks))
    if filter_pairs is None:
        return data
    return data.leave_out(read_filter_pairs(filter_pairs, data.labels.shape))


def read_filter_pairs(path: FilePath, shape: tuple[int, int]) -> Labels:
    r"""Read pairs of a row and a class that are to be left out of an evaluation.

    Each line is ``row class``, both counted from 0. The repository gives such files, for instance
    ``filter_labels_test.txt``, with data sets whose documents may be labels themselves.

    Parameters
    ----------
    path : str or path
        Plain text, or compressed with gzip, bzip2 or xz; it may be empty.
    shape : tuple of two int
        ``(N, C)``, that of the labels.

    Returns
    -------
    Labels
        The classes to leave out of each row, for `Dataset.leave_out`.

    Raises
    ------
    DataFileError
        If the file is not of that form, or a pair is out of range.
    OSError
        If it cannot be read, or is no regular file.

    Examples
    --------
    >>> with open("filter_labels_test.txt", "w") as file:
    ...     _ = file.write("0 2\n2 0\n2 1\n")
    >>> read_filter_pairs("filter_labels_test.txt", (3, 4)).to_padded()
    array([[ 2, -1],
           [-1, -1],
           [ 0,  1]])
    """
    text = read_text(path, may_be_empty=True)
    pairs = []
    for number, line in enumerate(text.split(b"\n"), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 2 or not all(w.isdigit() and len(w) < 19 for w in words):
            raise DataFileError(f"{path}:{number}: not a pair `row class`: {shown(line.strip())}")
        pair = int(words[0]), int(words[1])
        if not (pair[0] < shape[0] and pair[1] < shape[1]):
            raise DataFileError(f"{path}:{number}: a pair out of range of shape {shape}: {pair}")
        pairs.append(pair)
    rows, classes = np.array(pairs, np.int64).reshape(-1, 2).T
    order = np.lexsort((classes, rows))
    lengths = np.bincount(rows, minlength=shape[0])
    return Labels(classes[order], indptr_of(lengths), shape[1]).drop_duplicates()


def _read_matrix(path: FilePath, columns: str, dtype: npt.DTypeLike) -> Any:
    """Read a matrix as the features of rows without labels."""
    text = read_text(path)
    first_line = text[: text.find(b"\n") + 1] or text
    sizes = first_line.split(maxsplit=2)
    if len(sizes) != 2 or not all(s.isdigit() and len(s) < 19 for s in sizes):
        raise DataFileError(
            f"{path}:1: the header must be two numbers, `rows {columns}`, "
            f"got {shown(first_line.strip())}"
        )
    header = Header(int(sizes[0]), int(sizes[1]), 1)
    if not 1 <= header.num_features <= LARGEST_INDEX:
        raise DataFileError(
            f"{path}:1: the number of {columns} must be 1 .. {LARGEST_INDEX}, "
            f"got {header.num_features}"
        )
    if (lines := count_lines(text) - 1) < header.rows:
        raise header.too_few(path, lines)
    data = scan(
        path,
        text,
        start=len(first_line),
        rows=header.rows,
        num_features=header.num_features,
        num_classes=1,
        dtype=dtype,
    )
    if data.labels.indices.size:
        line = int(np.argmax(data.labels.lengths() > 0)) + 2
        raise DataFileError(f"{path}:{line}: not an entry (expected `column:value`)")
    return data.features

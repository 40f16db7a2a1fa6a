"""SciPy's own files of sparse matrices."""

from __future__ import annotations

import errno
import math
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np

from lucid.arrays.sparse import checked_csr
from lucid.data.dataset import DataFileError, Dataset, scipy_sparse
from lucid.data.files import LARGEST_RATIO, FilePath, largest_content, opened
from lucid.labels import any_form

#: The arrays of a matrix, and the kinds of numbers that each may hold.
_NPZ_PARTS = {
    "data": "biufc",
    **dict.fromkeys(("indices", "indptr", "offsets", "row", "col", "coords", "shape"), "iu"),
}


def read_npz_pair(features: FilePath, labels: FilePath) -> Dataset:
    """Read features and labels from two files that ``scipy.sparse.save_npz`` wrote.

    Parameters
    ----------
    features : str or path
        A sparse matrix of shape ``(N, F)``, in any format.
    labels : str or path
        A sparse matrix of shape ``(N, C)``, in any format: each nonzero entry is a label.

    Returns
    -------
    Dataset

    Raises
    ------
    DataFileError
        If a file is not of that form, its matrix has indices out of range or values that are not
        finite, or the two have different numbers of rows; if one would fill the memory: if it
        unpacks to more than 128 MiB and more than 100 times its size, or has as many more rows.
    OSError
        If a file cannot be read, or is no regular file.
    ImportError
        If SciPy is not installed.

    Examples
    --------
    >>> from scipy.sparse import csr_array, save_npz
    >>> save_npz("features.npz", csr_array([[0.5, 0.0], [0.0, 2.0]]))
    >>> save_npz("labels.npz", csr_array([[0, 1, 0], [1, 0, 1]]))
    >>> read_npz_pair("features.npz", "labels.npz")
    Dataset(rows=2, features=2, classes=3)
    """
    with _naming(features):
        values = checked_csr("the matrix", _load_npz(features))
        if values.dtype.kind not in "biuf" or not np.isfinite(values.data[: values.nnz]).all():
            raise ValueError("the matrix must hold finite real numbers")
    with _naming(labels):
        marks = any_form("the matrix", _load_npz(labels), num_classes=None)
    if values.shape[0] != len(marks):
        raise DataFileError(f"{labels}: {len(marks)} rows, but {features} has {values.shape[0]}")
    return Dataset(scipy_sparse().csr_array(values), marks)


@contextmanager
def _naming(path: FilePath) -> Iterator[None]:
    """Name the file in the errors about its content."""
    try:
        yield
    except DataFileError:
        raise
    except (TypeError, ValueError) as error:
        raise DataFileError(f"{path}: {error}") from None


def _load_npz(path: FilePath) -> Any:
    """Load a matrix, after a look at whether it can be as large as it says."""
    sparse = scipy_sparse()
    with opened(path) as file:
        limit = largest_content(file)
        try:
            _check_parts(file, limit)
            file.seek(0)
            matrix = sparse.load_npz(file)
            if 8 * matrix.shape[0] > limit:
                raise ValueError(f"it is too small a file for {matrix.shape[0]} rows")
        except MemoryError:
            raise
        except Exception as error:  # zipfile, pickle, numpy and scipy each have errors of their own
            if isinstance(error, OSError) and error.errno not in (None, errno.EINVAL):
                raise  # of the disk; that other one is of places that the file does not have
            raise DataFileError(
                f"{path}: not a file that scipy.sparse.save_npz wrote: {error}"
            ) from error
    return matrix


def _check_parts(file: BinaryIO, limit: float) -> None:
    """Check the headers of the arrays in an ``.npz`` file; no memory is asked for before."""
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > limit:
            raise ValueError(f"it unpacks to more than {LARGEST_RATIO} times its size")
        for member in archive.infolist():
            name = member.filename.removesuffix(".npy")
            if name not in _NPZ_PARTS:
                continue
            with archive.open(member) as part:
                version, _ = np.lib.format.read_magic(part)
                read_header = getattr(np.lib.format, f"read_array_header_{min(version, 2)}_0")
                shape, _, dtype = read_header(part)
                size = member.file_size - part.tell()
            if dtype.kind not in _NPZ_PARTS[name]:
                raise ValueError(f"{name} holds {dtype}")
            if math.prod(shape) * dtype.itemsize != size:
                raise ValueError(f"{name} has another length than its shape {shape}")

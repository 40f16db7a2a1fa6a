"""The svmlight (libsvm) form."""

from typing import SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.data.dataset import DataFileError, Dataset
from lucid.data.files import FilePath, read_text
from lucid.data.scanning import scan

_LARGEST_SIZE = 2**63 - 2  # of what a caller asks for: the scanner adds 1 to it


def read_svmlight(
    path: FilePath,
    *,
    num_features: SupportsIndex | None = None,
    num_classes: SupportsIndex | None = None,
    zero_based: bool = False,
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
        If `num_features` or `num_classes` is no integer, or not positive.
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
    data = scan(
        path,
        read_text(path),
        start=0,
        rows=None,
        num_features=_size("num_features", num_features),
        num_classes=_size("num_classes", num_classes),
        first_feature=0 if zero_based else 1,
        dtype=dtype,
    )
    if len(data) == 0:
        raise DataFileError(f"{path}:1: the file holds no row")
    return data


def _size(name: str, size: SupportsIndex | None) -> int | None:
    if size is None:
        return None
    number = as_int(name, size)
    if not 1 <= number <= _LARGEST_SIZE:
        raise ValueError(f"{name} must be from 1 to {_LARGEST_SIZE}, got {number}")
    return number

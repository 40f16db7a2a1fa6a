"""Data files in, checkpoints in and out.

Sparse multi-label data comes as text (`read_xmc`, `read_svmlight`) or as two SciPy files
(`read_npz_pair`). The scanner itself is compiled, in ``lucid/_kernels/text.pyx``; here its
findings become arrays, or an error that names the file and the line. Checkpoints are
``safetensors`` files that are either written whole or not at all.
"""

import codecs
import gzip
import os
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid._atomic import replacing
from lucid._checks import as_array, as_int
from lucid._kernels import text as scanner
from lucid._optional import require
from lucid._sparse import checked_csr, with_small_indices
from lucid.labels import Labels

__all__ = [
    "DataFileError",
    "Dataset",
    "load_checkpoint",
    "read_npz_pair",
    "read_svmlight",
    "read_xmc",
    "save_checkpoint",
]

_Path = str | os.PathLike[str]

_GZIP_MAGIC = b"\x1f\x8b"
_LARGEST_INDEX = 2**31 - 1
_LARGEST_SIZE = 2**63 - 2  # of what a caller asks for: the scanner adds 1 to it


class DataFileError(ValueError):
    """A file that is not what it should be; the message begins with its name and line."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and labels of the same rows.

    Parameters
    ----------
    features : scipy.sparse.csr_array
        Shape ``(N, F)``.
    labels : Labels
        ``N`` rows of labels.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from lucid import Labels
    >>> data = Dataset(csr_array([[0.5, 0.0], [0.0, 2.0]]), Labels.from_lists([[1], [0, 2]], 3))
    >>> data
    Dataset(rows=2, features=2, classes=3)
    """

    features: Any
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        rows, features = self.features.shape
        return f"Dataset(rows={rows}, features={features}, classes={self.labels.num_classes})"


# Text.


def read_xmc(path: _Path, *, dtype: npt.DTypeLike = np.float32) -> Dataset:
    """Read a file in the text form of the Extreme Classification Repository [1]_.

    The first line is ``rows features labels``; each further line is a row,
    ``label,label,... feature:value feature:value ...``, all counted from 0. A row without labels
    begins with a space.

    Parameters
    ----------
    path : str or path
        Plain text or gzip, told apart by the first bytes.
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
    ImportError
        If SciPy is not installed.

    Notes
    -----
    * A label that a line lists twice is one label.
    * A feature that a line lists twice is stored twice, which SciPy reads as the sum.
    * Each value is the double nearest to the text, then rounded to `dtype`; ``nan``, ``inf`` and
      what overflows `dtype` are errors.
    * An empty line is a row without labels and features, except behind the last row that the
      header promises.
    * There are no comments: a ``#`` is an error.

    References
    ----------
    .. [1] K. Bhatia et al., "The extreme classification repository: multi-label datasets and
       code", 2016, http://manikvarma.org/downloads/XC/XMLRepository.html

    Examples
    --------
    >>> with open("tiny.txt", "w") as file:
    ...     _ = file.write("2 3 4\\n0,3 1:0.5\\n 0:1 2:-2.5e-1\\n")
    >>> data = read_xmc("tiny.txt")
    >>> data.labels.to_padded()
    array([[ 0,  3],
           [-1, -1]])
    >>> data.features.toarray()
    array([[ 0.  ,  0.5 ,  0.  ],
           [ 1.  ,  0.  , -0.25]], dtype=float32)
    """
    text = _read_bytes(path)
    header, newline, _ = text.partition(b"\n")
    sizes = header.split()
    if len(sizes) != 3 or not all(s.isdigit() and len(s) < 19 for s in sizes):
        raise DataFileError(
            f"{path}:1: the header must be three numbers, `rows features labels`, "
            f"got {_shown(header)}"
        )
    rows, num_features, num_classes = map(int, sizes)
    if not 1 <= num_features <= _LARGEST_INDEX or not 1 <= num_classes <= _LARGEST_INDEX:
        raise DataFileError(
            f"{path}:1: the numbers of features and labels must be 1 .. {_LARGEST_INDEX}, "
            f"got {num_features} and {num_classes}"
        )
    lines = text.count(b"\n") + (not text.endswith(b"\n")) - 1
    if lines < rows:
        raise DataFileError(
            f"{path}:{lines + 1}: the file ends after {lines} rows, its header promises {rows}"
        )
    return _scan(
        path,
        text,
        start=len(header) + len(newline),
        rows=rows,
        num_features=num_features,
        num_classes=num_classes,
        dtype=dtype,
    )


def read_svmlight(
    path: _Path,
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
        Plain text or gzip, told apart by the first bytes.
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
    ImportError
        If SciPy is not installed.

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
    data = _scan(
        path,
        _read_bytes(path),
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


def _scan(
    path: _Path,
    text: bytes,
    *,
    start: int,
    rows: int | None,
    num_features: int | None,
    num_classes: int | None,
    first_feature: int = 0,
    dtype: npt.DTypeLike,
) -> Dataset:
    """Scan ``text``; a size of None is not known beforehand."""
    real = np.dtype(dtype)
    if real not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {real}")
    capacity = text.count(b"\n") + 1 if rows is None else rows
    labels = np.empty(text.count(b",") + capacity, dtype=np.int64)
    label_indptr = np.empty(capacity + 1, dtype=np.int64)
    features = np.empty(text.count(b":"), dtype=np.int64)
    feature_indptr = np.empty(capacity + 1, dtype=np.int64)
    values = np.empty(features.size, dtype=real)

    max_features = _LARGEST_INDEX if num_features is None else num_features
    max_classes = _LARGEST_INDEX if num_classes is None else num_classes
    code, place, found = scanner.scan(
        text, start, rows is None, first_feature, max_features, max_classes,
        labels, label_indptr, features, feature_indptr, values,
    )  # fmt: skip
    if code != scanner.OK:
        what = {
            scanner.BAD_LABEL: "not a label (expected `label,label,...`)",
            scanner.BAD_FEATURE: "not a feature (expected `index:value`)",
            scanner.BAD_VALUE: f"not a feature with a finite {real} value",
            scanner.LABEL_RANGE: f"label out of range 0 .. {max_classes - 1}",
            scanner.FEATURE_RANGE: (
                f"feature out of range {first_feature} .. {max_features - 1 + first_feature}"
            ),
            scanner.TOO_MANY_ROWS: f"more rows than the {rows} that the header promises",
        }[code]
        line = text.count(b"\n", 0, place) + 1
        word = (text[place : place + 50].split(maxsplit=1) or [b""])[0]
        hint = ""
        if code == scanner.FEATURE_RANGE and first_feature == 1 and word.startswith(b"0:"):
            hint = "; where features count from 0, zero_based=True reads them"
        raise DataFileError(f"{path}:{line}: {what}: {_shown(word)}{hint}")
    if rows is not None and found < rows:
        raise DataFileError(f"{path}: the file ends after {found} rows, its header promises {rows}")

    label_indptr, feature_indptr = label_indptr[: found + 1], feature_indptr[: found + 1]
    labels, features = labels[: label_indptr[-1]], features[: feature_indptr[-1]]
    values = values[: features.size]
    if num_features is None:
        num_features = int(features.max(initial=0)) + 1
    if num_classes is None:
        num_classes = int(labels.max(initial=0)) + 1
    return Dataset(
        with_small_indices(_sparse(), values, features, feature_indptr, (found, num_features)),
        Labels(labels, label_indptr, num_classes).drop_duplicates(),
    )


def _read_bytes(path: _Path) -> bytes:
    """Return the content of a file, unpacked if it is a gzip file, without a byte-order mark."""
    try:
        content = Path(path).read_bytes()
    except OSError as error:  # one from reading, not opening, names no file
        raise OSError(error.errno, error.strerror, str(path)) from error
    if not content:
        raise DataFileError(f"{path}:1: the file is empty")
    if not content.startswith(_GZIP_MAGIC):
        return content.removeprefix(codecs.BOM_UTF8)
    try:
        return gzip.decompress(content).removeprefix(codecs.BOM_UTF8)
    except (EOFError, OSError, zlib.error) as error:
        unpacked = zlib.decompressobj(wbits=31)
        try:
            lines = unpacked.decompress(content).count(b"\n")
        except zlib.error:
            lines = 0
        raise DataFileError(
            f"{path}:{lines + 1}: the gzip file is truncated or damaged here: {error}"
        ) from None


def _shown(token: bytes) -> str:
    text = token[:40].decode(errors="replace")
    return repr(text + "..." if len(token) > 40 else text)


def _sparse() -> Any:
    return require("scipy.sparse", extra="cli", purpose="reading data files")


# SciPy's own files.


def read_npz_pair(features: _Path, labels: _Path) -> Dataset:
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
        finite, or the two have different numbers of rows.
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
        marks = Labels._of_sparse("the matrix", _load_npz(labels))
    if values.shape[0] != len(marks):
        raise DataFileError(f"{labels}: {len(marks)} rows, but {features} has {values.shape[0]}")
    return Dataset(_sparse().csr_array(values), marks)


@contextmanager
def _naming(path: _Path) -> Iterator[None]:
    """Name the file in the errors about its content."""
    try:
        yield
    except DataFileError:
        raise
    except (TypeError, ValueError) as error:
        raise DataFileError(f"{path}: {error}") from None


def _load_npz(path: _Path) -> Any:
    sparse = _sparse()
    try:
        return sparse.load_npz(path)
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, pickle, numpy and scipy each have errors of their own
        raise DataFileError(
            f"{path}: not a file that scipy.sparse.save_npz wrote: {error}"
        ) from error


# Checkpoints.


def save_checkpoint(
    path: _Path,
    arrays: Mapping[str, npt.ArrayLike],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays to a ``safetensors`` file, whole or not at all.

    Parameters
    ----------
    path : str or path
        A file that is there already is replaced in one step; if saving fails, it stays as it was.
    arrays : mapping of str to array_like
        For instance ``model.state_dict()``.
    metadata : mapping of str to str, optional
        Kept in the file's header.

    Raises
    ------
    TypeError
        If a name, or a key or value of the metadata, is not a str; if an array holds what the
        format has no type for: objects, text, numbers of more than 64 bits.
    ValueError
        If a text cannot be written as UTF-8, an array is named ``'__metadata__'``, or nested lists
        have different lengths.
    OSError
        If the file cannot be written.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("model.safetensors", {"bias": np.zeros(3)}, {"loss": "margin"})
    >>> arrays, metadata = load_checkpoint("model.safetensors")
    >>> arrays["bias"], metadata
    (array([0., 0., 0.]), {'loss': 'margin'})
    """
    safetensors = require("safetensors.numpy", extra="cli", purpose="saving a checkpoint")
    notes = dict(metadata or {})
    for text in (*arrays, *notes, *notes.values()):
        _check_text(text)
    if "__metadata__" in arrays:
        raise ValueError("arrays: '__metadata__' is a name that safetensors keeps for itself")
    values = {name: _stored(f"arrays[{name!r}]", array) for name, array in arrays.items()}
    content = safetensors.save(values, metadata=notes)
    with replacing(path) as file:
        file.write(content)


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"names and metadata must be str, got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"names and metadata must be valid Unicode, got {text!r}") from None


def _stored(name: str, values: Any) -> npt.NDArray[Any]:
    array = as_array(name, values)
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold numbers of at most 64 bits, got {array.dtype}")
    # safetensors writes the buffer as it lies in memory, so it must lie in C order.
    return np.asarray(array, order="C")


def load_checkpoint(path: _Path) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Read what `save_checkpoint` wrote.

    Parameters
    ----------
    path : str or path
        A ``safetensors`` file.

    Returns
    -------
    arrays : dict of str to ndarray
        The arrays by name.
    metadata : dict of str to str
        Empty if the file has none.

    Raises
    ------
    DataFileError
        If the file is not a whole ``safetensors`` file, or holds a type that NumPy lacks, such as
        bfloat16.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("model.safetensors", {"weight": np.eye(2)})
    >>> load_checkpoint("model.safetensors")[0]["weight"]
    array([[1., 0.],
           [0., 1.]])
    """
    safetensors = require("safetensors", extra="cli", purpose="loading a checkpoint")
    with open(path, "rb"):
        pass  # a missing file is an OSError that names it, not an error of safetensors
    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            arrays = {name: _read_array(path, file, name) for name in file.keys()}  # noqa: SIM118
            return arrays, file.metadata() or {}
    except safetensors.SafetensorError as error:
        raise DataFileError(f"{path}: not a whole safetensors file: {error}") from error


def _read_array(path: _Path, file: Any, name: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = file.get_tensor(name)
    except (AttributeError, TypeError) as error:  # safetensors asks NumPy for the type by its name
        raise DataFileError(f"{path}: {name} has a type that NumPy lacks: {error}") from error
    return array

"""Data files in, checkpoints in and out.

Sparse multi-label data comes as text (`read_xmc`, `read_svmlight`) or as two SciPy files
(`read_npz_pair`). The scanner itself is compiled, in ``lucid/_kernels/text.pyx``; here its
findings become arrays, or an error that names the file and the line. Checkpoints are
``safetensors`` files that are either written whole or not at all.
"""

import codecs
import errno
import math
import os
import re
import stat
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid._kernels import text as scanner
from lucid.arrays.checks import as_array, as_int
from lucid.arrays.sparse import checked_csr, with_small_indices
from lucid.labels import Labels, any_form
from lucid.system.atomic import replacing
from lucid.system.optional import require

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

#: How a compressed file begins, and the name of its form.
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))
#: How other files begin that are sooner or later taken for data.
_FOREIGN = (
    (b"PK", "a zip archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first"),
    (b"]\0\0", "compressed with lzma: unpack it first"),
    (b"\x1f\x9d", "compressed with compress: unpack it first"),
    (codecs.BOM_UTF16_LE, "UTF-16 text: write it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text: write it as UTF-8"),
)
_PIECE = 1 << 18  # bytes that are read or unpacked at once
#: A small file that would fill the memory is refused: no data file is packed so tightly.
_LARGEST_RATIO, _ALWAYS_ALLOWED = 100, 1 << 27
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
    r"""Read a file in the text form of the Extreme Classification Repository [1]_.

    The first line is ``rows features labels``; each further line is a row,
    ``label,label,... feature:value feature:value ...``, all counted from 0. A row without labels
    begins with a space.

    Parameters
    ----------
    path : str or path
        Plain text, or compressed with gzip, bzip2 or xz, told apart by the first bytes.
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
    text = _read_text(path)
    header = BytesIO(text).readline()
    sizes = header.split(maxsplit=3)
    if len(sizes) != 3 or not all(s.isdigit() and len(s) < 19 for s in sizes):
        raise DataFileError(
            f"{path}:1: the header must be three numbers, `rows features labels`, "
            f"got {_shown(header.strip())}"
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
        start=len(header),
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
    data = _scan(
        path,
        _read_text(path),
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
    # The shortest label and the shortest row take two bytes, the shortest feature, `1:1 `, takes
    # four: a file of nothing but commas or colons asks for no more memory than one of data.
    half, quarter = (len(text) + 1) // 2, (len(text) + 1) // 4
    capacity = min(text.count(b"\n") + 1, half) if rows is None else rows
    labels = np.empty(min(text.count(b",") + capacity, half), dtype=np.int64)
    label_indptr = np.empty(capacity + 1, dtype=np.int64)
    features = np.empty(min(text.count(b":"), quarter), dtype=np.int64)
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


def _read_text(path: _Path) -> bytes:
    """Return the text of a file, unpacked if it is compressed, without a byte-order mark."""
    with _opened(path) as file:
        start = file.read(8)
        file.seek(0)
        forms = [form for magic, form in _COMPRESSED if start.startswith(magic)]
        text = _unpacked(path, file, forms[0]) if forms else file.read()
    if not text:
        raise DataFileError(f"{path}:1: the file is empty")
    for magic, what in _FOREIGN:
        if text.startswith(magic):
            raise DataFileError(f"{path}:1: this is {what}")
    if text.startswith(b"ustar", 257):
        raise DataFileError(f"{path}:1: this is a tar archive: unpack it first")
    if b"\r" in text and (stray := re.search(rb"\r(?!\n|\Z)", text)):
        line = text.count(b"\n", 0, stray.start()) + 1
        raise DataFileError(
            f"{path}:{line}: a carriage return inside of a line: lines must end in \\n or \\r\\n"
        )
    return text.removeprefix(codecs.BOM_UTF8)


@contextmanager
def _opened(path: _Path) -> Iterator[BinaryIO]:
    """Open a regular file to read; every OSError names it."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe; a device
                raise OSError(errno.EINVAL, "not a regular file")
            yield file
    except OSError as error:  # one from reading, not opening, names no file
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe too, which else would open only once somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def _largest_content(file: BinaryIO) -> int:
    """Return how many bytes a file may unpack to."""
    return max(_ALWAYS_ALLOWED, _LARGEST_RATIO * os.fstat(file.fileno()).st_size)


def _unpacked(path: _Path, file: BinaryIO, form: str) -> bytes:
    try:
        new = _decompressor(form)
    except ImportError as error:
        raise ImportError(
            f"{path} is compressed with {form}, which this Python was built without: "
            "unpack the file first"
        ) from error
    unpacked, limit = BytesIO(), _largest_content(file)
    try:
        for piece in _pieces(file, new):
            unpacked.write(piece)
            if unpacked.tell() > limit:
                raise DataFileError(
                    f"{path}: unpacks to more than {_LARGEST_RATIO} times its size, as no data "
                    "file does: to read it all the same, unpack it first"
                )
    except (DataFileError, MemoryError):
        raise
    except Exception as error:  # each codec has errors of its own
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        line = unpacked.getvalue().count(b"\n") + 1
        raise DataFileError(
            f"{path}:{line}: the {form} file is truncated or damaged here: {error}"
        ) from None
    return unpacked.getvalue()


def _decompressor(form: str) -> Callable[[], Any]:
    # Imported here, because a Python may be built without them.
    if form == "gzip":
        import zlib

        return partial(zlib.decompressobj, wbits=31)
    if form == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    import lzma

    return lzma.LZMADecompressor


def _pieces(file: BinaryIO, new: Callable[[], Any]) -> Iterator[bytes]:
    """Unpack a file of one stream, or of several, as `cat` and parallel compressors make them.

    Python's own file objects for bzip2 and xz take a damaged second stream for the end of the file.
    """
    packed = file.read(_PIECE)
    while packed:
        stream = new()
        while not stream.eof:
            yield stream.decompress(packed, _PIECE)
            packed = getattr(stream, "unconsumed_tail", b"")  # zlib gives back what it has not read
            if not packed and getattr(stream, "needs_input", not stream.eof):
                packed = file.read(_PIECE)
                if not packed:
                    raise EOFError("it ends in the middle of a stream")
        packed = stream.unused_data.lstrip(b"\0")  # there may be zeros between streams
        while not packed and (more := file.read(_PIECE)):
            packed = more.lstrip(b"\0")


def _shown(token: bytes) -> str:
    text = token[:40].decode(errors="replace")
    hint = " (with NUL bytes: it is UTF-16, or no text)" if "\0" in text else ""
    return repr(text + "..." if len(token) > 40 else text) + hint


def _sparse() -> Any:
    return require("scipy.sparse", extra="cli", purpose="reading data files")


# SciPy's own files.

#: The arrays of a matrix, and the kinds of numbers that each may hold.
_NPZ_PARTS = {
    "data": "biufc",
    **dict.fromkeys(("indices", "indptr", "offsets", "row", "col", "coords", "shape"), "iu"),
}


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
    """Load a matrix, after a look at whether it can be as large as it says."""
    sparse = _sparse()
    with _opened(path) as file:
        limit = _largest_content(file)
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


def _check_parts(file: BinaryIO, limit: int) -> None:
    """Check the headers of the arrays in an ``.npz`` file; no memory is asked for before."""
    with zipfile.ZipFile(file) as archive:
        if sum(member.file_size for member in archive.infolist()) > limit:
            raise ValueError(f"it unpacks to more than {_LARGEST_RATIO} times its size")
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
        A process that is killed while it saves leaves ``.lucid-<16 digits>.tmp`` beside it, which
        the next save into the folder removes.
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
        bfloat16, or a shape, such as one of 65 axes.
    OSError
        If it cannot be read, or is no regular file.
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
    with _opened(path) as file:  # an OSError names the file, as one of safetensors does not
        size = os.fstat(file.fileno()).st_size
    try:
        with safetensors.safe_open(path, framework="numpy") as content:
            np.empty(size, np.uint8)  # a MemoryError, where safetensors would panic
            names = content.keys()
            return {n: _read_array(path, content, n) for n in names}, content.metadata() or {}
    except safetensors.SafetensorError as error:
        raise DataFileError(f"{path}: not a whole safetensors file: {error}") from error


def _read_array(path: _Path, content: Any, name: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = content.get_tensor(name)
    except (AttributeError, TypeError) as error:  # safetensors asks NumPy for the type by its name
        raise DataFileError(f"{path}: {name:.60} has a type that NumPy lacks: {error}") from error
    except ValueError as error:
        raise DataFileError(f"{path}: {name:.60} has a shape that NumPy lacks: {error}") from error
    return array

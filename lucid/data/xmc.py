"""The text form of the Extreme Classification Repository."""

from io import BytesIO

import numpy as np
import numpy.typing as npt

from lucid.data.dataset import DataFileError, Dataset
from lucid.data.files import FilePath, read_text
from lucid.data.scanning import LARGEST_INDEX, scan, shown


def read_xmc(path: FilePath, *, dtype: npt.DTypeLike = np.float32) -> Dataset:
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
    text = read_text(path)
    header = BytesIO(text).readline()
    sizes = header.split(maxsplit=3)
    if len(sizes) != 3 or not all(s.isdigit() and len(s) < 19 for s in sizes):
        raise DataFileError(
            f"{path}:1: the header must be three numbers, `rows features labels`, "
            f"got {shown(header.strip())}"
        )
    rows, num_features, num_classes = map(int, sizes)
    if not 1 <= num_features <= LARGEST_INDEX or not 1 <= num_classes <= LARGEST_INDEX:
        raise DataFileError(
            f"{path}:1: the numbers of features and labels must be 1 .. {LARGEST_INDEX}, "
            f"got {num_features} and {num_classes}"
        )
    lines = text.count(b"\n") + (not text.endswith(b"\n")) - 1
    if lines < rows:
        raise DataFileError(
            f"{path}:{lines + 1}: the file ends after {lines} rows, its header promises {rows}"
        )
    return scan(
        path,
        text,
        start=len(header),
        rows=rows,
        num_features=num_features,
        num_classes=num_classes,
        dtype=dtype,
    )

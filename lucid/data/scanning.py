"""Lines of labels and features become arrays, or an error that names the line.

The scanner itself is compiled, in ``lucid/_kernels/text.pyx``.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import text as scanner
from lucid.arrays.sparse import with_small_indices
from lucid.data.dataset import DataFileError, Dataset, scipy_sparse
from lucid.data.files import FilePath
from lucid.labels import Labels

LARGEST_INDEX = 2**31 - 1


def scan(
    path: FilePath,
    text: bytes,
    *,
    start: int = 0,
    first_line: int = 1,
    rows: int | None,
    promised: int | None = None,
    num_features: int | None,
    num_classes: int | None,
    first_feature: int = 0,
    dtype: npt.DTypeLike,
) -> Dataset:
    """Scan ``text``; a size of None is not known beforehand.

    ``first_line`` is the number of its first line in the file; ``promised`` are the rows of the
    whole file, where ``text`` is a part of it.
    """
    real = checked_dtype(dtype)
    # The shortest label and the shortest row take two bytes, the shortest feature, `1:1 `, takes
    # four: a file of nothing but commas or colons asks for no more memory than one of data.
    half, quarter = (len(text) + 1) // 2, (len(text) + 1) // 4
    capacity = min(text.count(b"\n") + 1, half) if rows is None else rows
    labels = np.empty(min(text.count(b",") + capacity, half), dtype=np.int64)
    label_indptr = np.empty(capacity + 1, dtype=np.int64)
    features = np.empty(min(text.count(b":"), quarter), dtype=np.int64)
    feature_indptr = np.empty(capacity + 1, dtype=np.int64)
    values = np.empty(features.size, dtype=real)

    max_features = LARGEST_INDEX if num_features is None else num_features
    max_classes = LARGEST_INDEX if num_classes is None else num_classes
    code, place, found = scanner.scan(
        text, start, rows is None, first_feature, max_features, max_classes,
        labels, label_indptr, features, feature_indptr, values,
    )  # fmt: skip
    if code != scanner.OK:
        what = {
            scanner.BAD_LABEL: (
                "not a label (expected numbers, `label,label,...`; names are read by "
                "--named-labels, or class_names=True)"
            ),
            scanner.BAD_FEATURE: "not a feature (expected `index:value`)",
            scanner.BAD_VALUE: f"not a feature with a finite {real} value",
            scanner.LABEL_RANGE: f"label out of range 0 .. {max_classes - 1}",
            scanner.FEATURE_RANGE: (
                f"feature out of range {first_feature} .. {max_features - 1 + first_feature}"
            ),
            scanner.TOO_MANY_ROWS: (
                f"more rows than the {promised or rows} that the header promises"
            ),
        }[code]
        line = text.count(b"\n", 0, place) + first_line
        word = (text[place : place + 50].split(maxsplit=1) or [b""])[0]
        hint = ""
        if code == scanner.BAD_LABEL and not text[place : place + 1].strip():
            what = "no label after a comma (expected numbers, `label,label,...`, without blanks)"
            before = max(text.rfind(b"\n", 0, place), text.rfind(b",", 0, place - 1))
            word = text[before + 1 : place]
        if code == scanner.FEATURE_RANGE and first_feature == 1 and word.startswith(b"0:"):
            hint = "; where features count from 0, zero_based=True reads them"
        raise DataFileError(f"{path}:{line}: {what}: {shown(word)}{hint}")
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
        with_small_indices(scipy_sparse(), values, features, feature_indptr, (found, num_features)),
        Labels(labels, label_indptr, num_classes).drop_duplicates(),
    )


def checked_dtype(dtype: npt.DTypeLike) -> np.dtype[Any]:
    real = np.dtype(dtype)
    if real not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {real}")
    return real


def shown(token: bytes) -> str:
    text = token[:40].decode(errors="replace")
    hint = " (with NUL bytes: it is UTF-16, or no text)" if "\0" in text else ""
    return repr(text + "..." if len(token) > 40 else text) + hint

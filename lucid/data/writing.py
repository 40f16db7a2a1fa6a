"""Text files written: whole or not at all, packed as their names say, numbers that come back."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import IO, Any, cast

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, kind_of
from lucid.arrays.sparse import checked_csr, dtype_for_scipy
from lucid.data.dataset import scipy_sparse
from lucid.data.files import FilePath
from lucid.data.names import check_label, check_names
from lucid.data.scanning import LARGEST_INDEX
from lucid.labels import any_form
from lucid.system.atomic import replacing
from lucid.system.optional import is_sparse

#: Rows that are put into words at once.
_BLOCK = 4096


@contextmanager
def written(path: FilePath) -> Iterator[IO[bytes]]:
    """Open a new file that takes the place of ``path`` once it is whole.

    It is packed if the name ends in .gz, .bz2 or .xz; the same content gives the same bytes.
    """
    pack = _packed_as(os.fspath(path))
    with replacing(path) as file:
        if pack is None:
            yield file
        else:
            with pack(file) as packed:
                yield packed


def _packed_as(name: str) -> Callable[[IO[bytes]], IO[bytes]] | None:
    # Imported here, because a Python may be built without them.
    if name.endswith(".gz"):
        import gzip

        return lambda file: cast(IO[bytes], gzip.GzipFile("", "wb", 6, file, mtime=0))
    if name.endswith(".bz2"):
        import bz2

        return lambda file: cast(IO[bytes], bz2.BZ2File(file, "wb"))
    if name.endswith(".xz"):
        import lzma

        return lambda file: cast(IO[bytes], lzma.LZMAFile(file, "wb"))
    return None


class TextRows:
    """Rows of features and labels, checked, that become lines of text."""

    def __init__(self, features: Any, labels: Any, class_names: Sequence[str] | None) -> None:
        self.features = _checked_features(features)
        self.labels = any_form("labels", labels, num_classes=None).drop_duplicates()
        if self.labels.unknown_indices is not None:
            raise ValueError(
                f"labels have {self.labels.unknown_indices.size} unknown entries, for which the "
                "form has no place: write labels.without_unknown()"
            )
        if self.features.shape[0] != len(self.labels):
            raise ValueError(
                f"features and labels must have the same rows, got {self.features.shape[0]} "
                f"and {len(self.labels)}"
            )
        if self.labels.num_classes > LARGEST_INDEX:
            raise ValueError(f"labels must be of at most {LARGEST_INDEX} classes")
        self._names: list[str] | None = None
        if class_names is not None:
            self._names = list(check_names(class_names, self.labels.num_classes))
            for name in self._names:
                check_label(name)

    def __len__(self) -> int:
        return len(self.labels)

    def lines(self, *, first_feature: int, for_nothing: str) -> Iterator[bytes]:
        """Go through the lines, many at a time; ``for_nothing`` is that of an empty row."""
        for start in range(0, len(self), _BLOCK):
            stop = min(start + _BLOCK, len(self))
            yield "".join(self._lines(start, stop, first_feature, for_nothing)).encode()

    def _lines(self, start: int, stop: int, first_feature: int, for_nothing: str) -> Iterator[str]:
        cuts = self.features.indptr[start : stop + 1].tolist()
        entries = slice(cuts[0], cuts[-1])
        places = (self.features.indices[entries].astype(np.int64) + first_feature).tolist()
        values = shortest(self.features.data[entries])
        words = [f"{place}:{value}" for place, value in zip(places, values, strict=True)]
        ends = self.labels.indptr[start : stop + 1].tolist()
        marks: list[Any] = self.labels.indices[ends[0] : ends[-1]].tolist()
        marks = list(map(str, marks)) if self._names is None else [self._names[c] for c in marks]
        for n in range(stop - start):
            labels = ",".join(marks[ends[n] - ends[0] : ends[n + 1] - ends[0]])
            features = " ".join(words[cuts[n] - cuts[0] : cuts[n + 1] - cuts[0]])
            line = f"{labels} {features}" if features else labels
            yield f"{line or for_nothing}\n"


def _checked_features(features: Any) -> Any:
    """Return features in CSR form, their values float32 or float64."""
    if is_sparse(features):
        csr = checked_csr("features", features)
    else:
        array = as_array("features", features)
        if array.ndim != 2:
            raise ValueError(f"features must have shape (N, F), got {array.shape}")
        _check_real(array)
        csr = scipy_sparse().csr_array(array.astype(dtype_for_scipy(array.dtype), copy=False))
    values = csr.data[: csr.indptr[-1]]
    _check_real(values)
    if not 1 <= csr.shape[1] <= LARGEST_INDEX:
        raise ValueError(f"features must have 1 to {LARGEST_INDEX} columns, got {csr.shape[1]}")
    if not np.isfinite(values).all():
        wrong = int(np.argmin(np.isfinite(values)))
        row = int(np.searchsorted(csr.indptr, wrong, side="right")) - 1
        raise ValueError(f"features must be finite, got {values[wrong]} in row {row}")
    small = values.dtype.kind == "f" and values.dtype.itemsize <= 4
    csr.data = csr.data.astype(np.float32 if small else np.float64, copy=False)
    whole = values.dtype.kind in "iu" and values.size > 0
    if whole and (values.min() < -(2**53) or values.max() > 2**53):
        raise ValueError("features must be within 2**53 if they are integers: readers round others")
    return csr


def _check_real(values: npt.NDArray[Any]) -> None:
    if values.dtype.kind not in "biuf" or values.dtype.itemsize > 8:
        raise TypeError(f"features must hold real numbers of up to 64 bits, got {kind_of(values)}")


def shortest(values: npt.NDArray[Any]) -> list[str]:
    """Return the shortest decimals that, read in the dtype of the values, give them again.

    A reader rounds a decimal to the nearest double first. What that rounds to another float32 than
    the decimal itself, which hardly ever happens, is written with all digits of a double.
    """
    texts = [text.removesuffix(".0") for text in values.astype(str).tolist()]
    if values.dtype == np.float32:
        exact = values.astype(np.float64)
        for i in np.flatnonzero(np.array(texts, np.float64).astype(np.float32) != values):
            texts[i] = repr(float(exact[i]))
    return texts

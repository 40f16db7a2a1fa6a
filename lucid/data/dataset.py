"""What the readers return, and the error of a file that is not what it should be."""

from dataclasses import dataclass, replace
from typing import Any

import numpy.typing as npt

from lucid.labels import Labels
from lucid.system.optional import require


class DataFileError(ValueError):
    """A file that is not what it should be; the message begins with its name and line."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Features and labels of the same rows.

    Parameters
    ----------
    features : scipy.sparse.csr_array or ndarray
        Shape ``(N, F)``.
    labels : Labels
        ``N`` rows of labels.
    sample_weight : ndarray, optional
        Shape ``(N,)``: how much each row counts in a training.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from lucid import Labels
    >>> data = Dataset(csr_array([[0.5, 0.0], [0.0, 2.0]]), Labels.from_lists([[1], [0, 2]], 3))
    >>> data
    Dataset(rows=2, features=2, classes=3)

    Rows are chosen by a slice, or by an array of their numbers:

    >>> data[:1]
    Dataset(rows=1, features=2, classes=3)
    """

    features: Any
    labels: Labels
    sample_weight: npt.NDArray[Any] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> "Dataset":
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return replace(
            self, features=self.features[rows], labels=self.labels[rows], sample_weight=weight
        )

    def __repr__(self) -> str:
        rows, features = self.features.shape
        return f"Dataset(rows={rows}, features={features}, classes={self.labels.num_classes})"


def scipy_sparse() -> Any:
    return require("scipy.sparse", extra="cli", purpose="reading data files")

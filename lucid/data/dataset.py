"""What the readers return, and the error of a file that is not what it should be."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import kind_of, refuse_masked
from lucid.labels import Labels
from lucid.labels.rows import contains, indptr_of, row_of_each
from lucid.losses.options import as_sample_weight
from lucid.system.optional import is_sparse, require


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
    class_names : tuple of str, optional
        The names of the classes by their numbers.
    sample_weight : ndarray, optional
        Shape ``(N,)``: how much each row counts in a training.

    Raises
    ------
    TypeError
        If the features are no array and no CSR matrix of real numbers, or the labels no `Labels`.
    ValueError
        If the parts are of different numbers of rows, a feature is masked, a weight is negative,
        masked or not finite, or there is not a name for each class.

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
    class_names: tuple[str, ...] | None = None
    sample_weight: npt.NDArray[Any] | None = None

    def __post_init__(self) -> None:
        features, labels, weight = self.features, self.labels, self.sample_weight
        if not (isinstance(features, np.ndarray) or is_sparse(features)):
            raise TypeError(
                f"features must be an array or a CSR matrix, got {type(features).__name__}"
            )
        refuse_masked("features", features)
        if features.dtype.kind not in "biuf":
            raise TypeError(f"features must hold real numbers, got {kind_of(features)}")
        if not isinstance(labels, Labels):
            raise TypeError(f"labels must be lucid.Labels, got {type(labels).__name__}")
        if features.ndim != 2 or features.shape[0] != len(labels):
            raise ValueError(
                f"features must have shape (N, F) with N = {len(labels)}, the rows of labels, "
                f"got {features.shape}"
            )
        if weight is not None:
            if np.shape(weight) != (len(labels),):
                raise ValueError(
                    f"sample_weight must have shape ({len(labels)},), a number for each row, "
                    f"got {np.shape(weight)}"
                )
            if not isinstance(weight, np.ndarray):
                raise TypeError(f"sample_weight must be an array, got {type(weight).__name__}")
            as_sample_weight(weight, labels.shape)
        if self.class_names is not None and len(self.class_names) != labels.num_classes:
            raise ValueError(
                f"class_names must be {labels.num_classes}, one for each class, "
                f"got {len(self.class_names)}"
            )

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def num_rows(self) -> int:
        """The number of rows ``N``."""
        return len(self)

    @property
    def num_features(self) -> int:
        """The number of features ``F``."""
        return int(self.features.shape[1])

    @property
    def num_classes(self) -> int:
        """The number of classes ``C``."""
        return self.labels.num_classes

    def __getitem__(self, rows: slice | npt.NDArray[Any]) -> Self:
        if not isinstance(rows, slice) and np.ndim(rows) == 0:
            raise TypeError(
                f"rows must be a slice, or an array of row numbers or bools, got {rows!r}: "
                "data[3:4] is row 3 alone"
            )
        weight = None if self.sample_weight is None else self.sample_weight[rows]
        return replace(
            self, features=self.features[rows], labels=self.labels[rows], sample_weight=weight
        )

    def __repr__(self) -> str:
        rows, features = self.features.shape
        return f"Dataset(rows={rows}, features={features}, classes={self.labels.num_classes})"

    def leave_out(self, pairs: Labels) -> Self:
        """Return the same rows without some pairs of a row and a class.

        In evaluations of the Extreme Classification Repository these are pairs of a document and
        the label that is this document itself. They are neither right nor wrong to predict: they
        become unknown entries of the labels, which losses and metrics leave out, also where they
        were labels.

        Parameters
        ----------
        pairs : Labels
            ``N`` rows of classes to leave out, from `read_filter_pairs`.

        Returns
        -------
        Dataset

        Raises
        ------
        ValueError
            If the pairs are those of other rows or classes.

        Examples
        --------
        >>> from scipy.sparse import csr_array
        >>> from lucid import Labels
        >>> data = Dataset(csr_array([[0.5], [2.0]]), Labels.from_lists([[1], [0, 2]], 3))
        >>> data.leave_out(Labels.from_lists([[0], [2]], 3)).labels
        Labels(rows=2, num_classes=3, labels=2, unknown=2)
        """
        labels = self.labels
        if pairs.shape != labels.shape:
            raise ValueError(f"pairs must have shape {labels.shape}, got {pairs.shape}")
        pairs = pairs.drop_duplicates()
        row = row_of_each(labels.indptr)
        kept = ~contains(pairs.indices, pairs.indptr, row, labels.indices)
        lengths = np.bincount(row[kept], minlength=len(labels))
        known = Labels(
            labels.indices[kept],
            indptr_of(lengths),
            labels.num_classes,
            labels.unknown_indices,
            labels.unknown_indptr,
        )
        return replace(self, labels=known.with_unknown(pairs))


def scipy_sparse() -> Any:
    return require("scipy.sparse", extra="cli", purpose="reading data files")

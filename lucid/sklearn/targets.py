"""The forms of labels that estimators meet: each is read into `Labels`, and predicted again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.preprocessing import MultiLabelBinarizer
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from lucid.labels import Labels, any_form, missing, multi_hot_labels, numbers_of
from lucid.labels.entries import refuse_masked_labels
from lucid.system.warnings import warn_user

Array = npt.NDArray[Any]

#: So many names are in an error; the others are counted.
_SHOWN = 3


@dataclass(frozen=True)
class Form:
    """In which form labels were given, and so are predicted."""

    kind: Literal["one", "array", "sparse", "Labels", "names"]
    """One label a row; a dense or a sparse matrix; `Labels`; for each row a list of names."""
    classes: Array
    """What the classes are called, shape (C,)."""
    prototype: Any = None
    """An empty piece of the matrix, of its class and dtype."""
    named: bool = True
    """Whether the classes have names, by which the columns of a table are known."""

    @classmethod
    def of(cls, y: Any, classes: Any = None) -> Form:
        """Recognise the form of labels, and find their classes unless they are given."""
        if isinstance(y, Labels):
            form = cls("Labels", np.arange(y.num_classes), named=False)
        elif sparse.issparse(y):
            form = cls("sparse", np.arange(y.shape[1]), y.tocsr()[:0], named=False)
        elif _are_names(y):
            if classes is not None:
                return cls("names", np.unique(classes))
            with _sorting():
                return cls("names", MultiLabelBinarizer().fit(y).classes_)
        else:
            array = _as_array(y, warn=False)  # once, as the labels are read
            if array.ndim == 1:
                return cls("one", np.unique(array if classes is None else classes))
            columns = getattr(y, "columns", None)  # of a DataFrame
            names = np.arange(array.shape[1]) if columns is None else np.asarray(columns)
            if again := _more_than_once(names.tolist()):
                raise ValueError(
                    f"y must have columns of different names, got {_listed(again)} more than once"
                )
            form = cls("array", names, array[:0], named=columns is not None)
        if classes is not None:
            by = "their names" if form.named else "their numbers, as they have no names"
            form.check_classes(classes, f"the columns of y by {by}")
        return form

    def check_classes(self, classes: Any, wanted: str = "those of the first call") -> None:
        """Refuse classes that are not those that are known, in any order."""
        given, known = np.ravel(classes).tolist(), self.classes.tolist()
        if told := _differences(known, dict.fromkeys(given)):
            raise ValueError(f"classes must be {wanted}, {told[:-2]}")

    def names(self) -> list[str] | None:
        """Return what the classes are called, as text, for the file of a model; None without."""
        if not self.named:
            return None
        texts = [_text(name) for name in self.classes]
        if again := _more_than_once(texts):
            alike = [name for name in self.classes.tolist() if _text(name) == again[0]]
            raise ValueError(
                "y must have classes that are different as text, as the model keeps their names, "
                f"got {' and '.join(map(repr, alike))}"
            )
        return texts

    def labels(self, y: Any) -> Labels:
        """Read labels that are in this form, or in another one with the same classes.

        Raises
        ------
        ValueError
            If they are of other classes.
        """
        if isinstance(y, Labels):
            labels = y
        elif sparse.issparse(y):
            labels = any_form("y", y, None)
        elif _are_names(y):
            labels, missed = self._of_names(y)
            self._refuse(_once(missed))
        elif (array := _as_array(y)).ndim == 2:
            labels = self._of_columns(y, array)
        else:
            labels = self._of_one_each(array)
        if labels.num_classes != len(self.classes):
            raise ValueError(
                f"y must have {len(self.classes)} classes, as before, got {labels.num_classes}"
            )
        return labels

    def labels_to_score(self, y: Any) -> tuple[Labels, Array | None]:
        """Read labels that may be of other classes too, as those of a fold for evaluation are.

        Returns
        -------
        Labels
            Those that are classes.
        ndarray of float, or None
            The share of each row's labels that they are, shape (N,), where there are others.
        """
        if isinstance(y, Labels) or sparse.issparse(y) or not _are_names(y):
            return self.labels(y), None
        labels, missed = self._of_names(y)
        if not any(missed):
            return labels, None
        warn_user(
            f"y has labels that the estimator was not fitted with, which count as missed: "
            f"{_listed(_once(missed))}"
        )
        found, lost = labels.lengths(), np.array([len(names) for names in missed])
        return labels, np.where(lost > 0, found / np.maximum(found + lost, 1), 1.0)

    def _of_names(self, y: Any) -> tuple[Labels, list[set[Any]]]:
        """Read collections of names, and return apart those of each row that are no classes."""
        places = {name: place for place, name in enumerate(self.classes.tolist())}
        given = [set(row) for row in y]
        known = [sorted(places[name] for name in row & places.keys()) for row in given]
        return Labels.from_lists(known, len(places)), [row - places.keys() for row in given]

    def _refuse(self, names: list[Any]) -> None:
        if names:
            raise ValueError(
                f"y must hold known classes, got {_listed(names)}; known are "
                f"{_listed(self.classes.tolist())}"
            )

    def _of_columns(self, y: Any, array: Array) -> Labels:
        """Read a matrix; the columns of a table may be in another order than the classes."""
        columns = getattr(y, "columns", None)
        if columns is None or not self.named:
            return _of_multi_hot(y, array)
        classes, given = self.classes.tolist(), np.asarray(columns).tolist()
        if given == classes:
            return _of_multi_hot(y, array)
        if told := _differences(classes, given):
            raise ValueError(
                f"y must have a column for each class, as before, {told}"
                "the columns of y.to_numpy() go by their places"
            )
        _of_multi_hot(y, array)  # what is wrong is named by its place in y
        places = {name: place for place, name in enumerate(given)}
        return _of_multi_hot(y, array[:, [places[name] for name in classes]])

    def _of_one_each(self, y: Array) -> Labels:
        if self.kind != "one":
            raise ValueError(
                f"y must say for each row which of the {len(self.classes)} classes are its labels, "
                f"got an array of shape {y.shape}"
            )
        places = np.minimum(np.searchsorted(self.classes, y), len(self.classes) - 1)
        self._refuse(np.unique(y[self.classes[places] != y]).tolist())
        return Labels(places, np.arange(y.size + 1), len(self.classes))

    def predicted(self, labels: Labels) -> Any:
        """Return labels in this form."""
        if self.kind == "one":
            return self.classes[labels.indices]
        if self.kind == "array":
            return labels.to_multi_hot().astype(self.prototype.dtype)
        if self.kind == "sparse":
            return type(self.prototype)(labels.to_csr().astype(self.prototype.dtype))
        if self.kind == "names":
            return [tuple(self.classes[row]) for row in labels]
        return labels


def _as_array(y: Any, *, warn: bool = True) -> Array:
    """Return classes (N,), or a matrix (N, C) with more than one column."""
    array = y if isinstance(y, np.ma.MaskedArray) else np.asarray(y)
    if array.dtype == object and not isinstance(array, np.ma.MaskedArray):
        array = numbers_of(array)
    if array.dtype == object and (gaps := np.argwhere(missing(array))).size:
        raise _no_name(gaps[0][0])
    if array.ndim == 2 and array.shape[1] != 1:
        return array
    refuse_masked_labels("y", array)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("y must be finite where each row has one label, got NaN or infinity")
    with _sorting():
        check_classification_targets(array)
    column: Array = column_or_1d(array, warn=warn)
    return column


def _no_name(row: int) -> ValueError:
    return ValueError(f"y must not lack an entry beside names, as it does in row {row}")


def _of_multi_hot(y: Any, array: Array) -> Labels:
    try:
        return multi_hot_labels("y", array)
    except ValueError as error:
        message = f"{error}, or a list of lists"
        if hasattr(y, "where") and array.dtype.kind in "if" and (array == 0).any():
            marks = np.unique(array[(array == array) & (array != 0) & (array != 1)])
            if marks.size == 1 and marks[0] < 0:
                mark = f"{marks[0]:g}"
                message += f"; y.where(y != {mark}) makes it unknown too, and keeps the names"
        raise ValueError(message) from None


def _text(name: Any) -> str:
    """Return a name as text, a number without a point where it is whole."""
    whole = isinstance(name, float | np.floating) and name.is_integer()
    return str(int(name) if whole else name)


def _more_than_once(names: list[Any]) -> list[Any]:
    return [name for name, count in Counter(names).items() if count > 1]


def _differences(known: list[Any], given: Iterable[Any]) -> str:
    """Return in words what is missing, unknown or given twice, with a semicolon after each."""
    given = list(given)
    there, classes = set(given), set(known)
    faults = {
        "missing": [name for name in known if name not in there],
        "unknown": [name for name in dict.fromkeys(given) if name not in classes],
        "more than once": _more_than_once(given),
    }
    return "".join(f"{what}: {_listed(names)}; " for what, names in faults.items() if names)


def _once(names: list[set[Any]]) -> list[Any]:
    return sorted(set().union(*names), key=str)


def _listed(names: list[Any]) -> str:
    """Return the first names, and how many more there are."""
    shown = ", ".join(map(repr, names[:_SHOWN]))
    return shown if len(names) <= _SHOWN else f"{shown} and {len(names) - _SHOWN} more"


@contextmanager
def _sorting() -> Iterator[None]:
    """Say which argument it is where classes have no order."""
    try:
        yield
    except TypeError as error:
        raise TypeError(f"y must hold classes that can be sorted, of one type: {error}") from None


def _are_names(y: Any) -> bool:
    """Whether labels are a collection of names for each row, and not the rows of a matrix."""
    if hasattr(y, "columns"):
        return False
    rows = y if isinstance(y, list | tuple) else np.asarray(y)
    refuse_masked_labels("y", rows)
    if getattr(rows, "ndim", 1) != 1:
        return False
    many = [hasattr(row, "__len__") and not isinstance(row, str) for row in rows]
    if not any(many):
        return False
    if not all(many):
        row = many.index(False)
        name = rows[row]
        if missing(np.array(name, object)):
            raise _no_name(row)
        raise TypeError(
            f"y must hold a collection of names in each row, got {name!r} in row {row}: "
            f"[{name!r}] is one"
        )
    if any(isinstance(row, Set) for row in rows) or len({len(row) for row in rows}) > 1:
        return True
    matrix = np.asarray(rows)
    if matrix.dtype == object:
        matrix = numbers_of(matrix)
    if matrix.dtype.kind not in "biuf":
        return True
    if np.isin(matrix[~np.isnan(matrix)], (0, 1)).all():
        return False
    # Marks, 1, 0 and -1: as names they would come twice in a row.
    row_by_row = np.sort(matrix, axis=1)
    twice = (row_by_row[:, 1:] == row_by_row[:, :-1]).any()
    return not (twice and np.isin(matrix[~np.isnan(matrix)], (0, 1, -1)).all())

"""Rows that come piece by piece, because all of them are larger than the memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import zip_longest
from typing import Any, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from lucid.io import Dataset


@runtime_checkable
class Pieces(Protocol):
    """A training set that is read piece by piece, because it is larger than the memory.

    It has a length, the number of its rows, and each ``iter`` of it is a new pass over the same
    pieces, each a `Dataset`. Rows are shuffled within a piece, and no mini-batch has rows of two.

    See Also
    --------
    Ranker.prepared : Makes them of a file that is read in pieces.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels
    >>> from lucid.io import Dataset
    >>> from lucid.training import Pieces
    >>> piece = Dataset(np.ones((2, 3)), Labels.from_lists([[0], [1]], num_classes=2))
    >>> isinstance([piece, piece], Pieces)  # but of a list, the length is not that of the rows
    True
    """

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Dataset]: ...


def check_rows(data: Any, purpose: str) -> None:
    """Refuse what is neither a data set nor `Pieces` of one, or has no row for the purpose."""
    if not isinstance(data, Dataset | Pieces):
        if isinstance(data, Iterable):
            raise TypeError(
                f"data must have a length, the number of its rows, got {type(data).__name__}: "
                "Ranker.prepared(data) gives one to a stream"
            )
        raise _not_data(type(data).__name__)
    if len(data) == 0:
        raise ValueError(f"data must have at least one row {purpose}")


def check_weights(data: Dataset | Pieces, purpose: str) -> None:
    """Refuse rows none of which counts; what comes in pieces is known only at its end."""
    if isinstance(data, Dataset) and weight_of(data) == 0:
        raise weightless(purpose)


def weightless(purpose: str) -> ValueError:
    return ValueError(f"sample_weight must not be zero for all rows {purpose}")


def weight_of(rows: Dataset) -> float:
    """Return how much rows count together: as many as they are, unless they have weights."""
    weight = rows.sample_weight
    return float(len(rows) if weight is None else np.sum(weight, dtype=np.float64))


def weights_of(rows: Dataset) -> dict[str, npt.NDArray[Any]]:
    """Return what a loss or a metric is given besides scores and labels."""
    return {} if rows.sample_weight is None else {"sample_weight": rows.sample_weight}


def pieces_of(data: Dataset | Iterable[Dataset]) -> Iterator[Dataset]:
    """Go through rows piece by piece; what is in memory is one piece.

    Raises
    ------
    TypeError
        If a piece is not a `Dataset`.
    """
    if isinstance(data, Dataset):
        yield data
        return
    if not isinstance(data, Iterable):
        raise _not_data(type(data).__name__)
    for piece in data:
        if not isinstance(piece, Dataset):
            raise _not_data(f"{type(data).__name__} with {type(piece).__name__}")
        yield piece


def check_classes(model: Any, piece: Dataset) -> None:
    """Refuse rows whose classes have other names than those of the model, or another order."""
    names = getattr(model, "class_names", None)
    if names is None or piece.class_names is None or piece.class_names == names:
        return
    for place, (found, wanted) in enumerate(zip_longest(piece.class_names, names)):
        if found != wanted:
            raise ValueError(
                "data must have the classes of the model, in their order: class "
                f"{place} is {found!r}, but {wanted!r} in the model"
            )


def _not_data(found: str) -> TypeError:
    return TypeError(
        f"data must be a lucid.io.Dataset, or pieces each of which is one, got {found}: "
        "Dataset(features, labels) makes one"
    )


class Changed:
    """Pieces that are changed as they come."""

    def __init__(self, pieces: Iterable[Dataset], change: Callable[[Dataset], Dataset]) -> None:
        self._pieces = pieces
        self._change = change
        rows: int | None = getattr(pieces, "num_rows", None)  # what a stream knows beforehand
        self._rows = sum(map(len, pieces_of(pieces))) if rows is None else rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Dataset]:
        return map(self._change, pieces_of(self._pieces))

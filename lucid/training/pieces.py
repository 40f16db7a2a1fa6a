"""Rows that come piece by piece, because all of them are larger than the memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Protocol, runtime_checkable

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


class Changed:
    """Pieces that are changed as they come."""

    def __init__(self, pieces: Iterable[Dataset], change: Callable[[Dataset], Dataset]) -> None:
        self._pieces = pieces
        self._change = change
        rows: int | None = getattr(pieces, "num_rows", None)  # what a stream knows beforehand
        self._rows = sum(map(len, pieces)) if rows is None else rows

    def __len__(self) -> int:
        return self._rows

    def __iter__(self) -> Iterator[Dataset]:
        return map(self._change, self._pieces)

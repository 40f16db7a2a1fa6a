"""Data that comes in pieces, for files that are larger than memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Self, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, as_int, kind_of
from lucid.data.dataset import Dataset


@dataclass(frozen=True, eq=False)
class DataStream:
    r"""Features and labels that come in pieces, as `stream_xmc` and `stream_svmlight` make them.

    Each iteration reads the file from the beginning, and yields a `Dataset` for each piece. Its
    length is the number of its rows, so that a `lucid.training.Trainer` takes it as it is.

    Parameters
    ----------
    read : callable
        Returns a new iterator over the pieces: what an iteration of the stream goes through.
    num_rows : int or None
        The rows of all pieces together; None where only the end of the file tells.
    num_features, num_classes : int
        The sizes that all pieces have.
    rows : int
        The rows of a piece, at most.
    class_names : tuple of str, optional
        The names of the classes by their numbers.

    Examples
    --------
    >>> from lucid.io import stream_xmc
    >>> with open("tiny.txt", "w") as file:
    ...     _ = file.write("3 3 4\n0,3 1:0.5\n 0:1 2:-2.5e-1\n2 0:1\n")
    >>> sum(len(piece) for piece in stream_xmc("tiny.txt", rows=2))
    3
    """

    read: Callable[[], Iterator[Dataset]]
    num_rows: int | None
    num_features: int
    num_classes: int
    rows: int
    class_names: tuple[str, ...] | None = None

    def __iter__(self) -> Iterator[Dataset]:
        return self.read()

    def __len__(self) -> int:
        """Return the number of rows, as of a `Dataset`, not of pieces."""
        if self.num_rows is None:
            raise TypeError(
                "the rows of this stream are not counted: Ranker.prepared(stream) counts them, "
                "or dataclasses.replace(stream, num_rows=...) says how many there are"
            )
        return self.num_rows

    def select(self, rows: npt.ArrayLike) -> Self:
        r"""Return the stream of some of the rows, in their order.

        Parameters
        ----------
        rows : array_like of bool
            Shape ``(num_rows,)``: which ones.

        Returns
        -------
        DataStream
            Its pieces are those of this one, with fewer rows; a piece without a row is left out.

        Raises
        ------
        TypeError
            If `rows` are no bools.
        ValueError
            If there are not so many; if the number of the stream's rows is not known.

        Examples
        --------
        >>> import numpy as np
        >>> from lucid.io import stream_xmc
        >>> with open("tiny.txt", "w") as file:
        ...     _ = file.write("3 3 4\n0,3 1:0.5\n 0:1 2:-2.5e-1\n2 0:1\n")
        >>> pieces = stream_xmc("tiny.txt", rows=2)
        >>> held_out = np.array([False, True, False])
        >>> pieces.select(~held_out)
        DataStream(rows=2, features=3, classes=4, in pieces of 2)
        """
        chosen = as_array("rows", rows)
        if chosen.dtype != bool:
            raise TypeError(f"rows must hold bools, got {kind_of(chosen)}")
        if self.num_rows is None:
            raise ValueError("rows of a stream whose number is not known cannot be chosen")
        if chosen.shape != (self.num_rows,):
            raise ValueError(f"rows must have shape ({self.num_rows},), got {chosen.shape}")

        def read() -> Iterator[Dataset]:
            start = 0
            for piece in self:
                part = chosen[start : start + len(piece)]
                start += len(piece)
                if part.any():
                    yield piece if part.all() else piece[np.flatnonzero(part)]

        return replace(self, read=read, num_rows=int(np.count_nonzero(chosen)))

    def __repr__(self) -> str:
        rows = "unknown" if self.num_rows is None else self.num_rows
        return (
            f"DataStream(rows={rows}, features={self.num_features}, classes={self.num_classes}, "
            f"in pieces of {self.rows})"
        )


def checked_rows(rows: SupportsIndex) -> int:
    """Return how many rows a piece has."""
    number = as_int("rows", rows)
    if number < 1:
        raise ValueError(f"rows must be at least 1, got {number}")
    return number

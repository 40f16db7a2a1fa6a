"""Where in an epoch a training is, and how this and the rest of its state are read again."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np

from lucid.arrays.checks import as_int, as_number
from lucid.nn import Module

#: How NumPy prints unless told otherwise.
_PRINTED: dict[str, Any] = {
    "precision": 8,
    "threshold": 1000,
    "edgeitems": 3,
    "linewidth": 75,
    "suppress": False,
    "sign": "-",
    "floatmode": "maxprec",
    "formatter": None,
}


@dataclass
class Place:
    """Where in an epoch a training is, and what the epoch has brought so far."""

    piece: int = 0  # its number
    row: int = 0  # of the piece's rows in their order, the first that is still to come
    rows: int = 0  # that are done of the epoch
    weight: float = 0.0  # of these
    loss: float = 0.0  # their sum, each by its weight
    share: float = 0.0  # of the epoch's rows
    before: Any = None  # the state of the generator before it drew the piece's order

    @property
    def mean_loss(self) -> float:
        return self.loss / self.weight if self.weight else 0.0

    def take(self, rows: int, weight: float, loss: float, of: int) -> None:
        self.row += rows
        self.rows += rows
        self.weight += weight
        self.loss += loss * weight
        self.share = self.rows / of

    def next_piece(self) -> None:
        self.piece += 1
        self.row = 0


def place_of(saved: Any) -> Place:
    """Return the place that was saved as this; the error of another says what is wrong."""
    wanted = vars(Place())
    if {*saved, "weight"} != set(wanted):
        raise ValueError(f"expected {', '.join(wanted)}, got {saved}")
    place = Place(**{"weight": saved["rows"], **saved})  # once, each row counted as one
    for name in ("piece", "row", "rows"):
        if as_int(name, saved[name]) < 0:
            raise ValueError(f"{name} must not be negative, got {saved[name]}")
    for name in ("weight", "loss", "share"):
        as_number(name, getattr(place, name))
    return place


def in_words(part: Any) -> str | None:
    """Return what tells a loss or a schedule from another, also in another process."""
    if isinstance(part, Module):
        with np.printoptions(**_PRINTED):
            return repr(part)
    return None if part is None else str(getattr(part, "__name__", type(part).__name__))


def check_settings(wanted: Mapping[str, Any], found: Any) -> None:
    """Refuse settings other than those that are wanted, as far as they were saved."""
    for name, value in wanted.items():
        if name in found and not np.array_equal(found[name], value):
            raise ValueError(
                f"{name} must be {value!r}, as this trainer has it, got {found[name]!r}"
            )


@contextmanager
def reading(part: str) -> Iterator[None]:
    """Let errors say of which part of a state they are."""
    try:
        yield
    except (AttributeError, ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as e:
        raise ValueError(f"state: {part}: {e}") from None

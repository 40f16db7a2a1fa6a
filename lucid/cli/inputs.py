"""Files that are read: one that belongs in another place is told apart before anything is done."""

from __future__ import annotations

from dataclasses import dataclass

from lucid.cli.errors import UsageError
from lucid.training.stored import CHECKPOINT, MODEL, Kind, kind_of

DATA = "data"

#: What to do with a file of the first kind that is where the second, or data, is wanted.
_HINTS = {
    (MODEL, None): "with data, `lucid predict MODEL FILE` and `lucid evaluate MODEL FILE` take it",
    (MODEL, CHECKPOINT): "it lacks what it takes to go on, which --checkpoint writes",
    (CHECKPOINT, None): "`lucid train FILE --resume {path}` goes on from it",
    (CHECKPOINT, MODEL): "`lucid train FILE --resume {path} --save MODEL` makes a model of it",
}


@dataclass(frozen=True)
class Input:
    """A file that is read, if it is given."""

    place: str
    """Its option, or its name in the usage."""
    path: str | None
    wanted: str | Kind
    """What it must be; in words, where it is text."""


def check_inputs(*inputs: Input) -> None:
    """Refuse files of other kinds than are wanted.

    Raises
    ------
    UsageError
        That says what was found, and what to do with it.
    OSError
        If a file cannot be read.
    """
    given = [(each, each.path, kind_of(each.path)) for each in inputs if each.path is not None]
    for each, path, found in given:
        wanted = each.wanted if isinstance(each.wanted, Kind) else None
        if found == wanted:
            continue
        if found is None:
            hints = [
                f"{other} is one, and comes first" for _, other, kind in given if kind == wanted
            ]
        else:
            hints = [_HINTS[found, wanted].format(path=path)]
        raise UsageError(
            f"{path}: {each.place} must be {wanted.name if wanted else each.wanted}, "
            f"got {found.name if found else 'another file'}{''.join(': ' + hint for hint in hints)}"
        )


def check_model_and_data(model: str, file: str, *others: Input) -> None:
    """Refuse what `lucid predict` and `lucid evaluate` do not take."""
    check_inputs(Input("MODEL", model, MODEL), Input("FILE", file, DATA), *others)

"""What the files of models and of trainings say of themselves: what they are, and in which format.

Each is a ``safetensors`` file whose metadata have one entry: its key says what the file is, its
value, in JSON, the rest. (One, as safetensors writes several in any order: the same model, the same
bytes.) A file that this version cannot read is refused by its number, before its parts are looked
at.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.data.checkpoint import metadata_of
from lucid.data.files import FilePath
from lucid.io import DataFileError, load_checkpoint, save_checkpoint

_FORMAT, _WRITER = "format", "lucid"


@dataclass(frozen=True)
class Kind:
    """A kind of file."""

    key: str
    """That of the metadata."""
    name: str
    """What the file is called in errors."""
    instead: str
    """What to do where it cannot be read."""
    oldest: int
    """The number of the oldest format that is read; 0 is that of files without a number."""
    newest: int
    """That of the format that is written: higher by 1 with each change of the entry or of the
    arrays that an earlier version could not read."""


MODEL = Kind(
    "lucid ranker",
    "a model that `lucid train --save` wrote",
    "train the model again",
    oldest=0,  # the same as 1, but for the number
    newest=1,
)
CHECKPOINT = Kind(
    "lucid training",
    "the checkpoint of a training",
    "begin the training anew",
    oldest=1,  # what was trained in between would have other bits
    newest=1,
)
_KINDS = (MODEL, CHECKPOINT)


def save(path: FilePath, kind: Kind, arrays: Mapping[str, Any], about: Mapping[str, Any]) -> None:
    """Write a file of some kind, whole or not at all."""
    entry = {_FORMAT: kind.newest, _WRITER: version("lucid-losses"), **about}
    save_checkpoint(path, arrays, {kind.key: json.dumps(entry, default=_of_numpy)})


def _of_numpy(value: Any) -> bool | int | float:
    """Return a number of NumPy's as one that JSON can say."""
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    raise TypeError(
        "to be kept in a file, a value must be a number, a text, None, or a list or dict of these, "
        f"got {type(value).__name__}"
    )


def load(path: FilePath, kind: Kind) -> tuple[dict[str, npt.NDArray[np.generic]], dict[str, Any]]:
    """Read a file that must be of some kind: its arrays, and what it says.

    Raises
    ------
    DataFileError
        If it is of another kind, or of a format that this version does not read.
    """
    metadata = metadata_of(path)
    if metadata is None:
        _, metadata = load_checkpoint(path)  # which says what is wrong
    if kind.key not in metadata:
        found = _kind_in(metadata)
        but = "" if found is None else f", but {found.name}"
        raise DataFileError(f"{path}: not {kind.name}{but}")
    try:
        about = {_FORMAT: 0, **json.loads(metadata[kind.key])}
    except (TypeError, ValueError) as error:
        raise DataFileError(f"{path}: {kind.name}, but not whole: {error}") from None
    number = about[_FORMAT]
    if type(number) is not int or not kind.oldest <= number <= kind.newest:
        raise unreadable(path, kind, about)
    return load_checkpoint(path)[0], about


def unreadable(path: FilePath, kind: Kind, about: Mapping[str, Any]) -> DataFileError:
    """Return the error that says in which format a file is, what wrote it and what to do."""
    number, here = about[_FORMAT], version("lucid-losses")
    if number == 0:
        why = f"of lucid 0.1.0 before formats had numbers, which lucid {here} does not read:"
    else:
        why = (
            f"in format {number}, which lucid {about.get(_WRITER)} wrote; lucid {here} reads "
            f"formats up to {kind.newest}: install that lucid or a later one, or"
        )
    return DataFileError(f"{path}: {kind.name}, {why} {kind.instead}")


def kind_of(path: FilePath) -> Kind | None:
    """Return what kind of file this is, from its first bytes; None if it is of none of these."""
    return _kind_in(metadata_of(path) or {})


def _kind_in(metadata: Mapping[str, str]) -> Kind | None:
    return next((kind for kind in _KINDS if kind.key in metadata), None)

"""Files that are written after long work: what would make that fail is found before it."""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from lucid.cli.errors import UsageError
from lucid.system.atomic import standard_stream

#: The option that takes a dash for a stream.
_DASH = ("--output", "standard output")


def check_outputs(
    inputs: Iterable[tuple[str | None, str]], outputs: Iterable[tuple[str, str | None, str]]
) -> None:
    """Refuse outputs that cannot be written, or would overwrite an input or each other.

    Parameters
    ----------
    inputs : iterable of tuple
        Of each file that is read its name if it is given, and what it is.
    outputs : iterable of tuple
        Of each file that is written the option, its name if it is given, and what it will be.

    Raises
    ------
    UsageError
        That names the option.
    """
    taken = {Path(path).resolve(): what for path, what in inputs if path is not None}
    for option, path, what in outputs:
        if path is not None:
            target = Path(path).resolve()
            _check_output(option, path, target)
            if target in taken:
                raise UsageError(f"{path}: {option} would overwrite {taken[target]}")
            taken[target] = what


def _check_output(option: str, path: str, target: Path) -> None:
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no such folder")
    stream = standard_stream(path)
    if stream is not None:
        hint = "; --output - writes there" if (option, stream) == _DASH else ""
        raise UsageError(f"{path}: {option} wants a file of its own, not the {stream}{hint}")
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            raise UsageError(f"{path}: {option} wants a regular file, not a folder or device")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UsageError(f"{path}: its folder cannot be written: {error.strerror}") from error

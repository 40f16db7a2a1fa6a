"""Files that are written whole or not at all."""

import errno
import os
import secrets
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` once it is written whole and on the disk.

    A file that is there already hands on its permissions.
    """
    target = Path(os.path.realpath(path))  # replace what a link points to, not the link
    # In the same folder, so that the renaming is one step of the file system. Short, because a name
    # made of the target's would be too long where that one just fits.
    draft = target.with_name(f".{secrets.token_hex(4)}.tmp")
    try:
        old = _mode_of_regular(target)
        with open(draft, "xb", opener=_opener(0o666 if old is None else old)) as file:
            if old is not None:
                os.fchmod(file.fileno(), old)  # past the umask
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, target)
    except OSError as error:  # it may name the draft, of which the user knows nothing
        _drop(draft)
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    except BaseException:  # Ctrl-C as well
        _drop(draft)
        raise


def _mode_of_regular(target: Path) -> int | None:
    """Return the permissions of a regular file, None if nothing is there; refuse all else."""
    try:
        mode = target.stat().st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):  # a folder; a device such as /dev/null
        raise OSError(errno.EINVAL, "not a regular file")
    return stat.S_IMODE(mode)


def _opener(mode: int) -> Callable[[str, int], int]:
    return lambda path, flags: os.open(path, flags, mode)


def _drop(draft: Path) -> None:
    with suppress(OSError):  # the error that led here tells more
        draft.unlink()

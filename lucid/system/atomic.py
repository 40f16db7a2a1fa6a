"""Files that are written whole or not at all."""

import errno
import fcntl
import os
import re
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

#: The name of a draft is short: one made of the target's would be too long where that just fits.
_DRAFT = re.compile(r"\.lucid-[0-9a-f]{16}\.tmp")


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` once it is written whole and on the disk.

    A file that is there already hands on its permissions. Of several that are written at the same
    time, the last one that is whole stays.

    Until then the file is a draft, ``.lucid-<16 digits>.tmp``, in the same folder, so that the
    renaming is one step of the file system. A process that is killed leaves its draft; whoever
    writes to that folder next removes it. Drafts that are being written are told from abandoned
    ones by a lock (``flock``), which the system lets go when the process ends. Where a file system
    has no such locks, abandoned drafts stay; where each host has its own (NFS mounted with
    ``local_lock``), hosts must not write to one folder at the same time.
    """
    target = Path(os.path.realpath(path))  # replace what a link points to, not the link
    draft = None
    try:
        old = _mode_of_regular(target)
        _remove_abandoned_drafts(target.parent)
        draft, descriptor = _new_draft(target.parent, 0o666 if old is None else old)
        with open(descriptor, "wb") as file:
            if old is not None:
                os.fchmod(file.fileno(), old)  # past the umask
            yield file
            file.flush()
            os.fsync(file.fileno())
            os.replace(draft, target)  # before the lock ends
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
    if (stream := standard_stream(target)) is not None:
        raise OSError(errno.EINVAL, f"is the {stream}, which would be replaced")
    return stat.S_IMODE(mode)


def standard_stream(path: str | os.PathLike[str]) -> str | None:
    """Return which stream of this process goes to a file, such as ``/dev/stdout``, if one does.

    Were the file replaced, what the process and the shell around it write there would be lost.
    """
    for descriptor, name in ((1, "standard output"), (2, "standard error")):
        with suppress(OSError):  # of a stream that is closed, a file that is not there
            if os.path.samestat(os.stat(path), os.fstat(descriptor)):
                return name
    return None


def _new_draft(folder: Path, mode: int) -> tuple[Path, int]:
    """Return the name of a new file, and what it is open as."""
    while True:
        draft = folder / f".lucid-{secrets.token_hex(8)}.tmp"
        file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with suppress(OSError):  # of a file system without locks
            fcntl.flock(file, fcntl.LOCK_EX)
        if os.fstat(file).st_nlink > 0:
            return draft, file
        os.close(file)  # somebody took it for abandoned before it was locked


def _remove_abandoned_drafts(folder: Path) -> None:
    with suppress(OSError):  # a folder that cannot be listed can be written to all the same
        for name in os.listdir(folder):
            if _DRAFT.fullmatch(name):
                _remove_if_abandoned(folder / name)


def _remove_if_abandoned(draft: Path) -> None:
    try:
        # Neither through a link nor waiting for whoever writes to a pipe.
        file = os.open(draft, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # somebody else's, or gone by now
        return
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)  # an error if it is being written
        if stat.S_ISREG(os.fstat(file).st_mode):
            draft.unlink()
    except OSError:
        pass
    finally:
        os.close(file)


def _drop(draft: Path | None) -> None:
    if draft is not None:
        with suppress(OSError):  # the error that led here tells more
            draft.unlink()

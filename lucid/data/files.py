"""Data files opened and unpacked: nothing waits, and nothing fills the memory."""

import codecs
import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from io import BytesIO
from typing import Any, BinaryIO

from lucid.data.dataset import DataFileError

FilePath = str | os.PathLike[str]

#: How a compressed file begins, and the name of its form.
_COMPRESSED = ((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"))
#: How other files begin that are sooner or later taken for data.
_FOREIGN = (
    (b"PK", "a zip archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive: unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd: unpack it first"),
    (b"\x04\x22\x4d\x18", "compressed with lz4: unpack it first"),
    (b"]\0\0", "compressed with lzma: unpack it first"),
    (b"\x1f\x9d", "compressed with compress: unpack it first"),
    (codecs.BOM_UTF16_LE, "UTF-16 text: write it as UTF-8"),
    (codecs.BOM_UTF16_BE, "UTF-16 text: write it as UTF-8"),
)
_PIECE = 1 << 18  # bytes that are read or unpacked at once
#: A small file that would fill the memory is refused: no data file is packed so tightly.
LARGEST_RATIO, _ALWAYS_ALLOWED = 100, 1 << 27


@contextmanager
def opened(path: FilePath) -> Iterator[BinaryIO]:
    """Open a regular file to read; every OSError names it."""
    try:
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):  # a pipe; a device
                raise OSError(errno.EINVAL, "not a regular file")
            yield file
    except OSError as error:  # one from reading, not opening, names no file
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def _open_without_waiting(path: str, flags: int) -> int:
    """Open a file; a pipe too, which else would open only once somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK)


def largest_content(file: BinaryIO) -> int:
    """Return how many bytes a file may unpack to."""
    return max(_ALWAYS_ALLOWED, LARGEST_RATIO * os.fstat(file.fileno()).st_size)


def read_text(path: FilePath) -> bytes:
    """Return the text of a file, unpacked if it is compressed, without a byte-order mark."""
    with opened(path) as file:
        start = file.read(8)
        file.seek(0)
        forms = [form for magic, form in _COMPRESSED if start.startswith(magic)]
        text = _unpacked(path, file, forms[0]) if forms else file.read()
    if not text:
        raise DataFileError(f"{path}:1: the file is empty")
    for magic, what in _FOREIGN:
        if text.startswith(magic):
            raise DataFileError(f"{path}:1: this is {what}")
    if text.startswith(b"ustar", 257):
        raise DataFileError(f"{path}:1: this is a tar archive: unpack it first")
    if b"\r" in text and (stray := re.search(rb"\r(?!\n|\Z)", text)):
        line = text.count(b"\n", 0, stray.start()) + 1
        raise DataFileError(
            f"{path}:{line}: a carriage return inside of a line: lines must end in \\n or \\r\\n"
        )
    return text.removeprefix(codecs.BOM_UTF8)


def _unpacked(path: FilePath, file: BinaryIO, form: str) -> bytes:
    try:
        new = _decompressor(form)
    except ImportError as error:
        raise ImportError(
            f"{path} is compressed with {form}, which this Python was built without: "
            "unpack the file first"
        ) from error
    unpacked, limit = BytesIO(), largest_content(file)
    try:
        for piece in _pieces(file, new):
            unpacked.write(piece)
            if unpacked.tell() > limit:
                raise DataFileError(
                    f"{path}: unpacks to more than {LARGEST_RATIO} times its size, as no data "
                    "file does: to read it all the same, unpack it first"
                )
    except (DataFileError, MemoryError):
        raise
    except Exception as error:  # each codec has errors of its own
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        line = unpacked.getvalue().count(b"\n") + 1
        raise DataFileError(
            f"{path}:{line}: the {form} file is truncated or damaged here: {error}"
        ) from None
    return unpacked.getvalue()


def _decompressor(form: str) -> Callable[[], Any]:
    # Imported here, because a Python may be built without them.
    if form == "gzip":
        import zlib

        return partial(zlib.decompressobj, wbits=31)
    if form == "bzip2":
        import bz2

        return bz2.BZ2Decompressor
    import lzma

    return lzma.LZMADecompressor


def _pieces(file: BinaryIO, new: Callable[[], Any]) -> Iterator[bytes]:
    """Unpack a file of one stream, or of several, as `cat` and parallel compressors make them.

    Python's own file objects for bzip2 and xz take a damaged second stream for the end of the file.
    """
    packed = file.read(_PIECE)
    while packed:
        stream = new()
        while not stream.eof:
            yield stream.decompress(packed, _PIECE)
            packed = getattr(stream, "unconsumed_tail", b"")  # zlib gives back what it has not read
            if not packed and getattr(stream, "needs_input", not stream.eof):
                packed = file.read(_PIECE)
                if not packed:
                    raise EOFError("it ends in the middle of a stream")
        packed = stream.unused_data.lstrip(b"\0")  # there may be zeros between streams
        while not packed and (more := file.read(_PIECE)):
            packed = more.lstrip(b"\0")

"""Data files opened and unpacked: nothing waits, and nothing fills the memory."""

import codecs
import errno
import math
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
    (b"PK", "a zip archive: unpack it first; a pair of .npz is read by read_npz_pair"),
    (b"\x93NUMPY", "a NumPy array, not text"),
    *((b"\x80" + bytes([protocol]), "a pickle, not text") for protocol in range(2, 6)),
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
#: So many bytes tell what kind of file it is: a tar archive says so from the 257th on.
_LONGEST_START = 262


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


def largest_content(file: BinaryIO, ratio: float = LARGEST_RATIO) -> float:
    """Return how many bytes a file may unpack to."""
    return max(_ALWAYS_ALLOWED, ratio * os.fstat(file.fileno()).st_size)


def read_text(path: FilePath, *, may_be_empty: bool = False) -> bytes:
    """Return the text of a file, unpacked if it is compressed, without a byte-order mark."""
    whole = BytesIO()
    whole.writelines(text_pieces(path, LARGEST_RATIO))
    text = whole.getvalue()
    if not text and not may_be_empty:
        raise DataFileError(f"{path}:1: the file is empty")
    check_line_ends(path, text)
    return text


def text_pieces(path: FilePath, largest_ratio: float = math.inf) -> Iterator[bytes]:
    """Go through the text of a file, unpacked if it is compressed, without a byte-order mark.

    No piece is empty, but for that of an empty file.

    What begins like another kind of file is refused, and so is what unpacks to more than
    ``largest_ratio`` times its size.
    """
    with opened(path) as file:
        start = file.read(8)
        file.seek(0)
        forms = [form for magic, form in _COMPRESSED if start.startswith(magic)]
        if forms:
            pieces = _unpacked(path, file, forms[0], largest_ratio)
        else:
            pieces = iter(lambda: file.read(_PIECE), b"")
        first = b""
        for piece in pieces:
            first += piece
            if len(first) >= _LONGEST_START:
                break
        for magic, what in _FOREIGN:
            if first.startswith(magic):
                raise DataFileError(f"{path}:1: this is {what}")
        if first.startswith(b"\0\0\0\0{", 4):  # the rest of the header's length, and the header
            raise DataFileError(f"{path}:1: this is a safetensors file, such as a model, not text")
        if first.startswith(b"ustar", 257):
            raise DataFileError(f"{path}:1: this is a tar archive: unpack it first")
        yield first.removeprefix(codecs.BOM_UTF8)
        yield from filter(None, pieces)


def check_line_ends(path: FilePath, text: bytes, first_line: int = 1) -> None:
    """Refuse a carriage return inside of a line; ``text`` is whole lines."""
    if b"\r" in text and (stray := re.search(rb"\r(?!\n|\Z)", text)):
        line = text.count(b"\n", 0, stray.start()) + first_line
        raise DataFileError(
            f"{path}:{line}: a carriage return inside of a line: lines must end in \\n or \\r\\n"
        )


def _unpacked(path: FilePath, file: BinaryIO, form: str, largest_ratio: float) -> Iterator[bytes]:
    try:
        new = _decompressor(form)
    except ImportError as error:
        raise ImportError(
            f"{path} is compressed with {form}, which this Python was built without: "
            "unpack the file first"
        ) from error
    size, line, limit = 0, 1, largest_content(file, largest_ratio)
    try:
        for piece in _pieces(file, new):
            size += len(piece)
            if size > limit:
                raise DataFileError(
                    f"{path}: unpacks to more than {LARGEST_RATIO} times its size, as no data "
                    "file does: to read it all the same, unpack it first"
                )
            yield piece
            line += piece.count(b"\n")
    except (DataFileError, MemoryError):
        raise
    except Exception as error:  # each codec has errors of its own
        if isinstance(error, OSError) and error.errno is not None:
            raise  # of the disk
        raise DataFileError(
            f"{path}:{line}: the {form} file is truncated or damaged here: {error}"
        ) from None


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

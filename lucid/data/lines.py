"""Lines of a text file, some at a time, so that the file may be larger than memory."""

import numpy as np

from lucid.data.dataset import DataFileError
from lucid.data.files import FilePath, check_line_ends, text_pieces

#: A longer line is no row of data, and would fill the memory.
_LONGEST_LINE = 1 << 30


class Lines:
    """The lines of a file, taken some at a time.

    Attributes
    ----------
    number : int
        That of the next line, from 1.
    """

    def __init__(self, path: FilePath) -> None:
        self._path = path
        self._pieces = text_pieces(path)
        self.number = 1
        self._load(b"")

    def _load(self, piece: bytes) -> None:
        self._piece, self._at = piece, 0
        self._ends = np.flatnonzero(np.frombuffer(piece, np.uint8) == ord("\n")) + 1
        self._next = 0

    def take(self, count: int) -> bytes:
        """Return the next ``count`` lines in one, or what is left of them; nothing at the end."""
        parts, open_line = [], 0
        while count > 0:
            lines = min(count, self._ends.size - self._next)
            if lines:
                self._next, count, open_line = self._next + lines, count - lines, 0
                end = int(self._ends[self._next - 1])
                parts.append(self._piece[self._at : end])
                self._at = end
                continue
            parts.append(self._piece[self._at :])
            open_line += len(parts[-1])
            if open_line > _LONGEST_LINE:
                raise DataFileError(f"{self._path}:{self.number}: a line of over 1 GiB")
            self._load(next(self._pieces, b""))
            if not self._piece:
                break
        text = b"".join(parts)
        check_line_ends(self._path, text, self.number)
        self.number += text.count(b"\n")
        return text

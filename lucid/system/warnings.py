"""Warnings that point at the user's line, and come once for each such line.

What is wrong with labels is named with its row, so every batch of a training loop would bring
another text, and Python shows each text. Once is enough: the line in the loop is to be mended.
"""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1]) + os.sep

_filters: object = None
_lines: set[tuple[str, int]] = set()


def warn_user(message: str) -> None:
    """Warn about the innermost line of code outside this package and PyTorch's, once.

    Other filters, such as those inside ``warnings.catch_warnings`` or ``pytest.warns``, begin anew.
    """
    global _filters
    frame, depth = sys._getframe(1), 2
    within: tuple[str, ...] = (_PACKAGE,)
    if (torch := getattr(sys.modules.get("torch"), "__file__", None)) is not None:
        within += (os.path.dirname(torch) + os.sep,)  # where a module calls its `forward`
    while frame.f_back is not None and frame.f_code.co_filename.startswith(within):
        frame, depth = frame.f_back, depth + 1
    line = (frame.f_code.co_filename, frame.f_lineno)
    if _filters is not warnings.filters:
        _filters = warnings.filters
        _lines.clear()
    if line not in _lines:
        _lines.add(line)
        warnings.warn(message, UserWarning, stacklevel=depth)

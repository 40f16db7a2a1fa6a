"""What docstrings say alike, written once.

A docstring names a part in braces, alone in its line, as ``{x}``; `shared` puts the part in its
place, with the same indent.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

T = TypeVar("T", bound=Callable[..., Any])

_PART = re.compile(r"^( *)\{(\w+)\}$", re.MULTILINE)


def fill(docstring: str, parts: Mapping[str, str]) -> str:
    """Put the named parts in their places."""

    def part(match: re.Match[str]) -> str:
        indent, name = match.groups()
        lines = parts[name].strip("\n").split("\n")
        return "\n".join(indent + line if line else line for line in lines)

    return _PART.sub(part, docstring)


def shared(parts: Mapping[str, str]) -> Callable[[T], T]:
    """Return a decorator that fills in the parts of a docstring, and keeps it as it was, too."""

    def decorate(documented: T) -> T:
        if documented.__doc__ is not None:  # which it is under -OO
            documented.__template__ = documented.__doc__, parts  # type: ignore[attr-defined]
            documented.__doc__ = fill(documented.__doc__, parts)
        return documented

    return decorate

"""Integers that are given as arguments."""

import operator
from typing import SupportsIndex


def as_int(name: str, value: SupportsIndex) -> int:
    """Return an integer, or say which argument is none; True and False are meant for no number."""
    try:
        if isinstance(value, bool):
            raise TypeError
        return operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None

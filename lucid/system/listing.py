"""What `dir` lists of a module: its public names, and not the files and helpers beside them."""

from collections.abc import Callable, Iterable


def lists(names: Iterable[str]) -> Callable[[], list[str]]:
    """Return a module's ``__dir__``, for its ``__all__``."""
    return lambda: list(names)

"""Third-party packages that only some features need, imported when one of these is used."""

import importlib
from typing import Any


def require(module: str, *, extra: str, purpose: str, project: str | None = None) -> Any:
    """Import ``module``, or say what to install: the package, or the extra that brings it.

    A package whose project has another name needs that name.

    Examples
    --------
    >>> require("no_such", extra="cli", purpose="reading no such files")
    Traceback (most recent call last):
    ImportError: reading no such files needs no_such: pip install no_such, or '.[cli]' in a clone
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        package = module.partition(".")[0]
        if error.name is None or error.name.partition(".")[0] != package:
            raise  # the package is there, but broken: its own error tells more
        project = project or package
        raise ImportError(
            f"{purpose} needs {project}: pip install {project}, or '.[{extra}]' in a clone"
        ) from None


def is_sparse(x: Any) -> bool:
    """Whether ``x`` is a SciPy sparse matrix or array, without importing SciPy to ask."""
    return hasattr(x, "tocsr")

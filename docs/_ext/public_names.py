"""The build fails when something public has no place in the API reference."""

import importlib
import pkgutil
import types
from collections.abc import Iterator

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

import lucid

logger = logging.getLogger(__name__)

#: Where things are defined that users import from elsewhere, or not at all.
INTERNAL = {
    "lucid.cli",
    "lucid.labels",
    "lucid.nn.layers",
    "lucid.nn.losses",
    "lucid.nn.module",
}


def public_modules() -> Iterator[types.ModuleType]:
    """Yield the package and those of its modules that users import from."""
    yield lucid
    for found in pkgutil.walk_packages(lucid.__path__, "lucid."):
        if "._" not in found.name and found.name not in INTERNAL:
            yield importlib.import_module(found.name)


def public_names(module: types.ModuleType) -> Iterator[str]:
    """Yield what a module lists in ``__all__``, or else what it defines without an underscore."""
    if hasattr(module, "__all__"):
        yield from (name for name in module.__all__ if not name.startswith("_"))
        return
    for name, value in vars(module).items():
        if not name.startswith("_") and getattr(value, "__module__", None) == module.__name__:
            yield name


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which ends the build, of names without a page and of pages without an example."""
    documented = env.domains.python_domain.objects
    homes: dict[int, list[str]] = {}
    values: dict[int, object] = {}
    for module in public_modules():
        for name in public_names(module):
            value = getattr(module, name)
            homes.setdefault(id(value), []).append(f"{module.__name__}.{name}")
            values[id(value)] = value
    for key, names in homes.items():
        value = values[key]
        if isinstance(value, types.ModuleType):
            continue
        if not any(name in documented for name in names):
            logger.warning("%s is public, but not in the API reference", names[0])
        is_error = isinstance(value, type) and issubclass(value, Exception)
        if callable(value) and not is_error and ">>>" not in (value.__doc__ or ""):
            logger.warning("the docstring of %s has no example", names[0])


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look when all pages have been read."""
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

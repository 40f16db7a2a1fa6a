"""The build fails when something public has no place in the API reference."""

import importlib
import pkgutil
import types
from collections.abc import Iterator

from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.ext.autodoc.mock import mock, undecorate
from sphinx.util import logging
from sphinx.util.typing import ExtensionMetadata

import lucid

logger = logging.getLogger(__name__)

#: Where things are defined that users import from elsewhere, or not at all.
INTERNAL = ("lucid._", "lucid.arrays", "lucid.autograd", "lucid.cli", "lucid.data", "lucid.labels")
INTERNAL += ("lucid.losses.", "lucid.metrics.", "lucid.nn.of_tensors", "lucid.nn.layers")
INTERNAL += ("lucid.nn.losses", "lucid.nn.module", "lucid.optim.", "lucid.system")
INTERNAL += ("lucid.sklearn.", "lucid.torch.", "lucid.training.")


def public_modules(app: Sphinx) -> Iterator[types.ModuleType]:
    """Yield the package and those of its modules that users import from."""
    yield lucid
    for found in pkgutil.walk_packages(lucid.__path__, "lucid."):
        if not found.name.startswith(INTERNAL):
            with mock(app.config.autodoc_mock_imports):
                yield importlib.import_module(found.name)


def check(app: Sphinx, env: BuildEnvironment) -> None:
    """Warn, which ends the build, of names without a page and of docstrings without an example."""
    documented = env.domains.python_domain.objects
    for module in public_modules(app):
        for name in module.__all__:
            value = undecorate(getattr(module, name))  # a decorator may be a mock
            full_name = f"{module.__name__}.{name}"
            if name.startswith("_") or isinstance(value, types.ModuleType):
                continue
            if full_name not in documented:
                logger.warning("%s is public, but not in the API reference", full_name)
            is_error = isinstance(value, type) and issubclass(value, Exception)
            if callable(value) and not is_error and ">>>" not in (value.__doc__ or ""):
                logger.warning("the docstring of %s has no example", full_name)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Look when all pages have been read."""
    app.connect("env-check-consistency", check)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

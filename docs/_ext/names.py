"""The role ``own``, the default one: `name` links where it names something of this package.

Anything else, such as a parameter, is emphasised; sphinx's ``autolink`` would take the parameter
``chunk`` for a module of Python's.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.ext.autosummary import (
    AutoLink,
    ImportExceptionGroup,
    get_import_prefixes_from_env,
    import_by_name,
)
from sphinx.util.typing import ExtensionMetadata


class Own(AutoLink):
    """Link to an object of this package, or emphasise."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        name = self.text.lstrip("~")
        modules = get_import_prefixes_from_env(self.env)
        try:
            full_name = import_by_name(name, [None] if name.startswith("lucid") else modules)[0]
        except ImportExceptionGroup:
            full_name = ""
        if full_name.partition(".")[0] == "lucid":
            return super().run()
        return [nodes.emphasis(self.rawtext, self.text)], []


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the role."""
    app.add_role("own", Own())
    return {"version": "1", "parallel_read_safe": True}

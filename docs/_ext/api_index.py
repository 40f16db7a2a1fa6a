"""The directive ``api-index``: every name on the pages it is given, with its summary."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

_LISTS = re.compile(r"^\.\. autosummary::\n((?:   :.*\n)*)\n((?:   \S+\n)+)", re.MULTILINE)


class ApiIndex(SphinxDirective):
    """A heading for each page, which links to it, and a table of the names it lists."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Write the tables and have them parsed."""
        folder = Path(self.env.doc2path(self.env.docname)).parent
        lines: list[str] = []
        for page in self.content:
            text = (folder / f"{page}.rst").read_text()
            self.env.note_dependency(str(folder / f"{page}.rst"))
            lines += [f".. rubric:: :doc:`{page}`", ""]
            names = [name for _, names in _LISTS.findall(text) for name in names.split()]
            if names:
                lines += [".. autosummary::", "   :nosignatures:", ""]
                lines += [*(f"   {name}" for name in names), ""]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("api-index", ApiIndex)
    return {"version": "1", "parallel_read_safe": True}

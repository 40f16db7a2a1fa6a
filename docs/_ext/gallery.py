"""The directive ``.. gallery:: folder``: its Python programs, each with what it says of itself.

The first line of a program's docstring is its title, the rest is read as a page is.
"""

import ast
import re
from pathlib import Path

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata


class Gallery(SphinxDirective):
    """Show the programs of a folder, in the order of their names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        page = Path(self.env.doc2path(self.env.docname))
        folder = (page.parent / self.arguments[0]).resolve()
        self.env.note_dependency(str(folder))
        return [self.section(path) for path in sorted(folder.glob("*.py"))]

    def section(self, path: Path) -> nodes.section:
        """Return a program's section: what it is for, and the program without its docstring."""
        self.env.note_dependency(str(path))
        source = path.read_text(encoding="utf-8")
        docstring = ast.parse(source).body[0]
        words = ast.get_docstring(ast.parse(source)) or path.stem
        title, _, text = words.partition("\n")
        section = nodes.section(ids=[nodes.make_id(path.stem)])
        section += nodes.title(text=title.rstrip("."))
        lines = as_page(text).splitlines()
        self.state.nested_parse(StringList(lines, str(path)), 0, section)
        code = "\n".join(source.splitlines()[docstring.end_lineno or 0 :]).strip()
        section += nodes.literal_block(code, code, language="python")
        return section


def as_page(text: str) -> str:
    """Return a docstring as a page has it: names are code, and so are indented lines."""
    text = re.sub(r"(?<!`)`([^`]+)`(?!`)", r"``\1``", text)
    return re.sub(r"(?:\A|\n)\n(?=    )", "\n\n.. code-block:: console\n\n", text)


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("gallery", Gallery)
    return {"version": "1", "parallel_read_safe": True}

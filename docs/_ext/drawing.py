"""The directive ``.. drawing:: name``: a picture that ``docs/drawings/name.py`` draws.

The module's ``draw()`` returns a matplotlib figure. It becomes SVG inside the page, not a file
beside it, so that its colours are those of the page, light or dark: drawings use the colours of
`drawings.palette`, and the page's style sheet says what they are.
"""

import importlib
import io
import re
from html import escape
from typing import ClassVar

import matplotlib
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata, OptionSpec
from sphinx.writers.html5 import HTML5Translator

STYLE = {
    "svg.fonttype": "none",  # text stays text: it can be read aloud, searched and selected
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class drawing(nodes.General, nodes.Element):
    """A picture to be drawn when the page is written."""


class Drawing(SphinxDirective):
    """Place a drawing, with its description for those who cannot see it, and a caption."""

    required_arguments = 1
    has_content = True
    option_spec: ClassVar[OptionSpec] = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        name = self.arguments[0]
        if "alt" not in self.options:
            raise self.error("a drawing needs :alt:, what it shows in words")
        self.env.note_dependency(str(self.env.srcdir / "drawings" / f"{name}.py"))
        figure = nodes.figure(classes=["drawing"])
        figure += drawing(name=name, alt=self.options["alt"])
        if self.content:
            caption, _ = self.parse_inline(" ".join(self.content))
            figure += nodes.caption("", "", *caption)
        return [figure]


def svg_of(figure: Figure, name: str) -> str:
    """Return a figure as an ``<svg>`` element whose colours are variables of the style sheet."""
    from_palette = importlib.import_module("drawings.palette").CSS
    file = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):  # ids: the same in each build, other
        figure.savefig(  # than those of the page's other drawings
            file, format="svg", transparent=True, bbox_inches="tight", metadata={"Date": None}
        )
    svg = file.getvalue()
    svg = svg[svg.index("<svg ") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' id="[a-z0-9]+_\d+"', "", svg)  # nobody refers to these
    svg = re.sub(r' (width|height)="[\d.]+pt"', "", svg, count=2)
    for colour, css in from_palette.items():
        svg = svg.replace(colour, css)
    return svg


def visit_drawing(self: HTML5Translator, node: drawing) -> None:
    with matplotlib.rc_context(STYLE):
        figure = importlib.import_module(f"drawings.{node['name']}").draw()
        svg = svg_of(figure, node["name"])
    described = f'<svg role="img" aria-label="{escape(node["alt"])}" '
    self.body.append(svg.replace("<svg ", described, 1))
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("drawing", Drawing)
    app.add_node(drawing, html=(visit_drawing, None))
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

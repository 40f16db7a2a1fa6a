"""Formulas as MathML, made when the pages are built.

A browser shows them by itself: no script, no font and no other host is needed.
"""

import re
from html import escape

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.util.typing import ExtensionMetadata
from sphinx.writers.html5 import HTML5Translator


def formula(latex: str, display: str) -> str:
    """Return the MathML of a formula; its LaTeX is what a screen reader may fall back on."""
    mathml = convert(latex, display=display)
    # A word in upright letters is one name, not a product of letters.
    mathml = re.sub(r"(<mi mathvariant=\"normal\">\w</mi>){2,}", joined, mathml)
    if display == "block":  # large also where no installed font has large operators
        mathml = mathml.replace(
            "<mo>&#x02211;</mo>", '<mo largeop="false" class="sum">&#x02211;</mo>'
        )
    return mathml.replace("<math ", f'<math alttext="{escape(latex)}" ', 1)


def joined(letters: re.Match[str]) -> str:
    return "<mi>" + re.sub(r"<.*?>", "", letters[0]) + "</mi>"


def visit_inline(self: HTML5Translator, node: nodes.math) -> None:
    self.body.append(formula(node.astext(), "inline"))
    raise nodes.SkipNode


def visit_block(self: HTML5Translator, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math", tabindex="0"))
    self.body.append(formula(node.astext(), "block"))
    self.body.append("</div>")
    raise nodes.SkipNode


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the renderer and choose it."""
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_block, None))
    app.config["html_math_renderer"] = "mathml"
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

"""Where a long name in a table may go on in the next line: after a dot or an underscore."""

import re

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util.typing import ExtensionMetadata


class BreakNames(SphinxPostTransform):
    """Put a break that shows only where it is needed into the names in tables."""

    default_priority = 900
    formats = ("html",)

    def run(self, **kwargs: object) -> None:
        """Go through the code in tables."""
        for table in self.document.findall(nodes.table):
            for code in list(table.findall(nodes.literal)):
                for text in list(code.findall(nodes.Text)):
                    parts = [part for part in re.split(r"(?<=[._])", text) if part]
                    if len(parts) > 1:
                        text.parent.replace(text, list(_joined(parts)))


def _joined(parts: list[str]) -> list[nodes.Node]:
    joined: list[nodes.Node] = []
    for part in parts:
        joined += [nodes.raw("", "<wbr>", format="html")] if joined else []
        joined.append(nodes.Text(part))
    return joined


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the transform."""
    app.add_post_transform(BreakNames)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}

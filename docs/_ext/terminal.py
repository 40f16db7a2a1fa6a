"""The directive ``.. terminal:: command``: a command of the package, and what it really prints.

It runs when the page is read, in a folder of its own; a command that fails ends the build.
"""

import os
import re
import shlex
import subprocess
import sys
import sysconfig
import tempfile
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.typing import ExtensionMetadata

SCRIPTS = Path(sysconfig.get_path("scripts"))


class Terminal(SphinxDirective):
    """Show a command and its output."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        command = self.arguments[0]
        name, *arguments = shlex.split(command)
        with tempfile.TemporaryDirectory() as folder:
            done = subprocess.run(
                [sys.executable, SCRIPTS / name, *arguments],
                cwd=folder,
                capture_output=True,
                text=True,
                env={**os.environ, "COLUMNS": "80", "LC_ALL": "C.UTF-8"},
            )
        if done.returncode:
            raise self.error(f"{command} failed:\n{done.stderr}")
        output = re.sub(r"[ \t]+$", "", done.stdout, flags=re.MULTILINE).rstrip()
        block = nodes.literal_block(text=f"$ {command}\n{output}", language="console")
        return [block]


def setup(app: Sphinx) -> ExtensionMetadata:
    """Register the directive."""
    app.add_directive("terminal", Terminal)
    return {"version": "1", "parallel_read_safe": True}

"""What ``examples/tagging.py`` draws: how many of the tags that it suggests are right."""

import runpy
from contextlib import redirect_stdout
from pathlib import Path

from drawings.palette import FAINT, INK, LABEL, OTHER
from matplotlib.figure import Figure

PROGRAM = Path(__file__).parents[2] / "examples" / "tagging.py"


def draw() -> Figure:
    program = runpy.run_path(str(PROGRAM))
    with redirect_stdout(None):
        curves = program["compare"](*program["apart"](program["drawn"](2000, 0)), 15, 0)
    figure: Figure = program["plot"](curves)
    figure.set_size_inches(5.0, 2.6)
    (axis,) = figure.axes
    for line, name, colour in zip(axis.lines, axis.texts, (LABEL, OTHER), strict=True):
        line.set_color(colour)
        name.set_color(colour)
    for text in (axis.title, axis.xaxis.label, axis.yaxis.label):
        text.set_color(INK)
    axis.tick_params(colors=INK)
    axis.spines[:].set_color(FAINT)
    return figure

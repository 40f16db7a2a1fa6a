"""A row of scores of a trained model, block by block: what is looked at, what is ranked."""

import matplotlib.pyplot as plt
import numpy as np
from drawings.palette import FAINT, INK, LABEL, OTHER
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle

COLUMNS = 12  # of a block; the kernel's have 512
BLOCKS = 4
LABELS = (4, 31)
CLOSE = (16, 27, 33, 40)  # other classes above the lowest threshold


def draw() -> Figure:
    figure, axis = plt.subplots(figsize=(5.6, 2.7))
    for j in range(COLUMNS * BLOCKS):
        x = j + 1.5 * (j // COLUMNS)
        colour = LABEL if j in LABELS else OTHER if j in CLOSE else "none"
        axis.add_patch(Rectangle((x, 0), 0.9, 3, fc=colour, ec=FAINT, lw=0.7))
    verdicts = [
        "none active:\ngradient 0",
        "few active:\nqueued",
        "few active:\nqueued",
        "few active:\nqueued",
    ]
    for b, verdict in enumerate(verdicts):
        middle = b * (COLUMNS + 1.5) + COLUMNS / 2
        axis.text(middle, 4.0, verdict, color=INK, ha="center", va="bottom")
    queue = np.arange(len(CLOSE)) * 2.2 + 24
    for place, j in zip(queue, CLOSE, strict=True):
        x = j + 1.5 * (j // COLUMNS) + 0.45
        axis.add_patch(Rectangle((place, -7), 1.8, 3, fc=OTHER, ec=FAINT, lw=0.7))
        axis.add_patch(
            FancyArrowPatch(
                (x, -0.3), (place + 0.9, -3.7), color=OTHER, arrowstyle="-|>", mutation_scale=8
            )
        )
    axis.text(
        queue[-1] + 2.6, -5.5, "ranked together\nwhen a block is full", color=INK, va="center"
    )
    axis.add_patch(Rectangle((0, -6.4), 1.8, 1.8, fc=LABEL, ec=FAINT, lw=0.7))
    axis.text(2.5, -5.5, "a label: set to the\nlowest threshold", color=INK, va="center")
    axis.set(xlim=(-0.5, 53), ylim=(-8, 9))
    axis.axis("off")
    plt.close(figure)
    return figure

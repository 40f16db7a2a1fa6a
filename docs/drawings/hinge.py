"""What one pair adds to the loss, against how far the label is ahead."""

import matplotlib.pyplot as plt
import numpy as np
from drawings.palette import ACTIVE, FAINT, INK, LABEL
from matplotlib.figure import Figure


def draw() -> Figure:
    figure, axis = plt.subplots(figsize=(5.0, 2.6))
    ahead = np.array([-1.0, 1.0, 2.2])
    axis.axvspan(-1, 1, color=ACTIVE, lw=0)
    axis.plot(ahead, np.maximum(0, 1 - ahead), color=LABEL, lw=2.5)
    axis.axvline(0, color=FAINT, lw=1, ls=(0, (3, 2)))
    axis.text(-0.95, 2.12, "wrong order", color=INK, va="center")
    axis.text(0.06, 2.12, "right order,\ntoo close", color=INK, va="center")
    axis.text(1.06, 2.12, "far enough apart:\nloss 0, gradient 0", color=INK, va="center")
    axis.set(xlim=(-1, 2.4), ylim=(-0.08, 2.5), xticks=[-1, 0, 1, 2], yticks=[0, 1, 2])
    axis.set_xlabel("score of the label − score of the other class", color=INK)
    axis.set_ylabel("what the pair adds", color=INK)
    axis.tick_params(colors=INK)
    axis.spines[:].set_color(FAINT)
    plt.close(figure)
    return figure

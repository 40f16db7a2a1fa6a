"""Sorted thresholds make a staircase; a score's rank is the step that it stands on."""

import matplotlib.pyplot as plt
import numpy as np
from drawings.palette import ACTIVE, FAINT, INK, LABEL, OTHER
from matplotlib.figure import Figure

THRESHOLDS = np.array([0.6, 1.15, 1.45, 2.2, 3.1, 3.4])
SCORES = np.array([0.28, 0.88, 1.8, 2.7, 3.7])
BUCKETS = 6


def draw() -> Figure:
    figure, axis = plt.subplots(figsize=(5.4, 3.4))
    for b, edge in enumerate(np.linspace(THRESHOLDS[0], THRESHOLDS[-1], BUCKETS + 1)[:-1]):
        width = (THRESHOLDS[-1] - THRESHOLDS[0]) / BUCKETS
        axis.axvspan(edge, edge + width, color=ACTIVE, lw=0, alpha=1 if b % 2 else 0.45)
    steps = np.concatenate([[-0.05], THRESHOLDS, [4.05]])
    axis.step(
        steps, [*range(len(THRESHOLDS) + 1), len(THRESHOLDS)], where="post", color=LABEL, lw=2
    )
    axis.plot(THRESHOLDS, np.full(THRESHOLDS.size, -0.55), "|", ms=11, mew=2, color=LABEL)
    for x in SCORES:
        rank = int((x > THRESHOLDS).sum())
        axis.plot([x, x], [-0.55, rank], color=OTHER, lw=1.2, ls=(0, (3, 2)))
        axis.plot(x, -0.55, "o", ms=8, color=OTHER)
        axis.text(x, rank + 0.28, f"rank {rank}", color=OTHER, ha="center", va="bottom")
    axis.set(xlim=(-0.05, 4.05), ylim=(-1, 7.2), yticks=range(7), xticks=[])
    axis.set_ylabel("thresholds below", color=INK)
    axis.set_xlabel("score (dots: other classes, ticks: thresholds of the labels)", color=INK)
    axis.tick_params(colors=INK)
    axis.spines[:].set_color(FAINT)
    plt.close(figure)
    return figure

"""The scores on a line, and the stretch in which other classes are too close to each label."""

import matplotlib.pyplot as plt
from drawings.example import LABELS, OTHERS, SCORES, THRESHOLDS
from drawings.palette import ACTIVE, FAINT, INK, LABEL, OTHER
from matplotlib.figure import Figure


def draw() -> Figure:
    figure, axes = plt.subplots(len(LABELS), 1, figsize=(5.4, 3.0), sharex=True)
    for axis, label, threshold in zip(axes, LABELS, THRESHOLDS, strict=True):
        end = SCORES.max() + 0.45
        axis.axvspan(threshold, end, ymin=0.28, ymax=0.60, color=ACTIVE, lw=0)
        axis.axhline(0, color=FAINT, lw=1)
        axis.plot([threshold] * 2, [-0.75, 0.75], color=LABEL, lw=1.5, ls=(0, (3, 2)))
        axis.text(
            threshold, -1.15, f"{SCORES[label]:.1f} − 1", color=LABEL, ha="center", va="center"
        )
        axis.plot(SCORES[label], 0, "o", ms=12, color=LABEL)
        axis.text(SCORES[label], 0.95, f"label {label}", color=LABEL, ha="center", va="center")
        violating = SCORES[OTHERS] > threshold
        for j, wrong in zip(OTHERS, violating, strict=True):
            axis.plot(SCORES[j], 0, "o", ms=9, mew=1.6, color=OTHER, mfc=OTHER if wrong else "none")
            axis.text(SCORES[j], -0.62, str(j), color=OTHER, ha="center", va="center")
        axis.text(-1.45, 0.95, f"{violating.sum()} active pairs", color=INK, va="center")
        axis.set(xlim=(-1.5, end), ylim=(-1.4, 1.3), yticks=[])
        axis.spines[["left", "bottom"]].set_visible(False)
        axis.tick_params(colors=INK, length=0, labelbottom=False)
    axes[-1].tick_params(labelbottom=True)
    axes[-1].set_xlabel("score", color=INK)
    plt.close(figure)
    return figure

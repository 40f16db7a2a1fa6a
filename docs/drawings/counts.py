"""All pairs as a table: its row and column sums are the gradient."""

import matplotlib.pyplot as plt
from drawings.example import ACTIVE as COUNTS
from drawings.example import GRADIENT, LABELS, OTHERS, SCORES
from drawings.palette import ACTIVE, FAINT, INK, LABEL, OTHER
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

C = SCORES.size


def draw() -> Figure:
    columns = OTHERS[SCORES[OTHERS].argsort()]
    table = COUNTS[:, SCORES[OTHERS].argsort()]
    figure, axis = plt.subplots(figsize=(5.4, 2.9))
    for i, label in enumerate(LABELS):
        for j in range(columns.size):
            axis.add_patch(
                Rectangle((j, -i), 0.94, -0.92, fc=ACTIVE if table[i, j] else "none", ec=FAINT)
            )
            if table[i, j]:
                gap = 1 - SCORES[label] + SCORES[columns[j]]
                axis.text(j + 0.47, -i - 0.46, f"{gap:.1f}", color=INK, ha="center", va="center")
        name = f"label {label}\nscore {SCORES[label]:.1f}"
        axis.text(-0.1, -i - 0.46, name, color=LABEL, ha="right", va="center")
        share = f"−{table[i].sum()} / {C}"
        assert round(float(GRADIENT[label]) * C) == -table[i].sum()
        axis.text(columns.size + 0.15, -i - 0.46, share, color=LABEL, va="center", weight="bold")
    for j, column in enumerate(columns):
        name = f"class {column}\n{SCORES[column]:.1f}".replace("-", "−")
        axis.text(j + 0.47, 0.1, name, color=OTHER, ha="center", va="bottom")
        assert round(float(GRADIENT[column]) * C) == table[:, j].sum()
        share = f"{table[:, j].sum()} / {C}"
        axis.text(j + 0.47, -2.1, share, color=OTHER, ha="center", va="top", weight="bold")
    axis.text(-0.1, -2.1, "gradient", color=INK, ha="right", va="top")
    axis.text(columns.size + 0.15, 0.1, "gradient", color=INK, va="bottom")
    axis.set(xlim=(-1.3, columns.size + 1.1), ylim=(-2.6, 0.8), aspect="equal")
    axis.axis("off")
    plt.close(figure)
    return figure

"""Draw the plots from results.json: python benchmarks/plot.py [--json FILE] [--out FOLDER]"""

import argparse
import json
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import ticker
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cases import BOTH, FORWARD, MODES
from contenders import LUCID, PYTORCH, on_threads
from summary import Result, best_numpy, has, ratio, seconds

HERE = Path(__file__).parent

#: Okabe and Ito's colours, which colour-blind readers tell apart: blue is lucid in every plot.
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
LIGHT_BLUE = "#56B4E9"

STYLE: dict[Any, Any] = {
    # An opaque light ground, so that a plot reads the same on a dark page.
    "figure.facecolor": "white",
    "axes.facecolor": "white",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": GREY,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.8,
    "axes.axisbelow": True,
    "axes.titlesize": 11,
    "figure.titlesize": 13,
    "font.size": 11,
    "font.family": "sans-serif",
    "lines.linewidth": 2,
    "lines.markersize": 5,
    "legend.frameon": False,
    "svg.hashsalt": "lucid",  # the same file from the same figures
}

#: How each is drawn, in all plots: colour, line, marker.
PEERS = {
    LUCID.name: (BLUE, "-", "o"),
    "best NumPy": (GREEN, ":", "s"),
    PYTORCH.name: (ORANGE, "--", "^"),
}


def plot_classes(results: dict[str, Any]) -> Figure:
    """Time over C, a panel for each P."""
    by_labels: dict[int, list[Result]] = {}
    for result in results["classes"]:
        by_labels.setdefault(result["p"], []).append(result)
    figure = _figure((9, 4.2))
    panels = figure.subplots(1, len(by_labels), sharex=True, sharey=True, squeeze=False)[0]
    for axes, (p, line) in zip(panels, sorted(by_labels.items()), strict=True):
        _lines(axes, line, "c")
        axes.set_title(f"{p} labels a row")
        axes.set_xlabel("classes")
    panels[0].set_ylabel("milliseconds")
    panels[0].legend(loc="upper left")
    rows = results["classes"][0]["n"]
    figure.suptitle(f"Loss and gradient of {rows} rows, over the number of classes")
    return figure


def plot_labels(results: dict[str, Any]) -> Figure:
    """Time over P."""
    figure = _figure((7.5, 4.2))
    axes = figure.subplots()
    _lines(axes, results["labels"], "p")
    first = results["labels"][0]
    axes.set_xlabel("labels a row")
    axes.set_ylabel("milliseconds")
    axes.legend(loc="upper left")
    rows, classes = first["n"], first["c"]
    figure.suptitle(f"Loss and gradient of {rows} rows of {classes:,} classes, over their labels")
    return figure


def plot_ratios(results: dict[str, Any]) -> Figure:
    """How many times longer the others take, case by case, with the spread over the rounds."""
    cases = results["cases"][::-1]
    figure = _figure((8, 0.36 * len(cases) + 1.8))
    axes = figure.subplots()
    for peer in ("best NumPy", PYTORCH.name):
        color, _, marker = PEERS[peer]
        for y, result in enumerate(cases):
            name = _name(result, peer)
            if name is not None:
                spread = ratio(result, BOTH, name)
                axes.plot([spread.low, spread.high], [y, y], color=color, alpha=0.4, linewidth=6)
                axes.plot(spread.median, y, marker, color=color)
        axes.plot([], [], marker, color=color, label=peer)
    axes.set_xscale("log")
    axes.set_xlabel("time in multiples of lucid's: median, and the range over all rounds")
    _case_axis(axes, cases)
    figure.suptitle("Loss and gradient: how many times longer the others take")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


def plot_threads(results: dict[str, Any]) -> Figure:
    """How many times faster several threads are than one."""
    cases = results["large"][::-1]
    threads = [t for t in (2, 4, 8, 16, 32, 64) if has(cases[0], on_threads(t).name)]
    bars = [(mode, t) for mode in MODES for t in threads]
    figure = _figure((8, 0.25 * len(cases) * max(len(bars), 2) + 1.8))
    axes = figure.subplots()
    height = 0.8 / max(len(bars), 1)
    for k, (mode, t) in enumerate(bars):
        ratios = [ratio(each, mode, on_threads(1).name, on_threads(t).name) for each in cases]
        axes.barh(
            [y + 0.4 - (k + 0.5) * height for y in range(len(cases))],
            [each.median for each in ratios],
            height=0.9 * height,
            color=LIGHT_BLUE if mode == FORWARD else BLUE,
            alpha=0.4 + 0.6 * (threads.index(t) + 1) / len(threads),
            label=f"{mode}, {t} threads",
        )
    axes.set_xlabel("speed in multiples of one thread's")
    _case_axis(axes, cases)
    figure.suptitle("What more threads bring")
    figure.legend(loc="outside lower center", ncols=2)
    return figure


PLOTS = {
    "classes": plot_classes,
    "labels": plot_labels,
    "ratios": plot_ratios,
    "threads": plot_threads,
}


def _figure(size: tuple[float, float]) -> Figure:
    return Figure(figsize=size, layout="constrained")


def _lines(axes: Axes, results: list[Result], key: str) -> None:
    """Draw a line for each peer that was measured, over ``key``, on logarithmic axes."""
    for peer, (color, style, marker) in PEERS.items():
        points = [
            (result[key], 1000 * seconds(result, BOTH, name))
            for result in results
            if (name := _name(result, peer)) is not None
        ]
        if points:
            x, y = zip(*points, strict=True)
            axes.plot(x, y, style, marker=marker, color=color, label=peer)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(ticker.EngFormatter(sep=""))
    axes.yaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}"))


def _name(result: Result, peer: str) -> str | None:
    """Return the contender that stands for ``peer`` in ``result``, if any does."""
    if peer == "best NumPy":
        return best_numpy(result, BOTH)
    return peer if has(result, peer) else None


def _case_axis(axes: Axes, cases: list[Result]) -> None:
    """Name the cases along y, and mark along x where two are equally fast."""
    axes.axvline(1, color=GREY, linewidth=1)
    axes.xaxis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}×"))
    axes.set_yticks(range(len(cases)), [_case_label(result) for result in cases])
    axes.set_ylabel("rows × classes, labels a row")
    axes.grid(visible=False, axis="y")


def _case_label(result: Result) -> str:
    trained = ", trained" if "trained" in result["case"] else ""
    return f"{result['n']:,} × {result['c']:,}, {result['p']:,}{trained}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Draw the plots from the results.")
    parser.add_argument("--json", type=Path, default=HERE / "results.json")
    parser.add_argument("--out", type=Path, default=HERE / "plots")
    arguments = parser.parse_args()
    results = json.loads(arguments.json.read_text())
    arguments.out.mkdir(exist_ok=True)
    with mpl.rc_context(STYLE):
        for name, draw in PLOTS.items():
            draw(results).savefig(arguments.out / f"{name}.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()

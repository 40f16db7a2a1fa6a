"""The tables from quality.json: write them into benchmarks/README.md, or check them.

python benchmarks/quality_table.py            print them
python benchmarks/quality_table.py --write    put them between their markers
python benchmarks/quality_table.py --check    fail when the file has others
"""

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from table import WIDE, insert

RESULTS = Path(__file__).with_name("quality.json")
NAME = "quality"

#: Where a small value is the better one.
SMALL_IS_GOOD = ("ranking loss",)


def tables(results: dict[str, Any]) -> str:
    """Return a Markdown table for each data set, and one of what was chosen."""
    parts = [chosen_table(results["data"])]
    for name, data in results["data"].items():
        parts += [f"**{name}**", one_table(data)]
    return "\n\n".join([*parts, caption(results)])


def chosen_table(data_sets: dict[str, Any]) -> str:
    """Return how far the loss that was chosen is from logistic regression."""
    rows = []
    for name, data in data_sets.items():
        metrics = list(data["difference"])
        cells = [
            f"{data['difference'][metric]['mean']:+.4f} ± "
            f"{data['difference'][metric]['standard error']:.4f}"
            for metric in metrics
        ]
        rows.append([name, data["chosen"], *cells])
    return table(["data set", "loss", *(f"{metric}, difference" for metric in metrics)], rows, 2)


def one_table(data: dict[str, Any]) -> str:
    """Return the metrics of each loss, the best in bold, with half the range of the seeds."""
    losses = data["losses"]
    metrics = list(next(iter(losses.values()))["test"])
    best = {metric: best_of(metric, losses) for metric in metrics}
    rows = []
    for name, each in losses.items():
        cells = []
        for metric in metrics:
            shown = digits(each["test"][metric])
            cells.append(f"**{shown}**" if shown.split()[0] == best[metric] else shown)
        rows.append([f"{name} ←" if name == data["chosen"] else name, *cells])
    return table(["loss", *metrics], rows, 1)


def best_of(metric: str, losses: dict[str, Any]) -> str:
    """Return the best value, as it is shown."""
    best = min if metric in SMALL_IS_GOOD else max
    return f"{best(statistics.fmean(each['test'][metric]) for each in losses.values()):.4f}"


def digits(values: list[float]) -> str:
    """Return a mean, and half the range where there are several values."""
    mean = f"{statistics.fmean(values):.4f}"
    return mean if len(values) == 1 else f"{mean} ± {(max(values) - min(values)) / 2:.4f}"


def table(head: list[str], rows: list[list[str]], words: int) -> str:
    """Return a Markdown table whose first ``words`` columns are words."""
    rule = ["---"] * words + ["--:"] * (len(head) - words)
    return "\n".join(f"| {' | '.join(row)} |" for row in [head, rule, *rows])


def caption(results: dict[str, Any]) -> str:
    """Return what the signs mean, and how to make the tables again."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"←: chosen on rows held out of the training set. ±: in the first table, the standard "
        f"error over the rows of the test set; in the others, half the range of "
        f"{len(results['seeds'])} seeds. A difference below 0 is good for the ranking loss, above "
        f"0 for the others. `{results['command']}`, {versions}."
    )


def put(text: str, name: str, script: str) -> None:
    """Print tables, or write or check them, as the command line says."""
    parser = argparse.ArgumentParser(description="Tables from results that are stored.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="put them into their file")
    action.add_argument("--check", action="store_true", help="fail when the file differs")
    arguments = parser.parse_args()
    if not (arguments.write or arguments.check):
        print(text)
        return
    present = WIDE.read_text()
    wanted = insert(present, text, name)
    if arguments.write:
        WIDE.write_text(wanted)
    elif present != wanted:
        sys.exit(f"{WIDE} is out of date: run python benchmarks/{script} --write")


if __name__ == "__main__":
    put(tables(json.loads(RESULTS.read_text())), NAME, "quality_table.py")

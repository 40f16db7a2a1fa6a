"""The tables from ranker.json: write them into benchmarks/README.md, or check them.

python benchmarks/ranker_table.py            print them
python benchmarks/ranker_table.py --write    put them between their markers
python benchmarks/ranker_table.py --check    fail when the file has others
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quality_table import SMALL_IS_GOOD, put, table

RESULTS = Path(__file__).with_name("ranker.json")
NAME = "ranker"
METRICS = ("P@1", "P@3", "P@5", "nDCG@5", "PSP@5", "ranking loss", "micro F1", "macro F1")


def tables(results: dict[str, Any]) -> str:
    """Return a Markdown table for each data set, and those of the time and of the memory of all."""
    parts = []
    for name, contenders in results["data"].items():
        parts += [f"**{name}**", one_table(contenders)]
    parts += ["**Seconds to train**", costs(results["data"], lambda each: f"{each['seconds']:.2g}")]
    parts += ["**Memory, MB**", costs(results["data"], lambda each: str(each["MB"]))]
    return "\n\n".join([*parts, caption(results)])


def one_table(contenders: dict[str, Any]) -> str:
    """Return the metrics of each contender, the best in bold."""
    rows = [
        [short(name), *(cell(metric, each, contenders) for metric in METRICS)]
        for name, each in contenders.items()
    ]
    return table(["", *METRICS], rows, 1)


def costs(data: dict[str, Any], cost: Callable[[dict[str, Any]], str]) -> str:
    """Return a table of what each contender took on each data set, narrow enough for a phone."""
    names = next(iter(data.values()))
    rows = [[short(name), *(cost(each[name]) for each in data.values())] for name in names]
    return table(["", *data], rows, 1)


def short(name: str) -> str:
    """Return what a contender is called in a table."""
    return name.replace("one-versus-rest ", "")


def cell(metric: str, each: dict[str, Any], contenders: dict[str, Any]) -> str:
    """Return a value, in bold if no contender has a better one."""
    if metric not in each["metrics"]:
        return "–"
    best = min if metric in SMALL_IS_GOOD else max
    known = [other["metrics"] for other in contenders.values() if metric in other["metrics"]]
    shown, first = (f"{x:.3f}" for x in (each["metrics"][metric], best(m[metric] for m in known)))
    return f"**{shown}**" if shown == first else shown


def caption(results: dict[str, Any]) -> str:
    """Return how to make the tables again."""
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        "The time is that of the processor, on one thread; the memory is the most that the process "
        f"held. `{results['command']}`, {versions}."
    )


if __name__ == "__main__":
    put(tables(json.loads(RESULTS.read_text())), NAME, "ranker_table.py")

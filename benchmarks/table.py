"""The tables from results.json: write them between their markers, or check them.

The README has a short one, and one of small batches; that of benchmarks/README.md has all
contenders and the spread.

python benchmarks/table.py            print them
python benchmarks/table.py --write    put them into their files
python benchmarks/table.py --check    fail when a file has another one
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cases import BOTH, FORWARD, MODES, find
from contenders import LIMIT, LUCID, LUCID_BASELINE, PADDLE, PYTORCH
from summary import Result, best_numpy, digits, has, ratio, seconds

RESULTS = Path(__file__).with_name("results.json")
SHORT = Path(__file__).parents[1] / "README.md"
WIDE = Path(__file__).with_name("README.md")
NAME = "benchmark"

HEAD = (
    "| rows × classes, labels a row | scores | forward | × PyTorch | × NumPy "
    "| with gradient | × PyTorch | × NumPy |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|"
)

WIDE_HEAD = (
    "| case | pass | lucid, ms | × PyTorch | floor / aim | × best NumPy | which "
    "| × Paddle | × baseline | in max / copy |\n"
    "|---|---|--:|--:|--:|--:|---|--:|--:|--:|"
)


def wide_table(results: dict[str, Any]) -> str:
    """Return the Markdown table of all contenders, each with the lowest and the highest ratio."""
    rows = [wide_row(result, mode) for result in results["cases"] for mode in MODES]
    return "\n".join([WIDE_HEAD, *rows])


def wide_row(result: Result, mode: str) -> str:
    """Return one line of the wide table."""
    numpy = best_numpy(result, mode)
    goal = find(result["case"]).goal(mode)

    def times(name: str) -> str:
        return str(ratio(result, mode, name)) if has(result, name) else "–"

    cells = [
        result["case"],
        mode,
        f"{seconds(result, mode, LUCID.name) * 1e3:.3g}",
        times(PYTORCH.name),
        f"{goal.floor:g} / {goal.aim:g}" if goal else "–",
        times(numpy),
        numpy,
        times(PADDLE.name),
        times(LUCID_BASELINE.name),
        digits(ratio(result, mode, LUCID.name, LIMIT.name).median),
    ]
    return f"| {' | '.join(cells)} |"


def table(results: dict[str, Any]) -> str:
    """Return the Markdown table: lucid's times, and what the others take in multiples of them."""
    rows = [_row(result) for result in results["cases"]]
    return "\n".join([HEAD, *rows, "", _caption(results)])


def small_table(results: dict[str, Any]) -> str:
    """Return the Markdown table of small batches, a column for each number of classes."""
    cases = results["small"]
    first = cases[0]
    head = f"{first['n']} rows, {first['p']} labels a row; classes:"
    lines = [[head, *(f"{case['c']}" for case in cases)]]
    for mode, name in ((FORWARD, "the loss"), (BOTH, "with its gradient")):
        lines.append([name, *(_time(seconds(case, mode, LUCID.name)) for case in cases)])
        lines.append(["× PyTorch", *(_times(case, mode, PYTORCH.name) for case in cases)])
    lines.insert(1, ["---", *["--:"] * len(cases)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _row(result: Result) -> str:
    cells = [f"{result['n']:,} × {result['c']:,}, {result['p']:,}", result["case"].split("-")[-1]]
    for mode in (FORWARD, BOTH):
        cells += [
            _time(seconds(result, mode, LUCID.name)),
            _times(result, mode, PYTORCH.name),
            _times(result, mode, best_numpy(result, mode)),
        ]
    return f"| {' | '.join(cells)} |"


def _times(result: Result, mode: str, name: str) -> str:
    return digits(ratio(result, mode, name).median) if has(result, name) else "–"


def _time(value: float) -> str:
    return f"{digits(value * 1e6)} µs" if value < 1e-3 else f"{digits(value * 1e3)} ms"


def _caption(results: dict[str, Any]) -> str:
    machine, settings = results["machine"], results["settings"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    return (
        f"{machine['processor']}, {settings['threads']} threads, float32, CPU level "
        f"{machine['level']}; {versions}. × is how many times longer "
        "the other takes. NumPy is the fastest of four forms, on one thread. "
        f"Medians of {settings['rounds']} rounds."
    )


def insert(readme: str, text: str, name: str = NAME) -> str:
    """Return ``readme`` with ``text`` between the markers of a name."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = readme.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"the file has no {first} and {last} to write between")
    return f"{before}{first}\n{text}\n{last}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables, from results.json.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="put them into their files")
    action.add_argument("--check", action="store_true", help="fail when a file differs")
    arguments = parser.parse_args()
    results = json.loads(RESULTS.read_text())
    tables = [(SHORT, NAME, table(results)), (WIDE, NAME, wide_table(results))]
    if "small" in results:
        tables.append((SHORT, "small", small_table(results)))
    for file, name, text in tables:
        if not (arguments.write or arguments.check):
            print(f"{text}\n")
            continue
        present = file.read_text()
        wanted = insert(present, text, name)
        if arguments.write:
            file.write_text(wanted)
        elif present != wanted:
            sys.exit(f"{file} is out of date: run python benchmarks/table.py --write")


if __name__ == "__main__":
    main()

"""The table of the README, from results.json: write it between its markers, or check it.

python benchmarks/table.py            print it
python benchmarks/table.py --write    put it into README.md
python benchmarks/table.py --check    fail when README.md has another one
"""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from cases import BOTH, FORWARD
from contenders import LUCID, PYTORCH
from summary import Result, best_numpy, digits, has, ratio, seconds

RESULTS = Path(__file__).with_name("results.json")
README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- benchmark -->", "<!-- /benchmark -->"

HEAD = (
    "| rows × classes, labels a row | scores | forward | × PyTorch | × NumPy "
    "| with gradient | × PyTorch | × NumPy |\n"
    "|---|---|--:|--:|--:|--:|--:|--:|"
)


def table(results: dict[str, Any]) -> str:
    """Return the Markdown table: lucid's times, and what the others take in multiples of them."""
    rows = [_row(result) for result in results["cases"]]
    return "\n".join([HEAD, *rows, "", _caption(results)])


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


def insert(readme: str, text: str) -> str:
    """Return ``readme`` with ``text`` between its markers."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"README.md has no {BEGIN} and {END} to write between")
    return f"{before}{BEGIN}\n{text}\n{END}{after}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The README's table, from results.json.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="put it into README.md")
    action.add_argument("--check", action="store_true", help="fail when README.md differs")
    arguments = parser.parse_args()
    text = table(json.loads(RESULTS.read_text()))
    if arguments.write:
        README.write_text(insert(README.read_text(), text))
    elif arguments.check:
        readme = README.read_text()
        if insert(readme, text) != readme:
            sys.exit("README.md is out of date: run python benchmarks/table.py --write")
    else:
        print(text)


if __name__ == "__main__":
    main()

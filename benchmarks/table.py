"""The tables from results.json and targets.json: write them between their markers, or check them.

The README has a short one, and one of small batches; those of benchmarks/README.md have all
contenders and the spread, the soft margin loss, the metrics, and the targets of small cells.

python benchmarks/table.py            print them
python benchmarks/table.py --write    put them into their files
python benchmarks/table.py --check    fail when a file has another one
"""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cases import BOTH, FORWARD, MODES, find
from contenders import (
    LIMIT,
    LUCID,
    LUCID_BASELINE,
    PADDLE,
    PYTORCH,
    PYTORCH_BCE,
    SOFT_MARGIN,
    on_threads,
)
from machine import BUSY
from summary import Result, best_numpy, digits, has, over_runs, ratio, seconds

RESULTS = Path(__file__).with_name("results.json")
TARGETS = Path(__file__).with_name("targets.json")
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
    return _markdown(lines)


def soft_margin_table(results: dict[str, Any]) -> str:
    """Return the Markdown table of the soft margin loss, of labels alone."""
    head = ["case", "forward", "× PyTorch's BCE", "with gradient", "× PyTorch's BCE"]
    lines = [head, ["---", *["--:"] * 4]]
    for result in results["soft margin"]:
        cells = [result["case"]]
        for mode in MODES:
            cells.append(_time(seconds(result, mode, SOFT_MARGIN.name)))
            known = has(result, PYTORCH_BCE.name)
            times = ratio(result, mode, PYTORCH_BCE.name, SOFT_MARGIN.name) if known else "–"
            cells.append(str(times))
        lines.append(cells)
    return _markdown(lines)


#: What the tables of benchmarks/README.md that stand alone are of; it is there where they are.
INTRODUCTIONS = {
    "soft margin": "The soft margin loss of labels alone, against PyTorch's `BCEWithLogitsLoss` of "
    "a dense target (`run.py`):",
    "metrics": "The ranking metrics, of labels in two forms, against scikit-learn's (`run.py`; in "
    "float64 and on one thread too by `metrics.py`):",
    "targets": "The small cells against their goals, on one thread and on two, at both CPU levels, "
    "for scores before training and after it (`run.py targets`):",
}

#: The forms of labels that the metrics are timed with, and whom against.
LABELS_FORM, BOOL_FORM, PEER = "Labels", "bool matrix", "scikit-learn"


def metrics_table(result: Result) -> str:
    """Return the Markdown table of the ranking metrics."""
    n, c, p = result["n"], result["c"], result["p"]
    head = [f"scores ({n:,}, {c:,}), {p} labels a row", PEER]
    for form in (LABELS_FORM, BOOL_FORM):
        head += [form, f"× {PEER}"]
    lines = [head, ["---", *["--:"] * 5]]
    for name in result["seconds"][PEER]:
        cells = [f"`{name}`", _time(seconds(result, name, PEER))]
        for form in (LABELS_FORM, BOOL_FORM):
            cells += [_time(seconds(result, name, form)), str(ratio(result, name, PEER, form))]
        lines.append(cells)
    return _markdown(lines)


def targets_table(results: dict[str, Any]) -> str:
    """Return the Markdown table of the small cells against their goals, in each setting."""
    level, threads = results["machine"]["level"], results["settings"]["threads"]
    settings = {
        f"{name}, {on_threads(t).name.split(', ')[-1]}": (on_threads(t, of), on_threads(t, PYTORCH))
        for name, of in ((level, LUCID), ("baseline", LUCID_BASELINE))
        for t in threads
    }
    lines = [["case", "pass", "floor / aim", *settings], ["---"] * 3 + ["--:"] * len(settings)]
    for runs in zip(*results["runs"], strict=True):
        for mode in MODES:
            goal = find(runs[0]["case"]).goal(mode)
            assert goal is not None
            cells = [runs[0]["case"], mode, f"{goal.floor:g} / {goal.aim:g}"]
            for ours, theirs in settings.values():
                found = over_runs(list(runs), mode, theirs.name, ours.name)
                reached = (found.median >= goal.floor) + (found.median >= goal.aim)
                cells.append(f"{found} {'✓' * reached}".rstrip())
            lines.append(cells)
    return f"{_markdown(lines)}\n\n{_targets_caption(results)}"


def _targets_caption(results: dict[str, Any]) -> str:
    settings = results["settings"]
    return (
        f"{_processor(results)}, float32; {_versions(results)}. How many times longer PyTorch "
        "takes on as many threads: medians of "
        f"{len(results['runs'])} runs in fresh processes, of {settings['rounds']} rounds each, "
        "with the lowest and the highest run. ✓: at least the floor; ✓✓: at least the aim."
    )


def _markdown(lines: list[list[str]]) -> str:
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
    return (
        f"{_processor(results)}, {settings['threads']} threads, float32, CPU level "
        f"{machine['level']}; {_versions(results)}. × is how many times longer "
        "the other takes. NumPy is the fastest of four forms, on one thread. "
        f"Medians of {settings['rounds']} rounds."
    )


def _processor(results: dict[str, Any]) -> str:
    """Return the processor, and how busy it was if it was."""
    machine, used = results["machine"], results["settings"].get("others' cores", 0.0)
    busy = f" (other programs used {used:.1f} of {machine['cores']} cores)" if used >= BUSY else ""
    return f"{machine['processor']}{busy}"


def _versions(results: dict[str, Any]) -> str:
    return ", ".join(f"{name} {version}" for name, version in results["versions"].items())


def insert(readme: str, text: str, name: str = NAME) -> str:
    """Return ``readme`` with ``text`` between the markers of a name."""
    first, last = f"<!-- {name} -->", f"<!-- /{name} -->"
    before, begin, rest = readme.partition(first)
    _, end, after = rest.partition(last)
    if not (begin and end):
        raise ValueError(f"the file has no {first} and {last} to write between")
    return f"{before}{first}\n{text}\n{last}{after}"


def tables() -> Iterator[tuple[Path, str, str]]:
    """Yield all that there are figures for: the file, the name of the markers, the table."""
    results = json.loads(RESULTS.read_text())
    yield SHORT, NAME, table(results)
    yield WIDE, NAME, wide_table(results)
    if "small" in results:
        yield SHORT, "small", small_table(results)
    if "soft margin" in results:
        yield _introduced("soft margin", soft_margin_table(results))
    if "metrics" in results:
        yield _introduced("metrics", metrics_table(results["metrics"]))
    if TARGETS.exists():
        yield _introduced("targets", targets_table(json.loads(TARGETS.read_text())))


def _introduced(name: str, text: str) -> tuple[Path, str, str]:
    return WIDE, name, f"{INTRODUCTIONS[name]}\n\n{text}"


def main() -> None:
    parser = argparse.ArgumentParser(description="The tables, from results.json.")
    action = parser.add_mutually_exclusive_group()
    action.add_argument("--write", action="store_true", help="put them into their files")
    action.add_argument("--check", action="store_true", help="fail when a file differs")
    arguments = parser.parse_args()
    for file, name, text in tables():
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

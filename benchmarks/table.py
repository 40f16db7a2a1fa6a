"""The tables from results.json and targets.json: write them between their markers, or check them.

The README has a short one, and one of small batches; those of benchmarks/README.md have all
contenders and the spread, the soft margin loss, the metrics, and the targets of small cells.

What further machines measured is in results-NAME.json and targets-NAME.json: the table of machines
and that of targets have all of them side by side, the others are of results.json alone.

python benchmarks/table.py            print them
python benchmarks/table.py --write    put them into their files
python benchmarks/table.py --check    fail when a file has another one
"""

import argparse
import json
import re
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
    Contender,
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
    "machines": "The same on several machines side by side: lucid's time, and how many times "
    "longer PyTorch takes on that machine (`run.py`):",
    "soft margin": "The soft margin loss of labels alone, against PyTorch's `BCEWithLogitsLoss` of "
    "a dense target (`run.py`):",
    "metrics": "The ranking metrics, of labels in two forms, against scikit-learn's (`run.py`; in "
    "float64 and on one thread too by `metrics.py`):",
    "targets": "The small cells against their goals, on one thread and on two, at both CPU levels, "
    "for scores before training and after it (`run.py targets`).",
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


def machines_table(machines: list[dict[str, Any]]) -> str:
    """Return the Markdown table of the cases that all machines have, two columns for each."""
    head, align = ["case", "pass"], ["---"] * 2
    for machine in machines:
        head += [_processor(machine), "× PyTorch"]
        align += ["--:"] * 2
    lines = [head, align]
    timed = [{result["case"]: result for result in machine["cases"]} for machine in machines]
    for case in _shared(timed):
        for mode in MODES:
            cells = [case, mode]
            for results in timed:
                result = results[case]
                cells.append(_time(seconds(result, mode, LUCID.name)))
                known = has(result, PYTORCH.name)
                cells.append(str(ratio(result, mode, PYTORCH.name)) if known else "–")
            lines.append(cells)
    return f"{_markdown(lines)}\n\n{_measured_on(machines)}"


def targets_table(machines: list[dict[str, Any]]) -> str:
    """Return the Markdown tables of the small cells against their goals."""
    parts = []
    for title, level, repeated in (
        ("Another batch in each call, at the CPU level that lucid chooses", LUCID, False),
        ("The same batch in each call", LUCID, True),
        ("Another batch in each call, at the baseline level", LUCID_BASELINE, False),
        ("The same batch in each call, at the baseline level", LUCID_BASELINE, True),
    ):
        if table := _targets_at(level, machines, repeated):
            parts += [f"{title}:", table]
    parts.append(
        f"{_measured_on(machines)} How many times longer PyTorch takes on as many threads, "
        "with the lowest and the highest run, each in fresh processes. "
        "✓: at least the floor; ✓✓: at least the aim; neither: below the floor."
    )
    return "\n\n".join(parts)


def _targets_at(level: Contender, machines: list[dict[str, Any]], repeated: bool) -> str:
    """Return the table of one CPU level, a column for each number of threads of each machine.

    It is empty where no machine has measured batches of that kind.
    """
    columns, timed = [], []
    for machine in machines:
        by_case = zip(*machine["runs"], strict=True)
        found = {
            runs[0]["case"]: list(runs)
            for runs in by_case
            if find(runs[0]["case"]).repeated == repeated
        }
        if found:
            timed.append(found)
            for threads in machine["settings"]["threads"]:
                columns.append(
                    (f"{_processor(machine)}, {_count(threads, 'thread')}", found, threads)
                )
    if not timed:
        return ""
    lines = [["case", "pass", "floor / aim", *(name for name, _, _ in columns)]]
    lines.append(["---"] * 3 + ["--:"] * len(columns))
    for case in _shared(timed):
        for mode in MODES:
            goal = find(case).goal(mode)
            assert goal is not None
            cells = [case.removesuffix("-repeated"), mode, f"{goal.floor:g} / {goal.aim:g}"]
            for _, runs, threads in columns:
                ours, theirs = on_threads(threads, level).name, on_threads(threads, PYTORCH).name
                measured = over_runs(runs[case], mode, theirs, ours)
                reached = (measured.median >= goal.floor) + (measured.median >= goal.aim)
                cells.append(f"{measured} {'✓' * reached}".rstrip())
            lines.append(cells)
    return _markdown(lines)


def _shared(timed: list[dict[str, Any]]) -> list[str]:
    """Return the names of the cases that all machines have, in the order of the first."""
    return [case for case in timed[0] if all(case in each for each in timed)]


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
    return (
        f"{_measured_on([results])} × is how many times longer the other takes. Each call has "
        "another batch, as in a training. "
        "NumPy is the fastest of four forms, on one thread."
    )


def _measured_on(machines: list[dict[str, Any]]) -> str:
    """Say for each machine what was measured on, and how often; a sentence each."""
    return " ".join(f"{_machine(machine)}." for machine in machines)


def _machine(results: dict[str, Any]) -> str:
    machine, settings = results["machine"], results["settings"]
    cores = _count(machine["cores"], "core")
    if (used := settings.get("others' cores", 0.0)) >= BUSY:
        cores += f" (other programs used {used:.1f})"
    said = [_processor(results), cores]
    if isinstance(settings["threads"], int):  # else the columns say it
        said.append(_count(settings["threads"], "thread"))
    said += ["float32", f"CPU level {machine['level']}"]
    versions = ", ".join(f"{name} {version}" for name, version in results["versions"].items())
    runs = f"{_count(len(results['runs']), 'run')} of " if "runs" in results else ""
    rounds = f"medians of {runs}{_count(settings['rounds'], 'round')}"
    return f"{', '.join(said)}; {versions}; {rounds}"


def _processor(results: dict[str, Any]) -> str:
    """Return the processor's name, without what is in it beside the name."""
    name = re.sub(r"\((R|TM)\)|\bProcessor\b", "", results["machine"]["processor"])
    return " ".join(name.split())


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' if number > 1 else ''}"


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
    machines = read(RESULTS)
    results = machines[0]
    yield SHORT, NAME, table(results)
    yield WIDE, NAME, wide_table(results)
    if len(machines) > 1:
        yield _introduced("machines", machines_table(machines))
    else:
        yield WIDE, "machines", ""
    if "small" in results:
        yield SHORT, "small", small_table(results)
    if "soft margin" in results:
        yield _introduced("soft margin", soft_margin_table(results))
    if "metrics" in results:
        yield _introduced("metrics", metrics_table(results["metrics"]))
    if targets := read(TARGETS):
        yield _introduced("targets", targets_table(targets))


def read(first: Path) -> list[dict[str, Any]]:
    """Return what the first machine has measured, and what further ones have, by their names."""
    files = [first, *sorted(first.parent.glob(f"{first.stem}-*.json"))]
    return [json.loads(file.read_text()) for file in files if file.exists()]


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

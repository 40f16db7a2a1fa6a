"""From seconds to ratios, and from ratios to what was promised."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cases import BOTH, FORWARD, MODES, find
from contenders import (
    LIMIT,
    LUCID,
    LUCID_FLOAT64,
    NUMPY,
    PYTORCH,
    PYTORCH_BCE,
    SOFT_MARGIN,
)

Result = dict[str, Any]

#: Where the rounds of a ratio differ by more than this factor, its median alone says little.
FAR_APART = 1.5


@dataclass(frozen=True)
class Ratio:
    """Median of the ratios of single rounds, with the lowest and the highest."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{digits(self.median)} ({digits(self.low)}–{digits(self.high)})"


@dataclass(frozen=True)
class Verdict:
    """A promise and what became of it: ``value`` against the floor that must hold and the aim."""

    what: str
    value: float
    floor: float
    aim: float | None = None
    lower_is_better: bool = False
    rounds: Ratio | None = None  # where the value is the median of one

    @property
    def holds(self) -> bool:
        return self.reaches(self.floor)

    def reaches(self, goal: float) -> bool:
        return self.value <= goal if self.lower_is_better else self.value >= goal

    @property
    def unclear(self) -> bool:
        """Whether rounds are far apart, and on both sides of the floor."""
        if self.rounds is None or self.rounds.high <= FAR_APART * self.rounds.low:
            return False
        return self.rounds.low < self.floor < self.rounds.high

    def told(self, busy: bool = False) -> str:
        """Say it in a line, on a busy machine without a verdict: it slows some down, not all."""
        sign = "at most" if self.lower_is_better else "at least"
        aim = "" if self.aim is None else f", aim {digits(self.aim)}"
        state = "unclear" if self.unclear else "holds" if self.holds else "FAILS"
        if self.holds and self.aim is not None and self.reaches(self.aim):
            aim += " (reached)"
        value = f"{self.rounds}" if self.unclear else digits(self.value)
        return f"{'busy' if busy else state}: {self.what} {value}, {sign} {digits(self.floor)}{aim}"


def digits(value: float) -> str:
    """Return ``value`` with two or three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def seconds(result: Result, mode: str, contender: str) -> float:
    """Return the median of the seconds a call."""
    return float(statistics.median(result["seconds"][contender][mode]))


def has(result: Result, contender: str) -> bool:
    return contender in result["seconds"]


def ratio(result: Result, mode: str, of: str, to: str = LUCID.name) -> Ratio:
    """Return how many times longer ``of`` takes than ``to``; a slow one was not in every round."""
    rounds = zip(result["seconds"][of][mode], result["seconds"][to][mode], strict=False)
    ratios = [a / b for a, b in rounds]
    return Ratio(statistics.median(ratios), min(ratios), max(ratios))


def over_runs(runs: list[Result], mode: str, of: str, to: str = LUCID.name) -> Ratio:
    """Return the ratio of a case that was measured several times: of the medians of these runs."""
    medians = [ratio(run, mode, of, to).median for run in runs]
    return Ratio(statistics.median(medians), min(medians), max(medians))


def best_numpy(result: Result, mode: str) -> str:
    """Return the name of the NumPy form that is fastest here."""
    names = [contender.name for contender in NUMPY if has(result, contender.name)]
    return min(names, key=lambda name: seconds(result, mode, name))


def verdicts(results: dict[str, Any]) -> Iterable[Verdict]:
    for result in results["cases"]:
        yield from _against_pytorch(result)
    for mode in MODES:
        yield from _against_numpy(results["cases"], mode)
    for result in results["cases"]:
        yield from _against_the_limit(result)
    for result in results.get("soft margin", []):
        if has(result, PYTORCH_BCE.name):
            value = ratio(result, BOTH, PYTORCH_BCE.name, SOFT_MARGIN.name)
            what = f"soft margin, {result['case']}, {BOTH}: times PyTorch's BCE"
            yield _verdict(what, value, 1.5)
    for result in results.get("large", []):
        for mode in MODES:
            if has(result, LUCID_FLOAT64.name):
                value = ratio(result, mode, LUCID_FLOAT64.name)
                what = f"{result['case']}, {mode}: float64's time in float32's"
                yield _verdict(what, value, 2, lower_is_better=True)
    if "labels" in results:
        yield _flatness(results["labels"])
    if "extreme" in results:
        value = 1000 * seconds(results["extreme"], BOTH, LUCID.name)
        name = results["extreme"]["case"]
        yield Verdict(f"{name}, {BOTH}: milliseconds", value, 100, lower_is_better=True)
    if "memory" in results:
        memory = results["memory"]
        value = memory["peaks"][LUCID.name] / memory["gradient"]
        what = f"{memory['case']}: peak memory in sizes of the gradient"
        yield Verdict(what, value, 1.3, lower_is_better=True)


def _verdict(
    what: str, value: Ratio, floor: float, aim: float | None = None, lower_is_better: bool = False
) -> Verdict:
    return Verdict(what, value.median, floor, aim, lower_is_better, rounds=value)


def _against_pytorch(result: Result) -> Iterable[Verdict]:
    for mode in MODES:
        goal = find(result["case"]).goal(mode)
        if goal is not None and has(result, PYTORCH.name):
            value = ratio(result, mode, PYTORCH.name)
            yield _verdict(f"{result['case']}, {mode}: times PyTorch", value, goal.floor, goal.aim)


def _against_numpy(cases: list[Result], mode: str) -> Iterable[Verdict]:
    ratios = {
        result["case"]: ratio(result, mode, best_numpy(result, mode))
        for result in cases
        if result["c"] >= 100 and any(has(result, contender.name) for contender in NUMPY)
    }
    if ratios:
        worst = min(ratios, key=lambda name: ratios[name].median)
        yield _verdict(f"{worst}, {mode}: times the best NumPy, at its least", ratios[worst], 1.5)
    if len(ratios) > 1:
        mean = math.exp(statistics.fmean(math.log(each.median) for each in ratios.values()))
        yield Verdict(f"{mode}: times the best NumPy, geometric mean", mean, 5, 10)


def _against_the_limit(result: Result) -> Iterable[Verdict]:
    if result["c"] < 10_000 or "trained" not in result["case"] or not has(result, LIMIT.name):
        return
    goals = {FORWARD: ("a max of the scores", 20, 4), BOTH: ("a copy of the scores", 12, 2.5)}
    for mode, (limit, floor, aim) in goals.items():
        value = ratio(result, mode, LUCID.name, LIMIT.name)
        what = f"{result['case']}, {mode}: time in those of {limit}"
        yield _verdict(what, value, floor, aim, lower_is_better=True)


def _flatness(results: list[Result]) -> Verdict:
    times = [seconds(each, BOTH, LUCID.name) for each in results if 64 <= each["p"] <= 10_000]
    what = f"{BOTH}, P from 64 to 10,000: slowest to fastest"
    return Verdict(what, max(times) / min(times), 3, lower_is_better=True)

"""One thread and several, on an idle machine and on a busy one: python benchmarks/threads.py

A call with several threads ends when the last of them has. Where another program keeps a core busy,
that one has to wait for the core; on an idle machine it costs whatever threads do to each other.
For each case the loss and its gradient are timed with one thread and with several, in turns, and
the ratio is that of one thread's time to several threads': above 1, several are faster. Then the
same beside a process that does nothing but count.
"""

import argparse
import contextlib
import math
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import lucid
from cases import Case
from machine import cores, machine

CASES = [
    Case(8192, 20, 3),
    Case(2048, 100, 5, "trained"),
    Case(64, 1_000, 5),
    Case(256, 1_000, 10),
    Case(4096, 1_000, 10, "trained"),
    Case(256, 10_000, 20, "trained"),
    Case(64, 100_000, 50, "trained"),
    Case(1, 1_000_000, 10),
]


@dataclass(frozen=True)
class Floor:
    """What the ratios must reach: their geometric mean, and each of them."""

    mean: float
    each: float


#: For two threads on two cores.
FLOORS = {"idle": Floor(1.5, 1.2), "busy": Floor(0.8, 0.6)}

#: A case is timed for so many seconds with either number of threads in a round.
SECONDS = 0.3


@contextlib.contextmanager
def _busy() -> Iterator[None]:
    """Keep one core busy."""
    process = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.5)
        yield
    finally:
        process.kill()
        process.wait()


def _median_call(call: Callable[[], Any]) -> float:
    """Return the median seconds of a call, after one that wakes the threads up."""
    call()
    times = []
    end = time.perf_counter() + SECONDS
    while (start := time.perf_counter()) < end or len(times) < 5:
        call()
        times.append(time.perf_counter() - start)
    return statistics.median(times)


def measure(case: Case, threads: int, rounds: int) -> tuple[float, float]:
    """Return the medians over rounds of the seconds with one thread and with several."""
    scores, labels = case.draw()
    seconds: dict[int, list[float]] = {1: [], threads: []}
    answers = {}
    for _ in range(rounds):
        for n, times in seconds.items():
            lucid.set_num_threads(n)
            loss, gradient = lucid.multilabel_margin(scores, labels)
            answers[n] = loss.tobytes(), hash(gradient.tobytes())
            del gradient
            times.append(_median_call(lambda: lucid.multilabel_margin(scores, labels)))
    assert answers[1] == answers[threads], f"{case.name}: the bits depend on the threads"
    return statistics.median(seconds[1]), statistics.median(seconds[threads])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    print(f"{machine()['processor']}, {cores()} cores, CPU level {machine()['level']}")
    for state, context in (("idle", contextlib.nullcontext()), ("busy", _busy())):
        ratios = []
        with context:
            print(f"\n{state:20}{'1 thread':>12}{f'{arguments.threads} threads':>12}{'ratio':>8}")
            for case in CASES:
                one, several = measure(case, arguments.threads, arguments.rounds)
                ratios.append(one / several)
                print(f"{case.name:20}{one * 1e6:9.0f} us{several * 1e6:9.0f} us{ratios[-1]:8.2f}")
        mean, floor = math.exp(statistics.fmean(map(math.log, ratios))), FLOORS[state]
        verdict = "ok" if mean >= floor.mean and min(ratios) >= floor.each else "below the floor"
        print(
            f"geometric mean {mean:.2f}, lowest {min(ratios):.2f}; "
            f"floors {floor.mean} and {floor.each}: {verdict}"
        )


if __name__ == "__main__":
    main()

"""One contender in a process of its own: two OpenMP pools in one process disturb each other.

Reads a request a line (JSON) and answers it with a line, until its input ends:

    {"do": "prepare", "folder": ..., "batches": ...}
                                       load a problem, check the answers -> errors, seconds
    {"do": "time", "mode": ...}        -> seconds a call
    {"do": "memory", "folder": ...}    -> bytes that the first forward and backward adds at its peak
"""

import itertools
import json
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from cases import BOTH, FORWARD, Array
from contenders import Contender, Implementation
from exact import Exact, solve

#: A measurement repeats short calls for about so many seconds.
ENOUGH = 0.03

#: Calls are timed in runs that take so many seconds: reading the clock takes 1e-7.
RUN = 5e-5


class Worker:
    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.calls: dict[str, list[Callable[[], Any]]] = {}

    def prepare(self, folder: str, batches: int) -> dict[str, Any]:
        self.calls.clear()  # what held the problem before
        problems = [self._load(folder, batch) for batch in range(batches)]
        self.calls = {
            FORWARD: [problem.forward for problem in problems],
            BOTH: [problem.forward_backward for problem in problems],
        }
        seconds, errors = {}, {}
        for batch in range(batches):
            answers = {}
            for mode, calls in self.calls.items():
                start = time.perf_counter()
                answers[mode] = calls[batch]()
                if batch == 0:
                    seconds[mode] = time.perf_counter() - start
            # Before a next call writes into the same gradient.
            for what, error in self._errors(answers, folder, batch).items():
                errors[what] = max(error, errors.get(what, error))
        for mode, first in seconds.items():
            # A first call warms up, too; but one that takes seconds is estimate enough.
            if first < 1:
                seconds[mode] = seconds_a_call(self.calls[mode])
        return {"errors": errors, "seconds": seconds}

    def time(self, mode: str) -> float:
        return seconds_a_call(self.calls[mode])

    def memory(self, folder: str) -> int:
        problem = self._load(folder, 0)
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from now
        problem.forward_backward()
        return _memory("VmHWM") - before

    def _load(self, folder: str, batch: int) -> Implementation:
        scores, labels = (_array(folder, name, batch) for name in ("scores", "labels"))
        return self.contender.make(scores, labels)

    def _errors(self, answers: dict[str, Any], folder: str, batch: int) -> dict[str, float]:
        if not self.contender.checked:
            return {}
        if self.contender.dtype == "float32":
            loss, counts = (_array(folder, name, batch) for name in ("loss", "counts"))
            exact = Exact(float(loss), counts)
        else:  # thresholds round differently
            scores = _array(folder, "scores", batch).astype(self.contender.dtype)
            exact = solve(scores, _array(folder, "labels", batch))
        loss, gradient = answers[BOTH]
        losses = [exact.loss_error(_number(each)) for each in (answers[FORWARD], loss)]
        return {
            "loss": float(np.max(losses)),
            "gradient": exact.gradient_error(np.asarray(gradient), self.contender.sums_serially),
        }


def seconds_a_call(calls: list[Callable[[], Any]]) -> float:
    """Return the median over runs of calls in turns; one of more than `ENOUGH` is made once.

    The first call of several is not counted: it wakes the threads up, which can take the scheduler
    milliseconds.
    """
    turns = itertools.cycle(calls)
    first = _seconds(turns, 1)
    if first > ENOUGH:
        return first
    run = max(1, int(RUN / min(first, _seconds(turns, 1))))
    times = []
    end = time.perf_counter() + ENOUGH
    while not times or time.perf_counter() < end:
        times.append(_seconds(turns, run))
    return statistics.median(times)


def _seconds(turns: Iterator[Callable[[], Any]], repeats: int) -> float:
    start = time.perf_counter()
    for call in itertools.islice(turns, repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _array(folder: str, name: str, batch: int) -> Array:
    array: Array = np.load(Path(folder, f"{name}-{batch}.npy"))
    return array


def _number(loss: Any) -> float:
    return float(loss.item() if hasattr(loss, "item") else loss)


def _memory(field: str) -> int:
    """Return ``field`` of the process's status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    kibibytes = next(line.split()[1] for line in lines if line.startswith(field))
    return int(kibibytes) * 1024


def main() -> None:
    # Answers go out on the real stdout; whatever a library prints goes to stderr.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    worker = Worker(Contender(**json.loads(sys.argv[1])))
    for line in sys.stdin:
        request = json.loads(line)
        answer = getattr(worker, request.pop("do"))(**request)
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()

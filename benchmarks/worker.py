"""One contender in a process of its own: two OpenMP pools in one process disturb each other.

Reads a request a line (JSON) and answers it with a line, until its input ends:

    {"do": "prepare", "folder": ...}   load a problem, check the answers -> errors, seconds
    {"do": "time", "mode": ...}        -> seconds a call
    {"do": "memory", "folder": ...}    -> bytes that the first forward and backward adds at its peak
"""

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from cases import BOTH, FORWARD, Array
from contenders import Contender, Implementation
from exact import Exact, solve

#: A measurement repeats short calls for about so many seconds.
ENOUGH = 0.03

#: Calls are timed in batches that take so many seconds: reading the clock takes 1e-7.
BATCH = 5e-5


class Worker:
    def __init__(self, contender: Contender) -> None:
        self.contender = contender
        self.calls: dict[str, Callable[[], Any]] = {}

    def prepare(self, folder: str) -> dict[str, Any]:
        self.calls.clear()  # what held the problem before
        problem = self._load(folder)
        self.calls = {FORWARD: problem.forward, BOTH: problem.forward_backward}
        answers, seconds = {}, {}
        for mode, call in self.calls.items():
            start = time.perf_counter()
            answers[mode] = call()
            seconds[mode] = time.perf_counter() - start
        errors = self._errors(answers, folder)  # before a next call writes into the same gradient
        for mode, first in seconds.items():
            # A first call warms up, too; but one that takes seconds is estimate enough.
            if first < 1:
                seconds[mode] = seconds_a_call(self.calls[mode])
        return {"errors": errors, "seconds": seconds}

    def time(self, mode: str) -> float:
        return seconds_a_call(self.calls[mode])

    def memory(self, folder: str) -> int:
        problem = self._load(folder)
        before = _memory("VmRSS")
        Path("/proc/self/clear_refs").write_text("5")  # VmHWM starts again from now
        problem.forward_backward()
        return _memory("VmHWM") - before

    def _load(self, folder: str) -> Implementation:
        return self.contender.make(_array(folder, "scores"), _array(folder, "labels"))

    def _errors(self, answers: dict[str, Any], folder: str) -> dict[str, float]:
        if not self.contender.checked:
            return {}
        if self.contender.dtype == "float32":
            exact = Exact(float(_array(folder, "loss")), _array(folder, "counts"))
        else:  # thresholds round differently
            scores = _array(folder, "scores").astype(self.contender.dtype)
            exact = solve(scores, _array(folder, "labels"))
        loss, gradient = answers[BOTH]
        losses = [exact.loss_error(_number(each)) for each in (answers[FORWARD], loss)]
        return {
            "loss": float(np.max(losses)),
            "gradient": exact.gradient_error(np.asarray(gradient), self.contender.sums_serially),
        }


def seconds_a_call(call: Callable[[], Any]) -> float:
    """Return the median over batches of calls; a call of more than `ENOUGH` is made once.

    The first call of several is not counted: it wakes the threads up, which can take the scheduler
    milliseconds.
    """
    first = _seconds(call, 1)
    if first > ENOUGH:
        return first
    batch = max(1, int(BATCH / min(first, _seconds(call, 1))))
    times = []
    end = time.perf_counter() + ENOUGH
    while not times or time.perf_counter() < end:
        times.append(_seconds(call, batch))
    return statistics.median(times)


def _seconds(call: Callable[[], Any], repeats: int) -> float:
    start = time.perf_counter()
    for _ in range(repeats):
        call()
    return (time.perf_counter() - start) / repeats


def _array(folder: str, name: str) -> Array:
    array: Array = np.load(Path(folder, f"{name}.npy"))
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

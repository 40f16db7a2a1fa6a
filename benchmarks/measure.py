"""Measure a case: check every contender against the exact answer, then time them in turns."""

import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from cases import MODES, Case
from contenders import Contender
from exact import solve
from pool import Pool

#: A call that takes longer is slow: it is timed in the first rounds only.
SLOW_SECONDS = 0.5
SLOW_ROUNDS = 2

#: Largest relative errors of loss and gradient. Who sums up in float32, one term after another, is
#: allowed what that can bring over millions of terms; for the gradient that is the unit, see
#: `Exact.gradient_error`.
ERRORS = {"loss": 1e-5, "gradient": 1e-6}
SERIAL_ERRORS = {"loss": 1e-3, "gradient": 4.0}


class WrongAnswer(AssertionError):
    pass


def measure(
    pool: Pool,
    case: Case,
    contenders: list[Contender],
    rounds: int,
    modes: tuple[str, ...] = MODES,
) -> dict[str, Any]:
    """Return seconds a call for each contender, mode and round.

    In a round each contender is timed once, one after another, so what else happens on the machine
    hits all of them; a round begins with another contender than the one before.
    """
    contenders = [each for each in contenders if each.suits(case)]
    pool.start(contenders)
    errors, estimates = {}, {}
    with tempfile.TemporaryDirectory() as folder:
        _save(case, folder)
        for contender in contenders:
            ready = pool.ask(contender, "prepare", folder=folder, batches=case.batches)
            check(contender, case, ready["errors"])
            errors[contender.name] = ready["errors"]
            estimates[contender.name] = ready["seconds"]
    seconds: dict[str, dict[str, list[float]]] = {
        contender.name: {mode: [] for mode in modes} for contender in contenders
    }
    for mode in modes:
        for turn in range(rounds):
            first = turn % len(contenders)
            for contender in contenders[first:] + contenders[:first]:
                if turn < SLOW_ROUNDS or estimates[contender.name][mode] < SLOW_SECONDS:
                    seconds[contender.name][mode].append(pool.ask(contender, "time", mode=mode))
    return {
        "case": case.name,
        "n": case.n,
        "c": case.c,
        "p": case.p,
        "seconds": seconds,
        "errors": errors,
    }


def measure_runs(
    pool: Pool, case: Case, contenders: list[Contender], rounds: int, runs: int
) -> list[dict[str, Any]]:
    """Measure a case several times, in fresh processes: where memory lies differs between them."""
    results = []
    for _ in range(runs):
        pool.close()
        results.append(measure(pool, case, contenders, rounds))
    return results


def peak_memory(pool: Pool, case: Case, contenders: list[Contender]) -> dict[str, Any]:
    """Return the bytes that forward and backward add at their peak, each in a fresh process."""
    with tempfile.TemporaryDirectory() as folder:
        _save(case, folder)
        peaks = {}
        for contender in contenders:
            pool.stop(contender.name)
            peaks[contender.name] = pool.ask(contender, "memory", folder=folder)
            pool.stop(contender.name)
    return {"case": case.name, "gradient": 4 * case.n * case.c, "peaks": peaks}


def check(contender: Contender, case: Case, errors: dict[str, float]) -> None:
    """Raise if a contender's answers are wrong: what is timed must be the same thing."""
    bounds = SERIAL_ERRORS if contender.sums_serially else ERRORS
    for what, error in errors.items():
        if not error <= bounds[what]:  # NaN is wrong, too
            raise WrongAnswer(f"{contender.name} at {case.name}: {what} is off by {error:.2g}")


def _save(case: Case, folder: str) -> None:
    for batch in range(case.batches):
        scores, labels = case.draw(batch)
        exact = solve(scores, labels)
        arrays = {"scores": scores, "labels": labels, "counts": exact.counts}
        for name, array in {**arrays, "loss": np.array(exact.loss)}.items():
            np.save(Path(folder, f"{name}-{batch}.npy"), array)

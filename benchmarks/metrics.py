"""Time the ranking metrics against scikit-learn's, where it has them.

    python benchmarks/metrics.py             # scores (5314, 983), 19 labels a row: minutes
    python benchmarks/metrics.py --rounds 3  # fewer turns

The values are first asserted to be equal. Then both are timed in turns, and a ratio is that within
a turn; what is printed is the median, and the lowest and highest. lucid is given the labels in two
forms: as `Labels`, made beforehand, and as the bool matrix that scikit-learn is given as well.
(Needs scikit-learn: pip install '.[bench]'.)
"""

import argparse
import time
from collections.abc import Callable, Iterable
from functools import partial

import numpy as np
from sklearn import metrics as sklearn_metrics

import lucid
from lucid import Labels, metrics
from machine import cores, machine
from summary import Result
from table import BOOL_FORM, LABELS_FORM, PEER, metrics_table

ROWS, CLASSES, LABELS, K = 5314, 983, 19, 5

#: By name: lucid's, of scores and labels, and scikit-learn's, of labels and scores.
METRICS: dict[str, tuple[Callable[..., float], Callable[..., float]]] = {
    "label_ranking_loss": (metrics.label_ranking_loss, sklearn_metrics.label_ranking_loss),
    "coverage_error": (metrics.coverage_error, sklearn_metrics.coverage_error),
    "label_ranking_average_precision_score": (
        metrics.label_ranking_average_precision_score,
        sklearn_metrics.label_ranking_average_precision_score,
    ),
    "ndcg_at_k": (
        lambda x, y: metrics.ndcg_at_k(x, y, K),
        lambda y, x: sklearn_metrics.ndcg_score(y, x, k=K),
    ),
}


def draw(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Return scores as a ranker that has learned something gives them, and a bool matrix."""
    rng = np.random.default_rng(0)
    indices = rng.random((ROWS, CLASSES)).argpartition(LABELS, axis=1)[:, :LABELS]
    multi_hot = np.zeros((ROWS, CLASSES), bool)
    np.put_along_axis(multi_hot, indices, True, axis=1)
    return (rng.standard_normal((ROWS, CLASSES)) + multi_hot).astype(dtype), multi_hot


def in_turns(calls: list[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Time each call once a round, and begin each round with another one."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds):
        for number in range(turn, turn + len(calls)):
            start = time.perf_counter()
            calls[number % len(calls)]()
            times[number % len(calls)].append(time.perf_counter() - start)
    return times


def measure(
    rounds: int, threads: int, dtype: str = "float32", wanted: Iterable[str] = METRICS
) -> Result:
    """Return seconds a call for each form of the labels, and for scikit-learn, by metric."""
    scores, multi_hot = draw(dtype)
    labels = Labels.from_multi_hot(multi_hot)
    seconds: dict[str, dict[str, list[float]]] = {PEER: {}, LABELS_FORM: {}, BOOL_FORM: {}}
    threads_before = lucid.get_num_threads()
    lucid.set_num_threads(threads)
    try:
        for name in wanted:
            ours, theirs = METRICS[name]
            calls: dict[str, Callable[[], float]] = {
                PEER: partial(theirs, multi_hot, scores),
                LABELS_FORM: partial(ours, scores, labels),
                BOOL_FORM: partial(ours, scores, multi_hot),
            }
            # Of float32 scores some versions of scikit-learn and NumPy make sums in float32.
            exact = theirs(multi_hot, scores.astype(np.float64))
            values = [calls[LABELS_FORM](), calls[BOOL_FORM](), exact]
            assert np.ptp(values) <= 1e-12, f"{name}: not scikit-learn's value"
            times = in_turns([*calls.values()], rounds)
            for form, each in zip(calls, times, strict=True):
                seconds[form][name] = each
    finally:
        lucid.set_num_threads(threads_before)
    return {"n": ROWS, "c": CLASSES, "p": LABELS, "dtype": dtype, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the metrics against scikit-learn's.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--metric", choices=METRICS, action="append", help="this one only")
    arguments = parser.parse_args()
    print(f"{machine()['processor']}, scores ({ROWS}, {CLASSES}), {LABELS} labels a row")
    for dtype in ("float32", "float64"):
        for threads in sorted({1, cores()}, reverse=True):
            wanted = arguments.metric or METRICS
            result = measure(arguments.rounds, threads, dtype, wanted)
            print(f"\n{dtype}, threads: {threads}\n{metrics_table(result)}", flush=True)


if __name__ == "__main__":
    main()

"""Time the ranking metrics against scikit-learn's, where it has them.

    python benchmarks/metrics.py             # scores (5314, 983), 19 labels a row: minutes
    python benchmarks/metrics.py --rounds 3  # fewer turns

The values are first asserted to be equal. Then both are timed in turns, and a ratio is that within
a turn; what is printed is the median, and the lowest and highest. lucid is given the labels in two
forms: as `Labels`, made beforehand, and as the bool matrix that scikit-learn is given as well.
(Needs scikit-learn: pip install '.[test]'.)
"""

import argparse
import statistics
import time
from collections.abc import Callable

import numpy as np
from sklearn import metrics as sklearn_metrics

import lucid
from lucid import Labels, metrics
from machine import cores, machine

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


def seconds(call: Callable[[], float]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def in_turns(calls: list[Callable[[], float]], rounds: int) -> list[list[float]]:
    """Time each call once a round, and begin each round with another one."""
    times: list[list[float]] = [[] for _ in calls]
    for turn in range(rounds):
        for number in range(turn, turn + len(calls)):
            times[number % len(calls)].append(seconds(calls[number % len(calls)]))
    return times


def row(name: str, dtype: str, threads: int, rounds: int) -> str:
    """Return a line of the table: milliseconds, and how many times longer scikit-learn takes."""
    ours, theirs = METRICS[name]
    scores, multi_hot = draw(dtype)
    labels = Labels.from_multi_hot(multi_hot)
    lucid.set_num_threads(threads)
    expected = theirs(multi_hot, scores)
    for form in (labels, multi_hot):
        assert abs(ours(scores, form) - expected) <= 1e-12, f"{name}: not scikit-learn's value"
    peer, *times = in_turns(
        [
            lambda: theirs(multi_hot, scores),
            lambda: ours(scores, labels),
            lambda: ours(scores, multi_hot),
        ],
        rounds,
    )
    cells = [name, dtype, str(threads), f"{1e3 * statistics.median(peer):.0f}"]
    for form in times:
        ratios = [a / b for a, b in zip(peer, form, strict=True)]
        cells += [
            f"{1e3 * statistics.median(form):.1f}",
            f"{statistics.median(ratios):.0f} ({min(ratios):.0f} to {max(ratios):.0f})",
        ]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description="Time the metrics against scikit-learn's.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--metric", choices=METRICS, action="append", help="this one only")
    arguments = parser.parse_args()
    print(f"{machine()['processor']}, scores ({ROWS}, {CLASSES}), {LABELS} labels a row\n")
    print("| metric | scores | threads | scikit-learn, ms | Labels, ms | × | bool matrix, ms | × |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for name in arguments.metric or METRICS:
        for dtype in ("float32", "float64"):
            for threads in sorted({1, cores()}, reverse=True):
                print(row(name, dtype, threads, arguments.rounds), flush=True)


if __name__ == "__main__":
    main()

"""What the losses of the family take, in times of the margin loss: python benchmarks/family.py

Each option and each loss of pairs is timed beside the plain margin loss, and the losses of sums of
exponentials beside the soft margin loss, interleaved in one process: the medians of the ratios over
all rounds, for the loss alone and with its gradient. Last, the same number from the matrix of all
pairs, in NumPy and in PyTorch where it is installed: what there is elsewhere.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import cases
import lucid
import machine
from lucid import Labels
from lucid.losses.exponential import BPMLL, LSEP, ZLPR
from lucid.losses.margin import MARGIN
from lucid.losses.problem import Loss
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.losses.warp import WARP

Array = Any

CELLS = [
    "256x1000x10-randn",
    "256x1000x10-trained",
    "256x10000x20-randn",
    "256x10000x20-trained",
    "8x20000x5000-randn",
    "1x1000000x10-trained",
]

#: Of the last cell's first label, to see what one that is not learnt takes.
OUTLIER = -1.82


def contenders(x: Array, target: Array) -> dict[str, dict[str, Callable[[bool], Any]]]:
    """The calls to time, by what they are compared with, which comes first."""
    n, c = x.shape
    rng = np.random.default_rng(1)
    labels = Labels.from_padded(target, c)
    others = [np.setdiff1d(rng.choice(c, 10, replace=False), row) for row in target]
    unknown = labels.with_unknown(others)
    weight = np.exp(rng.standard_normal(c))

    def of(loss: Loss, target: Any = target, sample_weight: Any = None, **options: Any) -> Any:
        return lambda grad: loss.compute(x, target, "mean", sample_weight, options, grad)

    return {
        "margin": {
            "plain": of(MARGIN),
            "margin=0.5": of(MARGIN, margin=0.5),
            "normalize='pairs'": of(MARGIN, normalize="pairs"),
            "sample_weight": of(MARGIN, sample_weight=np.exp(rng.standard_normal(n))),
            "10 unknown a row": of(MARGIN, unknown),
            "weight": of(MARGIN, weight=weight),
            "p=2": of(MARGIN, p=2),
            "WARP": of(WARP),
        },
        "soft margin": {
            "soft margin": of(SOFT_MARGIN, labels),
            "LSEP": of(LSEP, labels),
            "LSEP per label": of(LSEP, labels, per_label=True),
            "ZLPR": of(ZLPR, labels),
            "BP-MLL": of(BPMLL, labels),
        },
    }


def ratios(calls: dict[str, Callable[[bool], Any]], grad: bool, rounds: int) -> dict[str, float]:
    """Return the median of the first one's seconds, and how many times as long the others take."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    first = next(iter(calls))
    start = time.perf_counter()
    calls[first](grad)
    repeats = max(1, int(2e-3 / (time.perf_counter() - start)))
    for _ in range(rounds):
        for name, call in calls.items():
            call(grad)
            start = time.perf_counter()
            for _ in range(repeats):
                call(grad)
            times[name].append((time.perf_counter() - start) / repeats)
    return {
        name: statistics.median(a / b for a, b in zip(taken, times[first], strict=True))
        if name != first
        else statistics.median(taken)
        for name, taken in times.items()
    }


#: Entries of a matrix of pairs, so many rows at a time.
MATRIX = 1 << 27


def chunks(x: Array, target: Array) -> Iterator[slice]:
    """Rows whose pairs fit a matrix."""
    step = max(1, MATRIX // (x.shape[1] * target.shape[1]))
    return (slice(start, start + step) for start in range(0, len(x), step))


def pair_matrix(x: Array, target: Array) -> tuple[Array, Array]:
    """The squared margin loss of all pairs, and its gradient, in NumPy."""
    negative = np.ones(x.shape, bool)
    negative[np.arange(len(x))[:, np.newaxis], target] = False
    gradient, loss = np.empty_like(x), 0.0
    for rows in chunks(x, target):
        labels = np.arange(len(target[rows]))[:, np.newaxis], target[rows]
        hinge = np.maximum(1 - x[rows][labels][:, :, np.newaxis] + x[rows, np.newaxis], 0)
        hinge *= negative[rows, np.newaxis]
        gradient[rows] = 2 * hinge.sum(1)
        np.add.at(gradient[rows], labels, -2 * hinge.sum(2))
        loss += np.square(hinge, out=hinge).sum(dtype=np.float64)
    return np.asarray(loss / x.size), gradient / x.size


def torch_matrix(x: Array, target: Array) -> Callable[[], tuple[Array, Array]]:
    """The same in PyTorch."""
    import torch

    scores = torch.tensor(x, requires_grad=True)
    labels = torch.tensor(target)
    negative = torch.ones(x.shape).scatter_(1, labels, 0).unsqueeze(1)

    def call() -> tuple[Array, Array]:
        scores.grad, total = None, 0.0
        for rows in chunks(x, target):
            tau = scores[rows].gather(1, labels[rows]).unsqueeze(2)
            hinge = torch.relu(1 - tau + scores[rows].unsqueeze(1))
            loss = (torch.square(hinge) * negative[rows]).sum() / scores.numel()
            loss.backward()
            total += loss.item()
        return np.asarray(total), scores.grad.numpy()

    return call


def beside_pairs(cell: str, rounds: int) -> None:
    """Print how many times as long the matrix of all pairs takes, with the gradient."""
    x, target = cases.find(cell).draw()

    def ours() -> Any:
        return MARGIN.compute(x, target, "mean", None, {"p": 2}, True)

    calls = {"lucid": ours, "NumPy": lambda: pair_matrix(x, target)}
    try:
        calls["PyTorch"] = torch_matrix(x, target)
    except ImportError:
        print("(PyTorch is not installed)")
    expected = ours()
    for name, call in calls.items():
        for a, b in zip(call(), expected, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-7, err_msg=name)
    found = ratios({k: (lambda _, call=call: call()) for k, call in calls.items()}, True, rounds)
    shown = ", ".join(f"{name} {ratio:.0f}" for name, ratio in found.items() if name != "lucid")
    print(f"{cell}: {found['lucid'] * 1e3:.2f} ms; times as long: {shown}")


def show(cell: str, x: Array, target: Array, rounds: int) -> None:
    for calls in contenders(x, target).values():
        alone, both = (ratios(calls, grad, rounds) for grad in (False, True))
        first = next(iter(calls))
        print(f"\n{cell}: {first} {alone[first] * 1e6:.0f}", end="")
        print(f" us, with gradient {both[first] * 1e6:.0f} us")
        for name in [*calls][1:]:
            print(f"  {name:20} {alone[name]:6.2f} {both[name]:6.2f}")


def main() -> None:
    """Print the ratios of every cell."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=lucid.get_num_threads())
    arguments = parser.parse_args()
    lucid.set_num_threads(arguments.threads)
    found = machine.machine()
    print(f"{found['processor']}, CPU level {found['level']}, {arguments.threads} threads, float32")
    print("times as long as the first: the loss alone, and with its gradient")
    for cell in CELLS:
        show(cell, *cases.find(cell).draw(), arguments.rounds)
    x, target = cases.find(CELLS[-1]).draw()
    x[0, target[0, 0]] = OUTLIER
    active = (x > OUTLIER - 1).mean()
    show(
        f"{CELLS[-1]}, {active:.0%} of the scores above one label's threshold",
        x,
        target,
        arguments.rounds,
    )
    print("\nThe squared margin loss from the matrix of all pairs, with its gradient:")
    beside_pairs("256x1000x10-randn", 5)
    beside_pairs("8x20000x5000-randn", 1)


if __name__ == "__main__":
    main()

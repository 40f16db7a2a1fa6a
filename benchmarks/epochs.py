"""Whether a training slows down as it learns: python benchmarks/epochs.py FILE [FILE ...]

The files are in the text form of the Extreme Classification Repository. A linear ranker is trained
on the sparse features of each, once with every optimiser, and each of its epochs is timed. A class
that is no longer near the margin has gradients of exactly 0: what an optimiser averages decays, and
would end in denormal numbers, with which many processors calculate a hundred times slower.

What a machine is busy with changes from epoch to epoch. So a second model, trained for one epoch,
takes turns with the first in its last one, step by step on the same rows. The median ratio of their
times must not be above `LIMIT`, and no number that the optimiser keeps may be denormal. With --keep
denormal numbers are kept, to see what they cost.
"""

import argparse
import contextlib
import json
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

import lucid
from cases import Array
from lucid import nn, optim
from lucid._kernels import denormals
from lucid.io import Dataset, read_xmc
from lucid.training import Trainer

OPTIMIZERS: dict[str, Any] = {
    "SGD, momentum": lambda params: optim.SGD(params, lr=0.1, momentum=0.9),
    "SGD, weight decay": lambda params: optim.SGD(
        params, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-5
    ),
    "Adam": lambda params: optim.Adam(params, lr=0.01),
    "AdamW": lambda params: optim.AdamW(params, lr=0.01),
}
BATCH = 32

#: How many times longer the last epoch may take than the second.
LIMIT = 1.1


class Training:
    """A model, and what it is trained with; the same for the same data and optimiser."""

    def __init__(self, data: Dataset, name: str) -> None:
        lucid.manual_seed(0)
        self.data = data
        model = nn.Linear(data.features.shape[1], data.labels.num_classes)
        self.optimizer = OPTIMIZERS[name](model.parameters())
        self.trainer = Trainer(model, nn.MultilabelMarginLoss(), self.optimizer)
        self.rng = np.random.default_rng(0)

    def batches(self) -> list[Array]:
        order = self.rng.permutation(len(self.data))
        return [order[start : start + BATCH] for start in range(0, len(order), BATCH)]

    def step(self, rows: Array) -> float:
        """Take a step and return its seconds."""
        start = time.perf_counter()
        self.loss = self.trainer.step(self.data[rows])
        return time.perf_counter() - start

    def epoch(self) -> float:
        return sum(self.step(rows) for rows in self.batches())


@dataclass(frozen=True)
class Result:
    seconds: list[float]  # of each epoch
    ratio: float  # of the last to the second
    denormal: float  # the share of such numbers among those that the optimiser keeps
    loss: float  # the mean of the last epoch


def train(data: Dataset, name: str, epochs: int) -> Result:
    """Train for some epochs, at least two."""
    old, young = Training(data, name), Training(data, name)
    seconds = [old.epoch() for _ in range(epochs - 1)]
    young.epoch()
    times: dict[Training, list[float]] = {old: [], young: []}
    losses = []
    for i, rows in enumerate(old.batches()):
        for training in (old, young) if i % 2 else (young, old):  # the second finds the rows cached
            times[training].append(training.step(rows))
        losses.append(old.loss)
    seconds.append(sum(times[old]))
    ratio = np.median(np.divide(times[old], times[young]))
    return Result(seconds, float(ratio), denormal_share(old.optimizer), float(np.mean(losses)))


def denormal_share(optimizer: optim.Optimizer) -> float:
    kept = [x.ravel() for state in optimizer.state.values() for x in state.values() if np.ndim(x)]
    numbers = np.concatenate(kept)
    return float(((numbers != 0) & (np.abs(numbers) < np.finfo(numbers.dtype).tiny)).mean())


def main() -> int:
    parser = argparse.ArgumentParser(description="The seconds of each epoch of a training.")
    parser.add_argument("files", nargs="+", metavar="FILE", help="a data set")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, action="append", help="default: all")
    parser.add_argument("--json", metavar="FILE", help="where to write all times")
    parser.add_argument("--keep", action="store_true", help="keep denormal numbers")
    arguments = parser.parse_args()

    if arguments.keep:
        vars(denormals)["Flushed"] = lambda wanted=True: contextlib.nullcontext()
    data = {Path(file).name: read_xmc(file) for file in arguments.files}
    print("| data | optimiser | second epoch, s | last, s | last / second | denormal | loss |")
    print("|---|---|--:|--:|--:|--:|--:|")
    report = []
    failed = False
    for file, dataset in data.items():
        for name in arguments.optimizer or OPTIMIZERS:
            result = train(dataset, name, arguments.epochs)
            failed |= result.ratio > LIMIT or result.denormal > 0
            report.append({"data": file, "optimizer": name, **asdict(result)})
            print(
                f"| {file} | {name} | {result.seconds[1]:.3f} | {result.seconds[-1]:.3f} "
                f"| {result.ratio:.2f} | {result.denormal:.1%} | {result.loss:.6f} |",
                flush=True,
            )
    if arguments.json is not None:
        Path(arguments.json).write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    if failed:
        print(f"above {LIMIT} times the second epoch, or denormal numbers", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())

"""An epoch of a linear ranker with lucid and with PyTorch: python benchmarks/epoch.py [FILE]

FILE is in the text form of the Extreme Classification Repository. Without one, data of the shape of
`delicious` is drawn: 10,791 rows, 500 features, 983 classes, 19 labels a row. The two libraries run
the same lines, each in its own process, in turns.
"""

import argparse
import importlib
import json
import math
import os
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np

from cases import Array
from contenders.padding import pad
from pool import environment

LIBRARIES = ("lucid", "torch")
BATCH = 128
LEARNING_RATE = 0.1

#: What the losses of the two after an epoch may differ by, relatively: gradients are rounded.
TOLERANCE = 1e-3


def compare(file: str | None, threads: int, rounds: int) -> dict[str, Any]:
    """Return the seconds of an epoch, round by round, and the loss after it."""
    seconds: dict[str, list[float]] = {library: [] for library in LIBRARIES}
    losses: dict[str, float] = {}
    for _ in range(rounds):
        for library in LIBRARIES:
            command = [sys.executable, __file__, "--library", library]
            answer = subprocess.run(
                [*command, file] if file else command,
                env=os.environ | environment(threads),
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            each = json.loads(answer.stdout)
            seconds[library].append(each["seconds"])
            losses[library] = each["loss"]
    if not math.isclose(*losses.values(), rel_tol=TOLERANCE):
        raise AssertionError(f"the two libraries do not agree: {losses}")
    return {"seconds": seconds, "loss": losses}


def run(library: str, features: Array, target: Array, classes: int) -> dict[str, float]:
    """Train for one epoch, after a few steps to warm up; return its seconds and its mean loss."""
    framework: Any = importlib.import_module(library)
    nn: Any = importlib.import_module(f"{library}.nn")
    optim: Any = importlib.import_module(f"{library}.optim")

    model = nn.Linear(features.shape[1], classes)
    model.load_state_dict(
        {
            "weight": framework.from_numpy(np.zeros((classes, features.shape[1]), np.float32)),
            "bias": framework.from_numpy(np.zeros(classes, np.float32)),
        }
    )
    criterion = nn.MultiLabelMarginLoss()
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)

    def step(rows: Array) -> float:
        scores = model(framework.from_numpy(features[rows]))
        loss = criterion(scores, framework.from_numpy(target[rows]))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    order = np.random.default_rng(0).permutation(len(features))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    for rows in batches[:3]:
        step(rows)
    start = time.perf_counter()
    losses = [step(rows) for rows in batches]
    return {"seconds": time.perf_counter() - start, "loss": statistics.fmean(losses)}


def load(file: str | None) -> tuple[Array, Array, int]:
    """Return dense features, labels padded with -1, and the number of classes."""
    if file is not None:
        from lucid.io import read_xmc

        data = read_xmc(file)
        features = data.features.toarray().astype(np.float32)
        return features, np.asarray(data.labels.to_padded()), data.labels.num_classes
    rng = np.random.default_rng(0)
    drawn = (rng.random((10_791, 500)) < 0.04).astype(np.float32)
    labels = np.stack([rng.choice(983, 19, replace=False) for _ in range(len(drawn))])
    return drawn, labels, 983


def main() -> None:
    parser = argparse.ArgumentParser(description="An epoch with lucid and with PyTorch.")
    parser.add_argument("file", nargs="?", help="a data set; default: drawn like delicious")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--library", choices=LIBRARIES, help="run one epoch here, print JSON")
    arguments = parser.parse_args()
    if arguments.library is None:
        result = compare(arguments.file, arguments.threads, arguments.rounds)
        for library, seconds in result["seconds"].items():
            print(f"{library}: {statistics.median(seconds):.3f} s an epoch")
        return
    features, target, classes = load(arguments.file)
    if arguments.library == "torch":  # it takes no narrow target
        target = pad(target, (len(target), classes))
    print(json.dumps(run(arguments.library, features, target, classes)))


if __name__ == "__main__":
    main()

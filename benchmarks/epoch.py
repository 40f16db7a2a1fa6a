"""A linear ranker with lucid and with PyTorch: python benchmarks/epoch.py [FILE [TEST_FILE]]

The files are in the text form of the Extreme Classification Repository. Without one, data of the
shape of `delicious` is drawn: 10,791 rows, 500 features, 983 classes, 19 labels a row. The model
(zeros at first), the loss, the optimiser and the batches are the same, each library in its own
process, in turns. lucid trains with its `Trainer`, PyTorch in a loop; lucid takes the features as
they are, sparse, and the labels as `Labels`; PyTorch gets what it is fastest with, a dense matrix
and the padded target, made beforehand. An epoch is timed after a few warm-up steps; the metrics are
those of the test file after all of it.
"""

import argparse
import importlib
import json
import math
import os
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from cases import Array
from contenders import environment
from contenders.padding import pad
from lucid import Labels, metrics
from lucid.io import Dataset, read_xmc
from lucid.training import Trainer

LIBRARIES = ("lucid", "torch")
BATCH = 128
LEARNING_RATE = 0.1

#: What the losses and metrics of the two after an epoch may differ by: gradients are rounded.
TOLERANCE = 1e-3


def compare(
    file: str | None, threads: int, rounds: int, test: str | None = None, batch: int = BATCH
) -> dict[str, Any]:
    """Return the seconds of an epoch and the peak memory, round by round, and what came out."""
    seconds: dict[str, list[float]] = {library: [] for library in LIBRARIES}
    bytes_: dict[str, list[int]] = {library: [] for library in LIBRARIES}
    values: dict[str, dict[str, float]] = {}
    for _ in range(rounds):
        for library in LIBRARIES:
            command = [sys.executable, __file__, "--library", library, "--batch", str(batch)]
            answer = subprocess.run(
                command + [name for name in (file, test) if name],
                env=os.environ | environment(threads),
                stdout=subprocess.PIPE,
                check=True,
                text=True,
            )
            each = json.loads(answer.stdout)
            seconds[library].append(each.pop("seconds"))
            bytes_[library].append(each.pop("peak_bytes"))
            values[library] = each
    ours, theirs = values.values()
    for name, value in ours.items():
        if not math.isclose(value, theirs[name], rel_tol=TOLERANCE, abs_tol=TOLERANCE):
            raise AssertionError(f"the two libraries do not agree: {values}")
    return {
        "seconds": seconds,
        "peak_bytes": bytes_,
        "loss": {library: each["loss"] for library, each in values.items()},
        "values": ours,
    }


def run(library: str, data: Dataset, test: Dataset | None, batch: int) -> dict[str, float]:
    """Train for one epoch, after a few steps to warm up; return its seconds and what came out."""
    framework: Any = importlib.import_module(library)
    nn: Any = importlib.import_module(f"{library}.nn")
    optim: Any = importlib.import_module(f"{library}.optim")
    classes = data.labels.num_classes
    shape = (classes, data.features.shape[1])

    model = nn.Linear(shape[1], classes)
    model.load_state_dict(
        {
            "weight": framework.from_numpy(np.zeros(shape, np.float32)),
            "bias": framework.from_numpy(np.zeros(classes, np.float32)),
        }
    )
    criterion = nn.MultiLabelMarginLoss()
    optimizer = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    features: Any = data.features
    target: Any = data.labels
    if library == "torch":
        features = framework.from_numpy(features.toarray())
        target = framework.from_numpy(pad(target.to_padded(), (len(target), classes)))

    def step(rows: Array) -> float:
        loss = criterion(model(features[rows]), target[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    order = np.random.default_rng(0).permutation(len(data))
    batches = [order[start : start + batch] for start in range(0, len(order), batch)]
    trainer = Trainer(model, criterion, optimizer, batch_size=batch) if library == "lucid" else None
    for rows in batches[:3]:
        step(rows)
    start = time.perf_counter()
    if trainer is not None:
        loss = trainer.fit(data, epochs=1).losses[0]  # the same batches
    else:
        loss = float(np.average([step(rows) for rows in batches], weights=[*map(len, batches)]))
    result = {"seconds": time.perf_counter() - start, "loss": loss}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result["peak_bytes"] = peak if sys.platform == "darwin" else peak * 1024
    if test is not None:
        weight, bias = (p.detach().numpy() for p in model.parameters())
        scores = test.features @ weight.T + bias
        result["ranking loss"] = metrics.label_ranking_loss(scores, test.labels)
        result["P@1"] = metrics.precision_at_k(scores, test.labels, k=1)
    return result


def load(file: str | None) -> Dataset:
    """Return the data of a file, or what is drawn without one."""
    if file is not None:
        return read_xmc(file)
    rng = np.random.default_rng(0)
    drawn = (rng.random((10_791, 500)) < 0.04).astype(np.float32)
    labels = np.stack([rng.choice(983, 19, replace=False) for _ in range(len(drawn))])
    return Dataset(csr_array(drawn), Labels.from_padded(labels, 983))


def main() -> None:
    parser = argparse.ArgumentParser(description="An epoch with lucid and with PyTorch.")
    parser.add_argument("file", nargs="?", help="a data set; default: drawn like delicious")
    parser.add_argument("test", nargs="?", help="what to test on")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=BATCH)
    parser.add_argument("--library", choices=LIBRARIES, help="run one epoch here, print JSON")
    arguments = parser.parse_args()
    if arguments.library is not None:
        test = read_xmc(arguments.test) if arguments.test else None
        print(json.dumps(run(arguments.library, load(arguments.file), test, arguments.batch)))
        return
    result = compare(
        arguments.file, arguments.threads, arguments.rounds, arguments.test, arguments.batch
    )
    for library in LIBRARIES:
        seconds, peak = (
            statistics.median(result[key][library]) for key in ("seconds", "peak_bytes")
        )
        print(f"{library}: {seconds:.3f} s an epoch, {peak / 1e6:.0f} MB at the peak")
    print("both: " + ", ".join(f"{name} {value:.4f}" for name, value in result["values"].items()))


if __name__ == "__main__":
    main()

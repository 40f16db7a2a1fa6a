"""Train the last layer of a model with a million classes: rows a second, and peak memory.

    python benchmarks/million_classes.py                                 # 670,000 classes
    python benchmarks/million_classes.py --classes 20000 --rows 320      # a short try
    python benchmarks/million_classes.py --form two-steps                # without the fused layer

Each class has a random direction; a row has 5 labels, and its features are the mean of their
directions and some noise. So the rows can be learned, and from epoch to epoch the loss must fall.
The layer and the loss are `nn.functional.linear_multilabel_margin_loss`, the optimiser is plain
SGD; the forward pass, the backward pass and the step of every batch are timed.
"""

import argparse
import json
import resource
import sys
import time

import numpy as np

import lucid
from lucid import Labels, nn, optim
from lucid.nn import functional as F
from machine import machine, versions

LABELS = 5
NOISE = 0.3


def draw(rows: int, classes: int, features: int) -> tuple[np.ndarray, Labels]:
    rng = np.random.default_rng(0)
    directions = rng.standard_normal((classes, features), np.float32)
    target = rng.integers(0, classes, (rows, LABELS))
    noise = NOISE * rng.standard_normal((rows, features), np.float32)
    return directions[target].mean(axis=1) + noise, Labels.from_padded(target, classes)


def peak_bytes() -> int:
    """Return the most memory that this process has held so far."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def train(arguments: argparse.Namespace) -> dict[str, float]:
    lucid.manual_seed(0)
    x, labels = draw(arguments.rows, arguments.classes, arguments.features)
    layer = nn.Linear(arguments.features, arguments.classes)
    optimizer = optim.SGD(layer.parameters(), lr=arguments.lr)

    def step(rows: slice) -> float:
        if arguments.form == "fused":
            loss = F.linear_multilabel_margin_loss(
                x[rows], layer.weight, layer.bias, labels[rows], chunk=arguments.chunk
            )
        else:
            loss = F.multilabel_margin_loss(layer(x[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.item())

    losses, seconds = [], []
    for _ in range(arguments.epochs):
        for start in range(0, arguments.rows, arguments.batch):
            begin = time.perf_counter()
            losses.append(step(slice(start, start + arguments.batch)))
            seconds.append(time.perf_counter() - begin)
    by_epoch = np.mean(np.reshape(losses, (arguments.epochs, -1)), axis=1)
    return {
        "rows_per_second": arguments.batch / float(np.median(seconds)),
        "first_epoch_loss": float(by_epoch[0]),
        "last_epoch_loss": float(by_epoch[-1]),
        "weight_bytes": layer.weight.detach().numpy().nbytes,
        "peak_bytes": peak_bytes(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a last layer with a million classes.")
    parser.add_argument("--classes", type=int, default=670_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--chunk", type=int, default=1 << 22, help="scores held at once")
    parser.add_argument("--lr", type=float, default=2.0)
    parser.add_argument("--form", choices=("fused", "two-steps"), default="fused")
    parser.add_argument("--json", action="store_true", help="print JSON, with the machine")
    arguments = parser.parse_args()
    result = train(arguments)
    if arguments.json:
        print(json.dumps({**vars(arguments), **result, **machine(), "versions": versions()}))
        return
    print(
        f"{arguments.classes} classes, {LABELS} labels a row, {arguments.features} features, "
        f"batches of {arguments.batch}, {arguments.form}\n"
        f"rows a second  {result['rows_per_second']:.1f}\n"
        f"peak memory    {result['peak_bytes'] / 1e6:.0f} MB, "
        f"of which the weight {result['weight_bytes'] / 1e6:.0f} MB\n"
        f"epoch's loss   {result['first_epoch_loss']:.4f} -> {result['last_epoch_loss']:.4f}"
    )


if __name__ == "__main__":
    main()

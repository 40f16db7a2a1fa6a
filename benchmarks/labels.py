"""Time the gathering of labels for mini-batches against their loss: python benchmarks/labels.py

500,000 rows of 5 labels among 1,000 classes, shuffled; for each batch the rows are gathered with
``labels[rows]``, and the loss of random scores and its gradient are computed.
"""

import time

import numpy as np

import lucid
from lucid import Labels, nn
from machine import machine

ROWS, CLASSES, LABELS = 500_000, 1_000, 5


def main() -> None:
    rng = np.random.default_rng(0)
    padded = rng.integers(0, CLASSES, (ROWS, LABELS))
    labels = Labels.from_padded(padded, CLASSES)
    criterion = nn.MultilabelMarginLoss()
    print(f"{machine()['processor']}, {lucid.get_num_threads()} threads")
    print(
        "| rows a batch | labels[rows], s an epoch | loss and gradient, s an epoch |\n|--:|--:|--:|"
    )
    for batch in (32, 256):
        x = lucid.randn(batch, CLASSES, requires_grad=True)
        order = rng.permutation(ROWS)
        gathering = losing = 0.0
        for start in range(0, ROWS - batch + 1, batch):
            begin = time.perf_counter()
            target = labels[order[start : start + batch]]
            gathered = time.perf_counter()
            criterion(x, target).backward()
            x.grad = None
            losing += time.perf_counter() - gathered
            gathering += gathered - begin
            assert len(target) == batch
        print(f"| {batch} | {gathering:.3f} | {losing:.3f} |")


if __name__ == "__main__":
    main()

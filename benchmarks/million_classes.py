"""Train the last layer of a model with a million classes: rows a second, and peak memory.

    python benchmarks/million_classes.py                                 # 670,000 classes
    python benchmarks/million_classes.py --classes 20000 --rows 320      # a short try
    python benchmarks/million_classes.py --form fused                    # the step on its own
    python benchmarks/million_classes.py --form two-steps                # without the fused layer
    python benchmarks/million_classes.py --optimizer adam                # or momentum; sgd is plain
    python benchmarks/million_classes.py --compare                       # all three, by turns

Each class has a random direction; a row has 5 labels, and its features are the mean of their
directions and some noise. So the rows can be learned, and from epoch to epoch the loss must fall.
There are three forms: layer, loss and the optimiser's step in one
(`nn.functional.linear_multilabel_margin_step`); layer and loss in one, then the step
(`linear_multilabel_margin_loss`); layer, loss, step. The forward pass, the backward pass and the
step of every batch are timed. On a busy machine trust `--compare`, the ratios of forms that take
turns, and the seconds of the processors.
"""

import argparse
import json
import resource
import sys
import time
from contextlib import suppress
from pathlib import Path

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


def held_bytes(what: str) -> int:
    """Return the memory that this process holds (VmRSS), or the most it has held (VmHWM)."""
    try:
        status = Path("/proc/self/status").read_text()
        return 1024 * int(status.split(f"{what}:")[1].split()[0])
    except OSError:  # not Linux
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024


def forget_peak() -> None:
    """Let the most that this process has held count anew."""
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


OPTIMIZERS = {
    "sgd": lambda parameters, lr: optim.SGD(parameters, lr=lr),
    "momentum": lambda parameters, lr: optim.SGD(parameters, lr=lr, momentum=0.9),
    "adam": lambda parameters, lr: optim.Adam(parameters, lr=lr / 200),
}

#: How a batch is trained on: with the step inside, with the loss inside, or all apart.
FORMS = ("step", "fused", "two-steps")


class Model:
    """A layer, its optimiser, and one form of a step."""

    def __init__(self, arguments: argparse.Namespace, form: str) -> None:
        lucid.manual_seed(0)
        self.form, self.chunk = form, {} if arguments.chunk is None else {"chunk": arguments.chunk}
        self.layer = nn.Linear(arguments.features, arguments.classes)
        make = OPTIMIZERS[arguments.optimizer]
        self.optimizer = make(self.layer.parameters(), arguments.lr)

    def step(self, x: np.ndarray, labels: Labels) -> float:
        weight, bias = self.layer.weight, self.layer.bias
        if self.form == "step":
            return F.linear_multilabel_margin_step(
                self.optimizer, x, weight, bias, labels, **self.chunk
            ).item()
        if self.form == "fused":
            loss = F.linear_multilabel_margin_loss(x, weight, bias, labels, **self.chunk)
        else:
            loss = F.multilabel_margin_loss(self.layer(x), labels)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def bytes(self) -> int:
        """Return the size of the parameters and the optimiser's state."""
        arrays = [p.detach().numpy() for p in self.layer.parameters()]
        for state in self.optimizer.state.values():
            arrays += [value for value in state.values() if isinstance(value, np.ndarray)]
        return sum(array.nbytes for array in arrays)


def train(arguments: argparse.Namespace) -> dict[str, float]:
    x, labels = draw(arguments.rows, arguments.classes, arguments.features)
    before = held_bytes("VmRSS")
    model = Model(arguments, arguments.form)
    forget_peak()  # making the layer takes more for a moment
    losses, seconds, busy = [], [], []
    for _ in range(arguments.epochs):
        for start in range(0, arguments.rows, arguments.batch):
            rows = slice(start, start + arguments.batch)
            begin, begin_busy = time.perf_counter(), time.process_time()
            losses.append(model.step(x[rows], labels[rows]))
            seconds.append(time.perf_counter() - begin)
            busy.append(time.process_time() - begin_busy)
    by_epoch = np.mean(np.reshape(losses, (arguments.epochs, -1)), axis=1)
    return {
        "rows_per_second": arguments.batch / float(np.median(seconds)),
        "rows_per_processor_second": arguments.batch / float(np.median(busy)),
        "first_epoch_loss": float(by_epoch[0]),
        "last_epoch_loss": float(by_epoch[-1]),
        "model_bytes": model.bytes(),
        "peak_bytes": held_bytes("VmHWM") - before,
    }


def compare(arguments: argparse.Namespace) -> None:
    """Let the forms take turns, and print how many times longer than the first the others take."""
    x, labels = draw(arguments.rows, arguments.classes, arguments.features)
    models = [Model(arguments, form) for form in FORMS]
    times = np.zeros((arguments.epochs, arguments.rows // arguments.batch, len(models), 2))
    for epoch, batch, number in np.ndindex(times.shape[:3]):
        rows = slice(batch * arguments.batch, (batch + 1) * arguments.batch)
        begin = time.perf_counter(), time.process_time()
        models[number].step(x[rows], labels[rows])
        end = time.perf_counter(), time.process_time()
        times[epoch, batch, number] = np.subtract(end, begin)
    times = times.reshape(-1, len(models), 2)[1:]  # the first makes the optimiser's state
    ratios = np.median(times / times[:, :1], axis=0)
    for number, form in enumerate(FORMS):
        print(
            f"{form:9}  at best {arguments.batch / times[:, number, 0].min():6.1f} rows a second, "
            f"{arguments.batch / times[:, number, 1].min():6.1f} a second of a processor; "
            f"takes {ratios[number, 0]:.2f} and {ratios[number, 1]:.2f} times as long"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description="Train a last layer with a million classes.")
    parser.add_argument("--classes", type=int, default=670_000)
    parser.add_argument("--features", type=int, default=64)
    parser.add_argument("--rows", type=int, default=640)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--chunk", type=int, help="scores held at once; by default the function's")
    parser.add_argument("--lr", type=float, default=2.0)
    parser.add_argument("--optimizer", choices=OPTIMIZERS, default="sgd")
    parser.add_argument("--form", choices=FORMS, default="step")
    parser.add_argument("--compare", action="store_true", help="all forms, by turns")
    parser.add_argument("--json", action="store_true", help="print JSON, with the machine")
    arguments = parser.parse_args()
    if arguments.compare:
        return compare(arguments)
    result = train(arguments)
    if arguments.json:
        print(json.dumps({**vars(arguments), **result, **machine(), "versions": versions()}))
        return
    memory = result["peak_bytes"] / result["model_bytes"]
    print(
        f"{arguments.classes} classes, {LABELS} labels a row, {arguments.features} features, "
        f"batches of {arguments.batch}, {arguments.optimizer}, {arguments.form}\n"
        f"rows a second  {result['rows_per_second']:.1f}, "
        f"{result['rows_per_processor_second']:.1f} a second of a processor\n"
        f"peak memory    {result['peak_bytes'] / 1e6:.0f} MB, {memory:.2f} times "
        f"the {result['model_bytes'] / 1e6:.0f} MB of weight and state\n"
        f"epoch's loss   {result['first_epoch_loss']:.4f} -> {result['last_epoch_loss']:.4f}"
    )


if __name__ == "__main__":
    main()

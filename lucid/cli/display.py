"""What `lucid` shows: progress, a table of metrics, a plot. Needs the extra ``cli``."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from lucid.cli.data import Split
from lucid.cli.errors import UsageError
from lucid.cli.training import Step
from lucid.system.atomic import replacing
from lucid.system.optional import require


@dataclass
class History:
    """The course of a training: after each whole epoch, its mean loss and a test metric."""

    losses: list[float] = field(default_factory=list)
    ranking_losses: list[float] = field(default_factory=list)


class Progress:
    """Counts rows and losses as they come in, and shows them."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task
        self._seconds = 0.0
        self._resumed = time.perf_counter()
        self._all_rows = 0
        self._epoch_rows = 0
        self._epoch_loss = 0.0

    @property
    def mean_loss(self) -> float:
        """The mean loss a row since the epoch began."""
        return self._epoch_loss / max(self._epoch_rows, 1)

    @property
    def rows_per_second(self) -> float:
        """The speed so far, without the time of `pause`."""
        seconds = self._seconds + time.perf_counter() - self._resumed
        return self._all_rows / seconds

    def advance(self, step: Step) -> None:
        """Take in a step and show it."""
        self._all_rows += step.rows
        self._epoch_rows += step.rows
        self._epoch_loss += step.loss * step.rows
        self._bar.update(
            self._task,
            advance=step.rows,
            epoch=step.epoch + 1,
            loss=f"{self.mean_loss:.4f}",
            speed=f"{self.rows_per_second:,.0f}",
        )

    def end_epoch(self) -> None:
        """Begin the mean loss anew."""
        self._epoch_rows, self._epoch_loss = 0, 0.0

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Keep the time of what is done meanwhile out of the rows a second."""
        self._seconds += time.perf_counter() - self._resumed
        try:
            yield
        finally:
            self._resumed = time.perf_counter()


@contextmanager
def progress(epochs: int, rows: int) -> Iterator[Progress]:
    """Show a bar of all rows of all epochs on standard error."""
    rich = require("rich.progress", extra="cli", purpose="lucid train")
    console = require("rich.console", extra="cli", purpose="lucid train").Console(stderr=True)
    columns = (
        rich.TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        rich.BarColumn(),
        rich.TextColumn("loss {task.fields[loss]}"),
        rich.TextColumn("{task.fields[speed]} rows/s"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task("", total=epochs * rows, epoch=1, loss="-", speed="-")
        yield Progress(bar, task)


def print_split(split: Split) -> None:
    """Say what is trained and tested on."""
    for name, data, origin in (
        ("train", split.train, split.train_origin),
        ("test ", split.test, split.test_origin),
    ):
        features, classes = data.features.shape[1], data.labels.num_classes
        print(f"{name}  {len(data):,} rows, {features:,} features, {classes:,} classes ({origin})")


def print_metrics(values: dict[str, float], rows: int) -> None:
    """Print a table on standard output."""
    table = require("rich.table", extra="cli", purpose="lucid").Table(title=f"{rows:,} test rows")
    table.add_column("metric")
    table.add_column("value", justify="right")
    for name, value in values.items():
        table.add_row(name, f"{value:.4f}")
    require("rich.console", extra="cli", purpose="lucid").Console().print(table)


def check_can_plot(path: str | os.PathLike[str]) -> None:
    """Find out before training whether a plot can be written.

    Raises
    ------
    UsageError
        If the file's ending is not one that matplotlib writes.
    """
    figure = _figure()
    formats = figure.canvas.get_supported_filetypes()
    if _ending(path) not in formats:
        raise UsageError(f"--plot {path}: the ending must be one of {', '.join(sorted(formats))}")


def _ending(path: str | os.PathLike[str]) -> str:
    return os.path.splitext(path)[1].removeprefix(".")


def plot(path: str | os.PathLike[str], history: History, title: str) -> None:
    """Draw the training loss and the test ranking loss against the epochs, whole or not at all."""
    figure = _figure()
    epochs = range(1, len(history.losses) + 1)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for axes, name, values, color in (
        (upper, "training loss", history.losses, "tab:blue"),
        (lower, "test ranking loss", history.ranking_losses, "tab:orange"),
    ):
        axes.plot(epochs, values, marker=".", color=color)
        axes.set_ylabel(name)
        axes.set_ylim(0, 1.1 * max(values, default=1.0) or 1.0)
        axes.grid(alpha=0.3)
        axes.spines[["top", "right"]].set_visible(False)
    upper.set_title(title)
    lower.set_xlabel("epoch")
    lower.xaxis.get_major_locator().set_params(integer=True)
    with replacing(path) as file:
        figure.savefig(file, format=_ending(path))


def _figure() -> Any:
    # A figure of its own, not pyplot's: no screen is needed, and no global state is touched.
    figure = require("matplotlib.figure", extra="cli", purpose="--plot")
    return figure.Figure(figsize=(6.4, 4.8), layout="constrained")

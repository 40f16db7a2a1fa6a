"""What `lucid` shows: progress, a table of metrics, a plot. Needs the extra ``cli``."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeVar

from lucid.cli.data import Split
from lucid.cli.errors import UsageError
from lucid.cli.reading import sizes
from lucid.system.atomic import replacing
from lucid.system.optional import require
from lucid.training import RANKING_LOSS, History, Step

_T = TypeVar("_T")


class Progress:
    """A listener that shows the steps of a training on a bar."""

    def __init__(self, bar: Any, task: Any) -> None:
        self._bar = bar
        self._task = task
        self._rows = 0
        self._seconds = 0.0
        self._resumed = time.perf_counter()

    @property
    def rows_per_second(self) -> float:
        """The speed so far, without the time of `pause`."""
        return self._rows / (self._seconds + time.perf_counter() - self._resumed)

    def __call__(self, step: Step) -> None:
        """Take in a step and show it."""
        self._rows += step.rows
        shown = {
            "epoch": step.epoch,
            "loss": f"{step.mean_loss:.4f}",
            "speed": f"{self.rows_per_second:,.0f}",
        }
        if step.result is not None and RANKING_LOSS in step.result.metrics:
            shown["validation"] = f"ranking loss {step.result.metrics[RANKING_LOSS]:.4f}"
        self._bar.update(self._task, advance=step.rows, **shown)

    def pause(self, function: Callable[..., _T]) -> Callable[..., _T]:
        """Return the function, whose time then is kept out of the rows a second."""

        def paused(*arguments: Any) -> _T:
            self._seconds += time.perf_counter() - self._resumed
            try:
                return function(*arguments)
            finally:
                self._resumed = time.perf_counter()

        return paused


@contextmanager
def progress(epochs: int, rows: int, done: float) -> Iterator[Progress]:
    """Show a bar of all rows of all epochs, some of which are done, on standard error."""
    rich = require("rich.progress", extra="cli", purpose="lucid train")
    console = require("rich.console", extra="cli", purpose="lucid train").Console(stderr=True)
    columns = (
        rich.TextColumn("epoch {task.fields[epoch]}/" + str(epochs)),
        rich.BarColumn(),
        rich.TextColumn("loss {task.fields[loss]}"),
        rich.TextColumn("{task.fields[validation]}"),
        rich.TextColumn("{task.fields[speed]} rows/s"),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(*columns, console=console) as bar:
        task = bar.add_task(
            "",
            total=epochs * rows,
            completed=round(done * rows),
            epoch=int(done) + 1,
            loss="-",
            speed="-",
            validation="",
        )
        yield Progress(bar, task)


def print_split(split: Split) -> None:
    """Say what is trained and tested on."""
    parts = {"train": split.train, "validation": split.validation, "test": split.test}
    there = {name: data for name, data in parts.items() if data is not None}
    width = max(map(len, there))
    for name, data in there.items():
        features, classes = sizes(data)
        print(
            f"{name:{width}}  {data.num_rows:,} rows, {features:,} features, {classes:,} classes "
            f"({split.origins[name]})"
        )


def print_metrics(values: Mapping[str, float], baseline: Mapping[str, float], rows: int) -> None:
    """Print a table on standard output: the model beside the most frequent labels."""
    table = require("rich.table", extra="cli", purpose="lucid").Table(title=f"{rows:,} test rows")
    table.add_column("metric")
    table.add_column("value", justify="right")
    table.add_column("most frequent labels", justify="right")
    for name, value in values.items():
        table.add_row(name, f"{value:.4f}", f"{baseline[name]:.4f}")
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


def plot(path: str | os.PathLike[str], history: History, title: str, tested_on: str) -> None:
    """Draw training loss and ranking loss against the epochs, whole or not at all."""
    figure = _figure()
    upper, lower = figure.subplots(2, 1, sharex=True)
    losses = {epoch.number: epoch.loss for epoch in history}
    tested = {
        epoch.number: epoch.metrics[RANKING_LOSS]
        for epoch in history
        if RANKING_LOSS in epoch.metrics
    }
    for axes, name, values, color in (
        (upper, "training loss", losses, "tab:blue"),
        (lower, f"{tested_on} ranking loss", tested, "tab:orange"),
    ):
        axes.plot(list(values), list(values.values()), marker=".", color=color)
        axes.set_ylabel(name)
        axes.set_ylim(0, 1.1 * max(values.values(), default=1.0) or 1.0)
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

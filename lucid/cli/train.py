"""`lucid train`."""

from __future__ import annotations

import argparse
import signal
import textwrap
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, fields
from types import FrameType
from typing import Any

import numpy as np

import lucid
from lucid import training
from lucid.cli import data, display
from lucid.cli.errors import INTERRUPTED, UsageError
from lucid.cli.evaluate import Tested, set_threads
from lucid.cli.outputs import check_outputs
from lucid.cli.settings import Settings
from lucid.io import DataFileError, Dataset, read_names
from lucid.training.trainer import Listener

_HINT = "; a smaller --lr may help"


def train(arguments: argparse.Namespace) -> int:
    """`lucid train`: train, test, and save what was asked for, also after Ctrl-C."""
    _check_outputs(arguments)
    set_threads(arguments.threads)
    begun = _read_checkpoint(arguments)
    chosen = begun.settings
    split = data.load(arguments.file, arguments.test, chosen.seed, chosen.validation)
    display.print_split(split)
    ranker = _make_ranker(chosen, split, arguments.class_names)
    rows = ranker.prepared(split.train)
    settings = chosen.completed(rows.features)
    trainer = settings.trainer(ranker.net, _validation(ranker, split, bool(arguments.plot)))
    fingerprint = data.fingerprint(split.train)
    begun.take_up(trainer, fingerprint)
    if trainer.done > settings.epochs:
        raise UsageError(
            f"--epochs {settings.epochs}: {trainer.done:.3g} are done already in {arguments.resume}"
        )
    listeners: list[Listener] = []
    checkpoint = arguments.checkpoint or arguments.resume
    if checkpoint is not None:
        every = arguments.checkpoint_every or 1
        about = {"settings": settings.as_dict(), "data": fingerprint}
        listeners.append(training.Checkpoints(trainer, checkpoint, every, about))
    try:
        with display.progress(settings.epochs, len(rows), trainer.done) as progress:
            if trainer.validation is not None:
                trainer.validation = progress.pause(trainer.validation)
            with _interruptible(trainer.stop):
                trainer.fit(rows, settings.epochs, [progress, *listeners])
        _check_finite(ranker, split.train)
    except training.Diverged as error:
        raise training.Diverged(f"{error}{_HINT}") from None

    stopped = trainer.done < settings.epochs and not trainer.stopped_early
    ranker.settings = _kept(settings, trainer)
    _say_how_it_ended(settings, trainer, stopped)
    try:
        if arguments.save:
            ranker.save(arguments.save)
            print(f"saved {arguments.save}")
        if arguments.plot:
            tested_on = "test" if split.validation is None else "validation"
            title = f"{settings.loss} loss, {settings.optimizer}"
            display.plot(arguments.plot, trainer.history, title, tested_on)
            print(f"drew {arguments.plot}")
    finally:  # the metrics are worth showing where the disk is full
        print(textwrap.fill(f"trained with {settings}", 80, subsequent_indent="  "))
        print(f"trained at {progress.rows_per_second:,.0f} rows a second")
        Tested(ranker, split.test).print()
    return INTERRUPTED if stopped else 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    if arguments.checkpoint_every and not (arguments.checkpoint or arguments.resume):
        raise UsageError("--checkpoint-every needs --checkpoint FILE, or --resume FILE, as well")
    if arguments.patience and not arguments.validation and not arguments.resume:
        raise UsageError("--patience needs --validation FRACTION, or FILE, as well")
    check_outputs(
        (arguments.file, arguments.test, arguments.validation, arguments.class_names),
        (
            ("--save", arguments.save, "the model"),
            ("--checkpoint", arguments.checkpoint or arguments.resume, "the checkpoint"),
            ("--plot", arguments.plot, "the plot"),
        ),
    )
    if arguments.plot:
        display.check_can_plot(arguments.plot)


@dataclass(frozen=True)
class _Begun:
    """Where a training begins: at a checkpoint, or anew."""

    settings: Settings
    origin: str = ""
    state: dict[str, Any] | None = None
    data: str = ""

    def take_up(self, trainer: training.Trainer, fingerprint: str) -> None:
        if self.state is None:
            return
        if fingerprint != self.data:
            raise UsageError(
                f"{self.origin}: was trained on other rows: FILE, --test and --validation must be "
                "the same"
            )
        try:
            trainer.load_state_dict(self.state)
        except (KeyError, TypeError, ValueError) as error:
            raise DataFileError(f"{self.origin}: the parts do not fit together: {error}") from None


def _read_checkpoint(arguments: argparse.Namespace) -> _Begun:
    names = [field.name for field in fields(Settings)]
    given = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if arguments.resume is None:
        return _Begun(Settings.of_options(given))
    state, about = training.load_training(arguments.resume)
    settings = Settings.of_checkpoint(about.get("settings"), given, arguments.resume)
    return _Begun(settings, arguments.resume, state, about.get("data", ""))


def _make_ranker(settings: Settings, split: data.Split, class_names: str | None) -> training.Ranker:
    lucid.manual_seed(settings.seed)
    num_features, num_classes = data.sizes(split.train)
    names = split.train.class_names if class_names is None else read_names(class_names)
    if names is not None and len(names) != num_classes:
        raise DataFileError(f"{class_names}: {len(names)} names, but {num_classes} classes")
    if names is not None and len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise DataFileError(f"{class_names}: names must be different, {twice!r} is there twice")
    try:
        ranker = training.Ranker(num_features, num_classes, settings.hidden, names)
    except ValueError as error:  # NumPy's, of sizes beyond any memory
        raise MemoryError(*error.args) from error
    try:
        ranker.fit_scaling(split.train.features)
    except ValueError as error:  # of the data
        raise UsageError(str(error)) from None
    ranker.fit_propensities(split.train.labels)
    return ranker


def _validation(
    ranker: training.Ranker, split: data.Split, plot: bool
) -> training.Validation | None:
    """Return what is asked after each epoch; a plot without validation shows the test rows."""
    rows = split.validation
    if rows is None and plot:
        rows = split.test
    if rows is None:
        return None
    wanted = training.ranking_metrics(ranker.num_classes)
    return training.Validation(
        Dataset(ranker.scaled(rows.features), rows.labels),
        {training.RANKING_LOSS: wanted[training.RANKING_LOSS]},
    )


def _kept(settings: Settings, trainer: training.Trainer) -> dict[str, Any]:
    """Return what the model's file says of its training."""
    kept = {**settings.as_dict(), "epochs": trainer.done}
    if trainer.early_stopping is not None:
        kept["best_epoch"] = trainer.early_stopping.best_epoch
    return kept


def _say_how_it_ended(settings: Settings, trainer: training.Trainer, stopped: bool) -> None:
    if stopped:
        print(f"stopped after {trainer.done:.2f} of {settings.epochs} epochs")
    best = trainer.early_stopping
    if best is not None and best.best_epoch:
        print(
            f"kept the model of epoch {best.best_epoch} of {trainer.epoch}, whose ranking loss on "
            f"the validation rows, {best.best:.4f}, is the best"
        )


def _check_finite(ranker: training.Ranker, rows: Dataset) -> None:
    """Find out whether the last step, which no loss has followed, broke the model.

    Raises
    ------
    Diverged
        If a parameter, or a score of the first rows, is no longer finite.
    """
    values = [parameter.detach().numpy() for parameter in ranker.net.parameters()]
    values.append(ranker.scores(rows.features[:1000]))
    if not all(np.isfinite(value).all() for value in values):
        raise training.Diverged("the last step broke the model")


@contextmanager
def _interruptible(stop: Callable[[], None]) -> Iterator[None]:
    """Let the first Ctrl-C ask for a stop after the step; the second one ends at once."""
    before = signal.getsignal(signal.SIGINT)

    def ask(signum: int, frame: FrameType | None) -> None:
        stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)

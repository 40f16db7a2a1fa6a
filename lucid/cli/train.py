"""`lucid train`."""

from __future__ import annotations

import argparse
import os
import signal
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from types import FrameType
from typing import Any

import numpy as np

import lucid
from lucid import training
from lucid.cli import data, display
from lucid.cli.errors import INTERRUPTED, UsageError
from lucid.cli.evaluate import Tested, set_threads
from lucid.cli.inputs import DATA, Input, check_inputs
from lucid.cli.outputs import check_outputs
from lucid.cli.reading import Reading, Rows, Source, sizes
from lucid.cli.settings import Settings
from lucid.data.names import check_names
from lucid.io import DataFileError, Dataset, read_names
from lucid.training.pieces import Pieces, pieces_of
from lucid.training.step import Listener
from lucid.training.stored import CHECKPOINT, kind_of

_HINT = "; a smaller --lr may help"


def train(arguments: argparse.Namespace) -> int:
    """`lucid train`: train, test, and save what was asked for, also after Ctrl-C."""
    _check_inputs(arguments)
    _check_outputs(arguments)
    set_threads(arguments.threads)
    begun = _read_checkpoint(arguments)
    chosen = begun.settings
    names = _read_names(arguments.class_names) or begun.class_names
    reading = Reading(chosen.named_labels, names, chosen.stream)
    train, test, validation = _sources(arguments, chosen)
    with _where_memory_does_not_suffice(train, chosen):
        split = data.load(train, test, chosen.seed, validation, reading)
    display.print_split(split)
    ranker = _make_ranker(chosen, split)
    with _where_memory_does_not_suffice(train, chosen):
        rows = ranker.prepared(split.train)
    features = (piece.features for piece in pieces_of(rows))
    settings = chosen.completed(features, ranker.num_classes)
    trainer = settings.trainer(ranker.net, _validation(ranker, split, bool(arguments.plot)))
    begun.take_up(trainer, split)
    if trainer.done > settings.epochs:
        raise UsageError(
            f"--epochs {settings.epochs}: {trainer.done:.3g} are done already in {arguments.resume}"
        )
    is_done = trainer.stopped_early or trainer.done >= settings.epochs
    listeners: list[Listener] = []
    checkpoint = arguments.checkpoint or arguments.resume
    if checkpoint is not None:
        every = arguments.checkpoint_every or 1
        about = {
            "settings": settings.as_dict(),
            "data": split.fingerprint,
            "origins": split.origins,
            "class_names": ranker.class_names,
        }
        listeners.append(training.Checkpoints(trainer, checkpoint, every, about))
    speed = None
    if is_done:
        _say_that_it_is_done(trainer, arguments.resume)
    try:
        if is_done:
            trainer.fit(rows, settings.epochs)  # the best model comes back
        else:
            speed = _fit(trainer, rows, settings.epochs, listeners)
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
        if speed is not None:
            print(f"trained at {speed:,.0f} rows a second")
        Tested(ranker, split.test).print()
    return INTERRUPTED if stopped else 0


def _fit(
    trainer: training.Trainer, rows: Dataset | Pieces, epochs: int, listeners: list[Listener]
) -> float:
    """Train, show how it goes, and return the rows a second."""
    with display.progress(epochs, len(rows), trainer.done) as progress:
        if trainer.validation is not None:
            trainer.validation = progress.pause(trainer.validation)
        with _interruptible(trainer.stop):
            trainer.fit(rows, epochs, [progress, *listeners])
        return progress.rows_per_second


def _check_outputs(arguments: argparse.Namespace) -> None:
    if arguments.checkpoint_every and not (arguments.checkpoint or arguments.resume):
        raise UsageError("--checkpoint-every needs --checkpoint FILE, or --resume FILE, as well")
    if arguments.patience and not arguments.validation and not arguments.resume:
        raise UsageError("--patience needs --validation FRACTION, or FILE, as well")
    check_outputs(
        (
            (arguments.file, "the data"),
            (arguments.test, "the data"),
            (arguments.validation, "the data"),
            (arguments.labels, "the data"),
            (arguments.test_labels, "the data"),
            (arguments.validation_labels, "the data"),
            (arguments.class_names, "the names of the classes"),
        ),
        (
            ("--save", arguments.save, "the model"),
            ("--checkpoint", arguments.checkpoint or arguments.resume, "the checkpoint"),
            ("--plot", arguments.plot, "the plot"),
        ),
    )
    checkpoint = arguments.checkpoint
    if checkpoint and os.path.exists(checkpoint) and not _is_same(checkpoint, arguments.resume):
        goes_on = f"--resume {checkpoint} goes on from it; "
        raise UsageError(
            f"--checkpoint {checkpoint}: there is such a file already: "
            f"{goes_on if kind_of(checkpoint) == CHECKPOINT else ''}to begin anew, remove it"
        )
    if arguments.plot:
        display.check_can_plot(arguments.plot)


def _check_inputs(arguments: argparse.Namespace) -> None:
    names = "text with the name of a class on each line"
    check_inputs(
        Input("FILE", arguments.file, DATA),
        Input("--test", arguments.test, DATA),
        Input("--validation", data.file_or_share(arguments.validation)[0], f"{DATA} or a fraction"),
        Input("--labels", arguments.labels, DATA),
        Input("--test-labels", arguments.test_labels, DATA),
        Input("--validation-labels", arguments.validation_labels, DATA),
        Input("--class-names", arguments.class_names, names),
        Input("--resume", arguments.resume, CHECKPOINT),
    )


def _sources(
    arguments: argparse.Namespace, settings: Settings
) -> tuple[Source | None, Source | None, Source | float | None]:
    """Return where the rows are to train on, to test on and to look at meanwhile."""
    held_out, share = data.file_or_share(settings.validation)
    found = []
    for option, file, labels, wanted in (
        ("--labels", arguments.file, arguments.labels, "a FILE to train on"),
        ("--test-labels", arguments.test, arguments.test_labels, "--test FILE"),
        ("--validation-labels", held_out, arguments.validation_labels, "--validation FILE"),
    ):
        if labels is not None and file is None:
            raise UsageError(f"{option} needs {wanted} as well")
        if labels is not None and settings.stream:
            raise UsageError(
                f"{option}: --stream reads features and labels from one file; lucid.io.write_xmc "
                "writes one"
            )
        found.append(None if file is None else Source(file, labels))
    train, test, validation = found
    return train, test, share if validation is None else validation


def _is_same(path: str, other: str | None) -> bool:
    return other is not None and os.path.realpath(path) == os.path.realpath(other)


def _read_names(path: str | None) -> tuple[str, ...] | None:
    """Read the names of the classes from a file, if there is one."""
    if path is None:
        return None
    lines = read_names(path)
    try:
        return tuple(check_names(lines))
    except ValueError as error:
        raise UsageError(f"--class-names {path}: {error}") from None


@contextmanager
def _where_memory_does_not_suffice(train: Source | None, settings: Settings) -> Iterator[None]:
    """Say what may help."""
    try:
        yield
    except MemoryError as error:
        if train is None or train.labels is not None or settings.stream:
            raise
        raise MemoryError(f"{error}; {data.STREAM_HINT}".removeprefix("; ")) from None


@dataclass(frozen=True)
class _Begun:
    """Where a training begins: at a checkpoint, or anew."""

    settings: Settings
    origin: str = ""
    state: dict[str, Any] | None = None
    about: Mapping[str, Any] = field(default_factory=dict)

    @property
    def class_names(self) -> Sequence[str] | None:
        return self.about.get("class_names")

    def take_up(self, trainer: training.Trainer, split: data.Split) -> None:
        if self.state is None:
            return
        if split.fingerprint != self.about.get("data"):
            origins = dict(self.about.get("origins") or {})
            before = ", ".join(f"{name}: {origin}" for name, origin in origins.items())
            raise UsageError(
                f"{self.origin}: was trained on other rows: FILE, --test and --validation must be "
                f"the same as before ({before})"
            )
        try:
            trainer.load_state_dict(self.state)
        except ValueError as error:
            raise DataFileError(f"{self.origin}: the parts do not fit together: {error}") from None


def _read_checkpoint(arguments: argparse.Namespace) -> _Begun:
    names = [each.name for each in fields(Settings)]
    given = {name: getattr(arguments, name) for name in names}
    given = {name: value for name, value in given.items() if value is not None}
    if arguments.resume is None:
        return _Begun(Settings.of_options(given))
    state, about = training.load_training(arguments.resume)
    settings = Settings.of_checkpoint(about.get("settings"), given, arguments.resume)
    return _Begun(settings, arguments.resume, state, about)


def _make_ranker(settings: Settings, split: data.Split) -> training.Ranker:
    lucid.manual_seed(settings.seed)
    try:
        ranker = training.Ranker(*sizes(split.train), settings.hidden, split.class_names)
    except ValueError as error:  # NumPy's, of sizes beyond any memory
        raise MemoryError(*error.args) from error
    try:
        ranker.fit_to(split.train)
    except DataFileError:
        raise
    except ValueError as error:  # of the data
        raise UsageError(str(error)) from None
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
        ranker.prepared(rows),
        {training.RANKING_LOSS: wanted[training.RANKING_LOSS]},
    )


def _kept(settings: Settings, trainer: training.Trainer) -> dict[str, Any]:
    """Return what the model's file says of its training."""
    done = trainer.done
    kept = {**settings.as_dict(), "epochs": int(done) if done.is_integer() else done}
    if trainer.early_stopping is not None:
        kept["best_epoch"] = trainer.early_stopping.best_epoch
    return kept


def _say_that_it_is_done(trainer: training.Trainer, checkpoint: str) -> None:
    if trainer.stopped_early:
        why = f"--patience ended the training of {checkpoint} after epoch {trainer.epoch}"
    else:
        why = f"all {trainer.epoch} epochs of {checkpoint} are done; a larger --epochs goes on"
    print(f"nothing is left to train: {why}")


def _say_how_it_ended(settings: Settings, trainer: training.Trainer, stopped: bool) -> None:
    if stopped:
        print(f"stopped after {trainer.done:.2f} of {settings.epochs} epochs")
    best = trainer.early_stopping
    if best is not None and best.best_epoch:
        print(
            f"kept the model of epoch {best.best_epoch} of {trainer.epoch}, whose ranking loss on "
            f"the validation rows, {best.best:.4f}, is the best"
        )


def _check_finite(ranker: training.Ranker, rows: Rows) -> None:
    """Find out whether the last step, which no loss has followed, broke the model.

    Raises
    ------
    Diverged
        If a parameter, or a score of the first rows, is no longer finite.
    """
    values = [parameter.detach().numpy() for parameter in ranker.net.parameters()]
    first = next(iter(pieces_of(rows)))
    values.append(ranker.scores(first.features[:1000]))
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

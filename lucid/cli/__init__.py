"""The `lucid` command: train a multi-label ranker on a data file, and test a saved one."""

import argparse
import os
import signal
import stat
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import numpy as np

import lucid
from lucid.cli import data, display, model, training
from lucid.cli.errors import UsageError
from lucid.io import DataFileError

_N = TypeVar("_N", int, float)

#: Exit codes: 2 for what the user can mend, 130 for Ctrl-C, as shells have it.
USAGE, INTERRUPTED = 2, 130


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments of the command line; return the exit code."""
    arguments = _parser().parse_args(argv)
    if isinstance(sys.stdout, TextIOWrapper):  # it is None if it was closed
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be no text
    try:
        # A training that diverges is reported once, by its loss.
        with training.one_blas_thread(), np.errstate(all="ignore"):
            code: int = arguments.run(arguments)
            print(end="", flush=True)
        return code
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:  # whoever read has left, as `head` does
        _forget_output()
        return USAGE
    except MemoryError as error:
        print(f"lucid: out of memory: {_one_line(error)}".rstrip(": "), file=sys.stderr)
        return USAGE
    except OSError as error:
        if error.filename is None:
            _forget_output()
        where, what = error.filename or "standard output", error.strerror or error
        print(f"lucid: {where}: {what}", file=sys.stderr)
        return USAGE
    except (UsageError, DataFileError, ImportError, FloatingPointError) as error:
        print(f"lucid: {_one_line(error)}", file=sys.stderr)
        return USAGE


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _forget_output() -> None:
    """Let what could not be written go, so that Python's own flush at exit does not complain."""
    with open(os.devnull, "w") as devnull:
        os.dup2(devnull.fileno(), sys.stdout.fileno())


def train(arguments: argparse.Namespace) -> int:
    """`lucid train`: train, test, and save what was asked for, also after Ctrl-C."""
    _check_outputs(arguments)
    _set_threads(arguments.threads)
    lucid.manual_seed(arguments.seed)
    settings = training.Settings(
        loss=arguments.loss,
        optimizer=arguments.optimizer,
        lr=arguments.lr,
        epochs=arguments.epochs,
        batch_size=arguments.batch_size,
        seed=arguments.seed,
    )
    split = data.load(arguments.file, arguments.test, arguments.seed)
    display.print_split(split)
    try:
        ranker = model.Ranker(*data.sizes(split.train), arguments.hidden)
    except ValueError as error:  # NumPy's, of sizes beyond any memory
        raise MemoryError(*error.args) from error
    ranker.fit_scaling(split.train.features)

    history = display.History()
    with _interruptible() as stop, display.progress(settings.epochs, len(split.train)) as progress:
        rows = 0
        for step in training.train(ranker, split.train, settings):
            progress.advance(step)
            rows += step.rows
            if rows % len(split.train) == 0:
                history.losses.append(progress.mean_loss)
                progress.end_epoch()
                if arguments.plot:
                    with progress.pause():
                        tested = training.evaluate(ranker, split.test, training.RANKING_LOSS)
                    history.ranking_losses.extend(tested.values())
            if stop.asked:
                break
        speed = progress.rows_per_second

    training.check_finite(ranker, split.train)
    if stop.asked:
        print(f"stopped after {rows / len(split.train):.2f} of {settings.epochs} epochs")
    try:
        if arguments.save:
            model.save(arguments.save, ranker)
            print(f"saved {arguments.save}")
        if arguments.plot:
            display.plot(arguments.plot, history, f"{settings.loss} loss, {settings.optimizer}")
            print(f"drew {arguments.plot}")
    finally:  # the metrics are worth showing where the disk is full
        print(f"trained at {speed:,.0f} rows a second")
        display.print_metrics(training.evaluate(ranker, split.test), len(split.test))
    return INTERRUPTED if stop.asked else 0


def evaluate(arguments: argparse.Namespace) -> int:
    """`lucid evaluate`: the metrics of a saved model on a file."""
    _set_threads(arguments.threads)
    ranker = model.load(arguments.model)
    test = data.read_nonempty(arguments.file)
    if data.sizes(test) != (ranker.num_features, ranker.num_classes):
        raise DataFileError(
            f"{arguments.file}: its header says {data.sizes(test)} (features, labels), the model "
            f"has {(ranker.num_features, ranker.num_classes)}"
        )
    data.check_ranks(test, arguments.file)
    display.print_metrics(training.evaluate(ranker, test), len(test))
    return 0


def _check_outputs(arguments: argparse.Namespace) -> None:
    """Find out before training what would make saving fail after it."""
    inputs = (arguments.file, arguments.test)
    taken = {Path(path).resolve(): "the data" for path in inputs if path is not None}
    for option, path in (("--save", arguments.save), ("--plot", arguments.plot)):
        if path is not None:
            _check_output(option, path, taken)
            taken[Path(path).resolve()] = "the model"
    if arguments.plot:
        display.check_can_plot(arguments.plot)


def _check_output(option: str, path: str, taken: Mapping[Path, str]) -> None:
    target = Path(path).resolve()
    if not target.parent.is_dir():
        raise UsageError(f"{path}: there is no such folder")
    with suppress(FileNotFoundError):
        if not stat.S_ISREG(target.stat().st_mode):
            raise UsageError(f"{path}: {option} wants a regular file, not a folder or device")
    if target in taken:
        raise UsageError(f"{path}: {option} would overwrite {taken[target]}")
    try:
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise UsageError(f"{path}: its folder cannot be written: {error.strerror}") from error


def _set_threads(threads: int) -> None:
    try:
        lucid.set_num_threads(threads)
    except ValueError as error:
        raise UsageError(f"--threads: {error}") from None


class _Stop:
    asked = False


@contextmanager
def _interruptible() -> Iterator[_Stop]:
    """Turn the first Ctrl-C into a wish to stop after the step; the second one ends at once."""
    stop = _Stop()
    before = signal.getsignal(signal.SIGINT)

    def ask(signum: int, frame: FrameType | None) -> None:
        stop.asked = True
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, ask)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)


def _parser() -> argparse.ArgumentParser:
    defaults = training.Settings()
    parser = argparse.ArgumentParser(prog="lucid", description=__doc__)
    parser.add_argument("--version", action="version", version=f"lucid {lucid.__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    command = _command(commands, "train", train, "train a ranker and test it")
    command.add_argument(
        "file",
        nargs="?",
        type=_file_name,
        metavar="FILE",
        help="in the text form of the Extreme Classification Repository, plain or "
        "compressed with gzip, bzip2 or xz; without it, data is made from the seed",
    )
    command.add_argument(
        "--test",
        type=_file_name,
        metavar="FILE",
        help="test on this file (default: on a fifth of the rows)",
    )
    command.add_argument(
        "--loss", choices=training.LOSSES, default=defaults.loss, help="default %(default)s"
    )
    command.add_argument(
        "--optimizer",
        choices=training.LEARNING_RATES["margin"],
        default=defaults.optimizer,
        help=f"default %(default)s; sgd has a momentum of {training.MOMENTUM}",
    )
    command.add_argument(
        "--lr",
        type=_positive,
        metavar="RATE",
        help="learning rate (default: one that suits the loss and the optimizer)",
    )
    command.add_argument(
        "--epochs", type=_count, default=defaults.epochs, metavar="N", help="default %(default)s"
    )
    command.add_argument(
        "--batch-size",
        type=_count,
        default=defaults.batch_size,
        metavar="N",
        help="rows a step (default %(default)s)",
    )
    command.add_argument(
        "--hidden",
        type=_count_or_zero,
        default=0,
        metavar="N",
        help="width of a hidden layer (default: none, a linear ranker)",
    )
    command.add_argument(
        "--seed",
        type=_count_or_zero,
        default=defaults.seed,
        metavar="N",
        help="of the first weights, of the order of the rows and of data that is made or held out "
        "(default %(default)s); the result is the same for every number of threads",
    )
    command.add_argument(
        "--save", type=_file_name, metavar="FILE", help="write the model, as safetensors"
    )
    command.add_argument(
        "--plot",
        type=_file_name,
        metavar="FILE",
        help="draw loss and test ranking loss of each epoch, e.g. as .svg",
    )

    command = _command(commands, "evaluate", evaluate, "test a saved ranker")
    command.add_argument(
        "model", type=_file_name, metavar="MODEL", help="a file that `lucid train --save` wrote"
    )
    command.add_argument("file", type=_file_name, metavar="FILE", help="data, as for `lucid train`")
    return parser


def _command(commands: Any, name: str, run: Any, help_text: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(
        name, help=help_text, description=run.__doc__.partition(": ")[2]
    )
    command.set_defaults(run=run)
    command.add_argument(
        "--threads",
        type=_count,
        default=lucid.get_num_threads(),
        metavar="N",
        help="threads of the kernels (default %(default)s)",
    )
    return command


def _file_name(text: str) -> str:
    if not text:
        raise argparse.ArgumentTypeError("expected a file name, got an empty one")
    return text


def _number(convert: Callable[[str], _N], text: str) -> _N:
    """Without this, argparse would name the function of the option."""
    try:
        return convert(text)
    except ValueError:
        kind = "a whole number" if convert is int else "a number"
        raise argparse.ArgumentTypeError(f"{text!r} is not {kind}") from None


def _count(text: str) -> int:
    number = _number(int, text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not at least 1")
    return number


def _count_or_zero(text: str) -> int:
    number = _number(int, text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def _positive(text: str) -> float:
    number = _number(float, text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number

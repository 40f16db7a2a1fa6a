"""The options of the command, and what their values may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any, TypeVar

import lucid
from lucid import training
from lucid.cli.settings import Settings

_N = TypeVar("_N", int, float)

_DATA = (
    "in the text form of the Extreme Classification Repository, plain or compressed with gzip, "
    "bzip2 or xz"
)


def parser(
    train: Callable[..., int], predict: Callable[..., int], evaluate: Callable[..., int]
) -> argparse.ArgumentParser:
    """Return the parser of the command line; what it returns has the function as ``run``."""
    root = argparse.ArgumentParser(
        prog="lucid",
        description="The `lucid` command: train a multi-label ranker on a data file, predict the "
        "labels of other rows, and test it.",
    )
    root.add_argument("--version", action="version", version=f"lucid {lucid.__version__}")
    commands = root.add_subparsers(required=True, metavar="COMMAND")
    _add_train(_command(commands, "train", train, "train a ranker and test it"))
    _add_predict(_command(commands, "predict", predict, "predict the best labels of each row"))
    _add_evaluate(_command(commands, "evaluate", evaluate, "test a saved ranker"))
    return root


def _add_train(command: argparse.ArgumentParser) -> None:
    defaults = Settings()
    data = command.add_argument_group("data")
    data.add_argument(
        "file",
        nargs="?",
        type=_file_name,
        metavar="FILE",
        help=f"{_DATA}; without it, data is made from the seed",
    )
    data.add_argument(
        "--test",
        type=_file_name,
        metavar="FILE",
        help="test on this file (default: on a fifth of the rows)",
    )
    data.add_argument(
        "--validation",
        type=_fraction_or_file,
        metavar="FRACTION|FILE",
        help="after each epoch, test on this share of the training rows, which are not trained on "
        "then, or on this file",
    )
    _add_labels(data)
    for name, of in (("--test-labels", "--test"), ("--validation-labels", "--validation")):
        data.add_argument(
            name, type=_file_name, metavar="FILE", help=f"the same for the file of {of}"
        )
    data.add_argument(
        "--named-labels",
        action="store_const",
        const=True,
        help="labels in the files are names, such as `birds,art`, and not numbers; the model keeps "
        "them",
    )
    data.add_argument(
        "--class-names",
        type=_file_name,
        metavar="FILE",
        help="text with the name of a class on each line, to be kept with the model; with "
        "--named-labels, all names that there may be (default: those in FILE)",
    )
    data.add_argument(
        "--stream",
        type=_count,
        metavar="ROWS",
        help="read the files in pieces of so many rows, again in each epoch, so that they may be "
        "larger than memory; rows are shuffled within a piece, so a sorted file is to be "
        "shuffled before",
    )

    # What is left out here stays None: a checkpoint knows better than the defaults.
    model = command.add_argument_group("what to train, and how")
    model.add_argument("--loss", choices=training.LOSSES, help=f"default {defaults.loss}")
    model.add_argument(
        "--optimizer",
        choices=training.OPTIMIZERS,
        help=f"default {defaults.optimizer}; sgd has a momentum of {training.MOMENTUM}",
    )
    model.add_argument(
        "--lr",
        type=_positive,
        metavar="RATE",
        help="learning rate at first; it falls to 0 in a straight line "
        "(default: one that suits the loss, the optimizer, the rows and the model)",
    )
    model.add_argument(
        "--weight-decay",
        type=_not_negative,
        metavar="X",
        help="of the weights, not of the biases (default 0; 0.01 with adamw)",
    )
    model.add_argument("--epochs", type=_count, metavar="N", help=f"default {defaults.epochs}")
    model.add_argument(
        "--patience",
        type=_count,
        metavar="N",
        help="stop when the ranking loss of the validation was not better for so many epochs, and "
        "keep the best model",
    )
    model.add_argument(
        "--batch-size",
        type=_count,
        metavar="N",
        help=f"rows a step (default {defaults.batch_size})",
    )
    model.add_argument(
        "--hidden",
        type=_count_or_zero,
        metavar="N",
        help="width of a hidden layer (default: none, a linear ranker)",
    )
    model.add_argument(
        "--seed",
        type=_count_or_zero,
        metavar="N",
        help="of the first weights, of the order of the rows and of data that is made or held out "
        f"(default {defaults.seed}); the result is the same for every number of threads",
    )

    files = command.add_argument_group("files")
    files.add_argument(
        "--save",
        type=_file_name,
        metavar="FILE",
        help="write the model, as safetensors, in place of one that is there already",
    )
    files.add_argument(
        "--checkpoint",
        type=_file_name,
        metavar="FILE",
        help="write what it takes to go on, after epochs and when the training stops; a file that "
        "is there already is not overwritten: --resume it, or remove it",
    )
    files.add_argument(
        "--checkpoint-every", type=_count, metavar="N", help="after how many epochs (default 1)"
    )
    files.add_argument(
        "--resume",
        type=_file_name,
        metavar="FILE",
        help="go on from this checkpoint, bit for bit, and write further ones there; the data must "
        "be the same, and settings need not be given again",
    )
    files.add_argument(
        "--plot",
        type=_file_name,
        metavar="FILE",
        help="draw training loss and ranking loss of each epoch, e.g. as .svg",
    )


def _add_predict(command: argparse.ArgumentParser) -> None:
    _add_model_and_data(command)
    command.add_argument(
        "--top",
        type=_count,
        metavar="K",
        help="labels a row (default 5, or all there are)",
    )
    command.add_argument(
        "--threshold",
        type=_finite,
        metavar="T",
        help="leave out labels with a score below (default: none)",
    )
    command.add_argument(
        "--output",
        type=_file_name,
        metavar="FILE",
        help="where to write (default, and -: to standard output)",
    )
    command.add_argument(
        "--format",
        choices=("text", "csv", "jsonl"),
        help="`label:score label:score ...` a line, a table of row, rank, label and score, or JSON "
        "lines (default: by the ending of the output, .csv or .jsonl; else text)",
    )


def _add_evaluate(command: argparse.ArgumentParser) -> None:
    _add_model_and_data(command)
    _add_labels(command)
    command.add_argument(
        "--filter-pairs",
        type=_file_name,
        metavar="FILE",
        help="text with `row class` on each line, counted from 0: pairs that are not counted, such "
        "as a document and itself as a label",
    )
    command.add_argument(
        "--named-labels",
        action="store_true",
        help="labels in FILE are names of the model's classes, as they always are where it was "
        "trained so",
    )
    command.add_argument("--json", action="store_true", help="print JSON, with all digits")


def _add_model_and_data(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "model", type=_file_name, metavar="MODEL", help="a file that `lucid train --save` wrote"
    )
    command.add_argument("file", type=_file_name, metavar="FILE", help="data, as for `lucid train`")


def _add_labels(group: Any) -> None:
    group.add_argument(
        "--labels",
        type=_file_name,
        metavar="FILE",
        help="labels that are in a file of their own, such as trn_X_Y.txt; then the other FILE is "
        "of features alone, such as trn_X_Xf.txt",
    )


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


def _fraction_or_file(text: str) -> str:
    """Return a fraction as Python writes it, or a file name."""
    try:
        fraction = float(text)
    except ValueError:
        return _file_name(text)
    if not 0 < fraction < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a fraction between 0 and 1, or a file")
    return repr(fraction)


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


def _not_negative(text: str) -> float:
    number = _number(float, text)
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a number from 0")
    return number


def _finite(text: str) -> float:
    number = _number(float, text)
    if not abs(number) < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a finite number")
    return number

"""The `lucid` command: train a multi-label ranker on a data file, predict with it, test it."""

import os
import sys
from collections.abc import Sequence
from io import TextIOWrapper

import numpy as np

import lucid
from lucid.cli import evaluate, predict, train
from lucid.cli.errors import INTERRUPTED, USAGE, UsageError
from lucid.cli.options import parser
from lucid.io import DataFileError


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command with the arguments of the command line; return the exit code."""
    arguments = parser(train.train, predict.predict, evaluate.evaluate).parse_args(argv)
    if isinstance(sys.stdout, TextIOWrapper):  # it is None if it was closed
        sys.stdout.reconfigure(errors="backslashreplace")  # file names may be no text
    try:
        # A training that diverges is reported once, by its loss.
        with lucid.one_blas_thread(), np.errstate(all="ignore"):
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

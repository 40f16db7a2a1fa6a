"""`lucid evaluate`, and the test at the end of `lucid train`."""

from __future__ import annotations

import argparse
import json

import lucid
from lucid import training
from lucid.cli import data, display
from lucid.cli.errors import UsageError
from lucid.cli.inputs import DATA, Input, check_model_and_data
from lucid.cli.reading import Reading, Rows, Source

#: Rows of a file that are read and scored before the next are.
PIECE = 10_000


def evaluate(arguments: argparse.Namespace) -> int:
    """`lucid evaluate`: the metrics of a saved model on a file."""
    set_threads(arguments.threads)
    source = Source(arguments.file, arguments.labels, arguments.filter_pairs)
    check_model_and_data(
        arguments.model,
        arguments.file,
        Input("--labels", arguments.labels, DATA),
        Input("--filter-pairs", arguments.filter_pairs, DATA),
    )
    ranker = training.Ranker.load(arguments.model)
    named = arguments.named_labels or bool(ranker.settings.get("named_labels"))
    if named and ranker.class_names is None:
        raise UsageError("--named-labels: the classes of the model have no names")
    reading = Reading(named, ranker.class_names, PIECE)
    wanted = ranker.num_features, ranker.num_classes
    test = reading.read_like(source, wanted, "the model has")
    data.Survey(test).check(slice(None), str(source))
    tested = Tested(ranker, test)
    if arguments.json:
        tested.print_json()
    else:
        tested.print()
    return 0


class Tested:
    """The metrics of a ranker, and of the most frequent labels, which it should beat."""

    def __init__(self, ranker: training.Ranker, test: Rows) -> None:
        self.ranker = ranker
        self.rows = test.num_rows or 0
        propensities = ranker.propensities.numpy()
        self.values = training.evaluate(ranker, test, propensities=propensities)
        frequent = training.MostFrequent(propensities)
        self.baseline = training.evaluate(frequent, test, propensities=propensities)

    def print(self) -> None:
        """Print a table."""
        display.print_metrics(self.values, self.baseline, self.rows)

    def print_json(self) -> None:
        """Print the same, with all digits, and what the model was trained with."""
        content = {
            "rows": self.rows,
            "metrics": self.values,
            "most frequent labels": self.baseline,
            "settings": self.ranker.settings,
        }
        print(json.dumps(content, indent=1))


def set_threads(threads: int) -> None:
    """Set the threads of the kernels to what the option says."""
    try:
        lucid.set_num_threads(threads)
    except ValueError as error:  # which begins with the name of the argument
        raise UsageError(f"--{error}") from None

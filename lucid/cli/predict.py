"""`lucid predict`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np

from lucid import training
from lucid.cli import evaluate
from lucid.cli.errors import UsageError
from lucid.cli.inputs import check_model_and_data
from lucid.cli.outputs import check_outputs
from lucid.io import DataFileError, Dataset, PredictionWriter, stream_xmc
from lucid.training.finite import RowDiverged

#: Labels of a row, where the model has so many classes.
_TOP = 5


def predict(arguments: argparse.Namespace) -> int:
    """`lucid predict`: the best labels of each row of a file, with their scores."""
    output = None if arguments.output == "-" else arguments.output
    check_outputs(
        [(arguments.model, "the model"), (arguments.file, "the data")],
        [("--output", output, "the predictions")],
    )
    evaluate.set_threads(arguments.threads)
    check_model_and_data(arguments.model, arguments.file)
    ranker = training.Ranker.load(arguments.model)
    top = min(_TOP, ranker.num_classes) if arguments.top is None else arguments.top
    if top > ranker.num_classes:
        raise UsageError(f"--top {top}: the model has {ranker.num_classes} classes")
    target: Any = output or sys.stdout.buffer
    try:
        predictions = PredictionWriter(target, arguments.format, class_names=ranker.class_names)
    except ValueError as error:  # a name that text cannot hold
        raise UsageError(f"{error}: --format csv and --format jsonl take any name") from None
    rows = 0
    with predictions as writer:
        for piece in _pieces(arguments.file, ranker):
            try:
                classes, scores = ranker.top_k(piece.features, top)
            except RowDiverged as error:
                raise RowDiverged(rows + error.row) from None
            rows += len(piece)
            if arguments.threshold is not None:
                classes = np.where(scores < arguments.threshold, -1, classes)
            writer.write(classes, scores)
    return 0


def _pieces(path: str, ranker: training.Ranker) -> Iterator[Dataset]:
    """Read a file whose rows have the features of the model; of its labels nothing is wanted."""
    for piece in stream_xmc(path, rows=evaluate.PIECE, labels=False, dtype=np.float64):
        width = piece.features.shape[1]
        if width != ranker.num_features:
            raise DataFileError(
                f"{path}: its header says {width} features, the model has {ranker.num_features}"
            )
        yield piece

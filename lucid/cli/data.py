"""The data that `lucid train` trains on and tests on: from files, or made from a seed."""

import os
from typing import NamedTuple

import numpy as np

from lucid.cli.errors import UsageError
from lucid.io import DataFileError, Dataset, read_xmc
from lucid.labels import Labels
from lucid.system.optional import require

_Path = str | os.PathLike[str]

TEST_SHARE = 0.2


class Split(NamedTuple):
    """What to train on, what to test on, and where each comes from."""

    train: Dataset
    test: Dataset
    train_origin: str
    test_origin: str


def load(train: _Path | None, test: _Path | None, seed: int) -> Split:
    """Read the files that were named; what was not named is held out, or made.

    Raises
    ------
    DataFileError
        If a file is malformed, holds no row or nothing to rank, or the two do not fit each other.
    UsageError
        If there is nothing to train or to test on.
    """
    if train is None:
        if test is not None:
            raise UsageError("--test needs a FILE to train on as well")
        return hold_out(generate(seed), seed, f"no FILE given, so made from seed {seed}")
    data = read_nonempty(train)
    if test is None:
        return hold_out(data, seed, str(train))
    test_data = read_nonempty(test)
    if sizes(test_data) != sizes(data):
        raise DataFileError(
            f"{test}: its header says {sizes(test_data)} (features, labels), "
            f"that of {train} {sizes(data)}"
        )
    check_ranks(data, str(train))
    check_ranks(test_data, str(test))
    return Split(data, test_data, str(train), str(test))


def read_nonempty(path: _Path) -> Dataset:
    """Read a file in the repository's text form that has at least one row."""
    data = read_xmc(path, dtype=np.float64)  # as the scaling computes
    if len(data) == 0:
        raise DataFileError(f"{path}:1: the file holds no row")
    return data


def check_ranks(data: Dataset, origin: str) -> None:
    """Refuse rows whose metrics are what they are whatever the scores.

    Raises
    ------
    DataFileError
        If no row has a label, or each row without labels or with all of them.
    """
    lengths = data.labels.lengths()
    if not lengths.any():
        raise DataFileError(f"{origin}: no row has a label, so there is nothing to rank")
    if np.isin(lengths, (0, data.labels.num_classes)).all():
        raise DataFileError(
            f"{origin}: each row has all labels or none, so there is nothing to rank"
        )


def sizes(data: Dataset) -> tuple[int, int]:
    """Return the numbers of features and of classes."""
    return data.features.shape[1], data.labels.num_classes


def hold_out(data: Dataset, seed: int, origin: str) -> Split:
    """Set a random fifth of the rows apart for the test.

    Raises
    ------
    DataFileError
        If one of the parts holds nothing to rank.
    UsageError
        If there are too few rows.
    """
    num_test = int(len(data) * TEST_SHARE)
    if num_test == 0:
        raise UsageError(f"{origin}: too few rows to hold some out for a test; give --test FILE")
    check_ranks(data, origin)
    order = np.random.default_rng(seed).permutation(len(data))
    test, train = order[:num_test], order[num_test:]
    split = Split(
        Dataset(data.features[train], data.labels[train]),
        Dataset(data.features[test], data.labels[test]),
        origin,
        f"a random {TEST_SHARE:.0%} held out",
    )
    check_ranks(split.train, f"{origin}, without {split.test_origin}")
    check_ranks(split.test, f"{origin}, {split.test_origin} (--test FILE takes another)")
    return split


def generate(
    seed: int, rows: int = 3000, num_features: int = 100, num_classes: int = 40
) -> Dataset:
    """Make sparse rows whose labels are those with the highest scores of a noisy linear model."""
    sparse = require("scipy.sparse", extra="cli", purpose="lucid train")
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((rows, num_features)) * (rng.random((rows, num_features)) < 0.2)
    weight = rng.standard_normal((num_features, num_classes))
    scores = features @ weight + rng.standard_normal((rows, num_classes))
    per_row = rng.integers(1, min(5, num_classes) + 1, size=rows)
    ranked = np.argsort(-scores, axis=1)[:, : per_row.max()]
    padded = np.where(np.arange(per_row.max()) < per_row[:, np.newaxis], ranked, -1)
    return Dataset(
        sparse.csr_array(features.astype(np.float32)),
        Labels.from_padded(padded, num_classes).drop_duplicates(),
    )

"""The data that the command trains on and tests on: from files, or made from a seed."""

import hashlib
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
    """What to train on, what to look at meanwhile, what to test on, and where each comes from."""

    train: Dataset
    validation: Dataset | None
    test: Dataset
    origins: dict[str, str]  # of those that are there, by name


def load(
    train: _Path | None, test: _Path | None, seed: int, validation: str | None = None
) -> Split:
    """Read the files that were named; what was not named is held out, or made.

    Raises
    ------
    DataFileError
        If a file is malformed, holds no row or nothing to rank, or two do not fit each other.
    UsageError
        If there is nothing to train or to test on.
    """
    if train is None:
        if test is not None:
            raise UsageError("--test needs a FILE to train on as well")
        data, origin = generate(seed), f"no FILE given, so made from seed {seed}"
    else:
        data, origin = read_nonempty(train), str(train)
    origins = {"train": origin}
    if test is None:
        data, test_data, origins["test"] = hold_out(data, TEST_SHARE, seed, origin, "--test FILE")
    else:
        test_data, origins["test"] = _read_like(test, data, origin), str(test)
        check_ranks(data, origin)
    validation_data = None
    if validation is not None:
        share = _as_share(validation)
        if share is None:
            validation_data = _read_like(validation, data, origin)
            origins["validation"] = validation
        else:
            data, validation_data, origins["validation"] = hold_out(
                data, share, seed + 1, origin, "--validation FILE"
            )
    return Split(data, validation_data, test_data, origins)


def _as_share(validation: str) -> float | None:
    try:
        return float(validation)
    except ValueError:
        return None


def _read_like(path: _Path, data: Dataset, origin: str) -> Dataset:
    """Read a file whose sizes must be those of the data that are trained on."""
    other = read_nonempty(path)
    if sizes(other) != sizes(data):
        raise DataFileError(
            f"{path}: its header says {sizes(other)} (features, labels), "
            f"that of {origin} {sizes(data)}"
        )
    check_ranks(other, str(path))
    return other


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


def hold_out(
    data: Dataset, share: float, seed: int, origin: str, instead: str
) -> tuple[Dataset, Dataset, str]:
    """Set a random share of the rows apart; return what is left, these, and how to call them.

    Raises
    ------
    DataFileError
        If one of the parts holds nothing to rank.
    UsageError
        If there are too few rows.
    """
    held = int(len(data) * share)
    if held == 0:
        raise UsageError(f"{origin}: too few rows to hold some out; give {instead}")
    check_ranks(data, origin)
    order = np.random.default_rng(seed).permutation(len(data))
    what = f"a random {share:.0%} held out"
    rest, apart = data[order[held:]], data[order[:held]]
    check_ranks(rest, f"{origin}, without {what}")
    check_ranks(apart, f"{origin}, {what} ({instead} takes another)")
    return rest, apart, what


def fingerprint(data: Dataset) -> str:
    """Return what tells this data from any other: a digest of its features and labels."""
    digest = hashlib.sha256(repr((data.features.shape, data.labels.shape)).encode())
    x, y = data.features, data.labels
    for part in (x.indptr, x.indices, x.data, y.indptr, y.indices):
        digest.update(np.ascontiguousarray(part).data)
    return digest.hexdigest()


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

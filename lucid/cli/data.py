"""The data that the command trains on and tests on: from files, or made from a seed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.cli.errors import UsageError
from lucid.cli.reading import Reading, Rows, Source, sizes
from lucid.io import DataFileError, Dataset
from lucid.labels import Labels
from lucid.system.optional import require
from lucid.training.pieces import pieces_of

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Split:
    """What to train on, what to look at meanwhile, what to test on, and where each comes from."""

    train: Rows
    validation: Rows | None
    test: Rows
    class_names: Sequence[str] | None
    origins: dict[str, str]  # of those that are there, by name
    fingerprint: str  # what tells the rows to train on from any others


def load(
    train: Source | None,
    test: Source | None,
    seed: int,
    validation: Source | float | None,
    reading: Reading,
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
        for option, given in (
            ("--test", test is not None),
            ("--stream", reading.piece is not None),
            ("--named-labels", reading.named),
        ):
            if given:
                raise UsageError(f"{option} needs a FILE to train on as well")
        data: Rows = generate(seed)
        origin = f"no FILE given, so made from seed {seed}"
        reading.check_names(data.num_classes, "the data that is made")
    else:
        if reading.piece is None and train.labels is None:
            _check_fits(train.file)
        data, origin = reading.read(train), str(train)
        if reading.named:  # the other files have no others
            reading = replace(reading, class_names=data.class_names)
    survey = Survey(data)
    if test is not None:
        survey.check(slice(None), origin)
    rows = np.arange(data.num_rows or 0)
    parts: dict[str, Rows] = {}
    origins = {"train": origin}
    for name, wanted, its_seed in (
        ("test", TEST_SHARE if test is None else test, seed),
        ("validation", validation, seed + 1),
    ):
        if isinstance(wanted, Source):
            parts[name] = reading.read_like(wanted, sizes(data), f"that of {origin}")
            origins[name] = str(wanted)
            Survey(parts[name]).check(slice(None), str(wanted))
        elif wanted is not None:
            rows, apart = hold_out(rows, wanted, its_seed)
            instead, what = f"--{name} FILE", f"a random {wanted:.0%} held out"
            if apart.size == 0:
                raise UsageError(f"{origin}: too few rows to hold some out; give {instead}")
            survey.check(slice(None), origin)
            survey.check(rows, f"{origin}, without {what}")
            survey.check(apart, f"{origin}, {what} ({instead} takes another)")
            parts[name], origins[name] = choose(data, apart), what
    return Split(
        train=choose(data, rows) if rows.size < survey.lengths.size else data,
        validation=parts.get("validation"),
        test=parts["test"],
        class_names=reading.class_names,
        origins=origins,
        fingerprint=survey.fingerprint(rows),
    )


def file_or_share(validation: str | None) -> tuple[str | None, float | None]:
    """Tell what --validation names: a file, or a share of the rows."""
    try:
        return None, None if validation is None else float(validation)
    except ValueError:
        return validation, None


def _check_fits(path: str | os.PathLike[str]) -> None:
    """Refuse a file that cannot be in memory, before the system ends the process for it."""
    try:
        size, memory = (
            os.path.getsize(path),
            os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        )
    except (OSError, ValueError):  # reading it says what is wrong; not all systems tell
        return
    if size > memory:
        raise UsageError(
            f"{path}: {size / 1e9:.1f} GB, but the machine has a memory of {memory / 1e9:.1f} GB: "
            f"{STREAM_HINT}"
        )


#: What to do where memory does not suffice.
STREAM_HINT = "--stream 10000 reads the file in pieces"


class Survey:
    """What a first look at all rows finds: how many labels each has, and a digest of all."""

    def __init__(self, data: Rows) -> None:
        self._classes = data.num_classes
        self._digest = hashlib.sha256(repr(sizes(data)).encode())
        lengths = []
        for piece in pieces_of(data):
            x, y = piece.features, piece.labels
            for part in (x.indptr, x.indices, x.data, y.indptr, y.indices):
                self._digest.update(np.ascontiguousarray(part).data)
            lengths.append(y.lengths().astype(np.int32))
        self.lengths = np.concatenate(lengths)

    def check(self, rows: slice | npt.NDArray[Any], origin: str) -> None:
        """Refuse rows whose metrics are what they are whatever the scores.

        Raises
        ------
        DataFileError
            If no row has a label, or each row without labels or with all of them.
        """
        lengths = self.lengths[rows]
        if not lengths.any():
            raise DataFileError(f"{origin}: no row has a label, so there is nothing to rank")
        if np.isin(lengths, (0, self._classes)).all():
            raise DataFileError(
                f"{origin}: each row has all labels or none, so there is nothing to rank"
            )

    def fingerprint(self, rows: npt.NDArray[Any]) -> str:
        """Return what tells these rows from any others."""
        digest = self._digest.copy()
        digest.update(np.ascontiguousarray(rows).data)
        return digest.hexdigest()


def choose(data: Rows, rows: npt.NDArray[Any]) -> Rows:
    """Return the rows of these numbers; those that come in pieces stay in the order of the file."""
    if isinstance(data, Dataset):
        return data[rows]
    chosen = np.zeros(data.num_rows or 0, bool)
    chosen[rows] = True
    return data.select(chosen)


def hold_out(
    rows: npt.NDArray[Any], share: float, seed: int
) -> tuple[npt.NDArray[Any], npt.NDArray[Any]]:
    """Set a random share of row numbers apart; return what is left, and these."""
    order = np.random.default_rng(seed).permutation(rows)
    held = int(len(rows) * share)
    return order[held:], order[:held]


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

"""The data that the command trains on and tests on: from files, or made from a seed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from lucid.cli.errors import UsageError
from lucid.io import DataFileError, Dataset, DataStream, read_xmc, stream_xmc
from lucid.labels import Labels
from lucid.system.optional import require
from lucid.training.pieces import pieces_of

_Path = str | os.PathLike[str]

#: Rows that are in memory, or that are read in pieces.
Rows: TypeAlias = Dataset | DataStream

TEST_SHARE = 0.2


@dataclass(frozen=True)
class Reading:
    """How files are read."""

    named: bool = False
    """Whether labels are names."""
    class_names: Sequence[str] | None = None
    """The names of all classes, if they are known beforehand."""
    piece: int | None = None
    """The rows of a piece; None for the whole file at once."""

    def read(self, path: _Path) -> Rows:
        """Read a file in the repository's text form that has at least one row."""
        self.check_names(stream_xmc(path).num_classes, path)
        names = (self.class_names or True) if self.named else False
        dtype = np.float64  # as the scaling computes
        if self.piece is None:
            data: Rows = read_xmc(path, class_names=names, dtype=dtype)
        else:
            data = stream_xmc(path, class_names=names, rows=self.piece, dtype=dtype)
        if data.num_rows == 0:
            raise DataFileError(f"{path}:1: the file holds no row")
        return data

    def check_names(self, num_classes: int, origin: _Path) -> None:
        """Refuse names that are not as many as the classes of a file."""
        if self.class_names is not None and len(self.class_names) != num_classes:
            raise UsageError(
                f"--class-names: {len(self.class_names)} names, but {origin} has {num_classes} "
                "classes"
            )

    def read_like(self, path: _Path, wanted: tuple[int, int], whose: str) -> Rows:
        """Read a file that must have so many features and classes, as something else has."""
        found = sizes(stream_xmc(path))  # which reads the header alone
        if found != wanted:
            raise DataFileError(
                f"{path}: its header says {found} (features, labels), {whose} {wanted}"
            )
        return self.read(path)


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
    train: _Path | None,
    test: _Path | None,
    seed: int,
    validation: str | None = None,
    reading: Reading = Reading(),
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
        if reading.piece is None:
            _check_fits(train)
        data, origin = reading.read(train), str(train)
        if reading.named:  # the other files have no others
            reading = replace(reading, class_names=data.class_names)
    survey = Survey(data)
    if test is not None:
        survey.check(slice(None), origin)
    rows = np.arange(data.num_rows or 0)
    parts: dict[str, Rows] = {}
    origins = {"train": origin}
    for name, file, share, its_seed in (
        ("test", test, TEST_SHARE, seed),
        ("validation", *file_or_share(validation), seed + 1),
    ):
        if file is not None:
            parts[name] = reading.read_like(file, sizes(data), f"that of {origin}")
            origins[name] = str(file)
            Survey(parts[name]).check(slice(None), str(file))
        elif share is not None:
            rows, apart = hold_out(rows, share, its_seed)
            instead, what = f"--{name} FILE", f"a random {share:.0%} held out"
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


def _check_fits(path: _Path) -> None:
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


def sizes(data: Rows) -> tuple[int, int]:
    """Return the numbers of features and of classes."""
    return data.num_features, data.num_classes


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

"""Files of rows, and how they are read."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from lucid.cli.errors import UsageError
from lucid.io import (
    DataFileError,
    Dataset,
    DataStream,
    read_filter_pairs,
    read_xmc,
    read_xmc_pair,
    stream_xmc,
)

_Path: TypeAlias = str | os.PathLike[str]

#: Rows that are in memory, or that are read in pieces.
Rows: TypeAlias = Dataset | DataStream


def sizes(data: Rows) -> tuple[int, int]:
    """Return the numbers of features and of classes."""
    return data.num_features, data.num_classes


@dataclass(frozen=True)
class Source:
    """Where rows are: in one file, or their features and labels in one each."""

    file: _Path
    labels: _Path | None = None
    filter_pairs: _Path | None = None
    """Pairs of a row and a class that are left out."""

    @property
    def is_one_file(self) -> bool:
        return self.labels is None and self.filter_pairs is None

    def __str__(self) -> str:
        return str(self.file) if self.labels is None else f"{self.file} and {self.labels}"


@dataclass(frozen=True)
class Reading:
    """How files are read."""

    named: bool = False
    """Whether labels are names."""
    class_names: Sequence[str] | None = None
    """The names of all classes, if they are known beforehand."""
    piece: int | None = None
    """The rows of a piece; None for the whole file at once, as all but one file are read."""

    def read(self, source: Source) -> Rows:
        """Read rows in the repository's text forms, at least one."""
        dtype = np.float64  # as the scaling computes
        data: Rows
        if source.labels is not None:
            if self.named:
                raise UsageError(
                    f"{source.labels}: labels in a file of their own are numbers, but those of "
                    "this training are names"
                )
            data = read_xmc_pair(source.file, source.labels, dtype=dtype)
            self.check_names(data.num_classes, source)
        else:
            self.check_names(stream_xmc(source.file).num_classes, source)
            names = (self.class_names or True) if self.named else False
            if self.piece is not None and source.is_one_file:
                data = stream_xmc(source.file, class_names=names, rows=self.piece, dtype=dtype)
            else:
                data = read_xmc(source.file, class_names=names, dtype=dtype)
        if data.num_rows == 0:
            raise DataFileError(f"{source.file}:1: the file holds no row")
        if source.filter_pairs is not None and isinstance(data, Dataset):
            data = data.leave_out(read_filter_pairs(source.filter_pairs, data.labels.shape))
        return data

    def check_names(self, num_classes: int, origin: object) -> None:
        """Refuse names that are not as many as the classes of a file."""
        if self.class_names is not None and len(self.class_names) != num_classes:
            raise UsageError(
                f"--class-names: {len(self.class_names)} names, but {origin} has {num_classes} "
                "classes"
            )

    def read_like(self, source: Source, wanted: tuple[int, int], whose: str) -> Rows:
        """Read rows that must have so many features and classes, as something else has."""
        if source.labels is None:
            _check_sizes(stream_xmc(source.file), wanted, f"{source}: its header says", whose)
        data = self.read(source)
        _check_sizes(data, wanted, f"{source}: their headers say", whose)
        return data


def _check_sizes(data: Rows, wanted: tuple[int, int], who_says: str, whose: str) -> None:
    if sizes(data) != wanted:
        raise DataFileError(f"{who_says} {sizes(data)} (features, labels), {whose} {wanted}")

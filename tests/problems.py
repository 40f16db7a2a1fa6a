"""Scores and labels of every kind that the kernel treats differently.

The kernel goes through a row in blocks of 512 columns and in segments of 32,768 that threads may
share, and packs blocks where few scores are active. It compares scores with up to 32 thresholds, or
64 in float32, five at a time, and sorts more into a grid. The sizes here lie on both sides of each
of these borders.
"""

import re
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid.losses.margin import MARGIN

Array = npt.NDArray[Any]


def _limit(file: str, name: str) -> int:
    """Return a number that the kernel's source gives a name."""
    source = (files("lucid._kernels") / file).read_text()
    (number,) = re.findall(rf"^ +{name} = (\d+(?: << \d+)?) ", source, re.MULTILINE)
    value, _, shift = number.partition(" << ")
    return int(value) << int(shift or 0)


#: Columns that are ranked together, and those of one task when threads share a row.
BLOCK = _limit("bits.pxd", "BLOCK")
SEGMENT = _limit("pairs/segments.pxd", "SEGMENT")

#: Up to so many thresholds are compared, more go into a grid.
FEW_BYTES = _limit("pairs/ranks.pxd", "FEW_BYTES")
FEW = {"float32": FEW_BYTES // 4, "float64": FEW_BYTES // 8}


class Problem(NamedTuple):
    """Scores ``(N, C)`` and a narrow padded target ``(N, K)``."""

    x: Array
    target: Array


#: Rows, classes, the most labels in a row.
SIZES = {
    "one-small-row": (1, 5, 2),
    "many-small-rows": (700, 50, 5),
    "a-block-and-one": (70, BLOCK + 1, 24),
    "rows-of-blocks": (37, 1100, 10),
    "dozens-of-labels": (21, 2000, 90),
    "many-labels": (33, 1000, 300),
    "rows-over-segments": (2, 40_000, 12),
    "segments-and-one": (1, 2 * SEGMENT + 1, 9),
    "a-shared-row": (1, 70_001, 20),
    "a-shared-row-with-a-grid": (1, 66_000, 900),
    "more-labels-than-a-segment": (1, 70_000, 33_000),
}

#: How the scores are distributed.
KINDS = ("random", "trained", "clustered", "equal", "tied", "close")


@cache
def problem(size: str, kind: str, dtype: str = "float32", scale: float = 1.0) -> Problem:
    """Return a problem, always the same one."""
    rows, classes, most = SIZES[size]
    rng = np.random.default_rng([rows, classes, most, KINDS.index(kind)])
    target = random_target(rng, rows, classes, most)
    x = _scores(rng, target, classes, kind) * scale
    if kind == "tied":  # whole numbers: many scores lie exactly at the margin
        x = np.round(2 * x)
    x = x.astype(dtype)
    x.flags.writeable = target.flags.writeable = False
    return Problem(x, target)


def random_target(rng: np.random.Generator, rows: int, classes: int, most: int) -> Array:
    """Return from 1 to ``most`` distinct labels a row; one row in eight has none."""
    target = np.full((rows, most), -1)
    for n in range(rows):
        if rows == 1 or n % 8 != 7:
            count = most if rows == 1 else rng.integers(1, most, endpoint=True)
            target[n, :count] = rng.choice(classes, count, replace=False)
    return target


def _scores(rng: np.random.Generator, target: Array, classes: int, kind: str) -> Array:
    x = rng.standard_normal((len(target), classes))
    rows, columns = np.nonzero(target >= 0)
    labels = target[rows, columns]
    if kind == "trained":
        x -= 3
        x[rows, labels] += 5
    elif kind == "clustered":  # all thresholds in one bucket of the grid but one
        x[rows, labels] = 1 + 1e-4 * x[rows, labels]
        x[rows[columns == 0], labels[columns == 0]] = -3
    elif kind == "equal":
        x[rows, labels] = 0.5
    elif kind == "close":  # in float32 many are equal that are not in float64
        x = np.round(2 * x) + 1e-10 * rng.integers(-3, 4, x.shape)
    return x


def margin_of(x, target, reduction, want_gradient):
    """Return the margin loss and, if wanted, its gradient."""
    return MARGIN.compute(x, target, reduction, None, {}, want_gradient)

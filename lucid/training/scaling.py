"""Features checked, and scaled to ranges that a learning rate suits."""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, kind_of, refuse_masked
from lucid.arrays.features import as_csr
from lucid.system.optional import is_sparse, require
from lucid.system.warnings import warn_user

_Values = npt.NDArray[np.float64]

#: Sums are of numbers divided by this, which is exact: 2**63 rows of the largest do not overflow.
_POWER = 2.0**64

#: So many times larger than the median feature is too large for one: see `warn_if_unscaled`.
_TOO_LARGE = 100
#: From shorter rows little is learnt at a default learning rate: see `warn_if_short`.
_TOO_SHORT = 0.2

_SCALE_FIRST = "scale them first, by scikit-learn's StandardScaler or MaxAbsScaler in a pipeline"


def checked_features(features: Any, width: int) -> Any:
    """Return features of so many columns in float64: an array, or sparse in CSR form.

    Raises
    ------
    TypeError
        If they are not real numbers.
    ValueError
        If they are not finite, or not of shape ``(N, width)``.
    """
    if is_sparse(features):
        x = as_csr("features", features, np.dtype(np.float64))
        x.prune()  # there may be more room
    else:
        x = as_array("features", features)
        if x.dtype.kind not in "biuf":
            raise TypeError(f"features must hold real numbers, got {kind_of(x)}")
    if x.ndim != 2 or x.shape[1] != width:
        hint = "; one row is features[np.newaxis]" if x.ndim == 1 else ""
        raise ValueError(
            f"features must have shape (N, {width}), as those that the model is "
            f"trained on, got {x.shape}{hint}"
        )
    check_finite(x)
    return x.astype(np.float64, copy=False)


def check_finite(features: Any) -> None:
    """Refuse features, dense or sparse, that hold NaN or infinity."""
    values = features
    if is_sparse(features):
        rows = features.tocsr()
        values = rows.data[: rows.indptr[-1]]
    if not np.isfinite(values).all():
        raise ValueError("features must be finite, got NaN or infinity")


class Scaling:
    """A center and a scale for each feature, from rows that are added some at a time.

    Each feature gets a range of 1. One that is mostly nonzero is centred on its mean; one that is
    mostly zero keeps its zeros, so that sparse rows stay sparse in effect: centring would let every
    row pull at every weight. One that is the same in all rows tells nothing: its scale is infinite,
    so that it is 0 in every row, also where it is another in a test.
    """

    def __init__(self, width: int) -> None:
        self._sparse = require("scipy.sparse", extra="cli", purpose="scaling features")
        self._rows = 0
        self._highest, self._lowest = np.full(width, -np.inf), np.full(width, np.inf)
        self._total, self._nonzero = np.zeros(width), np.zeros(width, np.int64)

    def add(self, features: Any) -> None:
        """Take in further rows."""
        columns = self._sparse.csc_array(checked_features(features, self._total.size))
        if columns.shape[0] == 0:
            return
        columns.sum_duplicates()
        columns.eliminate_zeros()
        self._rows += columns.shape[0]
        self._highest = np.maximum(self._highest, columns.max(axis=0).toarray().ravel())
        self._lowest = np.minimum(self._lowest, columns.min(axis=0).toarray().ravel())
        self._total += (columns / _POWER).sum(axis=0)
        self._nonzero += np.diff(columns.indptr)

    def center_and_scale(self) -> tuple[_Values, _Values]:
        """Return both.

        Raises
        ------
        ValueError
            If a feature has a range that is too large for float64, or there is no row.
        """
        rows, lowest, highest = self._rows, self._lowest, self._highest
        if rows == 0:
            raise ValueError("features must have at least one row to be scaled by")
        with np.errstate(over="ignore"):
            spread = highest - lowest
        if not np.isfinite(spread).all():
            k = int(np.argmax(np.isinf(spread)))
            raise ValueError(
                f"feature {k} is from {lowest[k]:.3g} to {highest[k]:.3g}: too far apart to scale"
            )
        mean = np.clip(self._total / (rows / _POWER), lowest, highest)  # whatever rounding does
        center = np.where(self._nonzero > rows / 2, mean, 0.0)
        return center, np.where(spread > 0, spread, np.inf)


def warn_if_unscaled(features: Any, names: Any = None) -> None:
    """Warn where a feature is so much larger than others that these are hardly learnt from.

    That is where it is over 100 times larger than the median one, both in its largest value and in
    the root mean square of those that are not 0. (Both, as outliers make the first large, and rare
    features have few that are not 0.)
    """
    if is_sparse(features):
        columns, values = np.asarray(features.indices), np.asarray(features.data)
        columns, values = columns[values != 0], values[values != 0]
    else:
        columns, values = np.nonzero(features)[1], features[features != 0]
    values = np.abs(values, dtype=np.float64)
    if not np.isfinite(values).all():  # the loss tells
        return
    width = features.shape[1]
    largest = np.zeros(width)
    np.maximum.at(largest, columns, values)
    there = np.flatnonzero(largest)  # a feature that is 0 everywhere is no other
    if there.size < 2:
        return
    values /= largest[columns]  # no square is too large or too small for float64
    means = np.bincount(columns, values * values, width)[there] / np.bincount(columns)[there]
    sizes = np.stack([largest[there], largest[there] * np.sqrt(means)])
    medians = np.sort(sizes, axis=1)[:, (there.size - 1) // 2, np.newaxis]
    with np.errstate(over="ignore"):
        ratios = (sizes / medians).min(axis=0)
    worst = int(ratios.argmax())
    if ratios[worst] > _TOO_LARGE:
        column = int(there[worst])
        name = f"column {column}" if names is None else f"column {names[column]!r}"
        warn_user(
            f"features are not scaled: {name} is {ratios[worst]:.0f} times larger than the median "
            f"one, so what is learnt is learnt from it; {_SCALE_FIRST}, or by "
            "lucid.training.Ranker.fit_scaling"
        )


def lengths_of_rows(features: Any) -> tuple[float, float]:
    """Return how long rows are, or those of pieces of them, as root mean squares.

    The first is of the rows, the second of what they have in one direction: that of their mean, or
    of one feature, whichever is more. These are near where rows reach farthest if they are not
    centred, or not scaled.

    Raises
    ------
    ValueError
        If they hold NaN or infinity, or are so large that their squares are infinite; if entries
        are masked.
    """
    total: Any = 0.0
    squares: Any = 0.0
    rows = 0
    with np.errstate(over="ignore", invalid="ignore"):  # looked at below
        for piece in features if isinstance(features, Iterator) else (features,):
            of_columns = _sums_of_columns(piece)
            total, squares = total + of_columns[0], squares + of_columns[1]
            rows += piece.shape[0]
        mean, square = total / max(rows, 1), squares / max(rows, 1)
        length = math.sqrt(np.sum(square))
        along = math.sqrt(max(np.sum(mean * mean), np.max(square, initial=0)))
    if not math.isfinite(length):
        raise ValueError(
            "features must be finite, and not so large that their squares overflow float64; "
            f"{_SCALE_FIRST}"
        )
    return length, along


def _sums_of_columns(features: Any) -> tuple[_Values, _Values]:
    """Return the sums of columns, and of their squares."""
    if not is_sparse(features):
        refuse_masked("features", features)
        squares = np.square(features, dtype=np.float64)
        return np.sum(features, axis=0, dtype=np.float64), squares.sum(axis=0)
    x = features.tocsr()
    refuse_masked("features", x.data)
    values = x.data.astype(np.float64)

    def summed(weights: _Values) -> _Values:
        return np.bincount(x.indices, weights, x.shape[1]).astype(np.float64, copy=False)

    return summed(values), summed(values * values)


def warn_if_short(length: float) -> None:
    """Warn where rows are so short that a default learning rate learns little from them.

    It rises with 1 / length only, as the bias, whose input is 1, has the same rate: scores that the
    features make then change by a step in proportion to the length.
    """
    if 0 < length < _TOO_SHORT:
        warn_user(
            f"features are not scaled: the rows have a length of {length:.2g}, so little is learnt "
            f"from them at the default learning rate; {_SCALE_FIRST}, or give a learning_rate"
        )


def scaled(x: Any, center: _Values, scale: _Values) -> Any:
    """Return ``(x - center) / scale`` of checked features, computed in float64, as float32.

    Sparse features come back in CSR form, or as an array where that takes less memory. Only
    features that are mostly nonzero have a center, so that at most twice as many values are stored.
    """
    if is_sparse(x):
        centred = np.count_nonzero(center)
        stored = np.count_nonzero(center[x.indices] == 0) + centred * x.shape[0]
        if 2 * stored > math.prod(x.shape):
            x = x.toarray()
    if not is_sparse(x):
        return ((x - center) / scale).astype(np.float32)
    if centred:
        ones = type(x)(np.ones((x.shape[0], 1)))
        x = x - ones @ type(x)(center[np.newaxis])
    values = (x.data / scale[x.indices]).astype(np.float32)
    return type(x)((values, x.indices, x.indptr), shape=x.shape)

"""The multi-label margin loss, exactly: the specification that the kernel is tested against.

For one row of scores x and its labels t_1 .. t_P, with the thresholds tau_i = x[t_i] - 1, rounded
to the dtype of x as every implementation rounds them,

    L = 1/C * sum over labels i, over j not a label, of max(0, x_j - tau_i).

From there on nothing is rounded: sums are fractions, and the gradient is a count over C.
"""

from collections.abc import Iterable, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Row(NamedTuple):
    """C times the loss of one row, and C times its gradient."""

    total: Fraction
    counts: Array

    @property
    def loss(self) -> Fraction:
        return self.total / len(self.counts)


def by_pairs(x: Array, labels: Sequence[int]) -> Row:
    """Go through all pairs, as the formula reads."""
    total = Fraction(0)
    counts = np.zeros(len(x), np.int64)
    for i in labels:
        threshold = x[i] - x.dtype.type(1)
        for j in range(len(x)):
            if j not in labels and x[j] > threshold:
                total += Fraction(float(x[j])) - Fraction(float(threshold))
                counts[i] -= 1
                counts[j] += 1
    return Row(total, counts)


def by_counting(x: Array, labels: Sequence[int]) -> Row:
    """Count the active pairs of each score instead: the same numbers, for rows of any length."""
    positive = np.array(labels, np.int64)
    negative = np.ones(len(x), np.bool_)
    negative[positive] = False
    thresholds = x[positive] - x.dtype.type(1)
    below = np.searchsorted(np.sort(thresholds), x[negative], side="left")
    above = negative.sum() - np.searchsorted(np.sort(x[negative]), thresholds, side="right")
    counts = np.zeros(len(x), np.int64)
    counts[negative] = below
    np.subtract.at(counts, positive, above)
    total = exact_dot(below, x[negative]) - exact_dot(above, thresholds)
    return Row(total, counts)


def exact_dot(weights: Array, values: Array) -> Fraction:
    """Return the sum of integers times floats, not rounded."""
    if len(values) == 0:
        return Fraction(0)
    mantissa, exponent = np.frexp(values.astype(np.float64))
    least = int(exponent.min())
    # Python's integers, in units of the last bit of the smallest value.
    integers = (mantissa * 2**53).astype(np.int64).astype(object)
    integers <<= (exponent - least).astype(object)
    return Fraction(int(weights.astype(object) @ integers)) * Fraction(2) ** (least - 53)


def in_floats(x: Array, labels: Sequence[int]) -> float:
    """Return the loss in float64 arithmetic, pair by pair, for rows with NaN or infinities."""
    total = 0.0
    values = x.tolist()
    for i in labels:
        for j, value in enumerate(values):
            if j not in labels:
                z = 1 - values[i] + value
                total += 0.0 if z <= 0 else z  # NaN stays
    return total / len(values)


def labels_of(row: Iterable[int]) -> list[int]:
    """Return what stands before the first -1."""
    labels: list[int] = []
    for label in row:
        if label == -1:
            break
        labels.append(int(label))
    return labels


def rows_of(x: Array, target: Array) -> list[Row]:
    """Return the exact results of a batch; float16 scores are computed in float32."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return [by_counting(wide[n], labels_of(target[n])) for n in range(len(x))]


def reduced(rows: Sequence[Row], reduction: str) -> list[Fraction]:
    """Return the losses of the rows, or the one number that they are reduced to."""
    if reduction == "none":
        return [row.loss for row in rows]
    total = sum((row.total for row in rows), Fraction(0))
    return [total / len(rows[0].counts) / (len(rows) if reduction == "mean" else 1)]


def loss_ulps(loss: Array, rows: Sequence[Row], reduction: str) -> float:
    """Return how far a loss is from the exact one, in units in the last place."""
    return max(
        _ulps(value, exact)
        for value, exact in zip(loss.ravel(), reduced(rows, reduction), strict=True)
    )


def gradient_ulps(gradient: Array, rows: Sequence[Row], reduction: str) -> float:
    """Return how far a gradient is from the exact one; for 'none', each row from its own."""
    divisor = gradient.shape[-1] * (len(rows) if reduction == "mean" else 1)
    counts = np.concatenate([row.counts for row in rows])
    values = gradient.ravel()
    # A quotient of integers is rounded once: what equals it is within half an ulp.
    other = values != (counts / divisor).astype(values.dtype)
    return max(
        (
            _ulps(value, Fraction(int(count), divisor))
            for value, count in zip(values[other], counts[other], strict=True)
        ),
        default=0.5,
    )


def _ulps(value: Any, exact: Fraction) -> float:
    unit = np.spacing(abs(type(value)(float(exact))))
    return float(abs(Fraction(float(value)) - exact) / Fraction(float(unit)))

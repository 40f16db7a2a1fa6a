"""The losses, exactly: the specification that the kernels are tested against.

A function for each loss takes the scores of one row, its labels and its unknown classes, and
returns the exact loss and gradient. What every implementation rounds is rounded: the thresholds
tau_i = x[t_i] - m_i of the hinges, in the dtype of x, and margins to that dtype. From there on
hinges and WARP are sums of whole numbers of a unit. Sums of exponentials have 60 digits.

The hinges count active pairs instead of going through them, for rows of any length;
`test_oracle.py` compares them with the formulas, pair by pair.
"""

from collections.abc import Callable, Iterable, Sequence
from decimal import MAX_EMAX, MIN_EMIN, Context, Decimal, localcontext
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


class Row(NamedTuple):
    """The loss of one row, and its gradient: integers over one denominator."""

    loss: Fraction
    numerators: Array
    denominator: int

    def times(self, factor: Fraction) -> "Row":
        if factor == 1:
            return self
        numerators = self.numerators.astype(object) * factor.numerator
        return Row(self.loss * factor, numerators, self.denominator * factor.denominator)


#: What a sum of rounded sums of 1/k, and an exponential, lose is far below any float64.
HARMONIC_BITS = 200
MANY_DIGITS = Context(prec=60, Emax=MAX_EMAX, Emin=MIN_EMIN)
TINY = Decimal("1e-20")
#: A gradient is kept to so many decimal places: more than a float64 has.
PLACES = 400
HUGE = Decimal("1e400")  # beyond it everything is inf


# Hinges.


def hinge(
    x: Array,
    labels: Sequence[int],
    unknown: Iterable[int] = (),
    *,
    p: int = 1,
    margin: Any = 1.0,
    weight: Any = None,
    normalize: str = "classes",
) -> Row:
    """sum over labels i, negatives j of w_i * max(0, m_i - x_i + x_j)**p, over the divisor."""
    pairs = _Pairs(x, labels, unknown, margin)
    if weight is None:
        w, unit = np.ones(len(pairs.labels), np.int64), Fraction(1)
    else:
        w, unit = whole(np.asarray(weight, np.float64)[pairs.labels])
    if normalize == "classes":
        divisor = Fraction(pairs.known)
    else:
        divisor = int(w.sum()) * unit * len(pairs.negatives)
    return pairs.weighted(w, p).over(divisor / unit if divisor else Fraction(0))


def warp(x: Array, labels: Sequence[int], unknown: Iterable[int] = (), *, margin: Any = 1.0) -> Row:
    """sum_i H(n_i) / n_i * sum of the active hinges of i; the weights are constants."""
    pairs = _Pairs(x, labels, unknown, margin)
    most = int(pairs.above.max(initial=0))
    harmonic = np.zeros(most + 1, object)
    harmonic[1:] = np.cumsum([2**HARMONIC_BITS // k for k in range(1, most + 1)], dtype=object)
    n = pairs.above.clip(1).astype(object)
    return pairs.weighted(harmonic[pairs.above] // n, 1).over(Fraction(2**HARMONIC_BITS))


class _Sum(NamedTuple):
    """A loss and a gradient in units, before they are divided."""

    loss: Fraction
    numerators: Array
    unit: Fraction

    def over(self, divisor: Fraction) -> Row:
        if divisor == 0:
            return Row(Fraction(0), np.zeros(len(self.numerators), np.int64), 1)
        scale = self.unit / divisor
        numerators = self.numerators
        if scale.numerator != 1:
            numerators = numerators.astype(object) * scale.numerator
        return Row(self.loss / divisor, numerators, scale.denominator)


class _Pairs:
    """The labels and negatives of a row, and how many of them are active with each other."""

    def __init__(self, x: Array, labels: Sequence[int], unknown: Iterable[int], margin: Any):
        self.labels = np.array(labels, np.int64)
        is_known = np.ones(len(x), np.bool_)
        is_known[list(unknown)] = False
        self.known = int(is_known.sum())
        is_known[self.labels] = False
        self.negatives = np.flatnonzero(is_known)
        self.classes = len(x)
        self.scores = x[self.negatives]
        margins = np.broadcast_to(np.asarray(margin, x.dtype), x.shape)
        self.thresholds = x[self.labels] - margins[self.labels]
        self.order = np.argsort(self.thresholds, kind="stable")
        ascending = self.thresholds[self.order]
        self.below = np.searchsorted(ascending, self.scores, side="left")
        self.above = len(self.scores) - np.searchsorted(
            np.sort(self.scores), self.thresholds, side="right"
        )

    def weighted(self, w: Array, p: int) -> _Sum:
        """The sum of the p-th powers of the active hinges times w, whole numbers."""
        x, tau, unit = whole(self.scores, self.thresholds)
        of_rank = running_sums(w[self.order])  # the weights of as many of the lowest thresholds
        numerators = np.zeros(self.classes, of_rank.dtype if p == 1 else object)
        if p == 1:
            total = _dot(of_rank[self.below], x) - _dot(w * self.above, tau)
            numerators[self.negatives] = of_rank[self.below]
            np.subtract.at(numerators, self.labels, w * self.above)
            return _Sum(total * unit, numerators, Fraction(1))
        w = w.astype(object)
        of_rank, first = of_rank.astype(object), running_sums((w * tau)[self.order])
        second = running_sums((w * tau * tau)[self.order])
        slope = of_rank[self.below] * x - first[self.below]
        total = _dot(slope - first[self.below], x) + int(second[self.below].sum())
        highest = running_sums(np.sort(x)[::-1])  # the sums of as many of the highest scores
        numerators[self.negatives] = 2 * slope
        np.subtract.at(numerators, self.labels, 2 * w * (highest[self.above] - self.above * tau))
        return _Sum(total * unit**2, numerators, unit)


def whole(*arrays: Array) -> tuple[Any, ...]:
    """Return floats as Python's integers, and the unit that they are multiples of."""
    parts = [np.frexp(values.astype(np.float64)) for values in arrays]
    exponents = np.concatenate([e[m != 0] for m, e in parts])
    least = int(exponents.min(initial=0)) - 53
    integers = []
    for mantissa, exponent in parts:
        exponent[mantissa == 0] = least + 53
        values = (mantissa * 2**53).astype(np.int64).astype(object)
        integers.append(values << (exponent - 53 - least).astype(object))
    return *integers, Fraction(2) ** least


def running_sums(values: Array) -> Array:
    """Return the sums of the first 0, 1, ... of the values."""
    return np.concatenate([np.zeros(1, values.dtype), np.cumsum(values, dtype=values.dtype)])


def _dot(a: Array, b: Array) -> int:
    return int(a.astype(object) @ b.astype(object)) if len(a) else 0


# Sums of exponentials.


def lsep(
    x: Array, labels: Sequence[int], unknown: Iterable[int] = (), *, per_label: bool = False
) -> Row:
    """log(1 + sum_ij e^(x_j - x_i)), or the mean over i of log(1 + sum_j e^(x_j - x_i))."""
    with localcontext(MANY_DIGITS):
        up, down = _exponentials(x, labels, unknown)
        if not up or not down:
            return _row(len(x), Decimal(0), {}, {})
        high = sum(up.values())
        if not per_label:
            low = sum(down[i] for i in labels)
            of_all = 1 + high * low
            loss = _log_of_one_plus(high * low)
            return _row(
                len(x),
                loss,
                {j: e * low / of_all for j, e in up.items()},
                {i: -labels.count(i) * e * high / of_all for i, e in down.items()},
            )
        of_label = {i: 1 + e * high for i, e in down.items()}
        count = len(labels)
        loss = sum(_log_of_one_plus(down[i] * high) for i in labels) / count
        slope = sum(down[i] / of_label[i] for i in labels) / count
        return _row(
            len(x),
            loss,
            {j: e * slope for j, e in up.items()},
            {i: -labels.count(i) * e * high / of_label[i] / count for i, e in down.items()},
        )


def zlpr(x: Array, labels: Sequence[int], unknown: Iterable[int] = ()) -> Row:
    """log(1 + sum_i e^-x_i) + log(1 + sum_j e^x_j)."""
    with localcontext(MANY_DIGITS):
        up, down = _exponentials(x, labels, unknown)
        high = sum(up.values(), Decimal(0))
        low = sum((down[i] for i in labels), Decimal(0))
        return _row(
            len(x),
            _log_of_one_plus(high) + _log_of_one_plus(low),
            {j: e / (1 + high) for j, e in up.items()},
            {i: -labels.count(i) * e / (1 + low) for i, e in down.items()},
        )


def bpmll(x: Array, labels: Sequence[int], unknown: Iterable[int] = ()) -> Row:
    """The mean over pairs of e^(x_j - x_i)."""
    with localcontext(MANY_DIGITS):
        up, down = _exponentials(x, labels, unknown)
        if not up or not down:
            return _row(len(x), Decimal(0), {}, {})
        pairs = len(up) * len(labels)
        high, low = sum(up.values()), sum(down[i] for i in labels)
        return _row(
            len(x),
            high * low / pairs,
            {j: e * low / pairs for j, e in up.items()},
            {i: -labels.count(i) * e * high / pairs for i, e in down.items()},
        )


def soft_margin(
    x: Array, labels: Sequence[int], unknown: Iterable[int] = (), *, weight: Any = None
) -> Row:
    """The mean over classes of w * log(1 + e^-x) of labels and w * log(1 + e^x) of the others."""
    with localcontext(MANY_DIGITS):
        up, down = _exponentials(x, labels, unknown)
        known = len(up) + len(down)
        w = np.broadcast_to(np.float64(1 if weight is None else weight), x.shape)
        of = {c: Decimal(float(w[c])) / known for c in [*up, *down]}
        loss = Decimal(0)
        product = {share: Decimal(1) for share in of.values()}  # a sum of logs is slower
        for c, e in [*up.items(), *down.items()]:
            if e > TINY:
                product[of[c]] *= 1 + e
            else:
                loss += of[c] * _log_of_one_plus(e)
        loss += sum(share * p.ln() for share, p in product.items())
        return _row(
            len(x),
            loss,
            {j: of[j] * e / (1 + e) for j, e in up.items()},
            {i: -of[i] * e / (1 + e) for i, e in down.items()},
        )


def _exponentials(
    x: Array, labels: Sequence[int], unknown: Iterable[int]
) -> tuple[dict[int, Decimal], dict[int, Decimal]]:
    """Return e^x of each negative, and e^-x of each label."""
    values = x.astype(np.float64).tolist()
    negatives = set(range(len(x))) - set(labels) - set(unknown)
    return (
        {j: Decimal(values[j]).exp() for j in negatives},
        {i: Decimal(-values[i]).exp() for i in set(labels)},
    )


def _log_of_one_plus(t: Decimal) -> Decimal:
    # Terms left out are below t**4: beside t, as many digits are right as are computed with.
    return (1 + t).ln() if t > TINY else t - t * t / 2 + t * t * t / 3


def _row(
    classes: int, loss: Decimal, negatives: dict[int, Decimal], labels: dict[int, Decimal]
) -> Row:
    def to_integer(value: Decimal) -> int:
        return int(value.min(HUGE).max(-HUGE).scaleb(PLACES))

    numerators = np.zeros(classes, object)
    for c, value in [*negatives.items(), *labels.items()]:
        numerators[c] = to_integer(value)
    return Row(Fraction(to_integer(loss), 10**PLACES), numerators, 10**PLACES)


# NaN and infinities.


def in_floats(x: Array, labels: Sequence[int]) -> float:
    """Return the plain hinge loss in float64 arithmetic, pair by pair."""
    total = 0.0
    values = x.tolist()
    for i in labels:
        for j, value in enumerate(values):
            if j not in labels:
                z = 1 - values[i] + value
                total += 0.0 if z <= 0 else z  # NaN stays
    return total / len(values)


# Batches.


def labels_of(row: Iterable[int]) -> list[int]:
    """Return what stands before the first -1."""
    labels: list[int] = []
    for label in row:
        if label == -1:
            break
        labels.append(int(label))
    return labels


def rows_of(
    x: Array, target: Array, exact: Callable[..., Row] = hinge, **options: Any
) -> list[Row]:
    """Return the exact results of a batch; float16 scores are computed in float32."""
    wide = x.astype(np.float32) if x.dtype == np.float16 else x
    return [exact(wide[n], labels_of(target[n]), **options) for n in range(len(x))]


def reduced(
    rows: Sequence[Row], reduction: str, sample_weight: Any = None
) -> tuple[list[Fraction], list[Row]]:
    """Return the losses of the rows, or the one that they are reduced to, and the gradients.

    For 'none' the gradient of a row is that of its own loss.
    """
    weights = (
        [1] * len(rows) if sample_weight is None else [Fraction(float(s)) for s in sample_weight]
    )
    divisor = sum(weights) if reduction == "mean" else 1
    scaled = [row.times(Fraction(s) / divisor) for row, s in zip(rows, weights, strict=True)]
    losses = [row.loss for row in scaled]
    return losses if reduction == "none" else [sum(losses, Fraction(0))], scaled


def loss_ulps(loss: Array, rows: Sequence[Row], reduction: str, sample_weight: Any = None) -> float:
    """Return how far a loss is from the exact one, in units in the last place."""
    losses, _ = reduced(rows, reduction, sample_weight)
    return max(
        _ulps(np.array([value]), np.array([exact.numerator], object), exact.denominator)
        for value, exact in zip(loss.ravel(), losses, strict=True)
    )


def gradient_ulps(
    gradient: Array, rows: Sequence[Row], reduction: str, sample_weight: Any = None
) -> float:
    """Return how far a gradient is from the exact one; for 'none', each row from its own."""
    _, scaled = reduced(rows, reduction, sample_weight)
    return max(
        _ulps(values, row.numerators, row.denominator)
        for values, row in zip(gradient, scaled, strict=True)
    )


def _ulps(values: Array, numerators: Array, denominator: int) -> float:
    """Return how far values are at most from quotients of integers."""
    if numerators.dtype == object or denominator >= 2**53:
        nearest = _quotients(numerators, denominator)
    else:  # integers below 2**53: rounded once
        nearest = numerators / denominator
    with np.errstate(over="ignore"):
        other = values != nearest.astype(values.dtype)
    if not other.any():  # a quotient that is rounded once
        return 0.5
    wrong = values[other]
    if not (np.isfinite(wrong) & np.isfinite(nearest[other])).all():
        return np.inf
    units = np.spacing(np.abs(nearest[other].astype(values.dtype))).astype(np.float64)
    error = wrong.astype(np.float64) - nearest[other]
    if values.dtype == np.float64:  # where what the nearest float64 lacks is of the same size
        error -= [
            float(Fraction(int(n), denominator) - Fraction(float(q)))
            for n, q in zip(numerators[other], nearest[other], strict=True)
        ]
    return float(np.abs(error / units).max())


@np.vectorize(otypes=[np.float64])
def _quotients(numerator: Any, denominator: int) -> float:
    try:
        return int(numerator) / denominator
    except OverflowError:
        return np.inf if numerator > 0 else -np.inf

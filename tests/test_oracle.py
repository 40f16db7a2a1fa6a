"""The oracle and the problems of the other tests: they must be right, and not be trivial."""

import math
from collections import Counter
from fractions import Fraction

import numpy as np
import oracle
import pytest
from problems import KINDS, SIZES, problem


def pairs_of(x, labels, unknown):
    """All pairs, as often as their label is given."""
    return [(i, j) for i in labels for j in range(len(x)) if j not in {*labels, *unknown}]


def hinges_by_pairs(x, labels, unknown, margin):
    """The active pairs and their hinges, over the rounded thresholds."""
    margin = np.broadcast_to(np.asarray(margin, x.dtype), x.shape)
    found = []
    for i, j in pairs_of(x, labels, unknown):
        threshold = x[i] - margin[i]
        if x[j] > threshold:
            found.append((i, j, Fraction(float(x[j])) - Fraction(float(threshold))))
    return found


def summed(terms, classes):
    """The loss and the gradient of pairs (i, j), each with a loss and a slope."""
    loss, gradient = 0, [0] * classes
    for i, j, value, slope in terms:
        loss += value
        gradient[i] -= slope
        gradient[j] += slope
    return loss, gradient


def hinge_by_pairs(x, labels, unknown=(), p=1, margin=1.0, weight=None, normalize="classes"):
    w = [Fraction(float(v)) for v in (np.ones(len(x)) if weight is None else weight)]
    pairs = pairs_of(x, labels, unknown)
    divisor = sum(w[i] for i, _ in pairs) if normalize == "pairs" else len(x) - len(unknown)
    terms = [
        (i, j, w[i] * z**p / divisor, w[i] * p * z ** (p - 1) / divisor)
        for i, j, z in hinges_by_pairs(x, labels, unknown, margin)
        if w[i] != 0
    ]
    return summed(terms, len(x))


def warp_by_pairs(x, labels, unknown=(), margin=1.0):
    hinges = hinges_by_pairs(x, labels, unknown, margin)
    active = Counter(i for i, _, _ in hinges)
    n = {i: active[i] // labels.count(i) for i in active}
    w = {i: sum(Fraction(1, k) for k in range(1, n[i] + 1)) / n[i] for i in n}
    return summed([(i, j, w[i] * z, w[i]) for i, j, z in hinges], len(x))


def lsep_by_pairs(x, labels, unknown=(), per_label=False):
    pairs = [(i, j, math.exp(x[j] - x[i])) for i, j in pairs_of(x, labels, unknown)]
    if not per_label:
        total = 1 + sum(e for *_, e in pairs)
        return math.log(total), summed([(i, j, 0, e / total) for i, j, e in pairs], len(x))[1]
    total = {i: 1 + sum(e for k, _, e in pairs if k == i) / labels.count(i) for i in labels}
    loss = sum(math.log(total[i]) for i in labels) / len(labels) if labels else 0
    terms = [(i, j, 0, e / total[i] / len(labels)) for i, j, e in pairs]
    return loss, summed(terms, len(x))[1]


def zlpr_by_formula(x, labels, unknown=()):
    negatives = [j for j in range(len(x)) if j not in {*labels, *unknown}]
    low = 1 + sum(math.exp(-x[i]) for i in labels)
    high = 1 + sum(math.exp(x[j]) for j in negatives)
    gradient = [0] * len(x)
    for i in labels:
        gradient[i] -= math.exp(-x[i]) / low
    for j in negatives:
        gradient[j] = math.exp(x[j]) / high
    return math.log(low) + math.log(high), gradient


def bpmll_by_pairs(x, labels, unknown=()):
    pairs = pairs_of(x, labels, unknown)
    terms = [(i, j, *[math.exp(x[j] - x[i]) / len(pairs)] * 2) for i, j in pairs]
    return summed(terms, len(x))


def soft_margin_by_formula(x, labels, unknown=(), weight=None):
    loss, gradient, known = 0, [0] * len(x), len(x) - len(unknown)
    for c in set(range(len(x))) - set(unknown):
        w = 1 if weight is None else weight[c]
        sign = -1 if c in labels else 1
        loss += w * math.log(1 + math.exp(sign * x[c])) / known
        gradient[c] = sign * w / (1 + math.exp(-sign * x[c])) / known
    return loss, gradient


def test_one_row_by_hand():
    x = np.array([0.5, 0.25, 2.0, -1.0])
    # Only label 0, with the threshold -0.5: scores 1 and 2 are above it, by 0.75 and 2.5.
    row = oracle.hinge(x, [0])
    assert row.loss == Fraction("3.25") / 4
    assert row.numerators.tolist() == [-2, 1, 1, 0]
    assert row.denominator == 4
    assert oracle.hinge(x, [0], p=2).loss == (Fraction("0.75") ** 2 + Fraction("2.5") ** 2) / 4
    assert oracle.warp(x, [0]).loss == Fraction("3.25") * Fraction("1.5") / 2


WEIGHT = np.array([0.5, 3.0, 0.0, 1.7, 0.1, 2.0, 1.0, 1.0])
ROWS = [[3], [0, 6, 2], [5, 5, 1, 5], [], list(range(8))]


@pytest.mark.parametrize("unknown", [[], [4], [4, 7]])
@pytest.mark.parametrize("labels", ROWS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("exact", "by_pairs", "options"),
    [
        (oracle.hinge, hinge_by_pairs, {}),
        (oracle.hinge, hinge_by_pairs, {"p": 2, "margin": 0.3}),
        (oracle.hinge, hinge_by_pairs, {"weight": WEIGHT, "normalize": "pairs"}),
        (oracle.hinge, hinge_by_pairs, {"p": 2, "weight": WEIGHT, "margin": WEIGHT}),
        (oracle.warp, warp_by_pairs, {"margin": 0.7}),
        (oracle.lsep, lsep_by_pairs, {}),
        (oracle.lsep, lsep_by_pairs, {"per_label": True}),
        (oracle.zlpr, zlpr_by_formula, {}),
        (oracle.bpmll, bpmll_by_pairs, {}),
        (oracle.soft_margin, soft_margin_by_formula, {"weight": WEIGHT}),
    ],
)
def test_every_oracle_gives_what_its_formula_gives_pair_by_pair(
    exact, by_pairs, options, dtype, labels, unknown
):
    unknown = [c for c in unknown if c not in labels]
    for seed in range(5):
        x = np.random.default_rng(seed).standard_normal(8).astype(dtype)
        row = exact(x, labels, unknown, **options)
        loss, gradient = by_pairs(x.astype(dtype), labels, unknown, **options)
        found = [Fraction(int(n), row.denominator) for n in row.numerators]
        if exact is oracle.hinge:
            assert row.loss == loss
            assert found == gradient
        np.testing.assert_allclose(
            float(row.loss), float(loss), rtol=1e-5 if dtype == "float32" else 1e-14
        )
        np.testing.assert_allclose(
            [float(g) for g in found], [float(g) for g in gradient], rtol=1e-5, atol=1e-9
        )


def test_a_float_is_a_whole_number_of_units():
    values = np.array([0.0, -1.5, 1e-300, 5e-324, 1.7e308])
    integers, unit = oracle.whole(values)
    assert [i * unit for i in integers] == [Fraction(v) for v in values.tolist()]


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("exact", [Fraction(1, 3), Fraction(10) ** 7 / 900, Fraction(-1, 2**20)])
def test_an_ulp_is_the_distance_to_the_next_float(exact, dtype):
    row = oracle.Row(exact, np.array([exact.numerator], object), exact.denominator)
    nearest = np.array(float(exact)).astype(dtype)
    steps = np.nextafter(nearest, np.array(np.inf, dtype)), nearest
    for measure in (oracle.loss_ulps, lambda v, *rest: oracle.gradient_ulps(v[np.newaxis], *rest)):
        beside, none = (measure(value[np.newaxis], [row], "sum") for value in steps)
        assert none == 0.5
        assert 0.5 <= beside <= 1.5
        assert beside == pytest.approx(1, abs=0.5)


def test_beyond_the_largest_float_only_inf_is_right():
    row = oracle.bpmll(np.array([1e4, -1e4]), [1])
    assert oracle.loss_ulps(np.array([np.inf]), [row], "sum") == 0.5
    assert oracle.loss_ulps(np.array([1e308]), [row], "sum") == np.inf
    assert oracle.gradient_ulps(np.array([[np.inf, -np.inf]]), [row], "sum") == 0.5
    assert oracle.gradient_ulps(np.array([[np.inf, np.nan]]), [row], "sum") == np.inf


def test_a_weight_of_a_row_counts_in_its_loss_and_in_the_mean():
    rows = [oracle.Row(Fraction(n), np.array([n, -n]), 1) for n in (1, 2)]
    assert oracle.loss_ulps(np.array([1.75]), rows, "mean", [1, 3]) == 0.5
    assert oracle.gradient_ulps(np.array([[0.25, -0.25], [1.5, -1.5]]), rows, "mean", [1, 3]) == 0.5
    assert oracle.loss_ulps(np.array([1.0, 6.0]), rows, "none", [1, 3]) == 0.5


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [size for size in SIZES if size != "one-small-row"])
def test_problems_have_active_and_inactive_pairs(size, kind):
    x, target = problem(size, kind)
    active = sum(int(row.numerators.clip(0).sum()) for row in oracle.rows_of(x, target))
    labels = (target >= 0).sum(axis=1)
    pairs = (labels * (x.shape[1] - labels)).sum()
    low, high = (0.00005, 0.05) if kind == "trained" else (0.1, 0.9)
    assert low * pairs < active < high * pairs


@pytest.mark.parametrize("size", SIZES)
def test_tied_problems_have_scores_exactly_at_the_margin(size):
    x, target = problem(size, "tied")
    at_margin = sum(
        int(np.isin(x[n], x[n, oracle.labels_of(target[n])] - 1).sum()) for n in range(len(x))
    )
    assert at_margin > 0

"""The oracle and the problems of the other tests: they must be right, and not be trivial."""

from fractions import Fraction

import numpy as np
import oracle
import pytest
from problems import KINDS, SIZES, problem


def test_one_row_by_hand():
    x = np.array([0.5, 0.25, 2.0, -1.0])
    # Only label 0, with the threshold -0.5: scores 1 and 2 are above it, by 0.75 and 2.5.
    row = oracle.by_pairs(x, [0])
    assert row.loss == Fraction("3.25") / 4
    assert row.counts.tolist() == [-2, 1, 1, 0]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_both_forms_of_the_oracle_agree(kind, dtype):
    x, target = problem("many-small-rows", kind, dtype)
    for n in range(100):
        labels = oracle.labels_of(target[n])
        pairs, counted = oracle.by_pairs(x[n], labels), oracle.by_counting(x[n], labels)
        assert pairs.loss == counted.loss
        assert pairs.counts.tolist() == counted.counts.tolist()


def test_a_label_given_twice_counts_twice_in_both_forms():
    x = np.array([0.5, 0.25, 2.0, -1.0])
    once = oracle.by_pairs(x, [0])
    for form in (oracle.by_pairs, oracle.by_counting):
        twice = form(x, [0, 0])
        assert twice.loss == 2 * once.loss
        assert twice.counts.tolist() == (2 * once.counts).tolist()


def test_an_ulp_is_the_distance_to_the_next_float():
    row = oracle.Row(Fraction(1), np.zeros(1, np.int64))
    beside = np.nextafter(np.float32(1), np.float32(2))
    assert oracle.loss_ulps(np.array([beside]), [row], "sum") == 1


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [size for size in SIZES if size != "one-small-row"])
def test_problems_have_active_and_inactive_pairs(size, kind):
    x, target = problem(size, kind)
    active = sum(int(row.counts.clip(0).sum()) for row in oracle.rows_of(x, target))
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

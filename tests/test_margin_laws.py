"""Laws of the margin loss that hold for any scores and labels.

Scores are multiples of 1/8 and the number of classes is a power of two, so that nothing is rounded
on the way, and equal means equal.
"""

from collections import Counter
from fractions import Fraction

import numpy as np
import oracle
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from problems import FEW, Problem

from lucid import multilabel_margin

CLASSES = st.sampled_from([1, 2, 4, 8, 16, 128])

#: Labels of a row: some more than are compared one by one, of float32 scores too.
MOST = FEW["float32"] + 16


def scores(rows, classes):
    """Multiples of 1/8 from -2.5 to 2.5: one for each byte that is drawn, or all from a seed."""
    size = rows * classes
    drawn = st.binary(min_size=size, max_size=size).map(lambda b: np.frombuffer(b, np.uint8))
    random = st.integers(0, 2**32 - 1).map(
        lambda seed: np.random.default_rng(seed).integers(0, 256, size)
    )
    return (drawn | random).map(lambda values: (values.reshape(rows, classes) % 41 - 20.0) / 8)


@st.composite
def problems(draw, dtypes=("float32", "float64")):
    """Up to 4 rows, some with more labels than are compared one by one."""
    rows, classes = draw(st.integers(1, 4)), draw(CLASSES)
    x = draw(scores(rows, classes)).astype(draw(st.sampled_from(dtypes)))
    target = np.full((rows, MOST + 1), -1)
    counts = st.integers(0, min(classes, MOST))
    if classes > MOST:
        counts |= st.integers(FEW["float32"] + 1, MOST)
    for n in range(rows):
        count = draw(counts)
        first, step = draw(st.integers(0, classes - 1)), draw(st.sampled_from([1, 3, 7, 11]))
        # All different, since an odd step has no factor in common with a power of two.
        target[n, :count] = (first + step * np.arange(count)) % classes
    return Problem(x, target)


def margin(x, target):
    return multilabel_margin(x, target, "none")


def test_the_problems_have_active_inactive_and_tied_pairs():
    seen = Counter()

    @given(problems())
    def collect(given):
        x, target = given
        for n in range(len(x)):
            labels = oracle.labels_of(target[n])
            negative = np.delete(x[n], labels)
            difference = negative - (x[n, labels] - 1)[:, np.newaxis]
            seen["active"] += int((difference > 0).sum())
            seen["inactive"] += int((difference < 0).sum())
            seen["tied"] += int((difference == 0).sum())
            seen[f"{x.dtype} rows with many labels"] += len(labels) > FEW[str(x.dtype)]
            seen["rows"] += 1

    collect()
    pairs = seen["active"] + seen["inactive"] + seen["tied"]
    assert 0.2 * pairs < seen["active"] < 0.9 * pairs
    assert 0.1 * pairs < seen["inactive"]
    assert 0.01 * pairs < seen["tied"]
    for dtype in FEW:
        assert 0.01 * seen["rows"] < seen[f"{dtype} rows with many labels"] < 0.5 * seen["rows"]


@given(problems(("float16", "float32", "float64")))
def test_loss_and_gradient_are_exactly_those_of_all_pairs(given):
    x, target = given
    loss, gradient = margin(x, target)
    for n in range(len(x)):
        row = oracle.hinge(x[n], oracle.labels_of(target[n]))
        assert loss[n] == x.dtype.type(float(row.loss))
        assert (gradient[n] * x.shape[1]).tolist() == row.numerators.tolist()


@given(problems(), st.integers(-100, 100))
def test_a_shift_of_all_scores_changes_nothing(given, shift):
    x, target = given
    loss, gradient = margin(x, target)
    shifted_loss, shifted_gradient = margin(x + x.dtype.type(shift), target)
    np.testing.assert_array_equal(shifted_loss, loss)
    np.testing.assert_array_equal(shifted_gradient, gradient)


@given(problems())
def test_the_gradient_of_a_row_sums_to_zero(given):
    _, gradient = margin(*given)
    np.testing.assert_array_equal(gradient.sum(axis=1), 0)


@given(problems())
def test_the_gradient_is_down_at_labels_and_up_elsewhere(given):
    x, target = given
    _, gradient = margin(x, target)
    for n in range(len(x)):
        labels = oracle.labels_of(target[n])
        assert (gradient[n, labels] <= 0).all()
        assert (np.delete(gradient[n], labels) >= 0).all()


@given(problems(), st.randoms(use_true_random=False))
def test_the_names_of_the_classes_do_not_matter(given, random):
    x, target = given
    new_name = np.array(random.sample(range(x.shape[1]), x.shape[1]))
    renamed = np.where(target >= 0, new_name[target], -1)
    moved = np.empty_like(x)
    moved[:, new_name] = x
    loss, gradient = margin(x, target)
    moved_loss, moved_gradient = margin(moved, renamed)
    np.testing.assert_array_equal(moved_loss, loss)
    np.testing.assert_array_equal(moved_gradient[:, new_name], gradient)


@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(given, random):
    x, target = given
    order = random.sample(range(len(x)), len(x))
    loss, gradient = margin(x, target)
    moved_loss, moved_gradient = margin(x[order], target[order])
    np.testing.assert_array_equal(moved_loss, loss[order])
    np.testing.assert_array_equal(moved_gradient, gradient[order])


@given(problems(), st.integers(2, 3))
def test_labels_given_k_times_count_k_times(given, k):
    x, target = given
    rows = [oracle.labels_of(row) * k for row in target]
    repeated = np.array([row + [-1] * (k * target.shape[1] - len(row)) for row in rows])
    loss, gradient = margin(x, target)
    repeated_loss, repeated_gradient = margin(x, repeated)
    np.testing.assert_array_equal(repeated_loss, k * loss)
    np.testing.assert_array_equal(repeated_gradient, k * gradient)


@given(problems())
def test_the_loss_is_zero_exactly_when_every_label_wins_by_the_margin(given):
    x, target = given
    loss, _ = margin(x, target)
    for n in range(len(x)):
        labels = oracle.labels_of(target[n])
        lowest = x[n, labels].min(initial=np.inf)
        highest = np.delete(x[n], labels).max(initial=-np.inf)
        assert (loss[n] == 0) == (lowest - highest >= 1)
        assert loss[n] >= 0


@given(problems(), st.data())
def test_raising_a_label_or_lowering_another_class_never_raises_the_loss(given, data):
    x, target = given
    column = data.draw(st.integers(0, x.shape[1] - 1))
    step = data.draw(st.integers(0, 20)) / 8
    better = x.copy()
    for n in range(len(x)):
        better[n, column] += step if column in oracle.labels_of(target[n]) else -step
    assert (margin(better, target)[0] <= margin(x, target)[0]).all()


@given(problems(("float64",)), st.data())
def test_the_gradient_supports_the_loss_from_below(given, data):
    # L(y) >= L(x) + g(x) . (y - x): the loss is convex, and g is a subgradient of it.
    x, target = given
    y = data.draw(scores(*x.shape))
    loss, gradient = margin(x, target)
    assert (margin(y, target)[0] >= loss + (gradient * (y - x)).sum(axis=1)).all()


@given(problems(("float64",)), st.sampled_from([1, -1]))
def test_the_gradient_is_the_slope_away_from_kinks(given, sign):
    x, target = given
    classes = np.arange(x.shape[1])
    x = x + classes / 4096  # so that no pair is exactly at the margin
    step = sign * np.cos(classes) / 2**20  # too short to bring one there
    loss, gradient = margin(x, target)
    moved, gradient_there = margin(x + step, target)
    np.testing.assert_allclose(moved - loss, gradient @ step, rtol=0, atol=1e-13)
    np.testing.assert_array_equal(gradient_there, gradient)


@given(problems())
def test_the_sum_is_that_of_the_rows_and_the_mean_divides_it(given):
    x, target = given
    loss, gradient = margin(x, target)
    total, gradient_of_total = multilabel_margin(x, target, "sum")
    mean, gradient_of_mean = multilabel_margin(x, target, "mean")
    assert total == loss.sum()
    assert mean == x.dtype.type(float(Fraction(float(total)) / len(x)))
    np.testing.assert_array_equal(gradient_of_total, gradient)
    np.testing.assert_allclose(gradient_of_mean, gradient / len(x), rtol=1e-6, atol=0)


@given(problems())
def test_a_wider_target_of_minus_ones_changes_nothing(given):
    x, target = given
    wider = np.pad(target, [(0, 0), (0, 5)], constant_values=-1)
    for a, b in zip(margin(x, target), margin(x, wider), strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=20)
@given(problems(), st.integers(1, 4))
def test_more_classes_at_minus_infinity_only_change_the_divisor(given, factor):
    x, target = given
    more = x.shape[1] * 2**factor
    masked = np.full((len(x), more), -np.inf, x.dtype)
    masked[:, : x.shape[1]] = x
    loss, gradient = margin(x, target)
    masked_loss, masked_gradient = margin(masked, target)
    np.testing.assert_array_equal(masked_loss * 2**factor, loss)
    np.testing.assert_array_equal(masked_gradient[:, : x.shape[1]] * 2**factor, gradient)
    assert not masked_gradient[:, x.shape[1] :].any()


@pytest.mark.parametrize("scale", [0.25, 3.0])
def test_far_from_the_margin_the_loss_grows_with_the_scores(scale):
    # Scores so far apart that all pairs are active: scaling moves the loss about its offset 1.
    x = np.array([[-100.0, 20.0, 30.0, 50.0]])
    offset = 3 / 4  # three pairs, each with a margin of 1
    loss, scaled = margin(x, [[0]])[0], margin(scale * x, [[0]])[0]
    assert scaled - offset == scale * (loss - offset)

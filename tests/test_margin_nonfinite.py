"""NaN and infinities: nothing that meets in a pair is dropped, and the rest does not matter."""

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from problems import margin_of

import lucid
from lucid import multilabel_margin
from lucid.losses import warp_loss

NAN, INF = np.nan, np.inf

# One row of 4 classes, its labels, and its loss.
RULES = {
    "a NaN label meets a negative": ([NAN, 0, 0, 0], [0], NAN),
    "a NaN label among others": ([NAN, 9, 0, 0], [0, 1], NAN),
    "a NaN negative meets a label": ([0, NAN, 0, 0], [0], NAN),
    "a NaN negative meets a far better label": ([100, NAN, 0, 0], [0], NAN),
    "NaN labels meet NaN negatives": ([NAN, NAN, NAN, NAN], [0, 1], NAN),
    "a NaN label meets no negative": ([NAN, 1, 2, 3], [0, 1, 2, 3], 0.0),
    "a NaN negative meets no label": ([NAN, 1, 2, 3], [], 0.0),
    "an infinite negative": ([0, INF, 0, 0], [0], INF),
    "an infinite label": ([INF, 1, 2, 3], [0], 0.0),
    "an infinite label beside a finite one": ([INF, 2, 1.5, 0], [0, 1], 0.125),
    "infinity against infinity": ([INF, INF, 0, 0], [0], NAN),
    "a label at minus infinity": ([-INF, 0, 0, 0], [0], INF),
    "minus infinity against minus infinity": ([-INF, -INF, 0, 0], [0], NAN),
    "a label at minus infinity meets a NaN": ([-INF, NAN, 0, 0], [0], NAN),
    "a label at minus infinity meets no negative": ([-INF, 1, 2, 3], [0, 1, 2, 3], 0.0),
    "a negative masked by minus infinity": ([0, -INF, -0.5, -INF], [0], 0.125),
    "all negatives masked by minus infinity": ([0, -INF, -INF, -INF], [0], 0.0),
    "an infinite negative meets a NaN label": ([NAN, INF, 0, 0], [0], NAN),
    "both infinities of labels": ([INF, -INF, 0, 0], [0, 1], INF),
    "inf and NaN among the negatives": ([0, INF, NAN, 0], [0], NAN),
}


def assert_rule(x, labels, expected):
    target = np.array([labels], np.int64)
    loss, gradient = multilabel_margin(x, target, "none")
    np.testing.assert_array_equal(loss, [x.dtype.type(expected)])
    if np.isnan(expected):
        assert np.isnan(gradient).all()
    else:
        assert not np.isnan(gradient).any()
    without_gradient, _ = margin_of(x, target, "none", False)
    np.testing.assert_array_equal(without_gradient, loss)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_one_row(rule, dtype, cpu_level):
    scores, labels, expected = RULES[rule]
    assert_rule(np.array([scores], dtype), labels, expected)


SIBLINGS = {
    "squares": lambda x, target: multilabel_margin(x, target, p=2),
    "class weights": lambda x, target: multilabel_margin(x, target, weight=[1.0, 0.5, 2.0, 3.0]),
    "WARP": warp_loss,
}


@pytest.mark.parametrize("sibling", SIBLINGS)
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_its_siblings_are_nan_and_infinite_where_it_is(rule, dtype, sibling, cpu_level):
    scores, labels, expected = RULES[rule]
    loss, gradient = SIBLINGS[sibling](np.array([scores], dtype), [labels])
    assert np.isnan(loss) == np.isnan(expected)
    assert np.isinf(loss) == np.isinf(expected)
    assert np.isnan(gradient).all() if np.isnan(expected) else not np.isnan(gradient).any()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("place", [0, 39_996])
def test_one_row_that_threads_share(rule, place, cpu_level):
    scores, labels, _ = RULES[rule]
    x = np.full((1, 40_000), -1e30, np.float32)
    x[0, place : place + 4] = scores
    labels = [place + label for label in labels]
    lucid.set_num_threads(3)
    assert_rule(x, labels, np.float32(oracle.in_floats(x[0], labels)))


@pytest.mark.parametrize("rule", RULES)
def test_one_row_with_many_labels(rule, cpu_level):
    scores, labels, _ = RULES[rule]
    x = np.array([scores + [1e6] * 40], np.float64)
    labels = labels + list(range(4, 44))
    assert_rule(x, labels, oracle.in_floats(x[0], labels))


@pytest.mark.parametrize("bad", [NAN, INF])
def test_a_row_does_not_touch_the_others(bad):
    x = np.random.default_rng(0).standard_normal((5, 600))
    target = np.array([[3, 599]] * 5)
    expected_loss, expected_gradient = multilabel_margin(x, target, "none")
    x[2, 100] = bad
    loss, gradient = multilabel_margin(x, target, "none")
    others = [0, 1, 3, 4]
    np.testing.assert_array_equal(loss[others], expected_loss[others])
    np.testing.assert_array_equal(gradient[others], expected_gradient[others])
    assert not np.isfinite(loss[2])


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize(("bad", "expected"), [(NAN, NAN), (INF, INF)])
def test_reductions_carry_what_is_not_finite(bad, expected, reduction):
    x = np.zeros((3, 4))
    x[1, 2] = bad
    loss, _ = multilabel_margin(x, [[0], [0], [0]], reduction)
    np.testing.assert_array_equal(loss, expected)


def test_the_sum_of_an_infinite_row_and_a_nan_row_is_nan():
    x = np.array([[0.0, INF], [0.0, NAN], [0.0, INF]])
    assert np.isnan(multilabel_margin(x, [[0], [0], [0]], "sum")[0])


def test_an_infinite_loss_has_the_gradient_of_its_active_pairs():
    x = np.array([[0.0, INF, -0.5, -2.0]])
    loss, gradient = multilabel_margin(x, [[0]])
    assert loss == INF
    assert gradient.tolist() == [[-0.5, 0.25, 0.25, 0]]


def test_the_slope_of_a_square_is_infinite_where_its_root_is():
    x = np.array([[0.0, 0.0, -INF]])
    loss, gradient = multilabel_margin(x, [[0, 2]], p=2)
    assert loss == INF
    np.testing.assert_allclose(gradient, [[-2 / 3, INF, -INF]])


def test_masked_classes_have_no_gradient():
    _, gradient = multilabel_margin(np.array([[0.0, -INF, 1.0, -INF]]), [[0]])
    assert gradient.tolist() == [[-0.25, 0, 0.25, 0]]


@pytest.mark.parametrize(
    ("dtype", "large"), [("float32", 1e38), ("float64", 1e300), ("float64", 4e307)]
)
def test_huge_finite_scores_have_a_finite_loss(dtype, large):
    x = np.array([[-large, large, large / 2, -large]], dtype)
    rows = oracle.rows_of(x, [[0]])
    loss, gradient = multilabel_margin(x, [[0]], "none")
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("sibling", SIBLINGS)
def test_a_sum_of_finite_scores_beyond_float64_is_infinite_and_its_gradient_is_not(sibling):
    large = 1e160 if sibling == "squares" else 1.7e308
    loss, gradient = SIBLINGS[sibling](np.array([[large, 800.0, -large, large]]), [[1, 2]])
    assert loss == INF
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("options", [{}, {"normalize": "pairs"}, {"p": 2}, {"weight": [1.0, 2.0]}])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_row_of_nearly_no_weight_has_nearly_no_gradient(dtype, options, cpu_level):
    x = np.zeros((2, 2), dtype)
    sample_weight = [1.0, 1e-310]
    loss, gradient = multilabel_margin(x, [[0], [1]], sample_weight=sample_weight, **options)
    assert loss == multilabel_margin(x[:1], [[0]], **options)[0]
    np.testing.assert_allclose(gradient[1], 0, atol=1e-307)


def test_a_finite_loss_beyond_the_dtype_is_infinite():
    x = np.array([[-3e38] + [3e38] * 3], np.float32)
    assert multilabel_margin(x, [[0]], "sum")[0] == INF
    assert multilabel_margin(x.astype(np.float64), [[0]], "sum")[0] == pytest.approx(4.5e38)


@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_float16_loss_beyond_its_range_is_infinite(reduction):
    x = np.array([[-6e4] + [6e4] * 3], np.float16)
    assert multilabel_margin(x, [[0]], reduction)[0] == INF


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_denormal_scores_are_kept(dtype):
    # 1 - x rounds to 1, and the label's threshold to -1: every negative is active by about 1.
    tiny = np.finfo(dtype).smallest_subnormal
    x = np.array([[tiny, -tiny, 3 * tiny]], dtype)
    loss, gradient = multilabel_margin(x, [[0]], "sum")
    assert loss == pytest.approx(2 / 3, rel=1e-6)
    assert (gradient != 0).all()


SCORES = st.sampled_from([NAN, INF, -INF, -3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.5])
NUMBERS = st.sampled_from([INF, -INF, -3.0, -1.0, -0.5, 0.0, 0.25, 1.0, 2.5])


@given(st.data(), st.booleans(), st.sampled_from(["float16", "float32", "float64"]))
def test_every_mixture_is_that_of_ieee_arithmetic(data, with_nan, dtype):
    scores = data.draw(st.lists(SCORES if with_nan else NUMBERS, min_size=1, max_size=40))
    labels = data.draw(st.lists(st.integers(0, len(scores) - 1), max_size=35, unique=True))
    x = np.array([scores], dtype)
    expected = oracle.in_floats(x[0], labels)
    loss, gradient = multilabel_margin(x, [[*labels, -1]], "none")
    np.testing.assert_allclose(loss, [expected], rtol=1e-3 if dtype == "float16" else 1e-6)
    if np.isnan(expected):
        assert np.isnan(gradient).all()
    else:
        with np.errstate(invalid="ignore"):
            active = x[0] > (x[0, labels] - 1)[:, np.newaxis]
        active[:, labels] = False
        counts = active.sum(axis=0)
        counts[labels] = -active.sum(axis=1)
        assert np.rint(gradient[0] * len(scores)).astype(int).tolist() == counts.tolist()

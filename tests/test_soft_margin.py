"""The multi-label soft margin loss: known values, stability, and what it refuses."""

import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from losses import LAYOUTS

import lucid
import lucid.testing
from lucid import Labels, nn
from lucid.nn import functional as F

X = np.array([[2.0, -1.0, 0.0], [0.5, 3.0, -4.0]])
TARGET = np.array([[1, 0, 0], [0, 1, 1]])
REDUCTIONS = ["none", "sum", "mean"]


def by_definition(x, target, weight):
    """One row, as the formula reads, for scores at which nothing overflows."""
    total = 0.0
    for xj, yj, wj in zip(x, target, weight, strict=True):
        p = 1 / (1 + math.exp(-xj))
        total -= wj * (yj * math.log(p) + (1 - yj) * math.log(1 - p))
    return total / len(x)


LOGITS = st.floats(-15, 15)
UNIT = st.floats(0, 1)


@given(st.lists(st.tuples(LOGITS, UNIT, UNIT), min_size=1, max_size=9))
def test_loss_is_the_mean_negative_log_likelihood(columns):
    x, target, weight = (list(column) for column in zip(*columns, strict=True))
    loss = F.multilabel_soft_margin_loss(np.array(x), target, weight)
    assert loss.item() == pytest.approx(by_definition(x, target, weight), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_reductions(reduction):
    rows = [by_definition(X[n], TARGET[n], [1, 1, 1]) for n in range(2)]
    expected = {"none": rows, "sum": sum(rows), "mean": sum(rows) / 2}[reduction]
    np.testing.assert_allclose(F.multilabel_soft_margin_loss(X, TARGET, None, reduction), expected)


@pytest.mark.parametrize("score", [1e4, -1e4, 700.0, -700.0])
@pytest.mark.parametrize("label", [0, 1])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_large_logits_neither_overflow_nor_vanish(score, label, dtype):
    x = lucid.tensor([score], dtype, requires_grad=True)
    loss = F.multilabel_soft_margin_loss(x, [label])
    loss.backward()
    wrong = (score > 0) != label
    assert loss.item() == pytest.approx(abs(score) if wrong else 0, rel=1e-6)
    assert x.grad.item() == pytest.approx((math.copysign(1, score) if wrong else 0), abs=1e-300)


def test_a_tiny_likelihood_keeps_its_digits():
    # log(1 + exp(-50)) is exp(-50) to all digits; 1 + exp(-50) in floats is 1.
    loss = F.multilabel_soft_margin_loss(np.array([50.0]), [1])
    assert loss.item() == pytest.approx(math.exp(-50), rel=1e-12)


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, [0.5, 2.0, 1.0]])
def test_gradcheck(reduction, weight):
    x = lucid.tensor(X, requires_grad=True)
    assert lucid.testing.gradcheck(
        lambda x: F.multilabel_soft_margin_loss(x, TARGET, weight, reduction), [x]
    )


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_second_derivatives(reduction):
    x = lucid.tensor(X, requires_grad=True)
    assert lucid.testing.gradgradcheck(
        lambda x: F.multilabel_soft_margin_loss(x, TARGET, None, reduction), [x]
    )


@pytest.mark.parametrize("change", ["target", "weight"])
def test_target_and_weight_may_be_written_into_before_backward(change):
    def second_derivative(write):
        x = lucid.tensor(X, requires_grad=True)
        arrays = {"target": TARGET.astype(float), "weight": np.array([1.0, 2.0, 3.0])}
        loss = F.multilabel_soft_margin_loss(x, **arrays)
        if write:
            arrays[change][...] = 0.5
        (slope,) = lucid.grad(loss, x, create_graph=True)
        return slope.tolist(), lucid.grad((slope * slope).sum(), x)[0].tolist()

    assert second_derivative(write=True) == second_derivative(write=False)


@pytest.mark.parametrize("target", [TARGET.astype(bool), TARGET.astype("u1"), TARGET.tolist()])
def test_targets_of_every_real_kind(target):
    expected = F.multilabel_soft_margin_loss(X, TARGET)
    assert F.multilabel_soft_margin_loss(X, target).item() == expected.item()


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["i8", "f4", "f8", "?"])
def test_targets_that_lie_in_memory_in_any_way(layout, dtype):
    target = TARGET.astype(dtype)
    expected = F.multilabel_soft_margin_loss(X, target, reduction="none")
    found = F.multilabel_soft_margin_loss(X, LAYOUTS[layout](target), reduction="none")
    assert found.tolist() == expected.tolist()


def test_a_nan_logit_gives_a_nan_loss():
    loss = F.multilabel_soft_margin_loss(
        np.array([[np.nan, 0.0], [0.0, 0.0]]), [[0, 1]] * 2, None, "none"
    )
    assert np.isnan(loss.tolist()).tolist() == [True, False]


# What it refuses.


def raises(error, *parts):
    return pytest.raises(error, match=".*".join(map(re.escape, parts)))


def test_a_padded_target_is_recognised():
    with raises(ValueError, "target must have values from 0 to 1, got -1", "Labels.from_padded"):
        F.multilabel_soft_margin_loss(X, [[0, 1, -1], [2, -1, -1]])


@pytest.mark.parametrize("value", [2, 1.5, -0.25, np.inf])
def test_a_target_outside_zero_to_one(value):
    with raises(ValueError, "target must have values from 0 to 1", f"got {value}"):
        F.multilabel_soft_margin_loss(X, np.full(X.shape, value))


@pytest.mark.parametrize("shape", [(3,), (2, 2), (1, 3), (2, 3, 1)])
def test_a_target_of_another_shape(shape):
    with raises(ValueError, "target must have the shape of x, (2, 3)", str(shape)):
        F.multilabel_soft_margin_loss(X, np.zeros(shape))


@pytest.mark.parametrize("dtype", ["complex128", "U1", "O"])
def test_a_target_that_is_no_real_number(dtype):
    with raises(TypeError, "target", str(np.dtype(dtype))):
        F.multilabel_soft_margin_loss(X, TARGET.astype(dtype))


@pytest.mark.parametrize("shape", [(2,), (2, 3), (1, 3), (4,)])
def test_weights_of_another_shape(shape):
    words = "weight must be a number, or one for each class, shape (3,)"
    with raises(ValueError, words, f"got shape {shape}"):
        F.multilabel_soft_margin_loss(X, TARGET, np.ones(shape))


def test_one_weight_for_all_classes_is_a_factor():
    for weight in (2, np.float32(2)):
        doubled = F.multilabel_soft_margin_loss(X, TARGET, weight)
        assert doubled.item() == pytest.approx(2 * F.multilabel_soft_margin_loss(X, TARGET).item())


@pytest.mark.parametrize(
    ("bad", "words"),
    [
        (-1.0, "weight must not be negative, got -1.0"),
        (np.nan, "weight must be finite, got nan"),
        (np.inf, "weight must be finite, got inf"),
    ],
)
def test_weights_are_what_those_of_the_margin_loss_are(bad, words):
    with raises(ValueError, words):
        F.multilabel_margin_loss(X, [[0], [1]], weight=[1.0, bad, 1.0])
    for weight in ([1.0, bad, 1.0], bad):
        with raises(ValueError, words):
            F.multilabel_soft_margin_loss(X, TARGET, weight)
        with raises(ValueError, words):
            nn.MultiLabelSoftMarginLoss(weight)


def test_a_reduction_in_the_place_of_the_weight_is_told_where_it_goes():
    with raises(TypeError, "weight must hold real numbers, got 'none'", "reduction='none'"):
        F.multilabel_soft_margin_loss(X, TARGET, "none")


def test_weights_that_are_no_real_numbers():
    with raises(TypeError, "weight must hold real numbers", "complex128"):
        F.multilabel_soft_margin_loss(X, TARGET, [1j, 2, 3])


def test_logits_that_are_no_floats():
    with raises(TypeError, "x must be float32, float64 or float16", "int64"):
        F.multilabel_soft_margin_loss(np.array([[1, 2, 3]]), [[0, 1, 0]])


@pytest.mark.parametrize("name", ["target", "weight"])
def test_a_constant_that_requires_a_gradient_is_refused(name):
    x = lucid.zeros(2, 3, requires_grad=True)
    arguments = {"target": lucid.zeros(2, 3), "weight": lucid.ones(3)}
    arguments[name].requires_grad_()
    with pytest.raises(ValueError, match=f"{name} must not require a gradient"):
        F.multilabel_soft_margin_loss(x, **arguments)
    with lucid.no_grad():
        F.multilabel_soft_margin_loss(x, **arguments)


INFINITE = [[-np.inf, 0.5, np.inf], [np.inf, -np.inf, np.inf], [np.inf, np.inf, -np.inf]]


def derivatives(x, target, weight=None, sample_weight=None):
    """The gradient of three times the loss, and its sum differentiated by scores and three."""
    x, factor = lucid.tensor(x, requires_grad=True), lucid.tensor([3.0], requires_grad=True)
    loss = factor * F.multilabel_soft_margin_loss(
        x, target, weight, "none", sample_weight=sample_weight
    )
    (gradient,) = lucid.grad(loss, [x], lucid.ones(loss.shape), create_graph=True)
    more = lucid.grad(gradient.sum(), [x, factor])
    return [part.detach().numpy() for part in (gradient, *more)]


@pytest.mark.parametrize("target", [[[1, 0, 0.5]], [[0, 1, np.nan]], Labels.from_lists([[1]], 3)])
@pytest.mark.parametrize("x", INFINITE)
def test_of_infinite_scores_derivatives_of_every_order_are_the_limits(x, target):
    found = derivatives([x], target)
    limits = derivatives([np.clip(x, -1e3, 1e3)], target)
    for derivative, limit in zip(found, limits, strict=True):
        np.testing.assert_allclose(derivative, limit)


def test_where_a_weight_of_0_meets_an_infinite_term_all_derivatives_are_nan():
    for derivative in derivatives([[-np.inf, 1.0]], [[1, 0]], [0.0, 1.0]):
        assert np.isnan(derivative).any()


def test_where_a_row_of_weight_0_has_an_infinite_loss_all_derivatives_are_0():
    for derivative in derivatives([[-np.inf, 1.0]], [[1, 0]], sample_weight=[0.0]):
        assert not derivative.any()

"""The soft margin loss of labels: what a multi-hot target gives, without making one."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid import Labels
from lucid.nn import functional as F
from lucid.testing import gradcheck, gradgradcheck

sparse = pytest.importorskip("scipy.sparse")

NUM_CLASSES = 6
LISTS = [[0, 4], [], [5, 2, 3], [1]]
LABELS = Labels.from_lists(LISTS, NUM_CLASSES)
MULTI_HOT = LABELS.to_multi_hot()
X = np.random.default_rng(0).standard_normal(MULTI_HOT.shape) * 3
REDUCTIONS = ["none", "sum", "mean"]

FORMS = {
    "Labels": LABELS,
    "bool array": MULTI_HOT,
    "Tensor of bools": lucid.tensor(MULTI_HOT),
    "csr_array": sparse.csr_array(MULTI_HOT),
    "csr_matrix of counts": sparse.csr_matrix(MULTI_HOT * 7),
    "csc_array": sparse.csc_array(MULTI_HOT),
    "coo_matrix": sparse.coo_matrix(MULTI_HOT),
    "lists": LISTS,
    "sets": [set(row) for row in LISTS],
}


def loss_and_gradient(x, target, weight=None, reduction="mean"):
    x = lucid.tensor(x, requires_grad=True)
    loss = F.multilabel_soft_margin_loss(x, target, weight, reduction)
    loss.backward(np.ones(loss.shape))
    return loss.detach().numpy(), x.grad.numpy()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("weight", [None, np.arange(1.0, 7.0)])
def test_every_form_of_labels_gives_what_numbers_give(form, reduction, weight):
    expected = loss_and_gradient(X, MULTI_HOT.astype(float), weight, reduction)
    found = loss_and_gradient(X, FORMS[form], weight, reduction)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-12, atol=1e-16)


def test_the_recorded_gradient_of_labels_given_twice_is_the_same():
    twice = Labels.from_lists([[1, 1, 3]], NUM_CLASSES)
    x = lucid.tensor(X[:1], requires_grad=True)
    (recorded,) = lucid.grad(F.multilabel_soft_margin_loss(x, twice), x, create_graph=True)
    expected = loss_and_gradient(X[:1], twice)[1]
    np.testing.assert_allclose(recorded.detach().numpy(), expected, rtol=1e-14)


def test_integers_zero_and_one_in_the_shape_of_the_logits_are_numbers_not_indices():
    expected = loss_and_gradient(X, MULTI_HOT.astype(float))
    found = loss_and_gradient(X, MULTI_HOT.astype(int))
    np.testing.assert_array_equal(found[0], expected[0])


@given(st.floats(-80, 80))
def test_the_loss_and_gradient_of_one_label_keep_their_digits(x):
    loss, gradient = loss_and_gradient(np.array([[x]]), Labels.from_lists([[0]], 1))
    assert loss == pytest.approx(np.log1p(np.exp(-x)), rel=1e-14, abs=0)
    assert gradient.item() == pytest.approx(-1 / (1 + np.exp(x)), rel=1e-14, abs=0)


@pytest.mark.parametrize("score", [-np.inf, np.inf])
@pytest.mark.parametrize("labelled", [False, True])
def test_an_infinite_logit_costs_nothing_on_the_right_side_and_everything_on_the_wrong_one(
    score, labelled
):
    target = Labels.from_lists([[0] if labelled else []], 1)
    loss, gradient = loss_and_gradient(np.array([[score]]), target)
    right = (score > 0) == labelled
    assert loss == (0 if right else np.inf)
    assert gradient.item() == (0 if right else np.copysign(1, score))


@pytest.mark.parametrize("labelled", [False, True])
def test_a_nan_logit_gives_nan_in_its_row_only(labelled):
    target = Labels.from_lists([[0] if labelled else [], []], 2)
    loss, _ = loss_and_gradient([[np.nan, 0.0], [0.0, 0.0]], target, None, "none")
    assert np.isnan(loss).tolist() == [True, False]


def test_no_array_of_the_shape_of_the_logits_is_made_but_the_gradient():
    x = lucid.zeros(2000, 1000, requires_grad=True)
    labels = Labels.from_lists([[n % 1000] for n in range(2000)], 1000)
    tracemalloc.start()
    try:
        F.multilabel_soft_margin_loss(x, labels).backward()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1.2 * x.detach().numpy().nbytes


@pytest.mark.parametrize("dtype", [int, float])
def test_a_target_of_signs_is_refused_with_the_way_to_give_it(dtype):
    target = np.where(MULTI_HOT, 1, -1).astype(dtype)
    with pytest.raises(ValueError, match=r"got -1.*use Labels\.from_multi_hot\(target > 0\)"):
        F.multilabel_soft_margin_loss(X, target)


def test_a_target_of_grades_is_refused_with_the_way_to_give_it():
    with pytest.raises(ValueError, match=r"got 3.*\(target > 0\); grades are not supported"):
        F.multilabel_soft_margin_loss(X, MULTI_HOT * 3)


def without_column(j, *arrays):
    return [np.delete(array, j, axis=-1) for array in arrays]


@pytest.mark.parametrize("weight", [None, np.arange(1.0, 7.0)])
def test_a_target_of_nan_is_unknown_as_if_its_column_were_deleted(weight):
    target = np.random.default_rng(1).random(X.shape)
    target[:, 2] = np.nan
    loss, gradient = loss_and_gradient(X, target, weight, "none")
    x, kept, weight = without_column(2, X, target, np.ones(6) if weight is None else weight)
    expected = loss_and_gradient(x, kept, weight, "none")
    np.testing.assert_allclose(loss, expected[0], rtol=1e-15)
    np.testing.assert_allclose(np.delete(gradient, 2, axis=1), expected[1], rtol=1e-14)
    assert (gradient[:, 2] == 0).all()


def test_classes_that_labels_call_unknown_are_as_targets_of_nan():
    target = MULTI_HOT.astype(float)
    target[0, [1, 2]] = target[2, 0] = target[3, [0, 5]] = np.nan
    expected = loss_and_gradient(X, target, None, "none")
    for a, b in zip(
        loss_and_gradient(X, Labels.from_multi_hot(target), None, "none"), expected, strict=True
    ):
        np.testing.assert_array_max_ulp(a, b, 2)


def test_where_nothing_is_known_loss_and_gradient_are_0():
    loss, gradient = loss_and_gradient([[3.0, np.nan]], [[np.nan, np.nan]])
    assert (loss, gradient.tolist()) == (0, [[0, 0]])


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_derivatives_where_some_targets_are_unknown(check):
    target = np.random.default_rng(1).random(X.shape)
    target[0, 1] = target[3, 4] = np.nan
    x = lucid.tensor(X, requires_grad=True)
    assert check(lambda x: F.multilabel_soft_margin_loss(x, target), [x])


@pytest.mark.parametrize("weight", [None, [1.0, 2.0, 3.0, 0.5]])
@pytest.mark.parametrize("target", [[1, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 1]])
def test_infinite_logits_give_the_same_for_numbers_as_for_labels(weight, target):
    x = np.array([[np.inf, -np.inf, 1.0, 2.0]])
    expected = loss_and_gradient(x, np.array([target], bool), weight)
    found = loss_and_gradient(x, np.array([target], float), weight)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-14)
    np.testing.assert_allclose(found[1], expected[1], rtol=1e-14)


@pytest.mark.parametrize("score", [np.inf, -np.inf])
def test_an_infinite_logit_for_a_target_between_the_sides_costs_everything(score):
    assert loss_and_gradient([[score]], [[0.5]])[0] == np.inf


def test_a_nan_logit_stays_nan_beside_infinite_ones():
    loss, _ = loss_and_gradient([[np.inf, np.nan], [np.inf, 0]], [[1, 0], [1, 0]], None, "none")
    assert np.isnan(loss).tolist() == [True, False]


def test_lists_that_are_all_empty_are_labels():
    expected = loss_and_gradient(X, np.zeros_like(X))
    np.testing.assert_allclose(loss_and_gradient(X, [[]] * len(X))[0], expected[0], rtol=1e-14)


@pytest.mark.parametrize("target", [[[0.5], []], [["a"], []]])
def test_ragged_labels_that_are_no_integers_are_named(target):
    with pytest.raises(TypeError, match="target must hold integers"):
        F.multilabel_soft_margin_loss(X[:2], target)


def test_ragged_weights_are_named():
    with pytest.raises(ValueError, match="weight must have rows of one length"):
        F.multilabel_soft_margin_loss(X, LABELS, [[1.0], [1.0, 2.0]])

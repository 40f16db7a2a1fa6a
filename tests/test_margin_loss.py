"""The multi-label margin loss: known values, and what each kind of input means."""

import warnings

import numpy as np
import oracle
import pytest
from hypothesis import given
from hypothesis import strategies as st
from losses import LAYOUTS
from problems import SEGMENT

import lucid
import lucid.testing
from lucid import multilabel_margin, nn
from lucid.losses.margin import MARGIN
from lucid.nn import functional as F

X = np.array([[0.1, 0.5, 0.3, 0.8, 0.2], [1.0, -0.5, 0.0, 0.25, 0.75]])
TARGET = np.array([[0, 3, -1], [2, -1, -1]])
REDUCTIONS = ["none", "sum", "mean"]


def assert_exact(x, target, reduction):
    """The loss and gradient of `x` are those of the oracle, in the dtype of `x`."""
    loss, gradient = multilabel_margin(x, target, reduction)
    rows = oracle.rows_of(np.atleast_2d(x), np.atleast_2d(target))
    assert loss.dtype == gradient.dtype == x.dtype
    assert gradient.shape == x.shape
    assert oracle.loss_ulps(loss, rows, reduction) <= 1
    assert oracle.gradient_ulps(np.atleast_2d(gradient), rows, reduction) <= 1


# Known values.


def test_one_sample_with_two_labels():
    criterion = nn.MultilabelMarginLoss()
    scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    target = lucid.tensor([[0, 3, -1, -1, -1]])
    assert criterion(scores, target).item() == np.float32(1.06)


def test_batch_of_two_samples():
    criterion = nn.MultilabelMarginLoss(reduction="sum")
    scores = lucid.tensor([[1.0, 0.5, 0.2], [0.3, 0.9, 0.4]])
    target = lucid.tensor([[0, -1, -1], [1, 2, -1]])
    assert criterion(scores, target).item() == pytest.approx(2 / 3, rel=1e-7)


def test_labels_at_the_lowest_indices():
    loss = F.multilabel_margin_loss([[1.0, 0.5, -0.3, 0.2]], [[0, 1, -1, -1]])
    assert loss.item() == np.float32(0.275)


@pytest.mark.parametrize("form", [list, np.array])
def test_a_label_after_the_first_minus_one_is_no_label(form):
    target = form([[3, 0, -1, 1]])
    with pytest.warns(UserWarning, match="row 0 is .*what stands after its first -1 is ignored"):
        loss = F.multilabel_margin_loss([[0.1, 0.2, 0.4, 0.8]], target)
    assert loss.item() == pytest.approx(0.85, rel=1e-7)


def test_gradient_by_hand():
    # Of label 0 (threshold -0.5) scores 1 and 2 come within the margin; of label 3 (1.0) score 2.
    x = np.array([[0.5, 0.25, 2.0, 2.0, -1.0]])
    _, gradient = multilabel_margin(x, [[0, 3]])
    np.testing.assert_array_equal(gradient, [[-0.4, 0.2, 0.4, -0.2, 0.0]])


# The target.


@pytest.mark.parametrize("width", [2, 3, 5, 9])
def test_the_loss_divides_by_the_classes_whatever_the_width_of_the_target(width):
    target = np.full((1, width), -1)
    target[0, :2] = [0, 3]
    assert F.multilabel_margin_loss(X[:1], target).item() == pytest.approx(1.06, rel=1e-15)


def test_a_target_of_no_columns_has_no_labels():
    loss, gradient = multilabel_margin(X, np.empty((2, 0), np.int64), "none")
    assert loss.tolist() == [0, 0]
    assert not gradient.any()


@pytest.mark.parametrize("beyond", [5, 2**40, -7])
def test_what_stands_after_the_first_minus_one_need_not_be_a_label(beyond):
    with pytest.warns(UserWarning, match="is ignored"):
        loss, _ = multilabel_margin(X[:1], [[0, 3, -1, beyond]])
    assert loss == multilabel_margin(X[:1], [[0, 3]])[0]


def test_a_target_may_end_without_a_minus_one():
    assert_exact(X, np.array([[0, 3], [2, 1]]), "none")


@pytest.mark.parametrize("labels", [[0, 3, 0], [1, 1, 1, 1], list(range(0, 40)) * 2])
def test_a_label_given_twice_is_still_no_negative(labels):
    x = np.random.default_rng(0).standard_normal((1, 50))
    assert_exact(x, np.array([labels]), "sum")


@pytest.mark.parametrize("score", [0.5, 1e-3, 1e4, -7.25])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pair_exactly_at_the_margin_is_inactive(score, dtype):
    label = np.array(score, dtype)
    x = np.array([[label, label - label.dtype.type(1)]])
    loss, gradient = multilabel_margin(x, [[0]])
    assert loss == 0
    assert not gradient.any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_pair_one_float_within_the_margin_is_active(dtype):
    beside = np.nextafter(np.array(-0.5, dtype), np.array(1, dtype))
    loss, gradient = multilabel_margin(np.array([[0.5, beside]], dtype), [[0]])
    assert loss > 0
    assert gradient.tolist() == [[-0.5, 0.5]]


# What labels and scores may be.


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_labels_of_every_integer_dtype_and_byte_order(dtype, order):
    target = np.array([[0, 3], [2, 4]]).astype(np.dtype(dtype).newbyteorder(order))
    assert_exact(X, target, "none")


@pytest.mark.parametrize("dtype", ["i1", "i4", ">i8"])
def test_minus_one_ends_a_row_in_every_signed_dtype(dtype):
    assert_exact(X, TARGET.astype(dtype), "none")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_labels_in_every_memory_layout(layout, dtype):
    assert_exact(X, LAYOUTS[layout](TARGET.astype(dtype)), "none")


@pytest.mark.parametrize("form", ["ragged lists", "bool multi-hot", "sets"])
def test_one_row_without_a_batch_axis_takes_its_labels_in_that_form_too(form):
    labels = {
        "ragged lists": [0, 3],
        "bool multi-hot": np.array([True, False, False, True, False]),
        "sets": [0, 3, -1],
    }[form]
    assert F.multilabel_margin_loss(X[0], labels).item() == pytest.approx(1.06, rel=1e-15)


def test_both_spellings_are_one_class():
    assert nn.MultiLabelMarginLoss is nn.MultilabelMarginLoss


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("target", [[0, 1, -1], [0, 0, 1, -1]])
def test_the_gradient_of_a_label_without_active_scores_is_no_negative_zero(
    dtype, target, cpu_level
):
    _, gradient = multilabel_margin(np.array([2, 2, -3], dtype), target)
    assert not gradient.any()
    assert not np.signbit(gradient).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_label_that_is_given_more_often_than_float32_counts(dtype):
    times = 2**24 + 1
    x = np.array([[0, 0.5, -3]], dtype)
    _, gradient = multilabel_margin(x, np.zeros((1, times), int), "none")
    expected = np.array([-times, times, 0]) / 3
    assert np.array_equal(gradient[0], expected.astype(dtype))


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("column", [0, SEGMENT, 2 * SEGMENT, 3 * SEGMENT - 1])
def test_a_label_given_twice_counts_twice_wherever_threads_share_its_row(column, threads):
    lucid.set_num_threads(threads)
    x = np.zeros((1, 3 * SEGMENT))
    _, gradient = multilabel_margin(x, np.array([[column, column]]), "sum")
    expected = np.full_like(x, 2 / x.size)
    expected[0, column] = -2 * (x.size - 1) / x.size
    assert np.array_equal(gradient, expected)


def test_an_option_may_be_a_property_of_a_subclass():
    class Annealed(nn.MultilabelMarginLoss):
        @property
        def margin(self):
            return self.half * 2

        @margin.setter
        def margin(self, value):
            self.half = value / 2

    loss, x = Annealed(margin=2.0), np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    assert loss(x, [[0, 3]]).item() == nn.MultilabelMarginLoss(margin=2.0)(x, [[0, 3]]).item()
    loss.margin = 0.5
    assert loss(x, [[0, 3]]).item() == nn.MultilabelMarginLoss(margin=0.5)(x, [[0, 3]]).item()


def test_an_option_that_is_deleted_is_the_default_again():
    criterion = nn.MultilabelMarginLoss(margin=3.0, weight=[1.0, 5.0, 1.0])
    del criterion.margin, criterion.weight
    x, target = [[0.1, 0.2, 0.3]], [[1]]
    assert criterion(x, target).item() == nn.MultilabelMarginLoss()(x, target).item()
    assert (criterion.margin, criterion.weight) == (1.0, None)


def test_a_reduction_that_is_not_a_word_is_refused_in_words():
    with pytest.raises(ValueError, match="reduction must be 'none', 'mean' or 'sum', got array"):
        lucid.multilabel_margin([[0.0, 1.0]], [[0]], np.array(["mean", "sum"]))


# The fast path.


def outcome(compute, *arguments):
    """What a call returns or says, in a form that can be compared."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            loss, gradient = compute(*arguments)
        except (TypeError, ValueError) as error:
            return type(error), str(error)
    return loss.tobytes(), gradient.tobytes(), [str(each.message) for each in caught]


@given(st.data())
def test_the_fast_path_returns_and_says_what_the_closer_look_does(data):
    classes = data.draw(st.integers(1, 5))
    width = data.draw(st.sampled_from([classes, classes - 1, 2]))
    entry = st.integers(-1, data.draw(st.integers(0, classes)))
    row = st.lists(entry, min_size=width, max_size=width)
    rows = data.draw(st.lists(row, min_size=1, max_size=3))
    x = np.linspace(-1, 1, len(rows) * classes).reshape(len(rows), classes)
    arguments = x, np.array(rows).reshape(len(rows), width), "mean", None, {}, True
    assert outcome(MARGIN.compute, *arguments) == outcome(MARGIN.compute_carefully, *arguments)


@pytest.mark.parametrize("row", [[0], [1], [0, 1], [1, 0]])
def test_labels_of_the_first_two_classes_take_the_fast_path_in_the_form_of_pytorch(row):
    padded = np.array([row + [-1] * (5 - len(row))])
    assert MARGIN.fast_path.solve(X[:1], padded, "mean", None, {}, False) is not None

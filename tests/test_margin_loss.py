"""The multi-label margin loss: known values, and what each kind of input means."""

import copy
import pickle

import numpy as np
import oracle
import pytest
from problems import SEGMENT

import lucid
import lucid.testing
from lucid import nn
from lucid.labels import Labels
from lucid.losses.margin import multilabel_margin
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


def test_a_label_after_the_first_minus_one_is_no_label():
    with pytest.warns(UserWarning, match="row 0 is .*what stands after its first -1 is ignored"):
        loss = F.multilabel_margin_loss([[0.1, 0.2, 0.4, 0.8]], [[3, 0, -1, 1]])
    assert loss.item() == pytest.approx(0.85, rel=1e-7)


def test_gradient_by_hand():
    # Of label 0 (threshold -0.5) scores 1 and 2 come within the margin; of label 3 (1.0) score 2.
    x = np.array([[0.5, 0.25, 2.0, 2.0, -1.0]])
    _, gradient = multilabel_margin(x, [[0, 3]])
    np.testing.assert_array_equal(gradient, [[-0.4, 0.2, 0.4, -0.2, 0.0]])


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize(
    ("rows", "classes", "labels"), [(1, 5, 2), (8, 33, 4), (3, 700, 90), (1, 40_000, 30)]
)
def test_loss_and_gradient_are_those_of_the_oracle(
    rows, classes, labels, threads, dtype, reduction, cpu_level
):
    rng = np.random.default_rng(classes)
    x = rng.standard_normal((rows, classes)).astype(dtype)
    target = np.array([rng.choice(classes, labels, replace=False) for _ in range(rows)])
    lucid.set_num_threads(threads)
    assert_exact(x, target, reduction)


# Shapes.


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_one_row_without_a_batch_axis_gives_a_number(reduction):
    x, target = X[0], TARGET[0]
    assert F.multilabel_margin_loss(x, target, reduction).shape == ()
    assert_exact(x, target, reduction)


def test_no_reduction_gives_a_loss_for_each_row():
    loss = F.multilabel_margin_loss(X, TARGET, "none")
    assert loss.shape == (2,)
    assert loss.tolist() == [
        F.multilabel_margin_loss(X[0], TARGET[0]).item(),
        F.multilabel_margin_loss(X[1], TARGET[1]).item(),
    ]


def test_sum_adds_the_rows():
    rows = F.multilabel_margin_loss(X, TARGET, "none").tolist()
    assert F.multilabel_margin_loss(X, TARGET, "sum").item() == pytest.approx(sum(rows), rel=1e-15)


def test_mean_divides_by_the_number_of_rows():
    total = F.multilabel_margin_loss(X, TARGET, "sum").item()
    assert F.multilabel_margin_loss(X, TARGET, "mean").item() == total / 2


def test_mean_of_one_row_without_a_batch_axis_divides_by_one():
    total = F.multilabel_margin_loss(X[0], TARGET[0], "sum").item()
    assert F.multilabel_margin_loss(X[0], TARGET[0], "mean").item() == total


@pytest.mark.parametrize("width", [2, 3, 5, 9])
def test_the_loss_divides_by_the_classes_whatever_the_width_of_the_target(width):
    target = np.full((1, width), -1)
    target[0, :2] = [0, 3]
    assert F.multilabel_margin_loss(X[:1], target).item() == pytest.approx(1.06, rel=1e-15)


def test_a_target_of_no_columns_has_no_labels():
    loss, gradient = multilabel_margin(X, np.empty((2, 0), np.int64), "none")
    assert loss.tolist() == [0, 0]
    assert not gradient.any()


# Labels.


@pytest.mark.parametrize("beyond", [5, 2**40, -7])
def test_what_stands_after_the_first_minus_one_need_not_be_a_label(beyond):
    with pytest.warns(UserWarning, match="is ignored"):
        loss, _ = multilabel_margin(X[:1], [[0, 3, -1, beyond]])
    assert loss == multilabel_margin(X[:1], [[0, 3]])[0]


def test_a_target_may_end_without_a_minus_one():
    assert_exact(X, np.array([[0, 3], [2, 1]]), "none")


def test_a_label_given_twice_counts_twice():
    loss, gradient = multilabel_margin(X[:1], [[0, 0]], "sum")
    once, gradient_once = multilabel_margin(X[:1], [[0]], "sum")
    assert loss == 2 * once
    np.testing.assert_array_equal(gradient, 2 * gradient_once)


@pytest.mark.parametrize("labels", [[0, 3, 0], [1, 1, 1, 1], list(range(0, 40)) * 2])
def test_a_label_given_twice_is_still_no_negative(labels):
    x = np.random.default_rng(0).standard_normal((1, 50))
    assert_exact(x, np.array([labels]), "sum")


@pytest.mark.parametrize("order", [[4, 1, 2], [2, 4, 1], [1, 2, 4]])
def test_the_order_of_the_labels_does_not_matter(order):
    loss, gradient = multilabel_margin(X, [order, order], "none")
    sorted_loss, sorted_gradient = multilabel_margin(X, [sorted(order)] * 2, "none")
    np.testing.assert_array_equal(loss, sorted_loss)
    np.testing.assert_array_equal(gradient, sorted_gradient)


def test_a_row_without_a_label_has_no_loss():
    loss, gradient = multilabel_margin(X, [[-1, -1], [2, -1]], "none")
    assert loss[0] == 0 < loss[1]
    assert not gradient[0].any()
    assert gradient[1].any()


@pytest.mark.parametrize("classes", [1, 3, 5, 40])
def test_a_row_of_labels_only_has_no_loss(classes):
    x = np.random.default_rng(0).standard_normal((1, classes))
    loss, gradient = multilabel_margin(x, [list(range(classes))])
    assert loss == 0
    assert not gradient.any()


def test_a_batch_of_no_rows():
    x, target = np.empty((0, 5), np.float32), np.empty((0, 5), np.int64)
    assert F.multilabel_margin_loss(x, target, "sum").item() == 0
    assert np.isnan(F.multilabel_margin_loss(x, target, "mean").item())
    assert F.multilabel_margin_loss(x, target, "none").shape == (0,)
    assert multilabel_margin(x, target, "mean")[1].shape == (0, 5)


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


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
def test_scores_of_every_float_dtype_and_byte_order(dtype, order):
    x = X.astype(dtype)
    loss, gradient = multilabel_margin(x.astype(x.dtype.newbyteorder(order)), TARGET, "none")
    expected_loss, expected_gradient = multilabel_margin(x, TARGET, "none")
    assert loss.dtype == gradient.dtype == x.dtype
    np.testing.assert_array_equal(loss, expected_loss)
    np.testing.assert_array_equal(gradient, expected_gradient)


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    assert not memory.flags.aligned
    return memory


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


LAYOUTS = {
    "Fortran order": np.asfortranarray,
    "every other column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "unaligned": unaligned,
    "read-only": read_only,
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_scores_in_every_memory_layout(layout, dtype):
    assert_exact(LAYOUTS[layout](X.astype(dtype)), TARGET, "none")


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["int32", "int64"])
def test_labels_in_every_memory_layout(layout, dtype):
    assert_exact(X, LAYOUTS[layout](TARGET.astype(dtype)), "none")


def test_inputs_are_not_changed():
    x, target = X.copy(), TARGET.copy()
    multilabel_margin(x, target)
    np.testing.assert_array_equal(x, X)
    np.testing.assert_array_equal(target, TARGET)


FORMS = {
    "lists": lambda t: t.tolist(),
    "tuples": lambda t: tuple(map(tuple, t.tolist())),
    "ragged lists": lambda t: [oracle.labels_of(row) for row in t],
    "sets": lambda t: [set(oracle.labels_of(row)) for row in t],
    "bool multi-hot": lambda t: Labels.from_padded(t, 5).to_multi_hot(),
    "Tensor": lucid.tensor,
    "Tensor of bools": lambda t: lucid.tensor(Labels.from_padded(t, 5).to_multi_hot()),
    "Labels": lambda t: Labels.from_padded(t, 5),
}


@pytest.mark.parametrize("form", FORMS)
def test_every_form_of_labels_means_the_same(form):
    loss = F.multilabel_margin_loss(X, FORMS[form](TARGET), "none")
    assert loss.tolist() == F.multilabel_margin_loss(X, TARGET, "none").tolist()


@pytest.mark.parametrize("form", ["csr_array", "csr_matrix", "coo_array", "csc_matrix"])
def test_sparse_matrices_of_labels_mean_the_same(form):
    sparse = pytest.importorskip("scipy.sparse")
    matrix = getattr(sparse, form)(Labels.from_padded(TARGET, 5).to_multi_hot())
    loss = F.multilabel_margin_loss(X, matrix, "none")
    assert loss.tolist() == F.multilabel_margin_loss(X, TARGET, "none").tolist()


@pytest.mark.parametrize("form", ["ragged lists", "bool multi-hot", "sets"])
def test_one_row_without_a_batch_axis_takes_its_labels_in_that_form_too(form):
    labels = {
        "ragged lists": [0, 3],
        "bool multi-hot": np.array([True, False, False, True, False]),
        "sets": [0, 3, -1],
    }[form]
    assert F.multilabel_margin_loss(X[0], labels).item() == pytest.approx(1.06, rel=1e-15)


def test_lists_of_scores_become_a_tensor_as_lucid_tensor_makes_it():
    assert F.multilabel_margin_loss(X.tolist(), TARGET).dtype == np.float32


# The tensor.


@pytest.mark.parametrize("reduction", REDUCTIONS)
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_backward_gives_the_gradient_in_the_dtype_of_the_scores(reduction, dtype):
    x = lucid.tensor(X, dtype, requires_grad=True)
    loss = F.multilabel_margin_loss(x, TARGET, reduction)
    loss.backward(np.ones(loss.shape, dtype))
    expected = multilabel_margin(X.astype(dtype), TARGET, reduction)
    assert loss.dtype == x.grad.dtype == dtype
    np.testing.assert_array_equal(loss.detach().numpy(), expected[0])
    np.testing.assert_array_equal(x.grad.numpy(), expected[1])


def test_the_gradient_scales_with_what_comes_after():
    x = lucid.tensor(X, requires_grad=True)
    (F.multilabel_margin_loss(x, TARGET) * -3.0).backward()
    _, gradient = multilabel_margin(X, TARGET)
    np.testing.assert_allclose(x.grad.numpy(), -3 * gradient, rtol=1e-15)


def test_a_float16_gradient_too_small_for_it_can_be_scaled_up():
    x = lucid.zeros(64, 3000, dtype=lucid.float16, requires_grad=True)
    loss = F.multilabel_margin_loss(x, np.zeros((64, 1), int))
    (loss.to(lucid.float32) * 4096).backward()  # without it, 1 / (64 * 3000) in steps of 6e-8
    assert x.grad[0, 1].item() == np.float16(4096 / (64 * 3000))


def test_each_row_takes_its_own_upstream_gradient():
    x = lucid.tensor(X, requires_grad=True)
    F.multilabel_margin_loss(x, TARGET, "none").backward(np.array([2.0, -1.0]))
    _, gradient = multilabel_margin(X, TARGET, "none")
    np.testing.assert_array_equal(x.grad.numpy(), [[2.0], [-1.0]] * gradient)


def test_a_second_backward_adds_the_same_gradient_again():
    x = lucid.tensor(X, requires_grad=True)
    loss = F.multilabel_margin_loss(x, TARGET)
    loss.backward(retain_graph=True)
    loss.backward()
    np.testing.assert_array_equal(x.grad.numpy(), 2 * multilabel_margin(X, TARGET)[1])


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_second_derivative_is_zero(reduction):
    x = lucid.tensor(X, requires_grad=True)
    loss = F.multilabel_margin_loss(x, TARGET, reduction).sum()
    (gradient,) = lucid.grad(loss, x, create_graph=True)
    (second,) = lucid.grad((gradient * gradient).sum(), x)
    assert second.numpy().tolist() == np.zeros(X.shape).tolist()


def test_the_gradient_can_be_differentiated_by_what_comes_after():
    x = lucid.tensor(X, requires_grad=True)
    scale = lucid.tensor(2.0, "float64", requires_grad=True)
    (gradient,) = lucid.grad(scale * F.multilabel_margin_loss(x, TARGET), x, create_graph=True)
    (slope,) = lucid.grad((gradient * X).sum(), scale)
    assert slope.item() == pytest.approx((multilabel_margin(X, TARGET)[1] * X).sum(), rel=1e-14)


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_gradcheck_away_from_kinks(reduction):
    x = lucid.tensor(X + 1e-3 * np.arange(10).reshape(2, 5), requires_grad=True)
    assert lucid.testing.gradcheck(lambda x: F.multilabel_margin_loss(x, TARGET, reduction), [x])


def test_scores_that_require_no_gradient_give_a_loss_that_requires_none():
    assert not F.multilabel_margin_loss(lucid.tensor(X), TARGET).requires_grad


def test_under_no_grad_the_loss_requires_no_gradient():
    x = lucid.tensor(X, requires_grad=True)
    with lucid.no_grad():
        assert not F.multilabel_margin_loss(x, TARGET).requires_grad


# The module.


def test_the_default_reduction_is_the_mean():
    assert nn.MultilabelMarginLoss().reduction == "mean"


def test_both_spellings_are_one_class():
    assert nn.MultiLabelMarginLoss is nn.MultilabelMarginLoss


@pytest.mark.parametrize("reduction", REDUCTIONS)
def test_the_module_calls_the_function(reduction):
    loss = nn.MultilabelMarginLoss(reduction)(X, TARGET)
    np.testing.assert_array_equal(loss, F.multilabel_margin_loss(X, TARGET, reduction))


def test_the_module_prints_its_options():
    assert repr(nn.MultilabelMarginLoss("sum")) == "MultilabelMarginLoss(reduction='sum')"
    assert nn.MultilabelMarginLoss().extra_repr() == "reduction='mean'"


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_the_module_can_be_copied(copied):
    assert copied(nn.MultilabelMarginLoss("sum")).reduction == "sum"


def test_the_module_has_no_parameters():
    assert list(nn.MultilabelMarginLoss().parameters()) == []


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

"""Wrong input to the margin loss: each gets an error that says what came and what is wanted."""

import re

import numpy as np
import pytest

import lucid
from lucid import multilabel_margin, nn
from lucid.labels import Labels
from lucid.nn import functional as F

X = np.zeros((2, 3), np.float32)
TARGET = np.array([[0, -1], [1, 2]])


def raises(error, *parts):
    return pytest.raises(error, match=".*".join(map(re.escape, parts)))


# Labels out of range.

BAD_LABELS = [3, -2, 2**32 + 2, 2**32 - 1, 2**63 - 1, -(2**63), 2**31, -(2**32)]


@pytest.mark.parametrize("label", BAD_LABELS)
@pytest.mark.parametrize("target", [[[0, 1], [2, None]], [[0, -1], [1, None]]])
def test_a_label_out_of_range_is_named_with_its_row_and_place(target, label):
    target = [[label if entry is None else entry for entry in row] for row in target]
    with raises(ValueError, f"target: label {label} in row 1, column 1", "expected 0 <= label < 3"):
        multilabel_margin(X, np.array(target, np.int64))


@pytest.mark.parametrize(
    ("dtype", "label"),
    [
        ("int8", 127),
        ("int8", -128),
        ("uint8", 255),
        ("int32", -(2**31)),
        ("uint32", 2**32 - 1),
        ("uint64", 2**64 - 1),
        ("uint64", 2**63),
        (">i8", 3),
        (">u2", 3),
    ],
)
def test_a_label_out_of_range_of_every_dtype(dtype, label):
    target = np.zeros((2, 2), dtype)
    target[1, 0] = label
    target[1, 1] = 1
    with raises(ValueError, f"target: label {label} in row 1, column 0"):
        multilabel_margin(X, target)


@pytest.mark.parametrize("target", [[[1, 0], [10**30, 1]], [[1], [10**30, 1]]])
def test_a_label_that_no_dtype_holds_is_out_of_range(target):
    with raises(ValueError, "target must hold integers in the range of int64, got 1" + 30 * "0"):
        multilabel_margin(X, target)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("shape", [(400, 200), (1, 90_000), (2, 50_000)])
def test_a_label_out_of_range_is_found_by_every_thread(shape, threads, cpu_level):
    x = np.zeros(shape, np.float32)
    target = np.zeros((shape[0], 3), np.int64)
    target[-1, 2] = shape[1]
    lucid.set_num_threads(threads)
    with raises(ValueError, f"label {shape[1]} in row {shape[0] - 1}, column 2"):
        multilabel_margin(x, target)


def test_the_first_bad_label_is_named():
    with raises(ValueError, "target: label 9 in row 0, column 1"):
        multilabel_margin(X, [[0, 9], [7, 8]])


def test_labels_counted_from_one_are_suspected():
    with raises(ValueError, "label 3 in row 1", "labels count from 0"):
        multilabel_margin(X, [[1, 2], [3, 1]])


def test_a_bad_label_of_a_row_without_a_batch_axis():
    with raises(ValueError, "target: label 3 in row 0, column 0", "expected 0 <= label < 3"):
        multilabel_margin(X[0], [3])


# Labels of the wrong kind.


@pytest.mark.parametrize("dtype", ["float32", "float64", "complex128", "datetime64[s]", "S1", "O"])
def test_labels_that_are_no_integers(dtype):
    with raises(TypeError, "target must hold integer class indices", f"got {np.dtype(dtype)}"):
        multilabel_margin(X, np.zeros((2, 2)).astype(dtype))


def test_structures_are_no_integers_even_with_one_field():
    with raises(TypeError, "target must hold integer class indices", "got [('class', '<i8')]"):
        multilabel_margin(X, np.zeros((2, 2), dtype=[("class", "<i8")]))


def test_an_array_of_lists_is_sent_to_its_constructor():
    rows = np.array([[0], [1, 2]], dtype=object)
    with raises(TypeError, "got object; lists of labels go through Labels.from_lists"):
        multilabel_margin(X, rows)


@pytest.mark.parametrize("target", [None, "ab", object()])
def test_a_target_that_is_no_array(target):
    with raises(TypeError, "target must hold integer class indices"):
        multilabel_margin(X, target)


def test_floats_among_ragged_lists():
    with raises(TypeError, "target must hold integers, got float64"):
        multilabel_margin(X, [[0.0, 1.0], [1.0]])


def test_integers_that_look_multi_hot_are_refused():
    with raises(ValueError, "row 0 is [1, 0, 1]", "pass them as bool or through Labels"):
        multilabel_margin(X, [[1, 0, 1], [0, 1, 0]])


def test_integers_that_may_be_multi_hot_are_doubted():
    with pytest.warns(UserWarning, match="row 0 is .0, 1.: if they are multi-hot"):
        multilabel_margin(np.zeros((1, 2)), [[0, 1]])


DOORS = {
    "arrays": multilabel_margin,
    "function": F.multilabel_margin_loss,
    "module": nn.MultilabelMarginLoss(),
    "linear layer": lambda x, t: F.linear_multilabel_margin_loss(x, np.eye(4), None, t),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("dtype", ["int64", "int32"])
@pytest.mark.parametrize(
    "target",
    [
        [[1, 0, 0, 1], [0, 1, 0, 0]],
        [[1, -1, 1, -1], [-1, 1, 1, -1]],
        [[1, 1, -1, -1], [1, -1, -1, -1]],
        [[-1, -1, -1, 1], [-1, -1, 1, -1]],
        [[0, 1, 0, 1], [1, 0, -1, 0]],
        [[3, 2, 0, 0], [1, 0, 2, 3]],
    ],
    ids=["0 and 1", "signs", "signs that end", "signs far on", "unknown", "grades"],
)
def test_a_target_as_wide_as_the_classes_that_cannot_be_indices_is_refused(door, dtype, target):
    with raises(ValueError, "target cannot be class indices", "Labels.from_multi_hot"):
        DOORS[door](np.zeros((2, 4)), np.array(target, dtype))


@pytest.mark.parametrize("door", DOORS)
def test_a_target_of_one_row_is_doubted_without_a_batch_axis_too(door):
    with raises(ValueError, "target cannot be class indices", "use Labels.from_multi_hot(target >"):
        DOORS[door](np.zeros(4), [1, -1, -1, 1])


@pytest.mark.filterwarnings("ignore:row . is .*ignored")
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("padded", "lists"),
    [
        ([[0, 1, -1, -1], [1, -1, -1, -1]], [[0, 1], [1]]),
        ([[1, 1, -1, -1], [3, -1, -1, -1]], [[1, 1], [3]]),
        ([[3, 0, -1, 1], [2, -1, -1, -1]], [[3, 0], [2]]),
        ([[3, -1, 0, 0], [2, 1, -1, 0]], [[3], [2, 1]]),
        ([[3, 1, 2, 0], [-1, -1, -1, -1]], [[3, 1, 2, 0], []]),
        ([[1, 1, -1], [1, -1, 1]], [[1, 1], [1]]),
        ([[1, 0, 1], [0, 0, 1]], [[1, 0, 1], [0, 0, 1]]),
    ],
)
def test_a_target_that_can_be_indices_is_read_as_such(door, padded, lists):
    x = np.arange(8.0).reshape(2, 4)
    found = DOORS[door](x, np.array(padded))
    expected = DOORS[door](x, Labels.from_lists(lists, 4))
    np.testing.assert_array_equal(*(r[0] if isinstance(r, tuple) else r for r in (found, expected)))


@pytest.mark.parametrize(
    ("target", "hint"),
    [
        ([[1.0, 0.0, 1.0]], "pass them as bool"),
        ([[1.0, -1.0, 1.0]], "use Labels.from_multi_hot(target > 0)"),
        ([[2.0, 0.0, -1.0]], "if they are class indices, convert them with int"),
    ],
)
def test_what_a_target_of_whole_floats_was_meant_as_is_guessed(target, hint):
    with raises(TypeError, "got float64", hint):
        multilabel_margin(np.zeros((1, 3)), target)


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    ("target", "message"),
    [
        ([[0, 1], [2, 4]], "target: label 4 in row 1, column 1 is out of range"),
        ([[0], [2, 4]], "target: label 4 in row 1, position 1 is out of range"),
        (Labels.from_lists([[0], [1]], 5), "target: labels of shape (2, 5)"),
    ],
)
def test_errors_about_labels_name_the_target(door, target, message):
    with raises(ValueError, message):
        DOORS[door](np.zeros((2, 4)), target)


def test_a_multi_hot_target_of_the_wrong_width():
    with raises(ValueError, "(2, 4)", "(2, 3)"):
        multilabel_margin(X, np.zeros((2, 4), np.bool_))


@pytest.mark.parametrize(("rows", "classes"), [(2, 4), (3, 3), (1, 3)])
def test_labels_of_other_rows_or_classes(rows, classes):
    labels = Labels.from_lists([[0]] * rows, classes)
    with raises(ValueError, f"({rows}, {classes})", "(2, 3)"):
        multilabel_margin(X, labels)


def test_ragged_lists_of_too_many_rows():
    with raises(ValueError, "(3, 3)", "(2, 3)"):
        multilabel_margin(X, [[0], [1, 2], []])


# Shapes.


@pytest.mark.parametrize(
    ("x_shape", "target_shape"),
    [
        ((2, 3), (3,)),
        ((2, 3), (1, 3)),
        ((2, 3), (2, 3, 1)),
        ((2, 3), ()),
        ((2, 3), (0, 3)),
        ((0, 3), (2, 3)),
        ((3,), (1, 3)),
    ],
)
def test_shapes_that_do_not_fit_are_both_shown(x_shape, target_shape):
    with raises(ValueError, f"target {target_shape}", f"x {x_shape}"):
        multilabel_margin(np.zeros(x_shape), np.zeros(target_shape, np.int64))


def test_a_transposed_target_is_recognised():
    with raises(ValueError, "target (3, 2)", "x (2, 3)", "target.T fits"):
        multilabel_margin(X, TARGET.repeat(2, axis=0)[:3])


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 0)])
def test_scores_of_no_class(shape):
    with raises(ValueError, "x must have from 1 to 2**31 - 1 classes", str(shape)):
        multilabel_margin(np.zeros(shape), np.zeros(shape, np.int64))


def test_scores_of_more_classes_than_can_be_counted():
    x = np.broadcast_to(np.float32(0), (1, 2**31))
    with raises(ValueError, "x must have from 1 to 2**31 - 1 classes", str(x.shape)):
        multilabel_margin(x, [[0]])


# Scores of the wrong kind.


@pytest.mark.parametrize("dtype", ["int64", "uint8", "bool", "complex64", "longdouble", "O", "U1"])
def test_scores_that_are_no_floats(dtype):
    with raises(TypeError, "x must be float32, float64 or float16", str(np.dtype(dtype))):
        multilabel_margin(np.zeros((2, 3)).astype(dtype), TARGET)


def test_a_tensor_of_integers():
    with raises(TypeError, "x must be float32, float64 or float16", "int64"):
        F.multilabel_margin_loss(lucid.tensor([[1, 2, 3], [4, 5, 6]]), TARGET)


# The reduction.


# After an error.


def test_an_error_leaves_the_next_call_as_it_was():
    expected = multilabel_margin(X, TARGET, "none")
    with raises(ValueError, "label 3"):
        multilabel_margin(X, [[0, 1], [2, 3]])
    loss, gradient = multilabel_margin(X, TARGET, "none")
    np.testing.assert_array_equal(loss, expected[0])
    np.testing.assert_array_equal(gradient, expected[1])


def test_the_error_of_the_user_is_not_buried_under_that_of_the_kernel():
    with raises(ValueError, "label 3 in row 0") as caught:
        multilabel_margin(X, [[3, -1], [1, -1]])
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


@pytest.mark.parametrize("names", [["a", "b"], [["a"], ["b"]], [["a", "b"], []]])
def test_names_of_classes_are_told_where_they_go(names):
    with raises(TypeError, "target must hold integer", "MultiLabelBinarizer"):
        multilabel_margin(X, names)


def test_ragged_scores_are_named():
    with raises(ValueError, "x must have rows of one length"):
        multilabel_margin([[1.0, 2.0], [3.0]], [[0], [0]])


def test_sparse_scores_are_sent_to_the_linear_layer():
    sparse = pytest.importorskip("scipy.sparse")
    with raises(TypeError, "x must be dense", "nn.Linear or linear_multilabel_margin_loss"):
        multilabel_margin(sparse.csr_array(X), TARGET)


def test_none_among_ragged_labels_is_named():
    with raises(TypeError, "target must hold integers, got object"):
        multilabel_margin(X, [[0], [1, None]])


def test_scores_as_lists_of_ints_are_taken_by_function_and_tensor_loss():
    loss, _ = multilabel_margin([1, 2, 3], [0])
    assert F.multilabel_margin_loss([1, 2, 3], [0]).item() == pytest.approx(float(loss))


def test_ragged_scores_are_named_by_the_tensor_loss():
    with raises(ValueError, "x must have rows of one length"):
        F.multilabel_margin_loss([[1.0, 2.0], [3.0]], [[0], [0]])


@pytest.mark.parametrize("target", [{0, 2}, None, {0: 1}, (n for n in range(2))])
def test_what_came_instead_of_a_target_is_named(target):
    with raises(TypeError, "target must hold integer class indices", type(target).__name__):
        multilabel_margin(X[0], target)


CALLS = [
    lambda x, target: lucid.multilabel_margin(x, target),
    lambda x, target: F.multilabel_margin_loss(x, target),
    lambda x, target: F.multilabel_soft_margin_loss(x, target),
]


@pytest.mark.parametrize("call", CALLS)
def test_masked_scores_are_refused(call):
    with pytest.raises(ValueError, match=r"x has masked entries: .*by \.filled\(number\)$"):
        call(np.ma.masked_equal(X + np.arange(3), 1), [[0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize("name", ["weight", "margin", "sample_weight"])
def test_masked_numbers_beside_the_scores_are_refused(name):
    size = 2 if name == "sample_weight" else 3
    with pytest.raises(ValueError, match=rf"{name} has masked entries: .*by \.filled\(number\)$"):
        multilabel_margin(X, TARGET, **{name: np.ma.masked_equal(np.arange(size), 1)})


@pytest.mark.parametrize("call", CALLS[:2])
def test_a_masked_target_is_refused(call):
    target = np.ma.masked_equal(np.array([[1, 0, 1], [1, 1, 0]]), 0)
    with raises(ValueError, "target has masked entries", ".filled(-1)"):
        call(X, target)


@pytest.mark.parametrize("call", CALLS)
def test_scores_of_bfloat16_are_named_with_the_way_out(call):
    torch = pytest.importorskip("torch")
    with raises(TypeError, "x cannot be read as an array", "call .float() first"):
        call(torch.zeros(2, 3, dtype=torch.bfloat16), TARGET)


@pytest.mark.parametrize("name", ["features", "weight", "bias"])
@pytest.mark.parametrize("value", [[[1.0], [1.0, 2.0]], "a", [None]])
def test_the_parts_of_a_linear_layer_are_named(name, value):
    parts = {"features": X, "weight": np.ones((4, 3)), "bias": np.ones(4)}
    with pytest.raises((TypeError, ValueError), match=f"{name} must"):
        F.linear_multilabel_margin_loss(**{**parts, name: value}, target=TARGET)


@pytest.mark.parametrize("rows", [[], ()])
@pytest.mark.parametrize("call", CALLS)
def test_an_empty_list_is_the_labels_of_no_rows(call, rows):
    with np.errstate(all="ignore"):
        call(np.zeros((0, 3)), rows)


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_list_is_no_label_of_scores_without_a_batch_axis(call):
    expected = call(X[0], Labels.from_lists([[]], 3))
    found = call(X[0], [])
    np.testing.assert_array_equal(*(r[0] if isinstance(r, tuple) else r for r in (found, expected)))


@pytest.mark.parametrize("call", CALLS)
def test_an_empty_list_for_scores_of_some_rows_is_refused(call):
    with raises(ValueError, "(0, 3)", "(2, 3)"):
        call(X, [])


def test_a_multi_hot_target_is_said_to_be_transposed_only_where_it_would_fit():
    with raises(ValueError, "target.T fits"):
        multilabel_margin(np.zeros((3, 5)), np.zeros((5, 3), bool))
    with raises(ValueError, "got target (2, 3) for x (3, 5)") as caught:
        multilabel_margin(np.zeros((3, 5)), np.zeros((2, 3), bool))
    assert "target.T" not in str(caught.value)

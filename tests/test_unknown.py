"""Unknown entries: what says that nobody knows, where it is kept, and that it is left out."""

import copy
import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid import losses, metrics, multilabel_margin, nn
from lucid._kernels import ranking
from lucid.labels import Labels, as_labels
from lucid.nn import functional as F
from lucid.system.threads import set_num_threads

sparse = pytest.importorskip("scipy.sparse")
peer = pytest.importorskip("sklearn.metrics")

#: 1: a label; 0: none; -1: nobody knows. The second row has nothing unknown, the last nothing else.
MARKS = np.array([[1, -1, 0, 1, -1], [0, 1, 1, 0, 0], [-1, 0, -1, 0, -1], [-1, -1, -1, -1, -1]])
LISTS = [[0, 3], [1, 2], [], []]
UNKNOWN = [[1, 4], [], [0, 2, 4], [0, 1, 2, 3, 4]]


@pytest.fixture
def labels() -> Labels:
    return Labels.from_lists(LISTS, 5).with_unknown(UNKNOWN)


def rows_of(labels: Labels) -> list[list[int]]:
    return [row.tolist() for row in labels]


@st.composite
def marks(draw: st.DrawFn, max_rows: int = 6, max_classes: int = 9) -> np.ndarray:
    """Draw an array of 1, 0 and -1."""
    classes = draw(st.integers(1, max_classes))
    row = st.lists(st.sampled_from([0, 1, -1]), min_size=classes, max_size=classes)
    rows = draw(st.lists(row, min_size=1, max_size=max_rows))
    return np.array(rows)


# Every way to say it means the same.

CHEXPERT = np.where(MARKS == -1, np.nan, MARKS)
WAYS = {
    "lists": lambda: Labels.from_lists(LISTS, 5).with_unknown(UNKNOWN),
    "sets": lambda: Labels.from_lists(LISTS, 5).with_unknown([set(row) for row in UNKNOWN]),
    "mask": lambda: Labels.from_multi_hot(MARKS == 1).with_unknown(MARKS == -1),
    "csr": lambda: Labels.from_multi_hot(MARKS == 1).with_unknown(sparse.csr_array(MARKS == -1)),
    "coo": lambda: Labels.from_multi_hot(MARKS == 1).with_unknown(sparse.coo_array(MARKS < 0)),
    "padded": lambda: Labels.from_lists(LISTS, 5).with_unknown(
        np.array([[4, 1, 4, 1, -1, -1], [-1] * 6, [4, 0, 2, -1, -1, -1], [4, 3, 2, 1, 0, -1]])
    ),
    "Labels": lambda: Labels.from_lists(LISTS, 5).with_unknown(Labels.from_lists(UNKNOWN, 5)),
    "in parts": lambda: (
        Labels.from_lists(LISTS, 5)
        .with_unknown([[4], [], [2, 4], [0, 1, 2]])
        .with_unknown([[1], [], [2, 0], [4, 3]])
    ),
    "arrays": lambda: Labels(
        [0, 3, 1, 2], [0, 2, 4, 4, 4], 5, [4, 1, 0, 4, 2, 2, 3, 0, 1, 2, 4], [0, 2, 2, 6, 11]
    ),
    "-1": lambda: Labels.from_multi_hot(MARKS, unknown=-1),
    "-1.0": lambda: Labels.from_multi_hot(MARKS.astype(np.float32), unknown=-1),
    "255": lambda: Labels.from_multi_hot(MARKS.astype(np.uint8), unknown=255),
    "0.5": lambda: Labels.from_multi_hot(np.where(MARKS == -1, 0.5, MARKS), unknown=0.5),
    "NaN": lambda: Labels.from_multi_hot(CHEXPERT),
    "None": lambda: Labels.from_multi_hot(np.where(MARKS == -1, None, MARKS)),
    "NaN in float16": lambda: Labels.from_multi_hot(CHEXPERT.astype(np.float16)),
    "NaN in objects": lambda: Labels.from_multi_hot(CHEXPERT.astype(object)),
    "NaN and -1": lambda: Labels.from_multi_hot(
        np.where(np.arange(5) < 2, CHEXPERT, MARKS), unknown=-1
    ),
    "NaN by name": lambda: Labels.from_multi_hot(CHEXPERT, unknown=np.nan),
    "masked ints": lambda: Labels.from_multi_hot(np.ma.masked_equal(MARKS, -1)),
    "masked bools": lambda: Labels.from_multi_hot(np.ma.masked_array(MARKS != 0, MARKS == -1)),
    "masked, anything below": lambda: Labels.from_multi_hot(
        np.ma.masked_array(np.where(MARKS == -1, 77, MARKS), MARKS == -1)
    ),
    "masked and -1": lambda: Labels.from_multi_hot(
        np.ma.masked_array(MARKS, (MARKS == -1) & (np.arange(5) > 2)), unknown=-1
    ),
    "masked bools as they are": lambda: as_labels(
        np.ma.masked_array(MARKS == 1, MARKS == -1), (4, 5), "target"
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_to_say_what_is_unknown_means_the_same(way, labels):
    made = WAYS[way]()
    assert made == labels
    assert rows_of(made) == LISTS
    assert rows_of(made.unknown) == UNKNOWN


@pytest.mark.parametrize("dtype", ["Int64", "boolean", "Float64", object])
@pytest.mark.parametrize("form", [lambda table: table, lambda table: table.to_numpy()])
def test_what_is_missing_in_a_table_is_unknown(dtype, form, labels):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(MARKS == 1).astype(dtype).mask(MARKS == -1, pandas.NA)
    assert Labels.from_multi_hot(form(table)) == labels


def test_a_mark_and_what_is_missing_in_a_table_are_unknown(labels):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(MARKS).mask((MARKS == -1) & (np.arange(5) > 2))
    for columns in (table, table.convert_dtypes(), table.astype(object)):
        assert Labels.from_multi_hot(columns, unknown=-1) == labels
        with pytest.raises(ValueError, match=r"got -1.* in row 0, column 1; if -1\S* is unknown"):
            Labels.from_multi_hot(columns)


DOORS = {
    "multilabel_margin": multilabel_margin,
    "multilabel_soft_margin_loss": losses.multilabel_soft_margin_loss,
    "label_ranking_loss": metrics.label_ranking_loss,
    "precision_at_k": lambda scores, labels: metrics.precision_at_k(scores, labels, 1),
}


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("dtype", ["boolean", object])
@pytest.mark.parametrize("unknown", [MARKS == -1, MARKS == 7], ids=["with NA", "without"])
def test_a_table_of_bools_and_what_is_missing_is_read_as_it_is(door, dtype, unknown):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(MARKS == 1).astype(dtype).mask(unknown)
    array = np.ma.masked_array(MARKS == 1, unknown)
    scores = np.random.default_rng(0).standard_normal(MARKS.shape)
    np.testing.assert_equal(DOORS[door](scores, table), DOORS[door](scores, array))


def test_one_row_of_a_table_of_bools_is_read_as_it_is():
    pandas = pytest.importorskip("pandas")
    row = pandas.Series(MARKS[0] == 1, dtype="boolean").mask(MARKS[0] == -1)
    array = np.ma.masked_array(MARKS[0] == 1, MARKS[0] == -1)
    scores = np.arange(5.0)
    np.testing.assert_equal(multilabel_margin(scores, row), multilabel_margin(scores, array))


@pytest.mark.parametrize("door", DOORS)
def test_a_table_of_nullable_numbers_is_refused_as_it_is_with_the_way_out(door):
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame(1 * (MARKS == 1)).astype("Int64").mask(MARKS == -1)
    with pytest.raises(TypeError, match=r"got object; for a multi-hot \w+ use .*from_multi_hot"):
        DOORS[door](np.zeros(MARKS.shape), table)


def test_a_name_beside_what_is_missing_is_named():
    pandas = pytest.importorskip("pandas")
    table = pandas.DataFrame({"a": [pandas.NA, "1"], "b": [1, 0]}, dtype=object)
    with pytest.raises(ValueError, match="only 0 and 1, got '1' in row 1, column 0"):
        Labels.from_multi_hot(table)


@given(marks())
def test_what_a_number_marks_is_what_a_mask_marks(array):
    marked = Labels.from_multi_hot(array, unknown=-1)
    assert marked == Labels.from_multi_hot(array == 1).with_unknown(array == -1)
    assert marked == Labels.from_multi_hot(np.ma.masked_equal(array, -1))
    assert marked == Labels.from_multi_hot(np.where(array == -1, np.nan, array))


@pytest.mark.parametrize("unknown", [-1, -100, 255, 0.5, np.inf])
def test_where_nothing_is_unknown_nothing_is_kept(unknown):
    plain = Labels.from_multi_hot(MARKS == 1)
    for labels in (
        Labels.from_multi_hot(np.array(MARKS == 1, float), unknown=unknown),
        Labels.from_multi_hot(np.ma.masked_array(MARKS == 1, np.zeros((4, 5), bool))),
        plain.with_unknown([[], [], [], []]),
        plain.with_unknown(np.zeros((4, 5), bool)),
        Labels(plain.indices, plain.indptr, 5, [], [0] * 5),
    ):
        assert labels == plain
        assert labels.unknown_indices is labels.unknown_indptr is None


def test_one_row_without_a_batch_axis_may_be_masked():
    row = np.ma.masked_array([True, False, False], [False, True, False])
    assert as_labels(row, (3,)) == Labels.from_lists([[0]], 3).with_unknown([[1]])


def test_the_arrays_are_what_kernels_read(labels):
    for array in (labels.unknown_indices, labels.unknown_indptr):
        assert array.dtype == np.int64
        assert array.flags.c_contiguous
        assert not array.flags.writeable


def test_later_changes_of_the_callers_arrays_do_not_reach_in():
    indices, indptr = np.array([1]), np.array([0, 1])
    mask = np.array([[False, True]])
    made = [Labels([0], [0, 1], 2, indices, indptr), Labels([0], [0, 1], 2).with_unknown(mask)]
    indices[0], mask[0] = 0, [True, False]
    assert [rows_of(labels.unknown) for labels in made] == [[[1]], [[1]]]


# What cannot be meant is named.


@pytest.mark.parametrize("classes", [7, 2**62])
def test_a_class_that_is_both_a_label_and_unknown_is_named_with_its_row(classes):
    message = r"class 4 is both a label and unknown in row 2"
    lists = [[6], [4, 5], [3, 4, 3], [4]]
    plain = Labels.from_lists(lists, classes)
    with pytest.raises(ValueError, match=message):
        plain.with_unknown([[4, 5], [1, 3, 6], [0, 1, 2, 4, 5], []])
    with pytest.raises(ValueError, match=message):
        Labels(plain.indices, plain.indptr, classes, [5, 4, 1, 4], [0, 2, 3, 4, 4])


@given(marks(), st.data())
def test_labels_and_unknown_entries_are_kept_apart(array, data):
    other = data.draw(st.lists(st.booleans(), min_size=array.size, max_size=array.size))
    mask = np.reshape(other, array.shape)
    plain = Labels.from_multi_hot(array == 1)
    if (mask & (array == 1)).any():
        with pytest.raises(ValueError, match="is both a label and unknown in row"):
            plain.with_unknown(mask)
    else:
        assert plain.with_unknown(mask).unknown == Labels.from_multi_hot(mask)


@pytest.mark.parametrize(
    ("unknown", "message"),
    [
        ([[5], [], [], []], "unknown: label 5 in row 0, position 0 is out of range"),
        ([[0.5], [], [], []], "unknown must hold integers, got float64"),
        (np.full((4, 5), np.nan), "unknown must hold integers, got float64"),
        (np.ones((4, 5), int), "unknown cannot be class indices"),
        (np.zeros((5, 4), bool), r"unknown: entries of shape \(5, 4\) .*labels of shape \(4, 5\)"),
        (np.zeros((3, 5), bool), r"unknown: entries of shape \(3, 5\) .*labels of shape \(4, 5\)"),
        (sparse.csr_array(-np.eye(4, 5)), "unknown must not hold negative values"),
        (np.ma.masked_array(np.zeros((4, 5), bool), True), "got 20 that are masked or unknown"),
        (Labels.from_multi_hot(MARKS, unknown=-1), "got 10 that are masked or unknown themselves"),
    ],
)
def test_unknown_entries_that_cannot_be_read_are_named(unknown, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Labels.from_lists(LISTS, 5).with_unknown(unknown)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (([1], None), "unknown_indices and unknown_indptr must be given together"),
        ((None, [0, 1]), "unknown_indices and unknown_indptr must be given together"),
        (([1], [0, 1]), r"unknown_indptr must have shape \(3,\), that of indptr, got \(2,\)"),
        (([1], [0, 1, 2]), r"unknown_indptr must rise from 0 to len\(unknown_indices\) = 1"),
        (([3], [0, 1, 1]), "unknown_indices: label 3 in row 0, position 0 is out of range"),
        (([0.5], [0, 1, 1]), "unknown_indices must hold integers, got float64"),
    ],
)
def test_arrays_of_unknown_entries_that_do_not_fit_are_named(arrays, message):
    with pytest.raises((TypeError, ValueError), match=message):
        Labels([0, 2], [0, 1, 2], 3, *arrays)


@pytest.mark.parametrize("unknown", [0, 1, 0.0, 1.0, np.int8(1)])
def test_what_is_a_label_or_none_cannot_be_unknown_too(unknown):
    with pytest.raises(ValueError, match=r"unknown must be neither 0 nor 1.*Labels\.with_unknown"):
        Labels.from_multi_hot(MARKS, unknown=unknown)


@pytest.mark.parametrize("unknown", [True, "x", [-1], 1j, MARKS == -1])
def test_what_is_unknown_must_be_a_number(unknown):
    with pytest.raises(TypeError, match="unknown must be a number, got"):
        Labels.from_multi_hot(MARKS, unknown=unknown)


@pytest.mark.parametrize(
    ("array", "unknown", "message"),
    [
        ([[1, 0, -1]], None, r"only 0 and 1, got -1 in row 0, column 2; if -1 is unknown, use .*"
         r"from_multi_hot\(multi_hot, unknown=-1\); if those above 0 are labels"),
        ([[1.0, 0.0, -1.0]], None, r"if -1.0 is unknown, use .*unknown=-1.0\)"),
        ([[1, 0, -100]], None, r"if -100 is unknown, use .*unknown=-100\)"),
        ([[1, 0, 2, -1]], -1, r"only 0, 1 and -1 for what is unknown, got 2 in row 0, column 2; "
         "if those above 0 are labels"),
        ([[np.nan, 0, -1]], None, r"got -1.0 in row 0, column 2; if -1.0 is unknown"),
        ([[np.nan, 0.25]], None, "got 0.25 in row 0, column 1; for rows of class"),
    ],
)  # fmt: skip
def test_what_else_a_multi_hot_array_holds_is_named_with_the_way_out(array, unknown, message):
    with pytest.raises(ValueError, match=message):
        Labels.from_multi_hot(np.array(array), unknown=unknown)


@pytest.mark.parametrize(
    ("matrix", "way"),
    [
        (sparse.csr_array(MARKS), lambda m: Labels.from_csr(m > 0).with_unknown(m < 0)),
        (sparse.csr_array(CHEXPERT), lambda m: Labels.from_csr(m > 0).with_unknown(m != m)),
    ],
)
def test_a_sparse_matrix_with_marks_is_refused_with_a_way_that_works(matrix, way, labels):
    with pytest.raises(ValueError, match=r"unknown, use Labels\.from_csr\(m > 0\)\.with_unknown"):
        as_labels(matrix, (4, 5), "m")
    assert way(matrix) == labels


@pytest.mark.parametrize(
    "door", [lambda x: as_labels(x, (4, 5)), lambda x: Labels.from_padded(x, 5)]
)
def test_masked_class_indices_are_refused_with_the_way_for_multi_hot_ones(door):
    with pytest.raises(ValueError, match=r"has masked entries.*unknown in Labels\.from_multi_hot"):
        door(np.ma.masked_equal(MARKS, -1))


@pytest.mark.parametrize("dtype", [bool, int])
@pytest.mark.parametrize(
    "door",
    [
        Labels.from_multi_hot,
        lambda rows: as_labels(rows, (2, 2), "multi_hot"),
        lambda rows: as_labels([*rows, [1]], (3, 2), "multi_hot"),
    ],
)
def test_masks_of_single_rows_are_not_dropped(door, dtype):
    row = np.ma.masked_array([1, 0], [False, True], dtype=dtype)
    with pytest.raises(ValueError, match="multi_hot has masked entries"):
        door([row, row])


# Every door takes a form with this meaning, or refuses it in words.

#: Labels under the mask, with the highest scores, where it would show that a mask is dropped.
UNDER = np.where(MARKS == -1, 1, MARKS)
SCORES = np.random.default_rng(0).standard_normal(MARKS.shape) + 3 * (MARKS == -1)
FEATURES = np.random.default_rng(1).standard_normal((len(MARKS), 3))
WEIGHT = np.random.default_rng(2).standard_normal((MARKS.shape[1], 3))
LOSSES = ["multilabel_margin_loss", "warp_loss", "lsep_loss", "zlpr_loss", "bpmll_loss"]
MODULES = ["MultilabelMarginLoss", "WARPLoss", "LSEPLoss", "ZLPRLoss", "BPMLLLoss"]
SOFT, SOFT_MODULE = "multilabel_soft_margin_loss", "MultiLabelSoftMarginLoss"


def masked(dtype):
    return np.ma.masked_array(UNDER.astype(dtype), MARKS == -1)


def rows_masked(dtype):
    return [*masked(dtype)]


def differentiated(function, x, y):
    """The losses, on a way that may read the target twice."""
    leaf = lucid.tensor(x, requires_grad=True)
    loss = function(leaf, y, reduction="none")
    (gradient,) = lucid.grad(loss, [leaf], lucid.ones(len(x)), create_graph=True)
    return np.column_stack([loss.detach().numpy(), gradient.detach().numpy()])


def step(y):
    layer = lucid.tensor(WEIGHT, requires_grad=True)
    optimizer = lucid.optim.SGD([layer], lr=0.1)
    return F.linear_multilabel_margin_step(optimizer, FEATURES, layer, None, y).item()


def estimated(y):
    """What an estimator that has learnt from these labels says, and how well they fit it."""
    ranker = pytest.importorskip("lucid.sklearn").MultilabelRanker().fit(FEATURES, y)
    return np.append(ranker.decision_function(FEATURES), ranker.score(FEATURES, y))


def doors_of(function, module):
    """The ways to a loss, from labels to the losses of the rows."""
    tensor = lucid.tensor(SCORES)

    def in_torch(call, grad):
        torch = pytest.importorskip("torch")
        x = torch.from_numpy(SCORES).requires_grad_(grad)
        return call(pytest.importorskip("lucid.torch"), x).detach().numpy()

    def within_transform(y):
        torch = pytest.importorskip("torch")
        loss = getattr(pytest.importorskip("lucid.torch"), function)
        return torch.func.vjp(lambda x: loss(x, y, reduction="none"), torch.from_numpy(SCORES))[0]

    return {
        "losses": lambda y: getattr(losses, function)(SCORES, y, reduction="none")[0],
        "nn.functional": lambda y: getattr(F, function)(tensor, y, reduction="none").numpy(),
        "differentiated": lambda y: differentiated(getattr(F, function), SCORES, y),
        "nn": lambda y: getattr(nn, module)(reduction="none")(tensor, y).numpy(),
        "torch": lambda y: in_torch(
            lambda lt, x: getattr(lt, function)(x, y, reduction="none"), False
        ),
        "torch's gradient": lambda y: in_torch(
            lambda lt, x: getattr(lt, function)(x, y, reduction="none"), True
        ),
        "torch's module": lambda y: in_torch(
            lambda lt, x: getattr(lt, module)(reduction="none")(x, y), False
        ),
        "torch.func": within_transform,
    }


def tensor_labels_of(y):
    parts = pytest.importorskip("lucid.torch").tensor_labels(y, MARKS.shape[1])
    assert parts.unknown_indices.tolist() == [c for row in UNKNOWN for c in row]
    return parts.indices


#: Where target and labels are read as `lucid.labels.as_labels` reads them.
LABEL_DOORS = {
    **{
        f"{function}, {name}": door
        for function, module in zip(LOSSES, MODULES, strict=True)
        for name, door in doors_of(function, module).items()
    },
    "fused": lambda y: F.linear_multilabel_margin_loss(FEATURES, WEIGHT, None, y, "none").numpy(),
    "fused WARP": lambda y: F.linear_multilabel_margin_loss(
        FEATURES, WEIGHT, None, y, "none", loss=nn.WARPLoss()
    ).numpy(),
    "step": step,
    "tensor_labels": tensor_labels_of,
    "ranking loss": lambda y: metrics.label_ranking_loss(SCORES, y),
    "coverage": lambda y: metrics.coverage_error(SCORES, y),
    "average precision": lambda y: metrics.label_ranking_average_precision_score(SCORES, y),
    "one-error": lambda y: metrics.one_error(SCORES, y),
    "precision": lambda y: metrics.precision_at_k(SCORES, y, 2),
    "recall": lambda y: metrics.recall_at_k(SCORES, y, 2),
    "nDCG": lambda y: metrics.ndcg_at_k(SCORES, y, 2),
    "propensities": metrics.propensities,
}
SOFT_DOORS = doors_of(SOFT, SOFT_MODULE)
ALL_DOORS = {
    **LABEL_DOORS,
    **{f"{SOFT}, {name}": door for name, door in SOFT_DOORS.items()},
    "estimator": estimated,
}


@pytest.mark.parametrize("door", ALL_DOORS)
def test_masked_bools_and_labels_with_unknown_entries_mean_the_same_at_every_door(door, labels):
    expected = ALL_DOORS[door](labels)
    np.testing.assert_allclose(ALL_DOORS[door](masked(bool)), expected, rtol=1e-6)
    if door != "tensor_labels":
        dropped = ALL_DOORS[door](Labels.from_multi_hot(UNDER))
        assert not np.allclose(dropped, expected)  # it would show


NUMBERS = {
    "NaN in float64": CHEXPERT,
    "NaN in float32": CHEXPERT.astype(np.float32),
    "NaN in lists": CHEXPERT.tolist(),
    "masked ints": masked(int),
    "masked uint8": masked(np.uint8),
    "masked float64": masked(float),
    "masked float32": masked(np.float32),
    "masked NaN": np.ma.masked_invalid(CHEXPERT),
}


@pytest.mark.parametrize("form", NUMBERS)
@pytest.mark.parametrize("door", SOFT_DOORS)
def test_where_numbers_are_read_nan_and_masked_entries_are_unknown(door, form, labels):
    taken = SOFT_DOORS[door](NUMBERS[form])
    np.testing.assert_allclose(taken, SOFT_DOORS[door](labels), rtol=1e-12)


@pytest.mark.parametrize("form", NUMBERS)
def test_in_an_estimator_nan_and_masked_entries_are_unknown(form, labels):
    np.testing.assert_allclose(estimated(NUMBERS[form]), estimated(labels), rtol=1e-6)


@pytest.mark.parametrize("form", NUMBERS)
@pytest.mark.parametrize("door", LABEL_DOORS)
def test_where_labels_are_read_numbers_for_unknown_entries_are_refused_with_the_way(door, form):
    with pytest.raises((TypeError, ValueError), match=r"^(target|labels) .*from_multi_hot"):
        LABEL_DOORS[door](NUMBERS[form])


@pytest.mark.parametrize("dtype", [bool, int, float])
@pytest.mark.parametrize("door", ALL_DOORS)
def test_no_door_drops_the_masks_of_single_rows(door, dtype):
    for rows in (rows_masked(dtype), tuple(rows_masked(dtype))):
        with pytest.raises(ValueError, match=r"^(target|labels|y) has masked entries"):
            ALL_DOORS[door](rows)


@pytest.mark.parametrize("door", ALL_DOORS)
def test_no_door_takes_a_mark_that_was_not_named(door):
    for marks in (MARKS, MARKS.astype(float), MARKS.tolist()):
        with pytest.raises((TypeError, ValueError), match=r"unknown=-1|hold integers|num_classes"):
            ALL_DOORS[door](marks)


@pytest.mark.parametrize("missing", [None, np.nan])
@pytest.mark.parametrize("kind", [bool, int])
def test_in_an_estimator_what_is_missing_in_lists_is_unknown(kind, missing, labels):
    rows = [[missing if mark == -1 else kind(mark) for mark in row] for row in MARKS]
    np.testing.assert_allclose(estimated(rows), estimated(labels), rtol=1e-6)


def test_an_estimator_refuses_one_masked_label_a_row():
    ranker = pytest.importorskip("lucid.sklearn").MultilabelRanker()
    with pytest.raises(ValueError, match="y has masked entries"):
        ranker.fit(FEATURES, np.ma.masked_array([0, 1, 1, 0], [False, True, False, False]))


def test_an_estimator_names_the_sparse_labels_that_hold_nan():
    ranker = pytest.importorskip("lucid.sklearn").MultilabelRanker()
    with pytest.raises(ValueError, match=r"^y must not hold NaN.*from_csr\(y > 0\)"):
        ranker.fit(FEATURES, sparse.csr_array(CHEXPERT))


def test_a_masked_target_of_another_shape_than_the_scores_is_taken_for_class_indices():
    padded = np.ma.masked_array([[0, 3], [1, 2], [0, 0], [0, 0]], [[0, 0], [0, 0], [0, 1], [1, 1]])
    with pytest.raises(ValueError, match=r"target has masked entries: .*\.filled\(-1\) fills up"):
        losses.multilabel_soft_margin_loss(SCORES, padded)


# It is kept, whatever is done with the labels.


@pytest.mark.parametrize(
    "rows",
    [slice(1, 3), slice(None), slice(3, 1), slice(None, None, -1), [2, 0, 2], [], [-1],
     np.array([True, False, True, False]), (slice(2), slice(None)), ...],
    ids=str,
)  # fmt: skip
def test_rows_are_cut_with_their_unknown_entries(labels, rows):
    chosen = labels[rows]
    numpy_rows = rows if not isinstance(rows, list) else np.array(rows, int)
    assert chosen == Labels.from_multi_hot(MARKS[numpy_rows], unknown=-1)


def test_rows_in_which_nothing_is_unknown_are_plain_labels(labels):
    assert labels[1:2].unknown_indices is None
    assert labels[[1, 1]].unknown_indptr is None


def test_one_row_and_all_rows_in_turn_are_the_labels_that_are_known(labels):
    assert labels[0].tolist() == [0, 3]
    assert rows_of(labels) == LISTS


@pytest.mark.parametrize(
    "made", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))]
)
def test_copies_keep_it(labels, made):
    assert made(labels) == labels


def test_savez_brings_it_back(labels):
    file = io.BytesIO()
    names = ("indices", "indptr", "num_classes", "unknown_indices", "unknown_indptr")
    np.savez(file, **{name: getattr(labels, name) for name in names})
    file.seek(0)
    assert Labels(**np.load(file)) == labels


def test_equal_means_the_same_is_unknown(labels):
    plain = labels.without_unknown()
    assert labels != plain
    assert plain != labels
    assert labels != plain.with_unknown([[1], [4], [0, 2, 4], [0, 1, 2, 3, 4]])
    assert labels == plain.with_unknown(UNKNOWN)


def test_repr_tells_how_many_are_unknown(labels):
    assert repr(labels) == "Labels(rows=4, num_classes=5, labels=4, unknown=10)"
    assert repr(labels.without_unknown()) == "Labels(rows=4, num_classes=5, labels=4)"


def test_drop_duplicates_keeps_it():
    twice = Labels.from_lists([[2, 0, 2]], 4).with_unknown([[3]])
    assert twice.drop_duplicates() == Labels.from_lists([[0, 2]], 4).with_unknown([[3]])


def test_without_unknown_is_the_object_itself_where_nothing_is(labels):
    plain = labels.without_unknown()
    assert plain.without_unknown() is plain


# Other forms: nothing is lost without a word.


@pytest.mark.parametrize("form", ["padded", "csr"])
def test_forms_without_a_place_for_it_refuse_to_lose_it(labels, form):
    message = (
        rf"to_{form}\(\) has no place for the 10 unknown entries: use without_unknown\(\)\.to_"
    )
    with pytest.raises(ValueError, match=message):
        getattr(labels, f"to_{form}")()


def test_a_bool_array_has_no_place_for_it(labels):
    with pytest.raises(ValueError, match=r"stands for the 10 unknown entries, as in .*unknown=-1"):
        labels.to_multi_hot()


@pytest.mark.parametrize("unknown", [-1, 7, -100, 255, 0.5, np.inf])
def test_multi_hot_form_with_a_number_round_trips(labels, unknown):
    array = labels.to_multi_hot(unknown=unknown)
    np.testing.assert_array_equal(array, np.where(MARKS == -1, unknown, MARKS))
    assert Labels.from_multi_hot(array, unknown=unknown) == labels


def test_multi_hot_form_with_nan_round_trips(labels):
    array = labels.to_multi_hot(unknown=np.nan)
    np.testing.assert_array_equal(array, CHEXPERT)
    assert Labels.from_multi_hot(array) == labels


@pytest.mark.parametrize("unknown", [True, False])
def test_multi_hot_form_counts_it_as_it_is_told(labels, unknown):
    array = labels.to_multi_hot(unknown=unknown)
    assert array.dtype == bool
    np.testing.assert_array_equal(array, np.where(MARKS == -1, unknown, MARKS))


@pytest.mark.parametrize(
    ("unknown", "dtype"), [(None, bool), (-1, np.int8), (255, np.int64), (np.nan, np.float64)]
)
def test_the_dtype_of_the_multi_hot_form_follows_from_the_option_alone(labels, unknown, dtype):
    assert labels.without_unknown().to_multi_hot(unknown=unknown).dtype == dtype
    if unknown is not None:
        assert labels.to_multi_hot(unknown=unknown).dtype == dtype


def test_what_stands_for_it_must_be_a_number(labels):
    with pytest.raises(TypeError, match="unknown must be a number, got 'x'"):
        labels.to_multi_hot(unknown="x")


# Metrics: as if the columns of a row's unknown classes were deleted from it.

K = 3
PROPENSITIES = np.linspace(0.1, 1.0, 64)


def precision(x, y):
    return sum(y[j] for j in np.argsort(-x, kind="stable")[:K]) / K


def recall(x, y):
    return precision(x, y) * K / max(y.sum(), 1)


def best_is_none(x, y):
    return 1.0 - (y.any() and bool(y[x.argmax()]))


def ndcg(x, y):
    if len(y) == 1:  # scikit-learn wants two
        return float(y[0])
    return peer.ndcg_score([y], [x], k=K) if y.any() else 0.0


def of_scikit_learn(name, without_pairs):
    def value(x, y):
        if not y.any() or y.all():
            return without_pairs(y)
        return getattr(peer, name)([y], [x.astype(np.float64)])

    return value


#: Of one row, by what is left of it.
BY_ROW = {
    "label_ranking_loss": of_scikit_learn("label_ranking_loss", lambda y: 0.0),
    "coverage_error": of_scikit_learn("coverage_error", lambda y: float(y.sum())),
    "label_ranking_average_precision_score": of_scikit_learn(
        "label_ranking_average_precision_score", lambda y: 1.0
    ),
    "one_error": best_is_none,
    "precision_at_k": precision,
    "recall_at_k": recall,
    "ndcg_at_k": ndcg,
}


def metric(name, x, labels):
    k = (min(K, x.shape[1]),) if name.endswith("_k") else ()
    return getattr(metrics, name)(x, labels, *k)


@st.composite
def scored_marks(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Draw scores with ties, at least as many classes as places, and marks."""
    array = draw(marks(max_rows=4, max_classes=9).filter(lambda m: m.shape[1] >= K))
    value = st.integers(-2, 2) if draw(st.booleans()) else st.integers(-1000, 1000)
    scores = draw(st.lists(value, min_size=array.size, max_size=array.size))
    dtype = draw(st.sampled_from([np.float32, np.float64]))
    return np.reshape(scores, array.shape).astype(dtype), array


@pytest.mark.parametrize("name", BY_ROW)
@given(scored_marks())
def test_a_metric_is_that_of_rows_without_their_unknown_columns(name, case):
    x, array = case
    kept = [(row[m >= 0], m[m >= 0]) for row, m in zip(x, array, strict=True)]
    expected = np.mean([BY_ROW[name](*row) for row in kept])
    value = metric(name, x, Labels.from_multi_hot(array, unknown=-1))
    assert value == pytest.approx(expected, rel=0, abs=1e-12)


@pytest.mark.parametrize("name", BY_ROW)
@given(scored_marks(), st.integers(0, 8))
def test_a_class_that_is_unknown_in_all_rows_is_as_if_there_were_no_such_class(name, case, column):
    x, array = case
    if array.shape[1] <= K:
        return
    column %= array.shape[1]
    array[:, column] = -1
    fewer = [np.delete(part, column, axis=1) for part in (x, array)]
    value = metric(name, x, Labels.from_multi_hot(array, unknown=-1))
    assert value == metric(name, fewer[0], Labels.from_multi_hot(fewer[1], unknown=-1))


@given(scored_marks())
def test_psp_is_that_of_rows_without_their_unknown_columns(case):
    x, array = case
    p = PROPENSITIES[: array.shape[1]]
    gain = best = 0.0
    for row, m in zip(x, array, strict=True):
        top = np.argsort(np.where(m >= 0, -row, np.inf), kind="stable")[:K]
        gain += sum(1 / p[j] for j in top if m[j] == 1)
        best += sum(sorted(1 / p[m == 1])[-K:])
    value = metrics.psp_at_k(x, Labels.from_multi_hot(array, unknown=-1), p, K)
    assert value == pytest.approx(gain / best if best else np.nan, nan_ok=True, rel=1e-12)


def big_case(shape, share, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.integers(60, size=shape).astype(np.float32)
    array = rng.choice([0, 1, -1], size=shape, p=[0.9 - share, share, 0.1])
    array[0] = np.where(array[0] == 1, 1, 0)  # nothing unknown
    return x, array


@pytest.mark.parametrize("name", BY_ROW)
@pytest.mark.parametrize("share", [0.02, 0.6])
def test_wide_rows_with_few_and_many_labels_leave_it_out_too(name, share):
    x, array = big_case((6, 5000), share)
    kept = [(row[m >= 0], m[m >= 0]) for row, m in zip(x, array, strict=True)]
    alone = [metric(name, row[np.newaxis], m[np.newaxis] == 1) for row, m in kept]
    value = metric(name, x, Labels.from_multi_hot(array, unknown=-1))
    assert value == pytest.approx(np.mean(alone), rel=1e-14)


@pytest.mark.parametrize("name", BY_ROW)
def test_every_number_of_threads_gives_the_same_bits(name):
    x, array = big_case((60, 600), 0.1)
    labels = Labels.from_multi_hot(array, unknown=-1)
    values = []
    for threads in (1, 2, 5):
        set_num_threads(threads)
        values.append(metric(name, x, labels))
    assert values[0] == values[1] == values[2]


@pytest.mark.parametrize("name", [*BY_ROW, "psp_at_k"])
def test_the_score_of_an_unknown_class_may_be_nan(name):
    x, array = big_case((5, 40), 0.2)
    labels = Labels.from_multi_hot(array, unknown=-1)
    p = (PROPENSITIES[:40],) if name == "psp_at_k" else ()
    k = (K,) if name.endswith("_k") else ()
    value = getattr(metrics, name)(x, labels, *p, *k)
    with_nan = np.where(array == -1, np.float32(np.nan), x)
    assert getattr(metrics, name)(with_nan, labels, *p, *k) == value


def test_a_nan_beside_unknown_ones_is_named():
    x = np.zeros((2, 4))
    x[0, 1] = x[1, 2] = np.nan
    with pytest.raises(ValueError, match="got NaN in row 1, column 2"):
        metrics.one_error(x, Labels.from_lists([[0], [0]], 4).with_unknown([[1, 2], [1]]))


@pytest.mark.parametrize("name", ["one_error", "precision_at_k", "recall_at_k", "ndcg_at_k"])
@given(scored_marks(), st.data())
def test_stored_scores_give_what_dense_ones_give(name, case, data):
    x, array = case
    drawn = data.draw(st.lists(st.booleans(), min_size=x.size, max_size=x.size))
    stored = np.reshape(drawn, x.shape)
    # As many as places: a row that stores fewer misses those that are left.
    stored |= (array >= 0).cumsum(axis=1) <= K
    labels = Labels.from_multi_hot(array, unknown=-1)
    matrix = sparse.coo_array((x[stored], np.nonzero(stored)), shape=x.shape)
    enough = (stored & (array >= 0)).sum(axis=1) >= K
    dense = np.where(stored, x, -np.inf)
    rows = np.flatnonzero(enough)
    if rows.size:
        assert metric(name, matrix.tocsr()[rows], labels[rows]) == metric(
            name, dense[rows], labels[rows]
        )


def test_a_masked_bool_array_is_taken_by_metrics_as_it_is():
    x, array = big_case((5, 40), 0.2)
    masked = np.ma.masked_array(array == 1, array == -1)
    labels = Labels.from_multi_hot(array, unknown=-1)
    assert metrics.one_error(x, masked) == metrics.one_error(x, labels)


def test_floats_of_labels_and_nan_are_told_from_scores():
    with pytest.raises(TypeError, match=r"if NaN is unknown, use Labels\.from_multi_hot\(labels\)"):
        metrics.one_error(np.zeros((4, 5)), CHEXPERT)


def test_propensities_are_of_the_rows_where_a_class_is_known():
    rng = np.random.default_rng(0)
    array = rng.choice([0, 1, -1], size=(300, 4), p=[0.6, 0.2, 0.2])
    array[:, 3] = -1
    alone = [
        metrics.propensities(column[column >= 0, np.newaxis] == 1)[0] if (column >= 0).any() else 1
        for column in array.T
    ]
    found = metrics.propensities(Labels.from_multi_hot(array, unknown=-1))
    assert found == pytest.approx(alone, rel=1e-14)


@pytest.mark.parametrize(
    ("indices", "indptr"),
    [
        ([4, 1], [0, 1, 2]),
        ([-1, 1], [0, 1, 2]),
        ([2**40, 1], [0, 1, 2]),
        ([0, 1], [0, 1, 2]),  # a label
        ([3, 2], [0, 2, 2]),
        ([3, 3], [0, 2, 2]),
        ([2, 3], [0, 7, 2]),
        ([2, 3], [-1, 1, 2]),
        ([2, 3], [2, 1, 2]),
    ],
)
def test_the_kernel_refuses_unknown_entries_that_are_not_as_they_were_checked(indices, indptr):
    labels = Labels.from_lists([[0], [2]], 4)
    parts = {"unknown_indices": np.array(indices), "unknown_indptr": np.array(indptr)}
    with pytest.raises(ValueError, match="changed after"):
        ranking.count(
            np.zeros((2, 4)), labels.indices, labels.indptr, 1, place=np.zeros(2, np.int64), **parts
        )

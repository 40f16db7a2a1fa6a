"""Labels: every form of input means the same rows, bad input is named, rows are cut as arrays'."""

import io
import pickle
import warnings
from itertools import chain
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid._kernels import padded
from lucid.labels import Labels, as_labels, plain_labels

sparse = pytest.importorskip("scipy.sparse")

NUM_CLASSES = 7


@st.composite
def row_lists(draw: st.DrawFn) -> list[list[int]]:
    """Rows of distinct labels in any order, some of them empty."""
    row = st.lists(st.integers(0, NUM_CLASSES - 1), max_size=NUM_CLASSES, unique=True)
    return draw(st.lists(row, min_size=1, max_size=6))


def rows_of(labels: Labels) -> list[list[int]]:
    return [row.tolist() for row in labels]


def sorted_rows(rows: list[list[int]]) -> list[list[int]]:
    return [sorted(row) for row in rows]


# Every form means the same rows.


@given(row_lists())
def test_lists_come_back_as_they_were_given(rows):
    assert rows_of(Labels.from_lists(rows, NUM_CLASSES)) == rows


@given(row_lists(), st.integers(0, 3))
def test_padded_form_round_trips(rows, extra):
    labels = Labels.from_lists(rows, NUM_CLASSES)
    width = max(map(len, rows)) + extra
    assert Labels.from_padded(labels.to_padded(width), NUM_CLASSES) == labels


@given(row_lists())
def test_multi_hot_form_round_trips_with_the_rows_sorted(rows):
    multi_hot = Labels.from_lists(rows, NUM_CLASSES).to_multi_hot()
    assert rows_of(Labels.from_multi_hot(multi_hot)) == sorted_rows(rows)


@given(row_lists(), st.sampled_from(["csr", "csc", "coo", "lil"]))
def test_sparse_forms_round_trip_with_the_rows_sorted(rows, form):
    matrix = Labels.from_lists(rows, NUM_CLASSES).to_csr().asformat(form)
    assert rows_of(Labels.from_csr(matrix)) == sorted_rows(rows)


@given(row_lists())
def test_indices_with_offsets_are_the_rows_in_one_array(rows):
    lengths = [len(row) for row in rows]
    offsets = np.cumsum([0, *lengths[:-1]])
    labels = Labels.from_indices_and_offsets(list(chain(*rows)), offsets, NUM_CLASSES)
    assert rows_of(labels) == rows


@given(row_lists())
def test_sets_are_rows(rows):
    labels = Labels.from_lists([set(row) for row in rows], NUM_CLASSES)
    assert sorted_rows(rows_of(labels)) == sorted_rows(rows)


def test_padded_row_ends_at_its_first_minus_one():
    assert rows_of(Labels.from_padded([[2, -1, 5], [-1, 99, -7]], NUM_CLASSES)) == [[2], []]


@pytest.mark.parametrize("dtype", ["i1", "<i2", ">i4", "i8"])
def test_padded_form_takes_every_signed_dtype_and_byte_order(dtype):
    padded = np.array([[3, -1], [0, 6]], dtype=dtype)
    assert rows_of(Labels.from_padded(padded, NUM_CLASSES)) == [[3], [0, 6]]


@pytest.mark.parametrize("dtype", ["u1", "u8"])
def test_padded_form_takes_unsigned_dtypes(dtype):
    assert rows_of(Labels.from_padded(np.array([[3, 0]], dtype=dtype), NUM_CLASSES)) == [[3, 0]]


@given(st.data())
def test_padded_rows_that_are_plain_are_what_a_closer_look_finds(data):
    classes, width = data.draw(st.integers(1, 6)), data.draw(st.integers(0, 6))
    entry = st.integers(-2, classes) if data.draw(st.booleans()) else st.integers(-1, classes - 1)
    rows = data.draw(st.lists(st.lists(entry, min_size=width, max_size=width), max_size=4))
    array = np.array(rows, data.draw(st.sampled_from(["i1", "i2", "i4", "i8"])))
    array = array.reshape(len(rows), width)
    plain = plain_labels(array, (len(rows), classes))
    if plain is not None:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert plain == as_labels(array, (len(rows), classes))


@pytest.mark.parametrize(
    "odd",
    [
        [[0, -1, 3]],  # goes on after its -1
        [[0, 5, -1]],  # out of range
        [[0, -2, -1]],
        [[3, 1, 0, 2, 4]],  # as long as the classes
        [[1, 1, -1, -1, -1]],  # zeros, ones and unknown?
        [[0, 1, 1, -1, -1]],
        [[0, -1, -1, -1, 1]],
    ],
)
def test_padded_rows_that_are_odd_are_not_plain(odd):
    assert plain_labels(np.array(odd), (1, 5)) is None
    assert plain_labels(np.array([[0, 3, -1, -1]]), (1, 5)) == Labels.from_lists([[0, 3]], 5)


@pytest.mark.parametrize("row", [[], [0], [1], [0, 1], [1, 0]])
def test_padded_rows_of_the_first_two_classes_are_plain_though_they_are_zeros_and_ones(row):
    padded = np.array([row + [-1] * (5 - len(row))])
    assert plain_labels(padded, (1, 5)) == Labels.from_lists([row], 5)


def test_padded_rows_that_change_after_they_were_counted_are_found_out():
    rows, indptr = np.array([[0, 1], [2, -1]]), np.empty(3, np.int64)
    total = padded.count(rows, 5, indptr)
    rows[0, 1] = 7
    assert not padded.fill(rows, 5, indptr, total, np.empty(total, np.int64))


def test_padded_form_may_be_strided():
    wide = np.array([[4, 0, 1, 0], [2, 0, -1, 0]])
    assert rows_of(Labels.from_padded(wide[::-1, ::2], NUM_CLASSES)) == [[2], [4, 1]]


@pytest.mark.parametrize("classes", [1, 7, 8, 9, 4095, 4096, 4097, 10_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_multi_hot_form_of_any_width_and_density(classes, share):
    matrix = np.random.default_rng(classes).random((5, classes)) < share
    expected = np.nonzero(matrix)
    labels = Labels.from_multi_hot(matrix)
    np.testing.assert_array_equal(labels.indices, expected[1])
    np.testing.assert_array_equal(labels.lengths(), matrix.sum(axis=1))


@pytest.mark.parametrize("matrix", [np.eye(12, dtype=bool)[:, ::2], np.eye(12, dtype=bool).T[::-1]])
def test_multi_hot_form_of_any_strides(matrix):
    np.testing.assert_array_equal(Labels.from_multi_hot(matrix).indices, np.nonzero(matrix)[1])


def test_multi_hot_form_may_hold_zeros_and_ones_of_any_dtype():
    assert rows_of(Labels.from_multi_hot(np.array([[0.0, 1.0]]))) == [[1]]


def test_a_label_listed_twice_is_kept_twice_in_index_forms():
    assert rows_of(Labels.from_padded([[1, 1, -1]], NUM_CLASSES)) == [[1, 1]]
    assert rows_of(Labels.from_lists([[1, 1]], NUM_CLASSES)) == [[1, 1]]


def test_an_entry_stored_twice_in_a_sparse_matrix_is_one_label():
    matrix = sparse.coo_array(([1, 1], ([0, 0], [4, 4])), shape=(1, NUM_CLASSES))
    assert rows_of(Labels.from_csr(matrix)) == [[4]]


def test_stored_zeros_of_a_sparse_matrix_are_no_labels():
    matrix = sparse.csr_array(([0.0, 2.5], [1, 3], [0, 2]), shape=(1, NUM_CLASSES))
    assert rows_of(Labels.from_csr(matrix)) == [[3]]


def test_the_sparse_matrix_of_the_caller_stays_as_it_was():
    matrix = sparse.csr_array(([0.0, 1.0, 1.0], [3, 1, 1], [0, 3]), shape=(1, NUM_CLASSES))
    Labels.from_csr(matrix)
    assert matrix.indices.tolist() == [3, 1, 1]


@pytest.mark.parametrize("index_dtype", [np.int32, np.int64])
def test_both_index_types_of_sparse_matrices_are_taken(index_dtype):
    matrix = sparse.csr_array(np.eye(3))
    matrix.indices = matrix.indices.astype(index_dtype)
    matrix.indptr = matrix.indptr.astype(index_dtype)
    assert rows_of(Labels.from_csr(matrix)) == [[0], [1], [2]]


def test_there_may_be_no_rows():
    assert Labels.from_lists([], NUM_CLASSES).shape == (0, NUM_CLASSES)
    assert Labels.from_multi_hot(np.zeros((0, NUM_CLASSES), bool)).shape == (0, NUM_CLASSES)
    assert Labels.from_padded(np.zeros((0, 3), int), NUM_CLASSES).to_padded().shape == (0, 0)


# What is wrong is named.


@pytest.mark.parametrize("label", [NUM_CLASSES, -2, 2**32 + 3, -(2**63)])
@pytest.mark.parametrize(
    ("make", "place"),
    [
        (lambda rows: Labels.from_padded(rows, NUM_CLASSES), "padded: label {} in row 1, column 2"),
        (lambda rows: Labels.from_lists(rows, NUM_CLASSES), "rows: label {} in row 1, position 2"),
        (
            lambda rows: Labels(list(chain(*rows)), [0, 3, 6], NUM_CLASSES),
            "indices: label {} in row 1, position 2",
        ),
        (
            lambda rows: Labels.from_indices_and_offsets(list(chain(*rows)), [0, 3], NUM_CLASSES),
            "indices: label {} in row 1, position 2",
        ),
        (lambda rows: as_labels(rows, (2, 7), "target"), "target: label {} in row 1, column 2"),
        (
            lambda rows: as_labels([*rows, []], (3, 7), "target"),
            "target: label {} in row 1, position 2",
        ),
    ],
)
def test_a_label_out_of_range_is_named_with_its_argument_and_place(make, place, label):
    message = f"{place.format(label)} is out of range: expected 0 <= label < 7"
    with pytest.raises(ValueError, match=message):
        make([[0, 1, 2], [3, 4, label]])


def test_an_unsigned_label_does_not_wrap_to_minus_one():
    with pytest.raises(ValueError, match="label 18446744073709551615 in row 0"):
        Labels.from_padded(np.array([[2**64 - 1]], dtype=np.uint64), NUM_CLASSES)


@pytest.mark.parametrize("make", [Labels.from_lists, Labels.from_padded])
@pytest.mark.parametrize("label", [10**30, -(10**30)])
def test_a_label_that_no_dtype_holds_is_out_of_range(make, label):
    with pytest.raises(ValueError, match=rf"in the range of int64, got {label}$"):
        make([[1], [label]], NUM_CLASSES)


@pytest.mark.parametrize(
    "call",
    [
        Labels,
        Labels.from_csr,
        Labels.from_indices_and_offsets,
        Labels.from_lists,
        Labels.from_multi_hot,
        Labels.from_padded,
        lambda: Labels.from_lists([[0]], 1).to_multi_hot(1, 2),
    ],
)
def test_pythons_own_errors_name_the_class_that_users_know(call):
    with pytest.raises(TypeError, match=r"^Labels\.\w+\(\) (missing|takes)"):
        call()


def test_labels_counted_from_one_are_guessed():
    with pytest.raises(ValueError, match="subtract 1 if yours count from 1"):
        Labels.from_lists([[1, 4], [NUM_CLASSES]], NUM_CLASSES)


def test_lists_need_no_padding_and_the_error_says_so():
    with pytest.raises(ValueError, match=r"label -1 in row 1.*only in the padded form does -1 end"):
        Labels.from_lists([[0, 1], [2, -1]], NUM_CLASSES)


def test_whole_floats_in_lists_are_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"got float64; if these are class indices, convert them"):
        Labels.from_lists([(0.0, 3.0), (2.0,)], NUM_CLASSES)  # as scikit-learn's reader gives them


@pytest.mark.parametrize("wrong", [[[0.0, 1.0]], [[1.5]], [[1j]], [[True]], [["a"]]])
def test_labels_that_are_no_integers_are_a_type_error(wrong):
    with pytest.raises(TypeError, match="must hold integers, got"):
        Labels.from_padded(wrong, NUM_CLASSES)
    with pytest.raises(TypeError, match="must hold integers, got"):
        Labels.from_lists(wrong, NUM_CLASSES)


@pytest.mark.parametrize("wrong", [[1, 2], [[[1]]], 3])
def test_padded_form_must_be_two_dimensional(wrong):
    with pytest.raises(ValueError, match="padded must be 2-D, got shape"):
        Labels.from_padded(wrong, NUM_CLASSES)


def test_multi_hot_form_must_hold_only_zeros_and_ones():
    with pytest.raises(ValueError, match=r"only 0 and 1, got 3 in row 1, column 0"):
        Labels.from_multi_hot([[0, 1], [3, -1]])


def test_a_dense_matrix_is_no_sparse_matrix():
    with pytest.raises(TypeError, match=r"scipy\.sparse matrix or array, got ndarray"):
        Labels.from_csr(np.eye(2))


@pytest.mark.parametrize("num_classes", [0, -3])
def test_there_must_be_a_class(num_classes):
    with pytest.raises(ValueError, match=f"num_classes must be at least 1, got {num_classes}"):
        Labels.from_lists([[]], num_classes)


@pytest.mark.parametrize("indptr", [[], [0], [1, 3], [0, 2], [0, 2, 1, 3], [0, 4, 3]])
def test_indptr_must_cut_the_indices_into_rows(indptr):
    with pytest.raises(ValueError, match=r"indptr must rise from 0 to len\(indices\) = 3"):
        Labels([0, 1, 2], indptr, NUM_CLASSES)


@pytest.mark.parametrize("offsets", [[1], [0, 2, 1]])
def test_offsets_must_rise_from_zero(offsets):
    with pytest.raises(ValueError, match="offsets must rise from 0"):
        Labels.from_indices_and_offsets([0, 1, 2], offsets, NUM_CLASSES)


def test_offsets_must_lie_within_the_indices():
    with pytest.raises(ValueError, match="last offset is 4, beyond 3 indices"):
        Labels.from_indices_and_offsets([0, 1, 2], [0, 4], NUM_CLASSES)


def test_to_padded_refuses_a_width_that_would_drop_labels():
    with pytest.raises(ValueError, match="width is 1, but row 1 has 2 labels"):
        Labels.from_lists([[0], [1, 2]], NUM_CLASSES).to_padded(width=1)


# Rows are cut as an array's rows are.


@pytest.fixture
def labels() -> Labels:
    return Labels.from_lists([[0, 3], [], [2], [6, 5, 4], [1]], NUM_CLASSES)


@pytest.mark.parametrize("row", [0, 4, -1, np.int32(3)])
def test_an_int_gives_the_labels_of_that_row(labels, row):
    assert labels[row].tolist() == list(labels)[int(row)].tolist()


@pytest.mark.parametrize("row", [5, -6])
def test_a_row_that_is_not_there_is_an_index_error(labels, row):
    with pytest.raises(IndexError):
        labels[row]


@pytest.mark.parametrize(
    "rows",
    [
        slice(None),
        slice(1, 4),
        slice(3, 1),
        slice(-2, None),
        slice(None, None, 2),
        slice(None, None, -1),
        slice(9, 12),
        [3, 0, 3],
        [-1],
        [],
        np.array([4, 1], dtype=np.uint8),
        np.array([True, False, True, True, False]),
        np.zeros(5, dtype=bool),
        [False, True, False, False, True],
    ],
    ids=str,
)
def test_rows_are_chosen_as_numpy_chooses_them(labels, rows):
    as_numpy = labels.to_padded()[rows]
    assert labels[rows] == Labels.from_padded(as_numpy, NUM_CLASSES)


@pytest.mark.parametrize(
    "rows",
    [
        [5],
        [-6],
        np.array([0, 200], np.uint8),
        2**70,
        [2**70],
        [True],
        np.ones(4, bool),
        np.zeros((5, 7), bool),
        [[0, 1]],
        [[0], [1, 2]],
        True,
        np.True_,
        1.0,
        [1.0],
        np.zeros(2),
        "a",
        None,
        {0},
        np.ma.masked_equal([0, 1], 1),
    ],
    ids=str,
)
def test_rows_that_cannot_be_chosen_are_an_index_error_in_words(labels, rows):
    words = r"^row -?\d+ is out of range: there are 5 rows|^rows (is a mask|must|cannot be read)"
    with pytest.raises(IndexError, match=words):
        labels[rows]


@pytest.mark.parametrize("rows", [[3, 0], np.array([1, 4]), slice(1, 3), (0, 2), -2, np.array(2)])
def test_an_index_of_both_axes_chooses_rows_where_it_takes_all_classes(labels, rows):
    chosen = labels[list(rows) if isinstance(rows, tuple) else rows]
    for key in ((rows, slice(None)), (rows, ...), (..., rows, slice(None)), (rows, slice(0, 7))):
        np.testing.assert_equal(labels[key], chosen)


@pytest.mark.parametrize("key", [..., (), (...,), (slice(None),), (slice(None), slice(None))])
def test_an_index_of_everything_chooses_all_rows(labels, key):
    assert labels[key] == labels


@pytest.mark.parametrize(
    "key",
    [
        (0, 1),
        (slice(2), 0),
        (slice(None), [0, 1]),
        (slice(None), slice(1, None)),
        (slice(None), slice(None, None, -1)),
        (..., 0),
        (..., ...),
        (None, slice(None)),
        (0, slice(None), slice(None)),
    ],
    ids=str,
)
def test_some_of_the_classes_cannot_be_chosen(labels, key):
    with pytest.raises(IndexError, match=r"rows alone.*to_csr\(\)\[rows, classes\]|got NoneType"):
        labels[key]


@pytest.mark.parametrize("one", [np.array(3), np.array(3, np.uint8), lucid.tensor(3)], ids=repr)
def test_an_array_of_one_int_without_an_axis_is_an_int(labels, one):
    assert labels[one].tolist() == [6, 5, 4]


def test_tensors_choose_rows(labels):
    assert labels[lucid.tensor([3, 0])] == labels[[3, 0]]
    assert labels[lucid.tensor([False, True, False, True, False])] == labels[[1, 3]]


def test_scikit_learn_cuts_labels_as_it_cuts_arrays(labels):
    model_selection = pytest.importorskip("sklearn.model_selection")
    utils = pytest.importorskip("sklearn.utils")
    rows = np.arange(5)
    for cut in (
        lambda *data: model_selection.train_test_split(*data, random_state=0)[1::2],
        lambda *data: utils.shuffle(*data, random_state=0),
        lambda *data: utils.resample(*data, n_samples=3, random_state=0),
    ):
        chosen, cut_labels = cut(rows, labels)
        assert cut_labels == labels[chosen]


def test_scikit_learn_hands_labels_to_an_estimator():
    base = pytest.importorskip("sklearn.base")
    model_selection = pytest.importorskip("sklearn.model_selection")

    class CountsLabels(base.BaseEstimator):
        def fit(self, x, y):
            assert rows_of(y) == x.tolist()
            return self

        def score(self, x, y):
            assert rows_of(y) == x.tolist()
            return len(y)

    x = np.arange(6).reshape(6, 1)
    labels = Labels.from_padded(x, NUM_CLASSES)
    scores = model_selection.cross_val_score(CountsLabels(), x, labels, cv=3)
    assert scores.tolist() == [2, 2, 2]


@given(row_lists(), st.data())
def test_gathering_equals_picking_one_by_one(rows, data):
    labels = Labels.from_lists(rows, NUM_CLASSES)
    chosen = data.draw(st.lists(st.integers(-len(rows), len(rows) - 1), max_size=9))
    assert rows_of(labels[chosen]) == [rows[i] for i in chosen]


# An immutable value.


def test_arrays_are_read_only(labels):
    for array in (labels.indices, labels.indptr, labels[0], labels[1:].indices, labels[[0]].indptr):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


@pytest.mark.parametrize("name", ["indices", "indptr", "num_classes", "shape", "ndim"])
def test_attributes_cannot_be_set(labels, name):
    with pytest.raises(AttributeError):
        setattr(labels, name, 1)


def test_later_changes_of_the_callers_array_do_not_reach_in():
    indices = np.array([0, 1])
    labels = Labels(indices, [0, 2], NUM_CLASSES)
    indices[0] = 5
    assert labels[0].tolist() == [0, 1]


def test_the_arrays_of_a_sparse_matrix_are_not_shared():
    matrix = sparse.csr_array(([True, True], np.array([0, 1]), np.array([0, 2])), shape=(1, 7))
    labels = Labels.from_csr(matrix)
    matrix.indices[0], matrix.indptr[1] = 5, 1
    assert rows_of(labels) == [[0, 1]]


def test_labels_have_the_shape_of_their_scores(labels):
    assert (labels.shape, labels.ndim) == ((5, 7), 2)
    assert (np.shape(labels), np.ndim(labels)) == ((5, 7), 2)


def test_equal_means_same_classes_and_same_labels_in_the_same_order(labels):
    assert labels == Labels.from_lists(rows_of(labels), NUM_CLASSES)
    assert labels != Labels.from_lists(rows_of(labels), NUM_CLASSES + 1)
    assert labels != Labels.from_lists([[3, 0], [], [2], [6, 5, 4], [1]], NUM_CLASSES)
    assert labels != [[0, 3], [], [2], [6, 5, 4], [1]]


def test_labels_never_equal_a_sparse_matrix(labels):
    assert (labels == labels.to_csr()) is False


def test_labels_hold_rows_not_labels(labels):
    with pytest.raises(TypeError, match=r"as in `3 in labels\[0\]`"):
        assert 3 in labels
    assert 3 in labels[0]


@pytest.mark.parametrize("other", [np.zeros(5), np.zeros((5, 7), bool), np.int64(3)], ids=str)
def test_labels_never_equal_an_array(labels, other):
    assert (labels == other) is False
    assert (other == labels) is False
    assert (labels != other) is True


def test_labels_become_no_array_without_being_asked_for_a_form(labels):
    with pytest.raises(TypeError, match=r"use to_padded\(\), to_multi_hot\(\) or to_csr\(\)"):
        np.asarray(labels)


def test_the_sparse_form_has_the_indices_that_most_readers_want(labels):
    csr = labels.to_csr()
    assert (csr.indices.dtype, csr.indptr.dtype) == (np.int32, np.int32)
    many = Labels([2**31 + 5], [0, 1], num_classes=2**32).to_csr()
    assert many.indices.tolist() == [2**31 + 5]


def test_there_is_no_hash(labels):
    with pytest.raises(TypeError, match="unhashable"):
        hash(labels)


def test_repr_tells_the_sizes(labels):
    assert repr(labels) == "Labels(rows=5, num_classes=7, labels=7)"


def test_pickle_brings_it_back(labels):
    assert pickle.loads(pickle.dumps(labels)) == labels


def test_savez_brings_it_back(labels):
    file = io.BytesIO()
    np.savez(file, indices=labels.indices, indptr=labels.indptr, num_classes=labels.num_classes)
    file.seek(0)
    assert Labels(**np.load(file)) == labels


# Sets of labels.


@given(st.lists(st.lists(st.integers(0, NUM_CLASSES - 1), max_size=9), max_size=6))
def test_drop_duplicates_makes_sorted_sets(rows):
    once = Labels.from_lists(rows, NUM_CLASSES).drop_duplicates()
    assert rows_of(once) == [sorted(set(row)) for row in rows]


def test_drop_duplicates_copies_nothing_where_there_are_none():
    labels = Labels.from_lists([[], [1, 4], [], [0], []], NUM_CLASSES)
    assert labels.drop_duplicates() is labels


# Raw forms that cannot be mistaken.


RAW_FORMS: dict[str, Any] = {
    "Labels": Labels.from_lists([[0, 2], [3]], 4),
    "padded array": np.array([[0, 2, -1, -1], [3, -1, -1, -1]]),
    "narrow padded array": np.array([[0, 2], [3, -1]], dtype=np.int16),
    "padded lists": [[0, 2], [3, -1]],
    "bool array": np.array([[1, 0, 1, 0], [0, 0, 0, 1]], dtype=bool),
    "bool lists": [[True, False, True, False], [False, False, False, True]],
    "csr": sparse.csr_array([[1, 0, 1, 0], [0, 0, 0, 1]]),
    "coo matrix": sparse.coo_matrix([[1, 0, 1, 0], [0, 0, 0, 1]]),
    "ragged lists": [[0, 2], [3]],
    "ragged tuple of arrays": (np.array([0, 2]), np.array([3])),
    "sets": [{0, 2}, {3}],
}


@pytest.mark.parametrize("form", RAW_FORMS)
def test_raw_forms_are_recognised(form):
    assert as_labels(RAW_FORMS[form], shape=(2, 4)) == Labels.from_lists([[0, 2], [3]], 4)


@pytest.mark.parametrize("shape", [(3, 4), (2, 5)])
def test_labels_that_do_not_fit_the_scores_show_both_shapes(shape):
    with pytest.raises(ValueError, match=r"shape \(2, 4\).*do not fit scores of shape \(\d, \d\)"):
        as_labels(RAW_FORMS["Labels"], shape)


@pytest.mark.parametrize(
    ("indices", "indptr"),
    [([0, 9], [0, 1, 2]), ([0, -5], [0, 1, 2]), ([0, 1], [0, 2, 1]), ([0, 1], [0, 1, 7])],
)
@pytest.mark.parametrize("form", ["csr_array", "csc_matrix"])
def test_a_corrupt_sparse_matrix_is_refused(form, indices, indptr):
    sparse = pytest.importorskip("scipy.sparse")
    matrix = getattr(sparse, form)(np.eye(2))
    matrix.indices, matrix.indptr = np.array(indices), np.array(indptr)
    with pytest.raises(ValueError, match=r"matrix is not a valid cs. matrix"):
        Labels.from_csr(matrix)


def test_a_nan_in_a_sparse_matrix_is_refused():
    sparse = pytest.importorskip("scipy.sparse")
    with pytest.raises(ValueError, match="matrix must not hold NaN"):
        Labels.from_csr(sparse.csr_array([[0.0, np.nan]]))


@pytest.mark.parametrize("values", [[1, -1], [0.5, -0.5]])
def test_a_negative_entry_of_a_sparse_matrix_is_no_label(values):
    matrix = sparse.csr_array((values, [0, 2], [0, 2]), shape=(1, 3))
    with pytest.raises(ValueError, match=r"matrix must not hold negative .*, use matrix > 0"):
        Labels.from_csr(matrix)
    assert rows_of(Labels.from_csr(matrix > 0)) == [[0]]


def test_a_sparse_matrix_of_complex_numbers_is_refused():
    with pytest.raises(TypeError, match="matrix must hold bools or real numbers, got complex128"):
        Labels.from_csr(sparse.csr_array([[1j, 0]]))


def test_a_sparse_matrix_without_a_column_is_named():
    with pytest.raises(ValueError, match=r"matrix must have .* C >= 1, got shape \(2, 0\)"):
        Labels.from_csr(sparse.csr_array((2, 0)))


def test_entries_are_sorted_whatever_the_sparse_matrix_once_said_of_them():
    matrix = sparse.csr_array(np.eye(2, 3))
    matrix.sum_duplicates()  # sets its flags
    matrix.indices = np.array([2, 2])
    matrix.indptr = np.array([0, 2, 2])
    assert rows_of(Labels.from_csr(matrix)) == [[2], []]


# An array as wide as the classes may be something else than class indices.

NOT_INDICES = {
    "0 and 1": [[1, 0, 0, 1], [0, 1, 0, 0]],
    "0 only": [[0, 0, 0, 0]],
    "signs, going on after a -1": [[1, -1, 1, -1], [-1, 1, 1, -1]],
    "signs, far after a -1": [[-1, -1, -1, 1], [-1, -1, 1, -1]],
    "signs, naming a class twice": [[1, 1, -1, -1], [1, -1, -1, -1]],
    "0 and 1 and unknown": [[0, 1, 0, 1], [1, 0, -1, 0]],
    "0 and 1, then unknown": [[0, 1, 0, -1], [1, 0, -1, -1]],
    "grades": [[3, 2, 0, 0], [1, 0, 2, 3]],
    "grades in padded lists": [[3, 2, 2, 0], [2, 1, -1, -1]],
}
INDICES = {
    "all classes": ([[3, 1, 0, 2], [0, 1, 2, 3]], [[3, 1, 0, 2], [0, 1, 2, 3]]),
    "only classes 0 and 1": ([[0, 1, -1, -1], [1, -1, -1, -1]], [[0, 1], [1]]),
    "only class 0": ([[0, -1, -1, -1], [-1, -1, -1, -1]], [[0], []]),
    "a class twice, then -1": ([[1, 1, -1, -1], [3, -1, -1, -1]], [[1, 1], [3]]),
    "more after a -1": ([[3, 0, -1, 1], [2, -1, -1, 2]], [[3, 0], [2]]),
    "zeros after a -1": ([[2, 1, -1, 0], [3, -1, 0, 0]], [[2, 1], [3]]),
    "narrower": ([[1, 0, 1], [0, 0, 1]], [[1, 0, 1], [0, 0, 1]]),
    "signs but narrower": ([[1, 1, -1], [1, -1, 1]], [[1, 1], [1]]),
    "wider": ([[1, 1, 0, 1, -1], [3, 3, 2, 2, -1]], [[1, 1, 0, 1], [3, 3, 2, 2]]),
    "no labels": ([[-1, -1, -1, -1]], [[]]),
}


@pytest.mark.parametrize("dtype", ["int8", "int64", ">i4"])
@pytest.mark.parametrize("form", NOT_INDICES)
def test_an_array_as_wide_as_the_classes_that_cannot_be_indices_is_refused(form, dtype):
    array = np.array(NOT_INDICES[form], dtype)
    with pytest.raises(ValueError, match="padded cannot be class indices, a row as wide as the"):
        Labels.from_padded(array, 4)
    with pytest.raises(ValueError, match="target cannot be class indices, a row as wide as the"):
        as_labels(array, array.shape, "target")


@pytest.mark.filterwarnings("ignore:row . is .*ignored")
@pytest.mark.parametrize("form", INDICES)
def test_an_array_that_can_be_indices_is_read_as_such(form):
    padded, lists = INDICES[form]
    assert rows_of(Labels.from_padded(padded, 4)) == lists
    assert rows_of(as_labels(padded, (len(padded), 4))) == lists


@pytest.mark.parametrize("form", NOT_INDICES)
def test_one_more_column_of_minus_ones_says_that_an_array_is_indices(form):
    array = np.pad(NOT_INDICES[form], [(0, 0), (0, 1)], constant_values=-1)
    ended = [row[: row.index(-1)] for row in array.tolist()]
    assert rows_of(Labels.from_padded(array, 4)) == ended


@pytest.mark.parametrize(
    ("form", "guess"),
    [
        ("0 and 1", "if they are multi-hot, pass them as bool or through Labels.from_multi_hot"),
        ("signs, naming a class twice", r"use Labels\.from_multi_hot\(padded > 0\)"),
        (
            "0 and 1 and unknown",
            r"if -1 is unknown, use Labels.from_multi_hot\(padded, unknown=-1\)",
        ),
        ("grades", r"use Labels\.from_multi_hot\(padded > 0\); grades are not supported"),
    ],
)
def test_what_an_array_was_meant_as_is_guessed(form, guess):
    with pytest.raises(ValueError, match=guess):
        Labels.from_padded(NOT_INDICES[form], 4)


@pytest.mark.parametrize("width", [3, 4])
def test_a_padding_that_an_unsigned_dtype_made_another_number_is_recognised(width):
    padded = np.array([[2, -1, -1, -1], [0, 1, -1, -1]])[:, :width]
    wrapped = padded.astype(np.uint8)
    advice = r"if 255 was -1, which uint8 lacks, use np\.where\(padded == 255, -1, padded"
    with pytest.raises(ValueError, match=advice) as caught:
        Labels.from_padded(wrapped, 4)
    assert "grades" not in str(caught.value)
    mended = np.where(wrapped == 255, -1, wrapped.astype(int))
    assert Labels.from_padded(mended, 4) == Labels.from_padded(padded, 4)


def test_unsigned_grades_are_refused():
    with pytest.raises(ValueError, match=r"row 0 is \[2, 0, 2\]"):
        Labels.from_padded(np.array([[2, 0, 2]], np.uint64), 3)


@pytest.mark.parametrize("rows", [[[0, 0], [0, 1]], [[1, -1], [-1, 1]], [[1, 1], [1, -1]]])
def test_two_classes_are_as_many_as_others(rows):
    with pytest.raises(ValueError, match="padded cannot be class indices"):
        Labels.from_padded(rows, 2)


def test_the_one_class_there_is_can_be_a_label():
    assert rows_of(Labels.from_padded([[0], [-1]], 1)) == [[0], []]


def test_an_array_is_doubted_by_from_lists_too():
    with pytest.raises(ValueError, match=r"rows cannot be class indices.*row 0 is \[1, 0, 0, 1\]"):
        Labels.from_lists(np.array(NOT_INDICES["0 and 1"]), 4)


@pytest.mark.parametrize(
    ("values", "guess"),
    [
        ([[1, -1]], r"got -1 in row 0, column 1; .*use Labels.from_multi_hot\(multi_hot > 0\)"),
        ([[0.0, 255.0]], r"got 255.0 in .*use Labels.from_multi_hot\(multi_hot > 0\)"),
        ([[0.5, 1.0]], "got 0.5 in row 0, column 0; for rows of class indices use"),
    ],
)
def test_what_a_multi_hot_form_was_meant_as_is_guessed(values, guess):
    with pytest.raises(ValueError, match=guess):
        Labels.from_multi_hot(values)


def test_rows_filled_up_with_another_number_are_told_which_it_is():
    with pytest.raises(ValueError, match=r"label -100 in row 0, column 1 .*; a row ends with -1"):
        Labels.from_padded([[0, -100], [1, 2]], 3)


def test_transposed_labels_are_suspected():
    with pytest.raises(ValueError, match=r"^target: labels of shape \(2, 3\).*transposed"):
        as_labels(np.eye(2, 3, dtype=bool), (3, 2), "target")


def test_integers_that_look_multi_hot_are_refused_with_a_guess():
    with pytest.raises(ValueError, match=r"row 0 is \[1, 0, 0, 1\].*pass them as bool"):
        as_labels([[1, 0, 0, 1], [0, 1, 0, 0]], shape=(2, 4))


def test_float_labels_are_refused_with_the_way_out():
    with pytest.raises(TypeError, match=r"got float64; for a multi-hot matrix use Labels\.from_mu"):
        as_labels(np.array([[1.0, 0.0]]), shape=(1, 2))


def test_too_many_classes_are_said_to_be_too_many():
    with pytest.raises(ValueError, match="num_classes must be at most"):
        Labels.from_lists([[0]], 2**64)


@pytest.mark.parametrize("row", [5, -2])
def test_a_row_out_of_range_is_named(row):
    with pytest.raises(IndexError, match=f"row {row} is out of range: there are 1 rows"):
        Labels.from_lists([[0]], 3)[row]


def test_lists_without_rows_are_refused():
    with pytest.raises(TypeError, match="rows must hold one list of labels each, got int as row 0"):
        Labels.from_lists([0, 1], 3)


@pytest.mark.parametrize("row", [50_000_000, 7, -1])
@pytest.mark.parametrize("form", ["coo_array", "coo_matrix"])
def test_a_sparse_matrix_of_rows_out_of_range_is_refused(form, row):
    matrix = getattr(sparse, form)(np.eye(3))
    matrix.row[0] = row
    with pytest.raises(ValueError, match=f"matrix is not a valid coo matrix: index {row} is out"):
        Labels.from_csr(matrix)


def test_a_lil_matrix_of_columns_out_of_range_is_refused():
    matrix = sparse.lil_array(np.eye(3))
    matrix.rows[0] = [99]
    with pytest.raises(ValueError, match="matrix is not a valid csr matrix: index 99"):
        Labels.from_csr(matrix)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (sparse.csr_array([[0.0, np.nan]]), "target must not hold NaN"),
        (sparse.coo_array([0, 1]), "target must be a matrix of two axes, got shape"),
        (np.array([0, 1]), "target must be 2-D"),
        (np.array([True, False]), "target must have shape"),
        ([[0.5], []], "target must hold integers, got float64"),
        ([["a"], []], "target must hold integers, got <U1; names become multi-hot by scikit-learn"),
        (np.array([["a"], ["b"]]), "target must hold .* got <U1; names become multi-hot by scikit"),
        ([[0], 1], "target must hold one list of labels each, got int as row 1"),
        ([[[0], [1]], [[2]]], "target must hold integers in each row, got list in row 0"),
        ([[0], [1, [2]]], "target must hold integers in each row, got list in row 1"),
        ([[[0], [1, 2]]], "target must have rows of one length"),
    ],
)
def test_raw_forms_are_named_as_the_user_knows_them(labels, message):
    with pytest.raises((TypeError, ValueError), match=message):
        as_labels(labels, (2, 2), "target")


MASKED = np.ma.masked_array([[1, 0], [1, 1]], mask=[[0, 1], [0, 0]])


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("padded", lambda m: Labels.from_padded(m, 2)),
        ("rows", lambda m: Labels.from_lists(m, 2)),
        ("indices", lambda m: Labels(m[0], [0, 2], 2)),
        ("labels", lambda m: as_labels(m, (2, 2))),
    ],
)
def test_masked_class_indices_are_refused(name, make):
    with pytest.raises(ValueError, match=rf"{name} has masked entries: .*\.filled\(-1\)"):
        make(MASKED)


def test_an_array_that_could_be_masked_but_is_not_is_an_array():
    assert rows_of(Labels.from_padded(np.ma.masked_array([[1, 0]]), 3)) == [[1, 0]]


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("padded", lambda x: Labels.from_padded(x, 2)),
        ("multi_hot", Labels.from_multi_hot),
        ("matrix", Labels.from_csr),
        ("indices", lambda x: Labels(x, [0], 2)),
        ("offsets", lambda x: Labels.from_indices_and_offsets([], x, 2)),
    ],
)
def test_labels_are_no_array_to_make_labels_of(labels, name, make):
    with pytest.raises(TypeError, match=f"{name} must be .*, got Labels"):
        make(labels)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("padded", lambda x: Labels.from_padded(x, 2)),
        ("multi_hot", Labels.from_multi_hot),
        ("rows", lambda x: Labels.from_lists(x, 2)),
    ],
)
def test_a_sparse_matrix_is_sent_to_its_constructor(name, make):
    with pytest.raises(TypeError, match=f"{name} must not be sparse, got csr_array: .*from_csr"):
        make(sparse.csr_array(np.eye(2)))


def test_the_padded_form_refuses_what_the_raw_form_refuses_as_multi_hot():
    with pytest.raises(ValueError, match=r"row 0 is \[1, 0, 0, 1\].*pass them as bool"):
        Labels.from_padded([[1, 0, 0, 1], [0, 0, 1, 0]], 4)


def test_the_padded_form_of_two_classes_round_trips_without_a_doubt():
    labels = Labels.from_lists([[0, 1], [1, 0]], 2)
    assert Labels.from_padded(labels.to_padded(), 2) == labels


@pytest.mark.parametrize("value", [2.0, "3", None])
def test_the_number_of_classes_must_be_an_integer(value):
    with pytest.raises(TypeError, match=f"num_classes must be an integer, got {value!r}"):
        Labels.from_lists([[0]], value)


def test_the_width_must_be_an_integer():
    with pytest.raises(TypeError, match=r"width must be an integer, got 2\.5"):
        Labels.from_lists([[0]], 3).to_padded(2.5)


def test_one_number_is_no_lists():
    with pytest.raises(TypeError, match="rows must hold one list of labels each, got int"):
        Labels.from_lists(5, 3)
    with pytest.raises(TypeError, match="one list of labels each, got ndarray as row 1"):
        Labels.from_lists([[0], np.array(1)], 3)


def test_ragged_rows_are_named():
    with pytest.raises(ValueError, match="padded must have rows of one length"):
        Labels.from_padded([[0], [1, 2]], 3)
    with pytest.raises(ValueError, match="multi_hot must have rows of one length"):
        Labels.from_multi_hot([[0], [1, 0]])


def test_strings_are_not_multi_hot():
    with pytest.raises(TypeError, match="multi_hot must hold bools, or numbers 0 and 1, got <U1"):
        Labels.from_multi_hot([["0", "1"]])


def test_a_multi_hot_form_without_a_column_is_named():
    with pytest.raises(ValueError, match=r"multi_hot must have .* C >= 1, got shape \(2, 0\)"):
        Labels.from_multi_hot(np.zeros((2, 0)))


@pytest.mark.parametrize("rows", [[[True]], [[True], [1, 2]], [[0], [np.True_, 1]]])
def test_a_bool_in_a_list_is_not_a_class(rows):
    with pytest.raises(TypeError, match="rows must hold integers, got bool"):
        Labels.from_lists(rows, 3)


@pytest.mark.parametrize(
    "rows", [[[0, 2], [1]], [(4, 2), (1, 3)], [[], [3, 3, 0]], [[], []], [[0, 1, 2, 3, 4], (1,)]]
)
def test_plain_lists_are_read_as_all_lists_are(rows):
    assert plain_labels(rows, (2, 5)) == Labels.from_lists(rows, 5)


@pytest.mark.parametrize(
    "rows",
    [
        ([0], [1]),
        [[0], {1}],
        [[0], [True]],
        [[0], [1.0]],
        [[0], [np.int64(1)]],
        [[0], ["1"]],
        [[0], [-1]],
        [[0], [5]],
        [[0], [2**80]],
        [[0], 1],
        [[0, 1, 0, 0, 1], [1, 0, 0, 0, 0]],
        [[0]],
    ],
    ids=str,
)
def test_lists_that_may_be_odd_get_a_closer_look(rows):
    assert plain_labels(rows, (2, 5)) is None

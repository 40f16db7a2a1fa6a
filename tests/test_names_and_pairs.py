"""Classes by name, features and labels in two files, and pairs to leave out."""

import gzip

import numpy as np
import pytest

from lucid import metrics
from lucid.io import (
    DataFileError,
    Dataset,
    read_filter_pairs,
    read_names,
    read_svmlight,
    read_xmc,
    read_xmc_pair,
    stream_xmc,
)
from lucid.labels import Labels

sparse = pytest.importorskip("scipy.sparse")


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes, name: str = "data.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def rows_of(labels: Labels) -> list[list[int]]:
    return [row.tolist() for row in labels]


# Names.


@pytest.mark.parametrize("read", [read_xmc, read_svmlight])
def test_names_become_classes_in_sorted_order(file, read):
    header = "4 2 3\n" if read is read_xmc else ""
    data = read(file(header + "dog,ant 1:1\n 1:2\nÄsche\nant,ant\n"), class_names=True)
    assert data.class_names == ("ant", "dog", "Äsche")
    expected = [[0, 1], [], [2], [0]]
    assert rows_of(data.labels) == expected
    assert data.labels.num_classes == 3


def test_a_test_file_takes_the_classes_of_the_training_file(file):
    train = read_svmlight(file("b 1:1\na 1:1\nc 1:1\n"), class_names=True)
    test = read_svmlight(file("c 1:1\n"), class_names=train.class_names)
    assert rows_of(test.labels) == [[2]]
    assert test.class_names == ("a", "b", "c")
    assert test.labels.num_classes == 3


def test_names_that_are_numbers_are_names_all_the_same(file):
    data = read_svmlight(file("10 1:1\n9 1:1\n"), class_names=True)
    assert data.class_names == ("10", "9")
    assert rows_of(data.labels) == [[0], [1]]


def test_a_row_that_begins_with_a_feature_has_no_label(file):
    data = read_xmc(file("2 2 1\n1:5\na 0:1\n"), class_names=["a"])
    assert rows_of(data.labels) == [[], [0]]


def test_a_comment_is_not_part_of_a_name(file):
    assert read_svmlight(file("# x\na# b\n"), class_names=True).class_names == ("a",)


def test_without_names_the_classes_have_none(file):
    assert read_xmc(file("1 1 1\n0\n")).class_names is None


@pytest.mark.parametrize(
    ("text", "names", "message"),
    [
        ("2 1 2\na\nb,x 0:1\n", ["a", "b"], "data.txt:3: not one of the 2 names of classes: 'x'"),
        ("1 1 2\na,,b\n", ["a", "b"], "data.txt:2: not one of the 2 names of classes: an empty n"),
        ("2 1 3\na\nb\n", True, "its labels have 2 names, its header promises 3 classes; class_na"),
        ("2 1 1\na\nb\n", True, "its labels have 2 names, its header promises 1 classes$"),
        (b"1 1 1\n\xff\n", True, "names must be UTF-8"),
        ("3 9 1\na 3:1\n3:.5\n3:x 3:1\n", True, "data.txt:4: neither a feature nor a name .*'3:x'"),
    ],
)
def test_wrong_names_in_a_file_are_named(file, text, names, message):
    with pytest.raises(DataFileError, match=message):
        read_xmc(file(text), class_names=names)


@pytest.mark.parametrize(
    "read",
    [
        lambda path: read_svmlight(path, class_names=True),
        lambda path: stream_xmc(path, rows=1, class_names=True),
    ],
)
def test_a_name_that_begins_like_a_feature_is_named_with_its_line(file, read):
    with pytest.raises(
        DataFileError,
        match=r"data.txt:3: neither a feature nor a name of a class, which must not begin with "
        "digits and a colon: '3:x'",
    ):
        read(file("2 9 1\na 3:1\n3:x 3:1\n"))


def test_a_file_without_labels_names_no_class(file):
    with pytest.raises(DataFileError, match="no row has a label"):
        read_svmlight(file(" 1:1\n"), class_names=True)


@pytest.mark.parametrize(
    ("names", "error", "message"),
    [
        (["a", "a"], ValueError, "class_names must be different, got 'a' twice"),
        (["a", 2], TypeError, "class_names must be a sequence of str"),
        ("ab", TypeError, "class_names must be a sequence of str, got 'ab'"),
        (["a", "b", "c"], ValueError, "class_names must be 2, one for each class, got 3"),
    ],
)
def test_what_are_no_names_of_the_classes_is_refused(file, names, error, message):
    with pytest.raises(error, match=message):
        read_xmc(file("1 1 2\na\n"), class_names=names)


@pytest.mark.parametrize("text", ["black birds\n Möbel \n", "black birds\r\nMöbel"])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
def test_names_come_from_lines(file, text, pack):
    assert read_names(file(pack(text.encode()))) == ["black birds", "Möbel"]


def test_names_keep_their_places_beside_an_empty_line(file):
    assert read_names(file("a\n\nc\n")) == ["a", "", "c"]


def test_names_that_are_not_utf_8_are_named_with_their_line(file):
    with pytest.raises(DataFileError, match=r"data\.txt:2: names must be UTF-8"):
        read_names(file(b"a\n\xff\n"))


# Two files.


FEATURES, LABELS = "3 4\n1:0.5 3:-2\n\n2:7\n", "3 6\n0:1 5:1\n 4:0\n4:1\n"


def test_features_and_labels_may_be_in_two_files(file):
    data = read_xmc_pair(file(FEATURES, "x"), file(gzip.compress(LABELS.encode()), "y"))
    assert data.features.toarray().tolist() == [[0, 0.5, 0, -2], [0, 0, 0, 0], [0, 0, 7, 0]]
    assert data.features.dtype == np.float32
    assert rows_of(data.labels) == [[0, 5], [], [4]]
    assert data.labels.shape == (3, 6)


@pytest.mark.parametrize(
    ("features", "labels", "message"),
    [
        (FEATURES, "2 6\n0:1\n1:1\n", "y: 2 rows, but .*x has 3"),
        ("3 4 6\n\n\n\n", LABELS, "x:1: the header must be two numbers, `rows columns`"),
        (FEATURES, "3 4\n0:1\n\n1:1 2:-1 3:-2\n", "y:4: the value of a label .* got -1$"),
        (FEATURES, "a b\n", "y:1: the header must be two numbers, `rows classes`, got 'a b'"),
        (FEATURES, "3 0\n\n\n\n", "y:1: the number of classes must be 1 .."),
        ("3 4\n1:1\n", LABELS, "x:2: the file ends after 1 rows, its header promises 3"),
        (FEATURES, "3 6\n0:1\n0,5\n\n", "y:3: label out of range|y:3: not an entry"),
        (FEATURES, "3 6\n0:1\n0\n\n", "y:3: not an entry"),
        (FEATURES, "3 6\n0:1\n\n6:1\n", r"y:4: feature out of range 0 \.\. 5: '6:1'"),
    ],
)
def test_wrong_pairs_of_files_are_named(file, features, labels, message):
    with pytest.raises(DataFileError, match=message):
        read_xmc_pair(file(features, "x"), file(labels, "y"))


# Pairs to leave out.


def test_filter_pairs_become_rows_of_classes(file):
    pairs = read_filter_pairs(file("2 1\n0 5\n2 0\n2 1\n\n"), (3, 6))
    assert rows_of(pairs) == [[5], [], [0, 1]]


def test_there_may_be_no_filter_pairs(file):
    assert rows_of(read_filter_pairs(file(""), (2, 6))) == [[], []]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 1\n1\n", r"data\.txt:2: not a pair `row class`: '1'"),
        ("0 1 2\n", r"data\.txt:1: not a pair"),
        ("0 -1\n", r"data\.txt:1: not a pair"),
        ("0 6\n", r"data\.txt:1: a pair out of range of shape \(3, 6\): \(0, 6\)"),
        ("3 0\n", r"data\.txt:1: a pair out of range"),
    ],
)
def test_wrong_filter_pairs_are_named(file, text, message):
    with pytest.raises(DataFileError, match=message):
        read_filter_pairs(file(text), (3, 6))


def test_what_is_left_out_is_unknown_also_where_it_was_a_label(file):
    pairs = file("0 5\n0 1\n2 3\n", "pairs")
    data = read_xmc_pair(file(FEATURES, "x"), file(LABELS, "y"), filter_pairs=pairs)
    assert rows_of(data.labels) == [[0], [], [4]]
    assert rows_of(data.labels.unknown) == [[1, 5], [], [3]]


def test_what_was_unknown_stays_so_when_pairs_are_left_out():
    labels = Labels.from_lists([[0]], 4).with_unknown([[1]])
    data = Dataset(sparse.csr_array((1, 1)), labels).leave_out(Labels.from_lists([[0, 2]], 4))
    assert rows_of(data.labels) == [[]]
    assert rows_of(data.labels.unknown) == [[0, 1, 2]]


def test_pairs_of_other_rows_are_refused():
    data = Dataset(sparse.csr_array((1, 1)), Labels.from_lists([[0]], 4))
    with pytest.raises(ValueError, match=r"pairs must have shape \(1, 4\), got \(2, 4\)"):
        data.leave_out(Labels.from_lists([[0], [1]], 4))


def test_a_prediction_that_is_left_out_takes_no_place():
    labels = Labels.from_lists([[0, 1]], 4)
    data = Dataset(sparse.csr_array((1, 1)), labels).leave_out(Labels.from_lists([[3, 1]], 4))
    scores = [[0.5, 0.7, 0.1, 0.9]]  # 3 and 1 are ahead of 0
    assert metrics.precision_at_k(scores, labels, 1) == 0
    assert metrics.precision_at_k(scores, data.labels, 1) == 1

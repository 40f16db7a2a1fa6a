"""Predictions written row by row."""

import csv
import gzip
import io
import json

import numpy as np
import pytest

from lucid.io import PredictionWriter

sparse = pytest.importorskip("scipy.sparse")

CLASSES = [[3, 0], [1, -1], [-1, -1]]
SCORES = np.array([[0.75, 0.1], [2, 0], [0, 0]], np.float32)
NAMES = ["art", "birds", "cars", "dogs"]


def written(path, *batches, **options):
    with PredictionWriter(path, **options) as writer:
        for batch in batches or [(CLASSES, SCORES)]:
            writer.write(*batch)
    return path.read_text()


def test_text_has_a_line_for_each_row_best_first(tmp_path):
    assert written(tmp_path / "best") == "3:0.75 0:0.1\n1:2\n\n"


def test_csv_has_a_line_for_each_prediction(tmp_path):
    rows = list(csv.reader(io.StringIO(written(tmp_path / "best.csv"))))
    assert rows == [
        ["row", "rank", "label", "score"],
        ["0", "1", "3", "0.75"],
        ["0", "2", "0", "0.1"],
        ["1", "1", "1", "2"],
    ]


def test_json_lines_have_an_object_for_each_row(tmp_path):
    lines = written(tmp_path / "best.jsonl").splitlines()
    assert [json.loads(line) for line in lines] == [
        {"labels": [3, 0], "scores": [0.75, 0.1]},
        {"labels": [1], "scores": [2]},
        {"labels": [], "scores": []},
    ]


def test_classes_are_written_by_name_where_they_have_one(tmp_path):
    assert written(tmp_path / "a", class_names=NAMES) == "dogs:0.75 art:0.1\nbirds:2\n\n"
    assert "0,1,dogs,0.75\n" in written(tmp_path / "a.csv", class_names=NAMES)
    assert '"labels": ["dogs", "art"]' in written(tmp_path / "a.jsonl", class_names=NAMES)


def test_every_name_comes_back_from_csv_and_json(tmp_path):
    names = ['a "b", c', "d\ne", "Möbel", ""]
    rows = list(csv.reader(io.StringIO(written(tmp_path / "a.csv", class_names=names))))
    assert [row[2] for row in rows[1:]] == [names[3], names[0], names[1]]
    first = written(tmp_path / "a.jsonl", class_names=names).splitlines()[0]
    assert json.loads(first)["labels"] == [names[3], names[0]]


@pytest.mark.parametrize("end", ["", ".csv", ".jsonl"])
def test_batches_give_what_all_rows_at_once_give(tmp_path, end):
    batches = [(CLASSES[n : n + 1], SCORES[n : n + 1]) for n in range(3)]
    assert written(tmp_path / f"a{end}", *batches) == written(tmp_path / f"b{end}")


def test_scores_of_a_sparse_matrix_are_ranked_ties_by_class(tmp_path):
    stored = sparse.csr_array([[0.1, 0, 0, 0.75], [2, 0, 2, 0.5]])
    assert written(tmp_path / "best", (stored,)) == "3:0.75 0:0.1\n0:2 2:2 3:0.5\n"


def test_scores_come_back_to_the_last_bit(tmp_path):
    for dtype in np.float32, np.float64:
        scores = np.random.default_rng(0).standard_normal((50, 2)).astype(dtype)
        text = written(tmp_path / "best", (np.tile([0, 1], (50, 1)), scores))
        back = [float(word.split(":")[1]) for word in text.split()]
        np.testing.assert_array_equal(np.array(back, dtype).reshape(50, 2), scores)


def test_the_form_may_be_said_and_the_name_packs(tmp_path):
    with PredictionWriter(tmp_path / "best.csv.gz", form="jsonl") as writer:
        writer.write([[1]], [[0.5]])
    text = gzip.decompress((tmp_path / "best.csv.gz").read_bytes())
    assert json.loads(text) == {"labels": [1], "scores": [0.5]}


def test_an_open_file_is_written_to_as_rows_come():
    file = io.BytesIO()
    with PredictionWriter(file) as writer:
        writer.write([[1]], [[0.5]])
        assert file.getvalue() == b"1:0.5\n"
    assert not file.closed


def test_nothing_but_no_rows_is_a_whole_file(tmp_path):
    assert written(tmp_path / "a", (np.zeros((0, 2), int), np.zeros((0, 2)))) == ""
    assert written(tmp_path / "a.csv", ([[]], [[]])) == "row,rank,label,score\n"


def test_until_the_end_and_after_an_error_the_old_file_stays(tmp_path):
    path = tmp_path / "best"
    path.write_text("before")

    def write_and_fail():
        with PredictionWriter(path) as writer:
            writer.write(CLASSES, SCORES)
            assert path.read_text() == "before"
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_and_fail()
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([[0]], [[np.nan]]), ValueError, "scores must be finite, got nan"),
        (([[0]], [[-np.inf]]), ValueError, "scores must be finite, got -inf"),
        (([[0.0]], [[1.0]]), TypeError, "classes must hold integers, got float64"),
        (([[0]], [["a"]]), TypeError, "scores must hold real numbers"),
        (([[0]],), TypeError, "scores must be given"),
        (([[0, 1]], [[1.0]]), ValueError, r"one shape \(N, K\), got \(1, 2\) and \(1, 1\)"),
        (([0], [1.0]), ValueError, r"one shape \(N, K\)"),
        (([[-2]], [[1.0]]), ValueError, "classes must be at least -1, got -2"),
        (([[4]], [[1.0]]), ValueError, "classes must be below 4, the number of names, got 4"),
    ],
)
def test_what_cannot_be_written_is_named_and_not_written(arguments, error, message):
    file = io.BytesIO()
    with PredictionWriter(file, class_names=NAMES) as writer:
        with pytest.raises(error, match=message):
            writer.write(*arguments)
        assert file.getvalue() == b""


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"form": "xml"}, ValueError, "form must be one of"),
        ({"class_names": ["a", 1]}, TypeError, "class_names must hold str, got 1"),
        ({"class_names": ["a b"]}, ValueError, "class_names must be words"),
    ],
)
def test_a_writer_of_what_cannot_be_is_refused(tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        PredictionWriter(tmp_path / "best", **options)


def test_a_writer_wants_a_with_block(tmp_path):
    with pytest.raises(RuntimeError, match="`with` block"):
        PredictionWriter(tmp_path / "best").write(CLASSES, SCORES)

"""Files read in pieces: the rows of the whole, in memory that does not grow with the file."""

import gzip
import resource
import sys

import numpy as np
import pytest

from lucid.io import (
    DataFileError,
    read_svmlight,
    read_xmc,
    stream_svmlight,
    stream_xmc,
)
from lucid.labels import Labels

sparse = pytest.importorskip("scipy.sparse")

TEXT = "5 4 6\n0,5 1:0.5 3:-2\n 0:1e-3\n\n4 2:7\n1,2,3\n"


@pytest.fixture
def file(tmp_path):
    def write(text: str | bytes, name: str = "data.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def together(pieces):
    """Return what the pieces make: dense features, and the labels of each row."""
    pieces = list(pieces)
    features = np.concatenate([piece.features.toarray() for piece in pieces])
    return features.tolist(), [row.tolist() for piece in pieces for row in piece.labels]


@pytest.mark.parametrize("rows", [1, 2, 3, 5, 100])
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("last", ["\n", "", "\n\n", "\r\n"])
def test_the_pieces_are_the_whole(file, rows, pack, last):
    path = file(pack((TEXT.removesuffix("\n") + last).encode()))
    pieces = stream_xmc(path, rows=rows, dtype=np.float64)
    assert together(pieces) == together([read_xmc(path, dtype=np.float64)])
    assert [len(piece) for piece in pieces] == [rows] * (5 // rows) + [5 % rows] * (5 % rows > 0)


@pytest.mark.parametrize("piece", [1, 2, 7, 11, 1000])
def test_where_the_pieces_of_the_file_end_leaves_no_trace(file, monkeypatch, piece):
    monkeypatch.setattr("lucid.data.files._PIECE", piece)
    monkeypatch.setattr("lucid.data.files._LONGEST_START", 1)
    path = file(TEXT)
    assert together(stream_xmc(path, rows=2)) == together([read_xmc(path)])


def test_a_stream_can_be_read_again(file):
    pieces = stream_xmc(file(TEXT), rows=2)
    assert together(pieces) == together(pieces)


def test_two_readers_of_a_stream_do_not_disturb_each_other(file):
    pieces = stream_xmc(file(TEXT), rows=1)
    for one, other in zip(pieces, pieces, strict=True):
        assert one.labels == other.labels


def test_the_sizes_are_known_before_the_first_piece(file):
    pieces = stream_xmc(file("9 4 6\n"), rows=2)
    assert (pieces.num_rows, pieces.num_features, pieces.num_classes) == (9, 4, 6)
    for piece in stream_xmc(file(TEXT), rows=2):
        assert (piece.features.shape[1], piece.labels.num_classes) == (4, 6)


def test_svmlight_files_come_in_pieces_too(file):
    path = file("# head\n0,5 2:0.5\n\n 1:1e-3 # a comment\n4 3:7\n")
    sizes = {"num_features": 3, "num_classes": 6}
    for rows in 1, 2, 100:
        pieces = stream_svmlight(path, **sizes, rows=rows)
        assert together(pieces) == together([read_svmlight(path, **sizes)])


def test_svmlight_files_in_pieces_need_their_sizes(file):
    with pytest.raises(TypeError, match="num_features and num_classes must be given"):
        stream_svmlight(file("0 1:1\n"), num_features=1)


def test_labels_may_be_names(file):
    names = ["a", "b", "c"]
    (piece,) = stream_xmc(file("2 1 3\nb,a 0:1\nc\n"), class_names=names)
    assert [row.tolist() for row in piece.labels] == [[0, 1], [2]]
    (piece,) = stream_svmlight(file("b,a 1:1\nc\n"), num_features=1, class_names=names)
    assert [row.tolist() for row in piece.labels] == [[0, 1], [2]]


@pytest.mark.parametrize("rows", [1, 3])
def test_names_are_looked_for_in_the_whole_file(file, rows):
    path = file("3 1 3\nb,a 0:1\nc\nb\n")
    pieces, whole = stream_xmc(path, rows=rows, class_names=True), read_xmc(path, class_names=True)
    assert pieces.class_names == whole.class_names == ("a", "b", "c")
    assert together(pieces) == together([whole])


def test_as_many_names_are_looked_for_as_the_header_promises(file):
    with pytest.raises(DataFileError, match="its labels have 2 names, its header promises 3"):
        stream_xmc(file("2 1 3\nb,a 0:1\n\n"), class_names=True)


def test_labels_need_not_be_read(file):
    path = file("4 9 1\n7,x 0:1\n 1:2\n2:3\nonly\n")
    features, labels = together(stream_xmc(path, rows=3, labels=False))
    assert labels == [[], [], [], []]
    assert [row[:3] for row in features] == [[1, 0, 0], [0, 2, 0], [0, 0, 3], [0, 0, 0]]
    (piece,) = stream_xmc(path, labels=False)
    assert piece.labels.num_classes == 1


@pytest.mark.parametrize("size", [1, 2, 5])
def test_rows_of_a_stream_are_chosen_as_those_of_the_whole(file, size):
    path = file(TEXT)
    for chosen in np.arange(32)[:, np.newaxis] >> np.arange(5) & 1 > 0:
        part = stream_xmc(path, rows=size).select(chosen)
        assert part.num_rows == chosen.sum()
        pieces = list(part)
        assert all(len(piece) for piece in pieces)
        if pieces:
            assert together(pieces) == together([read_xmc(path)[np.flatnonzero(chosen)]])


@pytest.mark.parametrize(
    ("rows", "error", "message"),
    [
        ([0, 1], TypeError, "rows must hold bools, got int64"),
        ([True] * 4, ValueError, r"rows must have shape \(5,\), got \(4,\)"),
    ],
)
def test_rows_that_cannot_be_chosen_are_refused(file, rows, error, message):
    with pytest.raises(error, match=message):
        stream_xmc(file(TEXT)).select(rows)


def test_rows_are_chosen_where_their_number_is_known(file):
    stream = stream_svmlight(file("0 1:1\n"), num_features=1, num_classes=2)
    with pytest.raises(ValueError, match="rows of a stream whose number is not known"):
        stream.select([True])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("5 4 6\n0\n1\n2\n3 7:1\n5\n", r"data\.txt:5: feature out of range 0 \.\. 3: '7:1'"),
        ("5 4 6\n0\n1\n2\n6\n5\n", r"data\.txt:5: label out of range 0 \.\. 5: '6'"),
        ("5 4 6\n0\n1\n2\n", r"data\.txt:4: the file ends after 3 rows, its header promises 5"),
        ("2 4 6\n0\n1\n2\n", r"data\.txt:4: more rows than the 2 that the header promises"),
        ("1 4 6\n0\n\n\n\n3\n", r"data\.txt:6: more rows than the 1 that the header promises"),
        ("3 4 6\n0\n1 0:\r1\n2\n", r"data\.txt:3: a carriage return inside of a line"),
    ],
)
@pytest.mark.parametrize("rows", [1, 2])
def test_what_is_wrong_is_named_with_its_line_in_the_file(file, rows, text, message):
    pieces = stream_xmc(file(text), rows=rows)
    with pytest.raises(DataFileError, match=message):
        list(pieces)


def test_a_name_that_is_unknown_is_named_with_its_line(file):
    pieces = stream_xmc(file("3 1 2\na\nb\nc\n"), class_names=["a", "b"], rows=1)
    with pytest.raises(DataFileError, match=r"data\.txt:4: not one of the 2 names of classes: 'c'"):
        list(pieces)


def test_a_damaged_header_is_found_at_once(file):
    with pytest.raises(DataFileError, match="the header must be three numbers"):
        stream_xmc(file("1 2\n"))


def test_a_truncated_file_is_named_when_its_end_is_reached(file):
    packed = gzip.compress((TEXT + "\n" * 1000).encode())
    with pytest.raises(DataFileError, match="the gzip file is truncated or damaged"):
        list(stream_xmc(file(packed[:-4]), rows=2))


@pytest.mark.parametrize("rows", [0, -1])
def test_a_piece_has_at_least_one_row(file, rows):
    with pytest.raises(ValueError, match=f"rows must be at least 1, got {rows}"):
        stream_xmc(file(TEXT), rows=rows)


def test_a_file_that_another_program_changes_is_an_error(file):
    pieces = stream_xmc(file(TEXT))
    file("1 4 6\n0\n")
    with pytest.raises(DataFileError, match="the header has changed"):
        list(pieces)


TRAIN = """
import resource, sys
import numpy as np
import lucid
from lucid import nn, optim
from lucid.io import PredictionWriter, stream_xmc

path, best, more = sys.argv[1], sys.argv[2], int(sys.argv[3])
pieces = stream_xmc(path, rows=512)
layer = nn.Linear(pieces.num_features, pieces.num_classes)
optimizer = optim.SGD(layer.parameters(), lr=1.0)
losses = []

def now():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[0]) * resource.getpagesize()

if more:  # so much memory beyond what is taken already
    resource.setrlimit(resource.RLIMIT_AS, (now() + more, now() + more))
for piece in pieces:
    loss = nn.functional.multilabel_margin_loss(layer(piece.features), piece.labels)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
with PredictionWriter(best) as writer, lucid.no_grad():
    for piece in pieces:
        scores = layer(piece.features).numpy()
        top = np.argsort(-scores, axis=1)[:, :2]
        writer.write(top, np.take_along_axis(scores, top, axis=1))
print(losses[0], losses[-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the memory that is taken")
def test_a_file_larger_than_the_memory_is_trained_on_and_predicted(tmp_path, fresh_python):
    path, best = tmp_path / "large.txt", tmp_path / "best.txt"
    rng = np.random.default_rng(0)
    block = "".join(
        f"{c} {c}:1 " + " ".join(f"{f}:0.12500" for f in range(10, 100, 3)) + " " * 400 + "\n"
        for c in rng.integers(0, 10, 1000)
    )
    times = 60
    path.write_text(f"{1000 * times} 100 10\n" + block * times)
    memory = 32 << 20
    assert path.stat().st_size > memory
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    code = f"import sys; sys.argv[1:] = [{str(path)!r}, {str(best)!r}, '{memory}']\n" + TRAIN
    ended = fresh_python(code, **environment)
    assert ended.returncode == 0, ended.stderr
    first, last = map(float, ended.stdout.split())
    assert last < first / 10
    lines = best.read_text().splitlines()
    assert len(lines) == 1000 * times
    labels = [line.split()[0] for line in block.splitlines()]
    hits = [line.split(":")[0] == label for line, label in zip(lines, labels, strict=False)]
    assert np.mean(hits) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells the memory that is taken")
def test_the_whole_of_that_file_does_not_fit(tmp_path, fresh_python):
    path = tmp_path / "large.txt"
    path.write_text("60000 1 1\n" + ("0 0:1" + " " * 700 + "\n") * 60_000)
    ended = fresh_python(
        "import resource; from lucid.io import read_xmc; import scipy.sparse\n"
        f"used = int(open('/proc/self/statm').read().split()[0]) * {resource.getpagesize()}\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (32 << 20), used + (32 << 20)))\n"
        f"read_xmc({str(path)!r})"
    )
    assert "MemoryError" in ended.stderr


def test_labels_of_pieces_are_sets(file):
    (piece,) = stream_xmc(file("1 1 4\n3,1,3\n"))
    assert piece.labels == Labels.from_lists([[1, 3]], 4)

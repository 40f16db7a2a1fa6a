"""Data files and checkpoints: what is read, how errors are worded, what a failed save leaves."""

import bz2
import gzip
import io
import itertools
import json
import lzma
import math
import os
import pickle
import struct
import sys
import tarfile
import tracemalloc
import zipfile
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from lucid.io import (
    DataFileError,
    load_checkpoint,
    read_npz_pair,
    read_svmlight,
    read_xmc,
    save_checkpoint,
)
from lucid.labels import Labels

sparse = pytest.importorskip("scipy.sparse")
safetensors_numpy = pytest.importorskip("safetensors.numpy")


@pytest.fixture
def file(tmp_path):
    """Write a text to a file and return its path."""

    def write(text: str | bytes, name: str = "data.txt"):
        path = tmp_path / name
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return write


def rows_of(labels: Labels) -> list[list[int]]:
    return [row.tolist() for row in labels]


# Well-formed text.

TEXT = "3 4 6\n0,5 1:0.5 3:-2\n 0:1e-3\n4 2:7\n"
FEATURES = [[0, 0.5, 0, -2], [1e-3, 0, 0, 0], [0, 0, 7, 0]]
LABELS = [[0, 5], [], [4]]


@pytest.mark.parametrize(
    "text",
    [
        TEXT,
        TEXT.rstrip("\n"),
        TEXT.replace("\n", "\r\n"),
        TEXT.replace(" ", "  ").replace("  0:", " \t0:"),
        TEXT.replace("\n", " \n"),
        TEXT + "\n  \n\n",
        TEXT.replace(" 0:1e-3", "0:1e-3"),
    ],
    ids=["as written", "no last newline", "crlf", "blanks", "trailing blanks", "blank end", "bare"],
)
def test_xmc_text_gives_features_and_labels(file, text):
    data = read_xmc(file(text), dtype=np.float64)
    assert data.features.toarray().tolist() == FEATURES
    assert rows_of(data.labels) == LABELS


#: How to pack, and what the form is called.
PACKS = {"gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress}
packed = pytest.mark.parametrize(("form", "pack"), PACKS.items(), ids=PACKS)


@pytest.mark.parametrize("pack", [bytes, *PACKS.values()])
def test_a_byte_order_mark_is_skipped(file, pack):
    assert rows_of(read_xmc(file(pack(b"\xef\xbb\xbf" + TEXT.encode()))).labels) == LABELS


def test_indices_are_those_that_most_readers_of_sparse_matrices_want(file):
    features = read_xmc(file(TEXT)).features
    assert (features.indices.dtype, features.indptr.dtype) == (np.int32, np.int32)


@packed
def test_a_compressed_file_is_told_by_content_not_by_name(file, form, pack):
    assert rows_of(read_xmc(file(pack(TEXT.encode()))).labels) == LABELS


@packed
def test_svmlight_files_may_be_compressed(file, form, pack):
    assert rows_of(read_svmlight(file(pack(b"0,2 1:5\n"))).labels) == [[0, 2]]


@packed
@pytest.mark.parametrize("padding", [b"", bytes(8), bytes(600_000)])
def test_a_compressed_file_may_have_several_streams(file, form, pack, padding):
    halves = TEXT.encode()[:20], TEXT.encode()[20:]
    assert rows_of(read_xmc(file(padding.join(map(pack, halves)))).labels) == LABELS


@packed
def test_a_compressed_file_is_read_in_pieces(file, form, pack):
    rows = 100_000
    text = f"{rows} 9 9\n" + "".join(f"{n % 9} {n % 7}:{n * n}\n" for n in range(rows))
    data = read_xmc(file(pack(text.encode())), dtype=np.float64)
    assert data.labels.indices.tolist() == [n % 9 for n in range(rows)]
    assert data.features.data.tolist() == [n * n for n in range(rows)]


def test_shapes_come_from_the_header(file):
    data = read_xmc(file(TEXT))
    assert data.features.shape == (3, 4)
    assert data.labels.shape == (3, 6)


def test_features_are_float32_unless_asked_otherwise(file):
    assert read_xmc(file(TEXT)).features.dtype == np.float32
    assert read_xmc(file(TEXT), dtype=np.float64).features.dtype == np.float64


def test_a_label_listed_twice_is_one_label(file):
    assert rows_of(read_xmc(file("1 2 4\n3,1,3 0:1\n")).labels) == [[1, 3]]


def test_a_feature_listed_twice_is_summed(file):
    assert read_xmc(file("1 2 4\n3 1:1 1:2\n")).features.toarray().tolist() == [[0, 3]]


def test_a_row_may_hold_labels_or_features_or_nothing(file):
    data = read_xmc(file("4 2 4\n3\n 1:5\n\n2,1 \n"))
    assert rows_of(data.labels) == [[3], [], [], [1, 2]]
    assert data.features.toarray().tolist() == [[0, 0], [0, 5], [0, 0], [0, 0]]


def test_an_empty_last_row_is_a_row(file):
    data = read_xmc(file("3 3 4\n0 1:1\n1 1:1\n\n"))
    assert rows_of(data.labels) == [[0], [1], []]


def test_an_index_may_have_leading_zeros(file):
    data = read_xmc(file("1 2 4\n" + "0" * 30 + "3 " + "0" * 30 + "1:5\n"))
    assert rows_of(data.labels) == [[3]]
    assert data.features.toarray().tolist() == [[0, 5]]


def test_there_may_be_no_rows(file):
    assert len(read_xmc(file("0 3 4\n"))) == 0


def test_svmlight_counts_features_from_one_and_labels_from_zero(file):
    data = read_svmlight(file("0,2 1:5 3:1\n 2:1\n"))
    assert data.features.toarray().tolist() == [[5, 0, 1], [0, 1, 0]]
    assert rows_of(data.labels) == [[0, 2], []]


def test_svmlight_features_may_count_from_zero(file):
    data = read_svmlight(file("1 0:5 2:1\n"), zero_based=True)
    assert data.features.toarray().tolist() == [[5, 0, 1]]


def test_svmlight_sizes_may_be_given(file):
    data = read_svmlight(file("1 1:5\n"), num_features=9, num_classes=4)
    assert data.features.shape == (1, 9)
    assert data.labels.shape == (1, 4)


def test_svmlight_skips_comments_and_blank_lines(file):
    data = read_svmlight(file("# head\n\n1 1:5 # a:b, c\n   \n0 1:6#\n"))
    assert rows_of(data.labels) == [[1], [0]]
    assert data.features.toarray().tolist() == [[5], [6]]


def test_svmlight_agrees_with_scikit_learn(file):
    datasets = pytest.importorskip("sklearn.datasets")
    rng = np.random.default_rng(0)
    features = rng.standard_normal((20, 9)) * (rng.random((20, 9)) < 0.5)
    labels = rng.random((20, 5)) < 0.4
    path = file("", "peer.svm")
    datasets.dump_svmlight_file(
        features,
        sparse.csr_matrix(labels.astype(int)),
        str(path),
        zero_based=False,
        multilabel=True,
    )
    theirs, their_labels = datasets.load_svmlight_file(str(path), multilabel=True, zero_based=False)
    ours = read_svmlight(path, dtype=np.float64)
    assert np.array_equal(ours.features.toarray(), theirs.toarray())
    assert rows_of(ours.labels) == [sorted(map(int, row)) for row in their_labels]


# Numbers.


def value_of(text: str, path, dtype=np.float64) -> float:
    path.write_text(f"1 1 1\n0 0:{text}\n")
    return read_xmc(path, dtype=dtype).features.data[0]


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("numbers") / "data.txt"


@given(st.floats(allow_nan=False, allow_infinity=False))
@example(5e-324)
@example(1.7976931348623157e308)
@example(-0.0)
def test_every_double_comes_back_from_its_shortest_text(scratch, value):
    assert struct.pack("d", value_of(repr(value), scratch)) == struct.pack("d", value)


@given(
    st.from_regex(
        r"[-+]?([0-9]{1,25}\.?[0-9]{0,25}|\.[0-9]{1,25})([eE][-+]?[0-9]{1,2})?", fullmatch=True
    )
)
@example("9007199254740993")
@example("9007199254740993e-22")
@example("1.00000000000000011102230246251565404236316680908203125")
@example("1e22")
@example("1e23")
@example("18446744073709551617")
@example("1e-0000000000000000000000005")
def test_every_decimal_is_rounded_as_python_rounds_it(scratch, text):
    assert value_of(text, scratch) == float(text)


def test_float32_values_are_the_rounded_doubles(scratch):
    assert value_of("0.1234567890123", scratch, np.float32) == np.float32(0.1234567890123)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nan",
        "inf",
        "-inf",
        "1e999",
        "0x10",
        "1_0",
        "1,5",
        "1.2.3",
        "1e",
        "1e+",
        "-",
        ".",
        "--1",
        "5:6",
    ],
)
def test_what_is_no_finite_number_is_an_error(scratch, text):
    with pytest.raises(DataFileError, match=":2: not a feature with a finite float64 value: '0:"):
        value_of(text, scratch)


def test_what_overflows_float32_is_an_error(scratch):
    assert value_of("1e39", scratch, np.float64) == 1e39
    with pytest.raises(DataFileError, match="not a feature with a finite float32 value: '0:1e39'"):
        value_of("1e39", scratch, np.float32)


# Malformed text: the file, the line and what is wrong.


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", ":1: the file is empty"),
        ("\n1 2 3\n", ":1: the header must be three numbers, `rows features labels`, got ''"),
        (
            "0,1 2:3\n",
            ":1: the header must .*; a file in svmlight's form has none: .*read_svm.* .*write_xmc",
        ),
        ("1 2\n", ":1: the header must be three numbers.*; features and labels that are in two"),
        ("1 2 -3\n", ":1: the header must be three numbers"),
        ("1 2 " + "9" * 5000 + "\n", ":1: the header must be three numbers"),
        ("1 0 3\n0\n", ":1: the numbers of features and labels must be 1 .. "),
        ("1 2 99999999999\n0\n", ":1: the numbers of features and labels must be 1 .. "),
        ("3 2 2\n0 0:1\n1 1:1\n", ":3: the file ends after 2 rows, its header promises 3"),
        ("999999999999999999 2 2\n0 0:1", ":2: the file ends after 1 rows"),
        ("1 2 2\n0 0:1\n1 1:1\n", ":3: more rows than the 1 that the header promises: '1'"),
        ("1 2 2\n0 2:1\n", ":2: feature out of range 0 .. 1: '2:1'"),
        ("1 2 2\n0 -1:1\n", ":2: not a feature .*: '-1:1'"),
        ("2 2 2\n0 0:1\n2 0:1\n", ":3: label out of range 0 .. 1: '2'"),
        ("1 2 2\n0,99999999999999999999 0:1\n", ":2: label out of range 0 .. 1: '99999999999999"),
        ("1 2 2\n0 18446744073709551616:1\n", ":2: feature out of range"),
        ("1 2 2\n0, 0:1\n", ":2: no label after a comma .*, without blanks.: '0,'$"),
        ("2 2 2\n1,0,\n1 0:1\n", ":2: no label after a comma .*: '0,'$"),
        ("1 2 2\n0,", ":2: no label after a comma .*: '0,'$"),
        ("1 2 2\n1,,0 0:1\n", ":2: not a label .*: ',0'$"),
        ("1 2 2\n,0 0:1\n", ":2: not a label"),
        ("1 2 2\n-1 0:1\n", ":2: not a label .*: '-1'"),
        ("1 2 2\n0.5 0:1\n", ":2: not a label"),
        ("1 2 2\n0;1 0:1\n", ":2: not a label"),
        ("1 2 2\n0 1 0:1\n", ":2: not a feature .*: '1'"),
        ("1 2 2\n0 0\n", ":2: not a feature .*: '0'"),
        ("1 2 2\n0 a:1\n", ":2: not a feature .*: 'a:1'"),
        ("1 2 2\n0 0 :1\n", ":2: not a feature"),
        ("2 2 2\n#0 1:1\n0 1:1\n", ":2: not a label .*: '#0'"),
        ("1 2 2\n# 1:1\n", ":2: not a label .*: '#'"),
        ("1 2 2\n0 1:1 # a comment\n", ":2: not a feature .*: '#'"),
        ("1 2 2\n0 0: 1\n", ":2: not a feature with a finite float32 value: '0:'"),
        (b"1 2 2\n0 \xff\x00:1\n", ":2: not a feature"),
        (b"1 2 2\n0 1:1\x00\n", ":2: not a feature with a finite"),
    ],
)
def test_malformed_xmc_text_is_named_with_its_line(file, text, message):
    path = file(text)
    with pytest.raises(DataFileError, match=message) as caught:
        read_xmc(path)
    assert str(caught.value).startswith(f"{path}:")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("  \n\n", ":1: the file holds no row"),
        ("# only\n\n# comments\n", ":1: the file holds no row"),
        ("0 0:1\n", ":1: feature out of range 1 .. .*'0:1'; .* from 0, zero_based=True reads them"),
        ("0 1:1\n# a comment\n\n0 qid:3 1:1\n", ":4: not a feature .*: 'qid:3'"),
    ],
)
def test_malformed_svmlight_text_is_named_with_its_line(file, text, message):
    with pytest.raises(DataFileError, match=message):
        read_svmlight(file(text))


@pytest.mark.parametrize("name", ["num_features", "num_classes"])
@pytest.mark.parametrize("size", [0, -5, 2**63 - 1, 2**63])
def test_svmlight_sizes_out_of_range_are_named(file, name, size):
    with pytest.raises(ValueError, match=rf"^{name} must be from 1 to \d+, got {size}$"):
        read_svmlight(file("0 1:1\n"), **{name: size})


@pytest.mark.parametrize("name", ["num_features", "num_classes"])
@pytest.mark.parametrize("size", [3.0, "3"])
def test_svmlight_sizes_that_are_no_integers_are_named(file, name, size):
    with pytest.raises(TypeError, match=f"^{name} must be an integer, got {size!r}$"):
        read_svmlight(file("0 1:1\n"), **{name: size})


def test_svmlight_sizes_may_be_as_large_as_scipy_takes(file):
    data = read_svmlight(file("0 1:1\n"), num_features=2**63 - 2, num_classes=2**63 - 2)
    assert data.features.shape == data.labels.shape == (1, 2**63 - 2)


def test_long_words_are_cut_in_messages(file):
    with pytest.raises(DataFileError, match=r"'x{40}\.\.\.'$"):
        read_xmc(file("1 2 2\n" + "x" * 1000))


def lines_of_noise(rows):
    """Return lines that hardly shrink, so that a packed file is read in many pieces."""
    numbers = np.random.default_rng(0).random(rows)
    return f"{rows} 2 2\n".encode() + b"".join(b"0 0:%.17g\n" % x for x in numbers)


@packed
def test_a_truncated_file_is_named_with_the_line_it_reaches(file, form, pack):
    whole = pack(lines_of_noise(90_000))
    with pytest.raises(DataFileError, match=rf"data\.txt:\d+: the {form} file is trunc") as caught:
        read_xmc(file(whole[: len(whole) // 2]))
    line = int(str(caught.value).split(":")[1])
    assert 20_000 < line < 60_000


@packed
def test_a_file_is_truncated_also_where_no_more_than_its_last_bytes_are_gone(file, form, pack):
    whole = pack(TEXT.encode())
    for size in (1, 4, 8):
        with pytest.raises(DataFileError, match=f"the {form} file is truncated or damaged here"):
            read_xmc(file(whole[:-size]))


@packed
def test_a_damaged_file_is_a_data_file_error(file, form, pack):
    whole = bytearray(pack(TEXT.encode()))
    whole[20] ^= 255
    with pytest.raises(DataFileError, match=f"the {form} file is truncated or damaged here"):
        read_xmc(file(bytes(whole)))


@packed
def test_a_damaged_second_stream_is_not_the_end_of_the_file(file, form, pack):
    second = bytearray(pack(b"1 2:1\n"))
    second[0] ^= 255
    with pytest.raises(DataFileError, match=rf":2: the {form} file is truncated or damaged here"):
        read_svmlight(file(pack(b"0 1:1\n") + bytes(second)))


@packed
def test_a_file_that_unpacks_to_far_more_than_itself_is_refused(file, form, pack, monkeypatch):
    monkeypatch.setattr("lucid.data.files._ALWAYS_ALLOWED", 1 << 20)
    with pytest.raises(DataFileError, match=r"data\.txt: unpacks to more than 100 times its size"):
        read_xmc(file(pack(bytes(1 << 24))))


@packed
def test_a_small_file_may_unpack_to_far_more_than_itself(file, form, pack):
    rows = 100_000
    assert len(read_svmlight(file(pack(b"0 1:1\n" * rows)))) == rows


@pytest.mark.parametrize(("form", "module"), [("gzip", "zlib"), ("bzip2", "bz2"), ("xz", "lzma")])
def test_a_python_without_what_unpacks_a_file_says_so(file, monkeypatch, form, module):
    path = file(PACKS[form](TEXT.encode()))
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=rf"data\.txt is compressed with {form}, which this Pyth"):
        read_xmc(path)


def zipped(text):
    with zipfile.ZipFile(packed := io.BytesIO(), "w") as archive:
        archive.writestr("data.txt", text)
    return packed.getvalue()


def tarred(text):
    with tarfile.open(fileobj=(packed := io.BytesIO()), mode="w:gz") as archive:
        member = tarfile.TarInfo("data.txt")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text.encode()))
    return packed.getvalue()


def npy(array):
    np.save(file := io.BytesIO(), array)
    return file.getvalue()


@pytest.mark.parametrize("read", [read_xmc, read_svmlight])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            zipped(TEXT),
            ":1: this is a zip archive: unpack it first; a pair of .npz is read by read",
        ),
        (tarred(TEXT), ":1: this is a tar archive: unpack it first"),
        (b"7z\xbc\xaf\x27\x1c", ":1: this is a 7z archive"),
        (npy(np.eye(2)), ":1: this is a NumPy array, not text"),
        (pickle.dumps({}), ":1: this is a pickle, not text"),
        (safetensors_numpy.save({"a": np.ones(2)}), ":1: this is a safetensors file, such as a mo"),
        (b"\x28\xb5\x2f\xfd\0", ":1: this is compressed with zstd"),
        (lzma.compress(TEXT.encode(), lzma.FORMAT_ALONE), ":1: this is compressed with lzma"),
        (TEXT.encode("utf-16"), ":1: this is UTF-16 text: write it as UTF-8"),
        (TEXT.encode("utf-16-le"), ":1: .* \\(with NUL bytes: it is UTF-16, or no text\\)"),
        (TEXT.replace("\n", "\r"), ":1: a carriage return inside of a line: lines must end in"),
        ("1 4 6\n0 1:0.5\r1 1:2\n", ":2: a carriage return inside of a line"),
    ],
    ids=[
        "zip",
        "tar.gz",
        "7z",
        "npy",
        "pickle",
        "safetensors",
        "zstd",
        "lzma",
        "utf-16",
        "utf-16 unmarked",
        "cr",
        "a cr",
    ],
)
def test_what_is_no_text_is_said_in_words(file, read, content, words):
    with pytest.raises(DataFileError, match=words) as caught:
        read(file(content))
    assert "data.txt" in str(caught.value)


def test_a_carriage_return_may_be_all_that_is_left_of_the_last_line_end(file):
    assert rows_of(read_xmc(file("1 4 6\r\n0,5 1:0.5\r")).labels) == [[0, 5]]


READERS = [read_xmc, read_svmlight, load_checkpoint, lambda path: read_npz_pair(path, path)]
READER_NAMES = ["xmc", "svmlight", "checkpoint", "npz"]


@pytest.mark.parametrize("read", READERS, ids=READER_NAMES)
def test_what_is_no_regular_file_is_an_os_error_that_names_it(tmp_path, read):
    pipe, nothing, folder = tmp_path / "pipe", tmp_path / "nothing", tmp_path / "folder"
    os.mkfifo(pipe)
    folder.mkdir()
    for path, words in (
        (pipe, "not a regular file"),
        (os.devnull, "not a regular file"),
        (nothing, "No such file"),
        (folder, "Is a directory"),
    ):
        with pytest.raises(OSError, match=words) as caught:
            read(path)
        assert caught.value.filename == str(path)


@given(st.binary(max_size=60))
def test_no_bytes_do_worse_than_a_data_file_error(scratch, noise):
    scratch.write_bytes(b"2 3 4\n" + noise)
    try:
        data = read_xmc(scratch)
    except DataFileError:
        return
    assert data.features.shape == (2, 3)
    assert np.isfinite(data.features.data).all()


@pytest.mark.parametrize("read", [read_xmc, read_svmlight])
def test_a_short_text_never_holds_more_than_there_is_room_for(file, read):
    pieces = ("0", ":", ",", " ", "\n", "#", "0:0")
    header = "2 3 3\n" if read is read_xmc else ""
    for words in itertools.product(pieces, repeat=4):
        try:
            data = read(file(header + "".join(words)), **({} if header else {"zero_based": True}))
        except DataFileError:
            continue
        assert data.labels.indices.size + data.features.nnz <= 4


@pytest.mark.parametrize("read", [read_xmc, read_svmlight])
@pytest.mark.parametrize("filler", [b",", b":", b"\n", b"1 ", b"0:0 ", b" ", b"0"])
def test_memory_is_bounded_by_the_size_of_the_file_whatever_fills_it(file, read, filler):
    size = 1_000_000
    path = file(b"9 9 9\n" + filler * (size // len(filler)))
    tracemalloc.start()
    try:
        with suppress(DataFileError):
            read(path)
        assert tracemalloc.get_traced_memory()[1] < 16 * size
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("dtype", [np.int32, np.float16, "c16"])
def test_values_are_float32_or_float64(file, dtype):
    with pytest.raises(TypeError, match="dtype must be float32 or float64"):
        read_xmc(file(TEXT), dtype=dtype)


# SciPy pairs.


def test_npz_pairs_give_features_and_labels(tmp_path):
    sparse.save_npz(tmp_path / "x.npz", sparse.csc_matrix(FEATURES))
    sparse.save_npz(tmp_path / "y.npz", sparse.coo_array([[0, 1], [0, 0], [1, 1]]))
    data = read_npz_pair(tmp_path / "x.npz", tmp_path / "y.npz")
    assert data.features.toarray().tolist() == FEATURES
    assert rows_of(data.labels) == [[1], [], [0, 1]]


def test_npz_pairs_must_have_the_same_rows(tmp_path):
    sparse.save_npz(tmp_path / "x.npz", sparse.csr_array(FEATURES))
    sparse.save_npz(tmp_path / "y.npz", sparse.csr_array([[0, 1]]))
    with pytest.raises(DataFileError, match=r"y\.npz: 1 rows, but .*x\.npz has 3"):
        read_npz_pair(tmp_path / "x.npz", tmp_path / "y.npz")


def npz_pair_with(tmp_path, name, form, **parts):
    """Write a pair one of whose files, x or y, has other parts than SciPy wrote."""
    for n in "xy":
        sparse.save_npz(tmp_path / f"{n}.npz", getattr(sparse, form)(np.eye(3, dtype=np.float32)))
    with np.load(tmp_path / f"{name}.npz") as file:
        content = {**file, **{part: np.array(values) for part, values in parts.items()}}
    np.savez(tmp_path / f"{name}.npz", **content)
    return tmp_path / "x.npz", tmp_path / "y.npz"


@pytest.mark.parametrize("form", ["csr_array", "csc_array"])
@pytest.mark.parametrize("name", ["x", "y"])
@pytest.mark.parametrize("index", [-1, 3, 10**8])
def test_npz_files_of_indices_out_of_range_are_named(tmp_path, form, name, index):
    files = npz_pair_with(tmp_path, name, form, indices=[index, 1, 2])
    with pytest.raises(DataFileError, match=rf"{name}\.npz: .* index {index} is out of range"):
        read_npz_pair(*files)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_npz_features_that_are_not_finite_are_named(tmp_path, value):
    files = npz_pair_with(tmp_path, "x", "csr_array", data=[1.0, value, 1.0])
    with pytest.raises(DataFileError, match=r"x\.npz: the matrix must hold finite real numbers"):
        read_npz_pair(*files)


def test_npz_features_that_are_no_real_numbers_are_named(tmp_path):
    files = npz_pair_with(tmp_path, "x", "csr_array", data=[1j, 1.0, 1.0])
    with pytest.raises(DataFileError, match=r"x\.npz: the matrix must hold finite real numbers"):
        read_npz_pair(*files)


def test_npz_labels_of_nan_are_named(tmp_path):
    files = npz_pair_with(tmp_path, "y", "csr_array", data=[1.0, np.nan, 1.0])
    with pytest.raises(DataFileError, match=r"y\.npz: the matrix must not hold NaN"):
        read_npz_pair(*files)


ONE = {"data": np.ones(1), "row": np.zeros(1, np.int32), "col": np.zeros(1, np.int32)}


@pytest.mark.parametrize("rows", [10**9, 10**18])
def test_an_npz_file_is_refused_more_rows_than_it_could_fill(tmp_path, rows):
    path = tmp_path / "x.npz"
    np.savez(path, format=np.array(b"coo"), shape=np.array([rows, 1]), **ONE)
    with pytest.raises(DataFileError, match=rf"x\.npz: .* too small a file for {rows} rows"):
        read_npz_pair(path, path)


def test_an_npz_file_may_have_many_empty_rows(tmp_path):
    path = tmp_path / "x.npz"
    sparse.save_npz(path, sparse.coo_array((2_000_000, 3)))
    assert len(read_npz_pair(path, path)) == 2_000_000


def test_an_npz_file_that_unpacks_to_far_more_than_itself_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr("lucid.data.files._ALWAYS_ALLOWED", 1 << 20)
    path = tmp_path / "x.npz"
    sparse.save_npz(path, sparse.csr_array((10**6, 1)))
    with pytest.raises(DataFileError, match=r"x\.npz: .* unpacks to more than 100 times its size"):
        read_npz_pair(path, path)


def test_an_array_of_an_npz_file_must_be_as_long_as_it_claims(tmp_path):
    path = tmp_path / "x.npz"
    np.savez(path, format=np.array(b"coo"), shape=np.array([1, 1]), **ONE)
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["data.npy"] = parts["data.npy"].replace(b"(1,), }       ", b"(10000000,), }")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    with pytest.raises(DataFileError, match=r"x\.npz: .* data has another length than its shape"):
        read_npz_pair(path, path)


@pytest.mark.parametrize(
    ("form", "parts", "words"),
    [
        ("csr_array", {"indices": [0.0, 1.7, 2.0]}, "indices holds float64"),
        ("csc_array", {"indptr": [0.0, 1.0, 2.0, 3.0]}, "indptr holds float64"),
        ("coo_array", {"row": [True, False, True]}, "row holds bool"),
        ("csr_array", {"shape": [3.0, 3.0]}, "shape holds float64"),
        ("csr_array", {"shape": [3, -3]}, "not a file that scipy"),
        ("csr_array", {"shape": 3}, "not a file that scipy"),
        ("csr_array", {"data": ["a", "b", "c"]}, "data holds <U1"),
        ("csr_array", {"data": np.array([None] * 3)}, "data holds object"),
        ("csr_array", {"data": np.ones((3, 1))}, "not a file that scipy"),
        ("csr_array", {"indptr": 0}, "not a file that scipy"),
        ("bsr_array", {"data": np.zeros((3, 1, 0))}, "the matrix is not a valid bsr matrix"),
        ("bsr_array", {"data": np.zeros((3, 2, 2))}, "not a "),
        ("csr_array", {"format": b"lil"}, "not a file that scipy"),
    ],
)
def test_npz_files_of_parts_that_make_no_matrix_are_named(tmp_path, form, parts, words):
    files = npz_pair_with(tmp_path, "x", form, **parts)
    with pytest.raises(DataFileError, match=rf"x\.npz: .*{words}"):
        read_npz_pair(*files)


def test_a_place_that_an_npz_file_does_not_have_is_an_error_of_the_file(tmp_path):
    path = tmp_path / "x.npz"
    sparse.save_npz(path, sparse.csr_array(FEATURES))
    content = bytearray(path.read_bytes())
    end = content.rindex(b"PK\5\6")  # the end record: 16 bytes on, the place of the directory
    content[end + 16 : end + 20] = b"\xff\xff\xff\x7f"
    path.write_bytes(content)
    with pytest.raises(DataFileError, match=r"x\.npz: not a file that scipy"):
        read_npz_pair(path, path)


def test_another_file_is_no_npz_file(file):
    with pytest.raises(DataFileError, match=r"data\.txt: not a file that scipy"):
        read_npz_pair(file("no"), file("no"))


# Checkpoints.

ARRAYS = {
    "float32": np.arange(6, dtype=np.float32).reshape(2, 3),
    "float64": np.array(math.pi),
    "float16": np.array([1.5], dtype=np.float16),
    "int64": np.array([], dtype=np.int64),
    "bool": np.array([[True], [False]]),
    "transposed": np.arange(6.0).reshape(2, 3).T,
    "strided": np.arange(12.0)[::-3],
    "big endian": np.arange(3, dtype=">f8"),
}


@pytest.mark.parametrize("name", ARRAYS)
def test_a_checkpoint_brings_back_every_array(tmp_path, name):
    save_checkpoint(tmp_path / "m.safetensors", {name: ARRAYS[name]})
    back = load_checkpoint(tmp_path / "m.safetensors")[0][name]
    assert back.shape == ARRAYS[name].shape
    assert back.dtype == ARRAYS[name].dtype.newbyteorder("=")
    assert np.array_equal(back, ARRAYS[name])


def test_a_checkpoint_brings_back_the_metadata(tmp_path):
    save_checkpoint(tmp_path / "m.safetensors", {}, {"loss": "margin", "ü": ""})
    assert load_checkpoint(tmp_path / "m.safetensors") == ({}, {"loss": "margin", "ü": ""})


def test_metadata_must_be_text(tmp_path):
    with pytest.raises(TypeError, match="names and metadata must be str, got 3"):
        save_checkpoint(tmp_path / "m.safetensors", {}, {"epochs": 3})


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        ({"a": np.array([None])}, TypeError, r"arrays\['a'\] must hold numbers .* got object"),
        ({"a": np.ones(1, "c16")}, TypeError, r"arrays\['a'\] .* got complex128"),
        ({"a": ["text"]}, TypeError, r"arrays\['a'\] .* got <U4"),
        ({"a": [[1], [1, 2]]}, ValueError, r"arrays\['a'\] must have rows of one length"),
        ({"\udcff": np.ones(1)}, ValueError, r"must be valid Unicode, got '\\udcff'"),
        ({"__metadata__": np.ones(1)}, ValueError, "'__metadata__' is a name that safetensors"),
    ],
)
def test_what_a_checkpoint_cannot_hold_is_named_and_the_old_file_stays(
    tmp_path, arrays, error, message
):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"old": np.ones(2)})
    with pytest.raises(error, match=message):
        save_checkpoint(path, arrays)
    assert list(load_checkpoint(path)[0]) == ["old"]


@pytest.mark.skipif(np.dtype(np.longdouble).itemsize == 8, reason="the same as float64 here")
def test_a_checkpoint_cannot_hold_long_doubles(tmp_path):
    with pytest.raises(TypeError, match=r"arrays\['a'\] must hold numbers of at most 64 bits"):
        save_checkpoint(tmp_path / "m.safetensors", {"a": np.ones(1, np.longdouble)})


def test_metadata_must_be_valid_unicode(tmp_path):
    with pytest.raises(ValueError, match="must be valid Unicode"):
        save_checkpoint(tmp_path / "m.safetensors", {}, {"loss": "\udcff"})


@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("interruption", [OSError("disk full"), KeyboardInterrupt()])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, step, interruption
):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"old": np.ones(2)})

    def fail(*args):
        raise interruption

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(interruption)):
        save_checkpoint(path, {"new": np.zeros(2)})
    assert list(load_checkpoint(path)[0]) == ["old"]
    assert os.listdir(tmp_path) == ["m.safetensors"]


def test_a_save_through_a_link_keeps_the_link(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    save_checkpoint(target, {"old": np.ones(2)})
    link.symlink_to(target)
    save_checkpoint(link, {"new": np.ones(2)})
    assert link.is_symlink()
    assert list(load_checkpoint(target)[0]) == ["new"]


def test_a_new_file_has_the_permissions_of_any_new_file(tmp_path):
    (tmp_path / "plain").touch()
    save_checkpoint(tmp_path / "m.safetensors", {})
    modes = [(tmp_path / name).stat().st_mode for name in ("plain", "m.safetensors")]
    assert modes[0] == modes[1]


@pytest.mark.parametrize("mode", [0o600, 0o666, 0o444])
def test_a_file_that_is_replaced_hands_on_its_permissions(tmp_path, mode):
    path = tmp_path / "m.safetensors"
    path.touch()
    path.chmod(mode)
    save_checkpoint(path, {})
    assert path.stat().st_mode & 0o777 == mode


def test_a_name_may_be_as_long_as_the_file_system_takes(tmp_path):
    path = tmp_path / ("b" * os.pathconf(tmp_path, "PC_NAME_MAX"))
    save_checkpoint(path, {"new": np.ones(2)})
    assert list(load_checkpoint(path)[0]) == ["new"]


def test_a_name_that_is_too_long_is_the_one_in_the_error(tmp_path):
    path = str(tmp_path / ("b" * 999))
    with pytest.raises(OSError, match="File name too long") as caught:
        save_checkpoint(path, {})
    assert caught.value.filename == path


@pytest.mark.parametrize("dtype", ["BF16", "F8_E4M3"])
def test_a_checkpoint_of_a_type_that_numpy_lacks_is_named(file, dtype):
    size = 4 if dtype == "BF16" else 2
    header = f'{{"a":{{"dtype":"{dtype}","shape":[2],"data_offsets":[0,{size}]}}}}'.encode()
    path = file(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(DataFileError, match=r"data\.txt: a has a type that NumPy lacks"):
        load_checkpoint(path)


@pytest.mark.parametrize("shape", [[1] * 100, [0, 2**62, 2**62]])
def test_a_checkpoint_of_a_shape_that_numpy_lacks_is_named(file, shape):
    size = 0 if 0 in shape else 4
    header = json.dumps({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}).encode()
    path = file(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(DataFileError, match=r"data\.txt: a has a shape that NumPy lacks"):
        load_checkpoint(path)


def test_a_checkpoint_that_is_larger_than_the_memory_is_a_memory_error(file, monkeypatch):
    path = file("")
    save_checkpoint(path, {"weight": np.ones(2)})
    monkeypatch.setattr(os, "fstat", lambda _: os.stat_result((0o100644, *[2**62] * 9)))
    with pytest.raises(MemoryError):
        load_checkpoint(path)


@pytest.mark.parametrize("content", [b"", b"no", b"\x10" + bytes(40)])
def test_a_file_that_is_no_checkpoint_is_named(file, content):
    with pytest.raises(DataFileError, match=r"data\.txt: not a whole safetensors file"):
        load_checkpoint(file(content))


def test_a_truncated_checkpoint_is_named(tmp_path):
    path = tmp_path / "m.safetensors"
    save_checkpoint(path, {"weight": np.ones(50)})
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(DataFileError, match="not a whole safetensors file"):
        load_checkpoint(path)


def test_what_is_no_regular_file_is_never_replaced(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with pytest.raises(OSError, match="not a regular file"):
        save_checkpoint(pipe, {"new": np.zeros(2)})
    assert pipe.is_fifo()

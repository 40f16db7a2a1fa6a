"""Data files written: what is read again is the same to the last bit, errors leave no trace."""

import bz2
import gzip
import lzma
import subprocess
import sys
from decimal import Decimal
from functools import partial

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lucid.data.writing import shortest
from lucid.io import read_svmlight, read_xmc, stream_svmlight, write_svmlight, write_xmc
from lucid.labels import Labels

sparse = pytest.importorskip("scipy.sparse")

NAMES = ["Möbel", "art", "x:y", "z"]


def write_and_read(form, path, features, labels, names=None):
    """Return the data set that comes back."""
    dtype = features.dtype
    if form == "xmc":
        write_xmc(path, features, labels, class_names=names)
        return read_xmc(path, dtype=dtype, class_names=names or False)
    zero_based = form == "svmlight from 0"
    write_svmlight(path, features, labels, zero_based=zero_based, class_names=names)
    sizes = {"num_features": features.shape[1], "num_classes": labels.num_classes}
    return read_svmlight(
        path, **sizes, zero_based=zero_based, dtype=dtype, class_names=names or False
    )


FORMS = ["xmc", "svmlight", "svmlight from 0"]
forms = pytest.mark.parametrize("form", FORMS)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory):
    return tmp_path_factory.mktemp("written") / "data.txt"


def rows_of_features(dtype):
    """CSR matrices of three columns, as lists of (column, value) for each row."""
    values = st.floats(
        width=32 if dtype == np.float32 else 64, allow_nan=False, allow_infinity=False
    )
    return st.lists(st.lists(st.tuples(st.integers(0, 2), values), max_size=4), min_size=1)


@forms
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@settings(max_examples=40)
@given(data=st.data())
def test_what_is_written_comes_back_to_the_last_bit(scratch, form, dtype, data):
    rows = data.draw(rows_of_features(dtype))
    lists = data.draw(st.lists(st.sets(st.integers(0, 3)), min_size=len(rows), max_size=len(rows)))
    columns, values = (np.array([entry[part] for row in rows for entry in row]) for part in (0, 1))
    indptr = np.cumsum([0, *map(len, rows)])
    features = sparse.csr_array(
        (values.astype(dtype), columns.astype(np.int64), indptr), shape=(len(rows), 3)
    )
    labels = Labels.from_lists(lists, 4)
    names = data.draw(st.sampled_from([None, NAMES]))
    back = write_and_read(form, scratch, features, labels, names)
    assert back.labels == labels
    assert back.class_names == (None if names is None else tuple(names))
    assert back.features.shape == features.shape
    # The very entries, in their order.
    np.testing.assert_array_equal(back.features.indptr, features.indptr)
    np.testing.assert_array_equal(back.features.indices, features.indices)
    assert back.features.data.tobytes() == features.data.tobytes()
    with np.errstate(over="ignore", invalid="ignore"):
        np.testing.assert_array_equal(back.features.toarray(), features.toarray())


@forms
def test_rows_without_labels_and_features_are_kept(tmp_path, form):
    features = sparse.csr_array((5, 3), dtype=np.float32)
    labels = Labels.from_lists([[], [1], [], [], []], 4)
    back = write_and_read(form, tmp_path / "data", features, labels)
    assert back.labels == labels
    assert back.features.shape == (5, 3)
    assert back.features.nnz == 0


@forms
def test_a_zero_that_is_stored_in_a_row_without_labels_is_kept(tmp_path, form):
    features = sparse.csr_array((np.zeros(1, np.float32), [0], [0, 0, 1]), shape=(2, 3))
    back = write_and_read(form, tmp_path / "data", features, Labels.from_lists([[], []], 4))
    assert back.features.indptr.tolist() == [0, 0, 1]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("rows", [1, 2, 10])
def test_pieces_of_svmlight_keep_rows_without_labels_and_features(tmp_path, rows, end):
    features = sparse.csr_array([[0.0, 0.0], [0.0, 0.5], [0.0, 0.0]])
    labels = Labels.from_lists([[], [1], []], 2)
    write_svmlight(tmp_path / "data", features, labels)
    text = (tmp_path / "data").read_text().replace("\n", end)
    (tmp_path / "data").write_bytes(f"# head{end}{end}{text}".encode())
    pieces = stream_svmlight(tmp_path / "data", num_features=2, num_classes=2, rows=rows)
    assert [n for piece in pieces for n in np.diff(piece.features.indptr)] == [0, 1, 0]


def test_the_xmc_form_is_that_of_the_repository(tmp_path):
    features = sparse.csr_array([[0, 0.5, 0], [1, 0, -0.25], [0, 0, 0]])
    write_xmc(tmp_path / "data", features, Labels.from_lists([[3, 0], [], [1]], 4))
    assert (tmp_path / "data").read_text() == "3 3 4\n0,3 1:0.5\n 0:1 2:-0.25\n1\n"


def test_many_rows_are_written_in_their_order(tmp_path):
    n = 10_000  # more than are put into words at once
    features = sparse.csr_array(np.arange(n, dtype=np.float64)[:, np.newaxis])
    labels = Labels.from_lists([[i % 7] for i in range(n)], 7)
    back = write_and_read("xmc", tmp_path / "data", features, labels)
    np.testing.assert_array_equal(back.features.toarray()[:, 0], np.arange(n))
    assert back.labels == labels


def test_dense_features_and_multi_hot_labels_may_be_written(tmp_path):
    write_xmc(tmp_path / "data", [[0, 2], [3, 0]], np.array([[True, False], [False, True]]))
    assert (tmp_path / "data").read_text() == "2 2 2\n0 1:2\n1 0:3\n"


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_array, sparse.coo_array])
@pytest.mark.parametrize(
    "dtype", ["?", "i1", "<i8", ">i8", ">u2", "<f2", ">f2", "<f4", ">f4", "<f8", ">f8"]
)
@pytest.mark.parametrize("write", [write_xmc, write_svmlight])
def test_features_of_every_real_type_and_byte_order_may_be_written(tmp_path, form, dtype, write):
    values = np.array([[0, 1], [1, 0]]) if np.dtype(dtype).kind in "biu" else [[0, 0.1], [-2.5, 0]]
    features = np.array(values).astype(dtype)
    if form is not np.asarray:  # which takes fewer dtypes, but anybody may set its values
        rows, columns = features.nonzero()
        matrix = form((np.ones(2), (rows, columns)), shape=(2, 2))
        matrix.data = features[rows, columns]
        features = matrix
    write(tmp_path / "data", features, LABELS)
    read = read_xmc if write is write_xmc else partial(read_svmlight, num_features=2)
    found = read(tmp_path / "data", dtype="float64").features.toarray()
    decimals = np.array(values).astype(dtype).astype(np.float64)
    np.testing.assert_allclose(found, decimals, rtol=1e-7)


@pytest.mark.parametrize(
    ("end", "unpack"),
    [(".gz", gzip.decompress), (".bz2", bz2.decompress), (".xz", lzma.decompress)],
)
def test_the_name_says_how_to_pack(tmp_path, end, unpack):
    path = tmp_path / f"data.txt{end}"
    write_xmc(path, [[1.0]], Labels.from_lists([[0]], 1))
    assert unpack(path.read_bytes()) == b"1 1 1\n0 0:1\n"


@pytest.mark.parametrize("end", ["", ".gz", ".bz2", ".xz"])
def test_the_same_content_gives_the_same_bytes(tmp_path, end):
    paths = [tmp_path / f"{name}{end}" for name in "ab"]
    for path in paths:
        write_xmc(path, [[1.0]], Labels.from_lists([[0]], 1))
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_scikit_learn_reads_what_is_written(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    features = sparse.csr_array([[0, 0.5, 0], [1, 0, -0.25], [0, 0, 0]])
    write_svmlight(tmp_path / "data", features, Labels.from_lists([[0, 3], [1], []], 4))
    x, y = datasets.load_svmlight_file(str(tmp_path / "data"), n_features=3, multilabel=True)
    np.testing.assert_array_equal(x.toarray(), features.toarray())
    assert y == [(0.0, 3.0), (1.0,), ()]


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
@example(1000001.0)
def test_a_float32_is_written_with_as_many_digits_as_it_needs(value):
    (text,) = shortest(np.array([value], np.float32))
    assert np.float32(float(text)) == np.float32(value)
    assert len(Decimal(text).normalize().as_tuple().digits) <= 9


# Errors.


FEATURES, LABELS = [[1.0], [2.0]], Labels.from_lists([[0], [1]], 2)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"features": [[np.nan], [1]]}, ValueError, "features must be finite, got nan in row 0"),
        ({"features": [[1], [np.inf]]}, ValueError, "features must be finite, got inf in row 1"),
        ({"features": [[1j], [1]]}, TypeError, "features must hold real numbers"),
        ({"features": [1.0, 2.0]}, ValueError, r"features must have shape \(N, F\)"),
        ({"features": np.zeros((2, 0))}, ValueError, "features must have 1 to"),
        ({"features": [[2**53 + 1], [1]]}, ValueError, r"within 2\*\*53"),
        ({"features": [[1.0]]}, ValueError, "features and labels must have the same rows, got 1"),
        ({"labels": [[0], [1]]}, TypeError, r"as Labels\.from_padded\(labels, num_classes\)"),
        ({"labels": [[0], []]}, TypeError, r"as Labels\.from_lists\(labels, num_classes\)"),
        ({"labels": LABELS.with_unknown([[1], []])}, ValueError, "labels have 1 unknown entries"),
        ({"class_names": ["a"]}, ValueError, "class_names must be 2, one for each class, got 1"),
        ({"class_names": ["a", "a"]}, ValueError, "class_names must be different, got 'a' twice"),
        ({"class_names": ["a", 1]}, TypeError, "class_names must be a sequence of str"),
        ({"class_names": ["a", "b c"]}, ValueError, "class_names must be words"),
        ({"class_names": ["a", ""]}, ValueError, "class_names must be words"),
        ({"class_names": ["a", "b,c"]}, ValueError, "class_names must hold no comma"),
        ({"class_names": ["a", "b#"]}, ValueError, "class_names must hold no comma"),
        ({"class_names": ["a", "7:b"]}, ValueError, "class_names must hold no comma"),
    ],
)
@pytest.mark.parametrize("write", [write_xmc, write_svmlight])
def test_what_cannot_be_written_is_named_and_the_old_file_stays(
    tmp_path, write, changed, error, message
):
    path = tmp_path / "data"
    path.write_text("before")
    given = {"features": FEATURES, "labels": LABELS, **changed}
    with pytest.raises(error, match=message):
        write(path, **given)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("end", ["", ".gz", ".xz"])
def test_a_write_that_fails_half_way_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, end
):
    path = tmp_path / f"data{end}"
    path.write_text("before")

    def fail(values):
        raise KeyboardInterrupt

    monkeypatch.setattr("lucid.data.writing.shortest", fail)
    with pytest.raises(KeyboardInterrupt):
        write_xmc(path, FEATURES, LABELS)
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files there")
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "data"
    path.write_text("before")
    code = (
        "import resource, signal; import numpy as np; from lucid.io import write_xmc\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))\n"
        f"write_xmc({str(path)!r}, np.ones((10_000, 3)), np.ones((10_000, 1), bool))"
    )
    ended = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True)
    assert "OSError" in ended.stderr
    assert f"File too large: '{path}'" in ended.stderr
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]

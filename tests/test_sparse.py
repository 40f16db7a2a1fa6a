"""SciPy's matrices before a compiled loop reads them: what is refused, and what may change when."""

import numpy as np
import pytest

from lucid.arrays import sparse as lucid_sparse
from lucid.arrays.sparse import checked_csr

sparse = pytest.importorskip("scipy.sparse")

DENSE = np.array([[1.0, 0, 2, 0], [0, 0, 0, 3], [0, 4, 5, 0], [6, 0, 0, 0]])
FORMS = ["csr", "csc", "coo", "bsr", "lil", "dok", "dia"]
FORMS_OF_ARRAYS = ["csr", "csc", "coo", "bsr"]


def made(form, **parts):
    """Make a matrix of a form, some of its parts set to other values."""
    matrix = getattr(sparse, f"{form}_array")(DENSE)
    for name, values in parts.items():
        setattr(matrix, name, values)
    return matrix


def indices_of(matrix):
    return (matrix.row, matrix.col) if matrix.format == "coo" else (matrix.indices, matrix.indptr)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_becomes_the_csr_form_of_the_same_matrix(form):
    csr = checked_csr("x", made(form))
    assert csr.format == "csr"
    assert np.array_equal(csr.toarray(), DENSE)


@pytest.mark.parametrize("dtype", [np.int8, np.uint16, np.uint64, ">i4"])
@pytest.mark.parametrize("form", ["csr", "csc", "bsr"])
def test_indices_may_be_integers_of_any_type(form, dtype):
    matrix = made(form)
    matrix.indices, matrix.indptr = matrix.indices.astype(dtype), matrix.indptr.astype(np.int64)
    assert np.array_equal(checked_csr("x", matrix).toarray(), DENSE)


def test_values_may_be_of_another_byte_order():
    matrix = made("csc")
    matrix.data = matrix.data.astype(">f8")
    assert np.array_equal(checked_csr("x", matrix).toarray(), DENSE)


@pytest.mark.parametrize(
    ("form", "parts", "fault"),
    [
        ("csr", {"indices": np.zeros(6)}, "its indices are float64 and int32"),
        ("csc", {"indptr": np.zeros(5)}, "its indices are int32 and float64"),
        ("csr", {"indices": np.zeros((6, 1), int)}, r"have shapes \(6, 1\), \(6,\)"),
        ("csr", {"data": np.zeros((6, 1))}, r"have shapes \(6,\), \(6, 1\)"),
        ("bsr", {"data": np.zeros(4)}, "have shapes"),
        ("bsr", {"data": np.zeros((9, 1, 0))}, r"blocks of shape \(1, 0\) do not fill"),
        ("bsr", {"data": np.zeros((9, 3, 1))}, r"blocks of shape \(3, 1\) do not fill"),
        ("coo", {"data": np.zeros((6, 1))}, r"have shapes \(6,\), \(6,\), \(6, 1\)"),
    ],
)
def test_parts_that_make_no_matrix_are_named(form, parts, fault):
    with pytest.raises(ValueError, match=f"^x is not a valid {form} matrix: .*{fault}"):
        checked_csr("x", made(form, **parts))


@pytest.mark.parametrize("form", FORMS)
def test_nothing_is_shared_with_what_was_given(form):
    matrix = made(form)
    csr = checked_csr("x", matrix)
    for part in (csr.data, csr.indices, csr.indptr):
        part[...] = 0
    assert np.array_equal(matrix.toarray(), DENSE)


@pytest.mark.parametrize("form", FORMS_OF_ARRAYS)
def test_what_is_used_is_what_was_checked_whatever_another_thread_writes(form, monkeypatch):
    matrix, real = made(form), lucid_sparse._outside

    def check_then_change(*arguments):
        fault = real(*arguments)
        for indices in indices_of(matrix):
            indices[...] = 10**8
        return fault

    monkeypatch.setattr(lucid_sparse, "_outside", check_then_change)
    assert np.array_equal(checked_csr("x", matrix).toarray(), DENSE)


def test_scipys_memory_of_sorted_indices_is_not_trusted():
    matrix = sparse.csr_array(np.array([[1.0, 2.0]]))
    assert matrix.has_sorted_indices
    matrix.indices[:] = [1, 0]
    assert not checked_csr("x", matrix).has_sorted_indices

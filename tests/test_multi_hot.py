"""The kernel of multi-hot arrays: another thread may write to one while it is read."""

import numpy as np
import pytest

from lucid import Labels
from lucid._kernels import multi_hot

GUARD = -7


def filled(first, then):
    """Count the ones of a matrix, fill in those of another; return the columns and the guard."""
    indptr = np.empty(len(first) + 1, np.int64)
    multi_hot.count(first.view(np.uint8), indptr)
    room = np.full(indptr[-1] + 1 + 10_000, GUARD)
    columns, guard = np.split(room, [indptr[-1] + 1])
    try:
        multi_hot.fill(then.view(np.uint8), columns)
    finally:
        assert np.all(guard == GUARD)
    return columns[:-1]


@pytest.mark.parametrize("shape", [(1, 5), (3, 8), (40, 23), (2, 4103), (3, 9001)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_a_matrix_that_stays_is_read_whatever_room_its_last_rows_leave(shape, share):
    matrix = np.random.default_rng(0).random(shape) < share
    assert np.array_equal(filled(matrix, matrix), np.nonzero(matrix)[1])


@pytest.mark.parametrize("shape", [(1, 50), (40, 23), (2, 4103), (3, 9001)])
@pytest.mark.parametrize("before", [0.0, 0.02, 0.5])
@pytest.mark.parametrize("after", [0.6, 1.0])
def test_ones_that_come_after_the_count_are_never_written_out_of_bounds(shape, before, after):
    draws = np.random.default_rng(0).random(shape)
    first, then = draws < before, draws < after
    with pytest.raises(RuntimeError, match="the matrix changed while it was read"):
        filled(first, then)


def test_ones_that_go_after_the_count_leave_no_label_unwritten():
    first = np.ones((3, 5), bool)
    with pytest.raises(RuntimeError, match="the matrix changed while it was read"):
        filled(first, np.zeros_like(first))


def test_labels_of_a_matrix_are_read_row_by_row():
    matrix = np.random.default_rng(0).random((5, 5000)) < 0.3
    assert [row.tolist() for row in Labels.from_multi_hot(matrix)] == [
        np.flatnonzero(row).tolist() for row in matrix
    ]

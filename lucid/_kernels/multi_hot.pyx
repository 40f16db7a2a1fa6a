# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The columns of the ones in a matrix of zeros and ones, row by row.

Most of such a matrix is zero, so eight columns are looked at together. Where the ones stand, no
processor can predict, and a wrong guess costs more than all the rest: there is no branch on them.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.string cimport memcpy

cdef enum:
    WORDS = 512             # groups of eight columns that are looked at before the ones in them are


cdef int64_t fill_row(const uint8_t* row, Py_ssize_t C, int64_t* columns) noexcept nogil:
    """Write the columns of the ones, and return how many; there is room for one more."""
    cdef int64_t found[WORDS]           # the first columns of groups that hold a one
    cdef Py_ssize_t first, j, hits, i, b
    cdef int64_t k = 0
    cdef uint64_t word
    for first from 0 <= first < C - C % 8 by 8 * WORDS:
        hits = 0
        for j from first <= j < min(C - C % 8, first + 8 * WORDS) by 8:
            memcpy(&word, row + j, 8)
            found[hits] = j
            hits += word != 0
        for i in range(hits):
            for b in range(8):
                columns[k] = found[i] + b
                k += row[found[i] + b] != 0
    for j in range(C - C % 8, C):
        columns[k] = j
        k += row[j] != 0
    return k


cdef int64_t fill_tight_row(
    const uint8_t* row, Py_ssize_t C, int64_t* columns, int64_t room
) noexcept nogil:
    """As `fill_row` where there may be room for fewer columns than the row has, or return -1."""
    cdef int64_t[8 * WORDS + 1] part
    cdef Py_ssize_t first, i
    cdef int64_t k = 0, ones
    for first from 0 <= first < C by 8 * WORDS:
        ones = fill_row(row + first, min(C - first, <Py_ssize_t>(8 * WORDS)), part)
        if ones > room - k:
            return -1
        for i in range(ones):
            columns[k + i] = first + part[i]
        k += ones
    return k


def count(const uint8_t[:, ::1] matrix, int64_t[::1] indptr):
    """Write to `indptr`, of N + 1 entries, how many ones there are in all rows before each."""
    cdef Py_ssize_t n, j, C = matrix.shape[1]
    cdef int32_t ones
    indptr[0] = 0
    for n in range(matrix.shape[0]):
        ones = 0
        for j in range(C):
            ones += matrix[n, j] != 0
        indptr[n + 1] = indptr[n] + ones


def fill(const uint8_t[:, ::1] matrix, int64_t[::1] columns):
    """Write the columns of all ones, row after row; `columns` must have room for one more.

    Raises RuntimeError where there are more ones or fewer: another thread may have written to the
    matrix since they were counted.
    """
    cdef Py_ssize_t n, C = matrix.shape[1]
    cdef int64_t k = 0, ones, room = columns.shape[0] - 1
    for n in range(matrix.shape[0]):
        if C <= room - k:
            k += fill_row(&matrix[n, 0], C, &columns[k])
            continue
        ones = fill_tight_row(&matrix[n, 0], C, &columns[k], room - k)
        if ones < 0:
            k = ones
            break
        k += ones
    if k != room:
        raise RuntimeError("the matrix changed while it was read")

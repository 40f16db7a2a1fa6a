# cython: language_level=3
"""The entries of a row among those of all rows, `indices[indptr[n]:indptr[n + 1]]`.

Whoever owns them may change them at any time, also while a kernel runs: what is read is read once,
checked, and used as it was checked.
"""

from libc.stdint cimport int64_t

from lucid._kernels.sharing cimport read_once

cdef enum:
    CHANGED = 1             # what a task returns that finds entries that are not those that were checked


cdef inline bint cut(Py_ssize_t n, const int64_t* indptr, Py_ssize_t size, int64_t* start,
                     int64_t* count) noexcept nogil:
    """Where the entries of row n start, and how many they are; False if they are not there."""
    cdef int64_t end = read_once(indptr + n + 1)
    start[0] = read_once(indptr + n)
    count[0] = end - start[0]
    return 0 <= start[0] <= end <= size


cdef inline Py_ssize_t most_entries(const int64_t* indptr, Py_ssize_t N, Py_ssize_t size) noexcept nogil:
    """Of a row, or ``size`` where that would be more."""
    cdef Py_ssize_t n, most = 0
    for n in range(N):
        most = max(most, min(size, read_once(indptr + n + 1) - read_once(indptr + n)))
    return most


cdef inline int refuse_changed(int failure) except -1:
    """Say why a problem could not be solved, if that is why."""
    if failure == CHANGED:
        raise ValueError("the labels were changed after they had been checked")
    return 0

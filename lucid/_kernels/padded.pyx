# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False, cdivision=True
"""Rows of class indices filled up with -1, where nothing is odd about them.

They are read as the kernels of pairs read them: up to the first -1, with a look at what is after it.
"""

from libc.stdint cimport int64_t, uint64_t

from lucid._kernels.buffers cimport Buffers, hold, hold_vector, release
from lucid._kernels.rows cimport may_be_multi_hot
from lucid._kernels.sharing cimport read_whole


def count(target, int64_t num_classes, indptr):
    """Write where each row begins, and return how many labels there are; -1 where one is odd."""
    cdef Py_ssize_t n, k, N, K, total = 0
    cdef int64_t label
    cdef int64_t* starts
    cdef Buffers buffers
    cdef Py_buffer* view
    buffers.count = 0
    try:
        view = hold(target, 2, c"l", 0, False, &buffers)
        N, K = view.shape[0], view.shape[1]
        starts = <int64_t*>hold_vector(indptr, c"l", N + 1, True, &buffers)
        starts[0] = 0
        for n in range(N):
            k = 0
            while k < K:
                label = read_whole(view.buf, n * K + k, <int>view.itemsize)
                if label == -1:
                    break
                if <uint64_t>label >= <uint64_t>num_classes:
                    return -1
                k += 1
            if k + 1 < K and read_whole(view.buf, n * K + k + 1, <int>view.itemsize) != -1:
                return -1                       # it goes on after its -1
            if k == K == num_classes > 1:
                return -1
            total += k
            starts[n + 1] = total
        if may_be_multi_hot(view.buf, <int>view.itemsize, N, K, num_classes):
            return -1
        return total
    finally:
        release(&buffers)


def fill(target, int64_t num_classes, indptr, Py_ssize_t total, indices):
    """Write the labels of all rows; False where they are not those that were counted."""
    cdef Py_ssize_t n, k, N, K
    cdef int64_t label
    cdef int64_t* starts
    cdef int64_t* entries
    cdef Buffers buffers
    cdef Py_buffer* view
    buffers.count = 0
    try:
        view = hold(target, 2, c"l", 0, False, &buffers)
        N, K = view.shape[0], view.shape[1]
        starts = <int64_t*>hold_vector(indptr, c"l", N + 1, False, &buffers)
        entries = <int64_t*>hold_vector(indices, c"l", total, True, &buffers)
        for n in range(N):
            if not 0 <= starts[n] <= starts[n + 1] <= total or starts[n + 1] - starts[n] > K:
                return False
            for k in range(starts[n + 1] - starts[n]):
                label = read_whole(view.buf, n * K + k, <int>view.itemsize)
                if <uint64_t>label >= <uint64_t>num_classes:
                    return False
                entries[starts[n] + k] = label
        return True
    finally:
        release(&buffers)

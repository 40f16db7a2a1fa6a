# cython: language_level=3
"""Weights: whether they are any, and their sum."""

from libc.float cimport FLT_MAX
from libc.stdint cimport int64_t

from lucid._kernels.pairs.sums cimport Sum, add, merge, value_of

cdef enum:
    LANES = 4


cdef inline int64_t is_weight(double weight) noexcept nogil:
    """1 if it is from 0 to the largest float32, so that no sum of weights overflows, and else 0.

    The result is as wide as a weight, so that several are looked at at once.
    """
    return <int64_t>(weight >= 0) & <int64_t>(weight <= FLT_MAX)


cdef inline bint all_weights(const double* weight, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t n
    cdef int64_t good = 1
    for n in range(m):
        good &= is_weight(weight[n])
    return good != 0


cdef inline double sum_up(const double* weight, Py_ssize_t m) noexcept nogil:
    """The sum, rounded once."""
    cdef Sum total
    cdef Sum lane[LANES]                # for no sum to wait for the one before
    cdef Py_ssize_t n, k
    for k in range(LANES):
        lane[k].hi, lane[k].lo = 0, 0
    for n from 0 <= n <= m - LANES by LANES:
        for k in range(LANES):
            add(&lane[k], weight[n + k])
    total = lane[0]
    for k in range(1, LANES):
        merge(&total, &lane[k])
    for n in range(m - m % LANES, m):
        add(&total, weight[n])
    return value_of(&total)

# cython: language_level=3
"""Weights: whether they are any, and their sum."""

from libc.float cimport FLT_MAX
from libc.stdint cimport int64_t

from lucid._kernels.pairs.sums cimport Sum, add, value_of


cdef inline bint all_weights(const double* weight, Py_ssize_t m) noexcept nogil:
    """Whether all are from 0 to the largest float32, so that no sum of them overflows."""
    cdef Py_ssize_t n
    cdef int64_t good = 1               # as wide as a weight: several are looked at at once
    for n in range(m):
        good &= <int64_t>(weight[n] >= 0) & <int64_t>(weight[n] <= FLT_MAX)
    return good != 0


cdef inline double sum_up(const double* weight, Py_ssize_t m) noexcept nogil:
    """The sum, rounded once."""
    cdef Sum total
    cdef Py_ssize_t n
    total.hi, total.lo = 0, 0
    for n in range(m):
        add(&total, weight[n])
    return value_of(&total)

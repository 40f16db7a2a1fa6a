# cython: language_level=3
"""Weights: whether they are any, and their sum."""

from libc.float cimport FLT_MAX
from libc.stdint cimport int64_t

from lucid._kernels.pairs.sums cimport Sum, add, value_of


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
    cdef Py_ssize_t n
    total.hi, total.lo = 0, 0
    for n in range(m):
        add(&total, weight[n])
    return value_of(&total)

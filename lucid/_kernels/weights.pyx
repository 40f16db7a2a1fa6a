# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Weights: whether they are any, and their sum, by which a mean is divided."""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

from lucid._kernels.pairs.sums cimport Sum, add


def are_weights(const double[::1] weight):
    """Return whether all are finite and not negative."""
    cdef Py_ssize_t n
    cdef int64_t good = 1               # as wide as a weight: several are looked at at once
    for n in range(weight.shape[0]):
        good &= <int64_t>(weight[n] >= 0) & <int64_t>(weight[n] < INFINITY)
    return good != 0


def sum_of_weights(const double[::1] weight):
    """Return the sum, rounded once."""
    cdef Sum total
    cdef Py_ssize_t n
    total.hi, total.lo = 0, 0
    for n in range(weight.shape[0]):
        add(&total, weight[n])
    return total.hi + total.lo if total.hi < INFINITY else total.hi     # inf: too large a sum

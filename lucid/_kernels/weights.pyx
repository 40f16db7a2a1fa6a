# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""The sum of sample weights, by which a mean is divided, and whether they are any."""

from libc.math cimport INFINITY, NAN

from lucid._kernels.pairs.sums cimport Sum, add


def sum_of_weights(const double[::1] weight):
    """Return the sum, rounded once; NaN where a weight is negative, infinite or NaN."""
    cdef Sum total
    cdef Py_ssize_t n
    cdef bint good = True
    total.hi, total.lo = 0, 0
    for n in range(weight.shape[0]):
        good &= 0 <= weight[n] < INFINITY
        add(&total, weight[n])
    if not good:
        return NAN
    return total.hi + total.lo if total.hi < INFINITY else total.hi     # inf: too large a sum

# cython: language_level=3
"""Exponentials and what losses sum up of them: see `exponentials.h`."""

from libc.math cimport INFINITY, isfinite, isnan

# The header is written with the vectors of the first and the sums of the second.
from lucid._kernels.pairs.vectors cimport LUCID_FLOATS
from lucid._kernels.pairs.sums cimport Split, highest_of as highest_double
from lucid._kernels.reals cimport real

cdef extern from "exponentials.h":
    float highest_float "lucid_highest_float" (const float* v, Py_ssize_t m) noexcept nogil
    Split sum_of_exps_float "lucid_sum_of_exps_float" (
        const float* v, Py_ssize_t m, float highest, float* e) noexcept nogil
    Split sum_of_exps_double "lucid_sum_of_exps_double" (
        const double* v, Py_ssize_t m, double highest, double* e) noexcept nogil
    Split sum_of_softplus_float "lucid_sum_of_softplus_float" (
        const float* v, const float* t, const double* w, Py_ssize_t m, double scale, float* g) noexcept nogil
    Split sum_of_softplus_double "lucid_sum_of_softplus_double" (
        const double* v, const double* t, const double* w, Py_ssize_t m, double scale,
        double* g) noexcept nogil
    # The sum of log(1 + w e**(top + v)), and the derivative of each; top is finite.
    Split sum_of_pairs "lucid_sum_of_pairs" (
        const double* v, Py_ssize_t m, double w, double top, double* slope) noexcept nogil
    # log(1 + w e**(d + tail)), and its derivative by d; w is 0, or from 1 to 2**80
    double softplus_of "lucid_softplus_of_one" (double w, double d, double tail, double* slope) noexcept nogil
    # factor * e**(d + tail)
    double exp_times "lucid_exp_times_one" (double factor, double d, double tail) noexcept nogil


cdef inline real highest_of(const real* v, Py_ssize_t m) noexcept nogil:
    """The highest of m values, a multiple of 8, leaving NaN aside; -inf of none."""
    if real is float:
        return highest_float(v, m)
    else:
        return highest_double(v, m, -INFINITY)


cdef inline Split sum_of_exps(const real* v, Py_ssize_t m, real highest, real* e) noexcept nogil:
    """The sum of e**(v - highest) over m values, a multiple of 8; each to ``e`` unless that is NULL.

    Of values that are all -inf, each is 0; where the highest is inf, it is 1 for it, 0 for the others.
    """
    cdef Split sum
    cdef Py_ssize_t j
    cdef real y
    if isfinite(highest):
        if real is float:
            return sum_of_exps_float(v, m, highest, e)
        else:
            return sum_of_exps_double(v, m, highest, e)
    sum.high, sum.low = 0, 0
    for j in range(m):
        y = v[j] if isnan(v[j]) else v[j] == INFINITY
        sum.high += y
        if e != NULL:
            e[j] = y
    return sum


cdef inline Split sum_of_softplus(const real* v, const real* t, const double* w, Py_ssize_t m, double scale,
                                  real* g) noexcept nogil:
    """The logistic losses of m logits, a multiple of 8, and their derivatives times ``scale`` to ``g``."""
    if real is float:
        return sum_of_softplus_float(v, t, w, m, scale, g)
    else:
        return sum_of_softplus_double(v, t, w, m, scale, g)


cdef inline double lost(double a, double b) noexcept nogil:
    """What rounding takes from a - b; nothing where that is infinite."""
    cdef double d = a - b, part = d - a
    return (a - (d - part)) - (b + part) if isfinite(d) else 0

# cython: language_level=3, cdivision=True
"""Sums of float64 that lose nothing of what a float64 result needs.

A loss is a difference of two sums, so what one of them loses would show in it. Across blocks, sums
carry their rounding error along (hi + lo, Knuth's two-sum). Within a block the terms are
w_j * (v_j - a)+ with whole weights w_j. For float32 values float64 is enough. For float64 values each
factor is split into a high part, a multiple of a unit u that all terms of the block share, and the
low part that is left. With u large enough, the products and the sum of the high parts are exact;
the low parts are so small that their rounding does not matter. (Rump, Ogita and Oishi, "Accurate
floating-point summation", 2008, extract high parts in this way.)
"""

from libc.math cimport INFINITY, fabs, fma, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

ctypedef fused real:
    float
    double

cdef enum:
    LANES = 8               # partial sums of a block, added up in a fixed order
    MOST_TERMS = 1024       # of a block


cdef struct Sum:            # a float64 sum and what rounding has taken from it
    double hi
    double lo


cdef inline void add(Sum* total, double value) noexcept nogil:
    """Add ``value`` and keep the rounding error."""
    cdef double s = total.hi + value
    cdef double part = s - total.hi
    total.lo += (total.hi - (s - part)) + (value - part)
    total.hi = s


cdef inline void merge(Sum* total, const Sum* part) noexcept nogil:
    add(total, part.hi)
    total.lo += part.lo


cdef inline double quotient(const Sum* total, double divisor) noexcept nogil:
    """The sum over ``divisor``, rounded once."""
    cdef double whole = total.hi + total.lo
    cdef double rest = total.lo - (whole - total.hi)
    cdef double q = whole / divisor
    if not isfinite(total.hi) or not isfinite(q):
        return total.hi / divisor
    return q + (fma(-q, divisor, whole) + rest) / divisor


cdef inline void add_products(const real* v, const int32_t* weight, Py_ssize_t m, double a,
                              double most, Sum* total) noexcept nogil:
    """Add sum_j weight_j * (v_j - a)+ over m terms, a multiple of 8 and at most MOST_TERMS.

    No weight is greater than ``most``.
    """
    if real is float:
        add_rounded(v, weight, m, a, total)
    else:
        add_split(v, weight, m, a, most, total)


cdef inline double sum_of_lanes(const double* sum) noexcept nogil:
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]))


cdef inline void add_rounded(const float* v, const int32_t* weight, Py_ssize_t m, double a,
                             Sum* total) noexcept nogil:
    cdef double sum[LANES]
    cdef double d
    cdef float low = <float>a, value
    cdef Py_ssize_t i, l
    memset(sum, 0, sizeof(sum))
    for i from 0 <= i < m by LANES:
        for l in range(LANES):
            value = low if v[i + l] < low else v[i + l]     # in this form NaN stays NaN
            d = value - a
            sum[l] += weight[i + l] * d
    total.hi += sum_of_lanes(sum)


cdef inline double power_of_two(double x) noexcept nogil:
    """The largest power of two that is not above a positive x."""
    cdef uint64_t bits
    memcpy(&bits, &x, sizeof(x))
    bits &= 0x7FF0000000000000u
    memcpy(&x, &bits, sizeof(x))
    return x


cdef inline double highest_of(const double* v, Py_ssize_t m, double* scratch) noexcept nogil:
    """The highest of ``m`` values, a multiple of 8, leaving NaN aside: halves are laid on one another."""
    cdef Py_ssize_t j, half = (m // 2 + 7) // 8 * 8
    cdef double highest = -INFINITY
    memcpy(scratch, v, half * sizeof(double))
    for j in range(m - half):
        scratch[j] = v[half + j] if v[half + j] > v[j] else v[j]
    while half > LANES:
        m = half
        half = (m // 2 + 7) // 8 * 8
        for j in range(m - half):
            scratch[j] = scratch[half + j] if scratch[half + j] > scratch[j] else scratch[j]
    for j in range(half):
        highest = scratch[j] if scratch[j] > highest else highest
    return highest


cdef inline double sum_of(const double* terms, Py_ssize_t m) noexcept nogil:
    """The sum of ``m`` terms, a multiple of 8, lane by lane."""
    cdef double sum[LANES]
    cdef Py_ssize_t i, l
    memset(sum, 0, sizeof(sum))
    for i from 0 <= i < m by LANES:
        for l in range(LANES):
            sum[l] += terms[i + l]
    return sum_of_lanes(sum)


cdef inline void add_split(const double* v, const int32_t* weight, Py_ssize_t m, double a, double most,
                           Sum* total) noexcept nogil:
    cdef double hi[MOST_TERMS]
    cdef double lo[MOST_TERMS]
    cdef double highest, base, shifter, d, t, high, moved
    cdef int64_t sum_of_weights = 0
    cdef Py_ssize_t j
    # Measured from a, the values are exact where they are close to each other and far from 0;
    # elsewhere they are measured from 0.
    highest = max(a, highest_of(v, m, hi))
    base = a if highest - a <= 0.5 * fabs(a) else 0
    # Adding 1.5 * 2**52 * u rounds to a multiple of u, which is 2**-43 of the largest product: 1,024
    # products of multiples are added up without rounding.
    shifter = 768 * power_of_two(max(fabs(highest - base), fabs(a - base)) * most)
    if not isfinite(shifter):           # near the largest float64, sums are not exact
        shifter = 0
    for j in range(m):
        d = (a if v[j] < a else v[j]) - base            # in this form NaN stays NaN
        t = d + shifter
        high = t - shifter
        hi[j] = weight[j] * high
        lo[j] = weight[j] * (d - high)
        sum_of_weights += weight[j]
    add(total, sum_of(hi, m))
    total.lo += sum_of(lo, m)
    moved = sum_of_weights * (base - a)
    add(total, moved)
    total.lo += fma(<double>sum_of_weights, base - a, -moved)

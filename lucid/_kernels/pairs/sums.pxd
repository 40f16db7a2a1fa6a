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

from libc.math cimport fabs, fma, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.pairs.vectors cimport LUCID_FLOATS
from lucid._kernels.reals cimport real

cdef extern from *:
    """
    /* Adds a term to a sum, and what rounding takes from it to what is lost; that not for float32 scores:
       float64 is enough for them. */
    #define LUCID_KEEP(name, type)                                                                      \\
    LUCID_INLINE void name(const int exact, type term, type* sum, type* lost)                           \\
    {                                                                                                   \\
        type s = *sum + term, part = s - *sum;                                                          \\
        if (exact)                                                                                      \\
            *lost += (*sum - (s - part)) + (term - part);                                               \\
        *sum = s;                                                                                       \\
    }

    LUCID_KEEP(lucid_keep, double)
    LUCID_KEEP(lucid_keep_all, lucid_doubles)

    /* All lanes, added up in a fixed order. */
    enum { LUCID_REGISTERS = LUCID_LANES / LUCID_DOUBLES };
    typedef struct { double high, low; } lucid_split;

    LUCID_INLINE double lucid_sum_of_lanes(const lucid_doubles* sum)
    {
    #ifdef __AVX2__
        lucid_doubles half = sum[0] + sum[1];
        half += __builtin_shufflevector(half, half, 2, 3, 0, 1);
    #else
        lucid_doubles half = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    #endif
        return half[0] + half[1];
    }

    LUCID_INLINE double lucid_sum_of_products(const float* v, const int32_t* weight, ptrdiff_t m, double a)
    {
        lucid_doubles sum[LUCID_REGISTERS] = {{0}}, least = LUCID_ALL_DOUBLES(a);
        for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
            for (int k = 0; k < LUCID_REGISTERS; k++) {
                lucid_doubles d = lucid_widen_float(v + j + k * LUCID_DOUBLES);
                lucid_doubles w = lucid_widen_ranks(weight + j + k * LUCID_DOUBLES);
                sum[k] += w * (lucid_max(least, d) - least);        /* NaN stays NaN */
            }
        return lucid_sum_of_lanes(sum);
    }

    static lucid_split
    lucid_sum_of_split(const double* v, const int32_t* weight, ptrdiff_t m, double a, double shifter)
    {
        lucid_doubles high[LUCID_REGISTERS] = {{0}}, low[LUCID_REGISTERS] = {{0}};
        lucid_doubles least = LUCID_ALL_DOUBLES(a), shift = LUCID_ALL_DOUBLES(shifter);
        for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
            for (int k = 0; k < LUCID_REGISTERS; k++) {
                lucid_doubles w = lucid_widen_ranks(weight + j + k * LUCID_DOUBLES);
                lucid_doubles d = lucid_max(least, lucid_widen_double(v + j + k * LUCID_DOUBLES));
                lucid_doubles h = (d + shift) - shift;
                high[k] += w * h;
                low[k] += w * (d - h);
            }
        return (lucid_split){lucid_sum_of_lanes(high), lucid_sum_of_lanes(low)};
    }

    static double lucid_highest_of(const double* v, ptrdiff_t m, double a)
    {
        /* Two at once, for none to wait; they may overlap. */
        ptrdiff_t half = (m / 2 + LUCID_LANES - 1) / LUCID_LANES * LUCID_LANES;
        lucid_doubles highest[LUCID_REGISTERS], other[LUCID_REGISTERS];
        for (int k = 0; k < LUCID_REGISTERS; k++)
            highest[k] = other[k] = LUCID_ALL_DOUBLES(a);
        for (ptrdiff_t j = 0; j < half; j += LUCID_LANES)
            for (int k = 0; k < LUCID_REGISTERS; k++) {
                highest[k] = lucid_max(*(const lucid_doubles*)(v + j + k * LUCID_DOUBLES), highest[k]);
                other[k] = lucid_max(*(const lucid_doubles*)(v + m - half + j + k * LUCID_DOUBLES), other[k]);
            }
        for (int k = 0; k < LUCID_REGISTERS; k++)
            highest[0] = lucid_max(lucid_max(highest[k], other[k]), highest[0]);
        for (int l = 0; l < LUCID_DOUBLES; l++)
            a = highest[0][l] > a ? highest[0][l] : a;
        return a;
    }

    /* count / divisor, rounded once. With the rounded inverse it takes three fast operations instead of
       a division (Markstein, "Computation of elementary functions on the IBM RISC System/6000", 1990). */
    LUCID_INLINE double lucid_quotient(double count, double divisor, double inverse)
    {
    #ifdef __FP_FAST_FMA
        double q = count * inverse;
        return __builtin_fma(__builtin_fma(-q, divisor, count), inverse, q);
    #else
        return count / divisor;
    #endif
    }
    """
    ctypedef struct Split "lucid_split":
        double high, low
    # Of m values and weights, a multiple of 8: sum_j weight_j * (v_j - a)+,
    double sum_of_products "lucid_sum_of_products" (const float* v, const int32_t* weight, Py_ssize_t m,
                                                    double a) noexcept nogil
    # sum_j weight_j * max(v_j, a) of high and of low parts,
    Split sum_of_split "lucid_sum_of_split" (const double* v, const int32_t* weight, Py_ssize_t m, double a,
                                             double shifter) noexcept nogil
    # and the highest value, or a, leaving NaN aside.
    double highest_of "lucid_highest_of" (const double* v, Py_ssize_t m, double a) noexcept nogil
    void keep "lucid_keep" (bint exact, double term, double* sum, double* lost) noexcept nogil
    double rounded_quotient "lucid_quotient" (double count, double divisor, double inverse) noexcept nogil


cdef struct Sum:            # a float64 sum and what rounding has taken from it
    double hi
    double lo


cdef inline void add(Sum* total, double value) noexcept nogil:
    """Add ``value`` and keep the rounding error."""
    keep(True, value, &total.hi, &total.lo)


cdef inline Sum sum_of(double x, double y) noexcept nogil:
    """x + y, exactly."""
    cdef Sum sum
    sum.hi, sum.lo = x, 0
    add(&sum, y)
    return sum


cdef inline void add_product(Sum* total, double x, double y) noexcept nogil:
    cdef double product = x * y
    add(total, product)
    total.lo += fma(x, y, -product)


cdef inline void merge(Sum* total, const Sum* part) noexcept nogil:
    add(total, part.hi)
    total.lo += part.lo


cdef inline double value_of(const Sum* total) noexcept nogil:
    """The sum, rounded once; what rounding has taken from an infinite one is NaN."""
    return total.hi + total.lo if isfinite(total.hi) else total.hi


cdef inline double quotient(const Sum* total, double divisor) noexcept nogil:
    """The sum over ``divisor``, rounded once."""
    cdef double whole = total.hi + total.lo
    cdef double rest = total.lo - (whole - total.hi)
    cdef double q = whole / divisor
    if not isfinite(total.hi) or not isfinite(q):
        return total.hi / divisor
    return q + (fma(-q, divisor, whole) + rest) / divisor


cdef inline void divide(Sum* total, double divisor, double inverse) noexcept nogil:
    """The sum over ``divisor``, with what rounding has taken from it; ``inverse`` is 1 / divisor."""
    cdef double q = (total.hi + total.lo) * inverse
    if isfinite(total.hi) and isfinite(q):
        total.lo = (fma(-q, divisor, total.hi) + total.lo) * inverse
        total.hi = q
    else:
        total.hi, total.lo = total.hi / divisor, 0


cdef inline void multiply(Sum* total, double factor) noexcept nogil:
    cdef double product = total.hi * factor
    total.lo = total.lo * factor + fma(total.hi, factor, -product)
    total.hi = product


cdef inline void add_products(const real* v, const int32_t* weight, Py_ssize_t m, int64_t weights,
                              double a, double most, Sum* total) noexcept nogil:
    """Add sum_j weight_j * (v_j - a)+ over m terms, a multiple of 8 and at most 1,024.

    ``weights`` is the sum of the weights, and none is greater than ``most``.
    """
    if real is float:
        total.hi += sum_of_products(v, weight, m, a)
    else:
        add_split(v, weight, m, weights, a, most, total)


cdef inline double power_of_two(double x) noexcept nogil:
    """The largest power of two that is not above a positive x."""
    cdef uint64_t bits
    memcpy(&bits, &x, sizeof(x))
    bits &= 0x7FF0000000000000u
    memcpy(&x, &bits, sizeof(x))
    return x


cdef inline void add_split(const double* v, const int32_t* weight, Py_ssize_t m, int64_t weights, double a,
                           double most, Sum* total) noexcept nogil:
    # Adding 1.5 * 2**52 * u rounds to a multiple of u. The largest product is below 2**42 u: even after
    # rounding up, 1,024 multiples of u add up to less than 2**53 u, without rounding. The low parts of
    # values that are closer to each other than to 0 are whole multiples of their last bit: exact, too.
    cdef double shifter = 3072 * power_of_two(max(fabs(highest_of(v, m, a)), fabs(a)) * most)
    cdef Split sums
    if not isfinite(shifter):           # near the largest float64, sums are not exact
        shifter = 0
    sums = sum_of_split(v, weight, m, a, shifter)
    add(total, sums.high)
    total.lo += sums.low
    add_product(total, <double>weights, -a)

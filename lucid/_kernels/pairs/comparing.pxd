# cython: language_level=3
"""Ranks among a few thresholds, in any order, by comparing each score with each of them.

A register of ranks at a time is compared with a few thresholds, whose counts stay in registers, too;
more thresholds take more rounds. A compiler makes twice as many instructions for float64 out of
a loop, because it narrows comparisons to int32 one register at a time.
"""

from libc.stdint cimport int32_t, int64_t

from lucid._kernels.pairs.vectors cimport LUCID_FLOATS

cdef extern from *:
    """
    /* -1 for each score above tau, 0 for the others: as many as there are ranks in a register */
    LUCID_INLINE lucid_ranks lucid_above_float(const float* v, float tau)
    {
        return *(const lucid_floats*)v > tau;
    }

    /* Narrowed in an order of its own, for which AVX2 takes one instruction; */
    LUCID_INLINE lucid_ranks lucid_above_double(const double* v, double tau)
    {
        const lucid_doubles* x = (const lucid_doubles*)v;
        lucid_floats low = (lucid_floats)(x[0] > tau), high = (lucid_floats)(x[1] > tau);
    #ifdef __AVX2__
        return (lucid_ranks)__builtin_shufflevector(low, high, 0, 2, 8, 10, 4, 6, 12, 14);
    #else
        return (lucid_ranks)__builtin_shufflevector(low, high, 0, 2, 4, 6);
    #endif
    }

    LUCID_INLINE lucid_ranks lucid_in_order_float(lucid_ranks r)
    {
        return r;
    }

    /* from which this returns. */
    LUCID_INLINE lucid_ranks lucid_in_order_double(lucid_ranks r)
    {
    #ifdef __AVX2__
        r = __builtin_shufflevector(r, r, 0, 1, 4, 5, 2, 3, 6, 7);
    #endif
        return r;
    }

    enum { LUCID_AT_ONCE = 5 };     /* thresholds: more would not stay in the 16 registers */

    #define LUCID_COMPARE(real)                                                                         \\
    LUCID_INLINE int64_t                                                                                \\
    lucid_compare_with_##real(const int P, int first, const real* v, ptrdiff_t m, const real* tau,      \\
                              int32_t* rank, int32_t* count)                                            \\
    {                                                                                                   \\
        lucid_ranks n[LUCID_AT_ONCE];                                                                   \\
        int64_t sum = 0;                                                                                \\
        for (int i = 0; i < P; i++)                                                                     \\
            n[i] = (lucid_ranks){0};                                                                    \\
        for (ptrdiff_t j = 0; j < m; j += LUCID_FLOATS) {                                               \\
            lucid_ranks r = {0}, *to = (lucid_ranks*)(rank + j);                                        \\
            for (int i = 0; i < P; i++) {                                                               \\
                lucid_ranks above = lucid_above_##real(v + j, tau[i]);                                  \\
                r -= above;                                                                             \\
                n[i] -= above;                                                                          \\
            }                                                                                           \\
            r = lucid_in_order_##real(r);                                                               \\
            *to = first ? r : *to + r;                                                                  \\
        }                                                                                               \\
        for (int i = 0; i < P; i++) {                                                                   \\
            int32_t of_all = lucid_sum_of_ranks(n[i]);                                                  \\
            count[i] += of_all;                                                                         \\
            sum += of_all;                                                                              \\
        }                                                                                               \\
        return sum;                                                                                     \\
    }                                                                                                   \\
                                                                                                        \\
    static int64_t                                                                                      \\
    lucid_compare_##real(const real* v, ptrdiff_t m, const real* tau, ptrdiff_t P, int32_t* rank,       \\
                         int32_t* count)                                                                \\
    {                                                                                                   \\
        int64_t sum = 0;                                                                                \\
        ptrdiff_t i = 0;                                                                                \\
        for (; P - i > LUCID_AT_ONCE; i += LUCID_AT_ONCE)                                               \\
            sum += lucid_compare_with_##real(LUCID_AT_ONCE, i == 0, v, m, tau + i, rank, count + i);    \\
        switch (P - i) {                /* a constant in each call: its loop is unrolled */             \\
        case 1: return sum + lucid_compare_with_##real(1, i == 0, v, m, tau + i, rank, count + i);      \\
        case 2: return sum + lucid_compare_with_##real(2, i == 0, v, m, tau + i, rank, count + i);      \\
        case 3: return sum + lucid_compare_with_##real(3, i == 0, v, m, tau + i, rank, count + i);      \\
        case 4: return sum + lucid_compare_with_##real(4, i == 0, v, m, tau + i, rank, count + i);      \\
        default: return sum + lucid_compare_with_##real(LUCID_AT_ONCE, i == 0, v, m, tau + i, rank, count + i); \\
        }                                                                                               \\
    }

    LUCID_COMPARE(float)
    LUCID_COMPARE(double)
    """
    # The ranks of m scores, a multiple of 8, and their sum; how many are above tau[i] is added to count[i].
    int64_t compare_float "lucid_compare_float" (const float* v, Py_ssize_t m, const float* tau, Py_ssize_t P,
                                                 int32_t* rank, int32_t* count) noexcept nogil
    int64_t compare_double "lucid_compare_double" (const double* v, Py_ssize_t m, const double* tau, Py_ssize_t P,
                                                   int32_t* rank, int32_t* count) noexcept nogil

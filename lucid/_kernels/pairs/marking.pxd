# cython: language_level=3
"""Which scores are above the lowest threshold: a bit for each, 64 to a word.

The answers of a comparison fill a register; x86 takes one bit of each lane in one instruction, which
no loop makes a compiler find.
"""

from libc.stdint cimport uint64_t

from lucid._kernels.pairs.vectors cimport LUCID_FLOATS

cdef extern from *:
    """
    #ifdef __AVX2__
    #define LUCID_BITS_float(mask) (unsigned)_mm256_movemask_ps((__m256)(mask))
    #define LUCID_BITS_double(mask) (unsigned)_mm256_movemask_pd((__m256d)(mask))
    #elif defined __SSE2__
    #define LUCID_BITS_float(mask) (unsigned)_mm_movemask_ps((__m128)(mask))
    #define LUCID_BITS_double(mask) (unsigned)_mm_movemask_pd((__m128d)(mask))
    #else
    LUCID_INLINE unsigned LUCID_BITS_float(lucid_ranks mask)
    {
        return (mask[0] & 1) | (mask[1] & 2) | (mask[2] & 4) | (mask[3] & 8);
    }

    LUCID_INLINE unsigned LUCID_BITS_double(lucid_masks mask)
    {
        return (mask[0] & 1) | (mask[1] & 2);
    }
    #endif

    #define LUCID_MARK(real, vector, lanes)                                                             \\
    LUCID_INLINE uint64_t lucid_word_##real(const real* v, const int size, real a)                      \\
    {                                                                                                   \\
        uint64_t not_above = 0;         /* a NaN is not "not above" */                                  \\
        int j = 0;                                                                                      \\
        for (; j + lanes <= size; j += lanes)                                                           \\
            not_above |= (uint64_t)LUCID_BITS_##real(*(const vector*)(v + j) <= a) << j;                \\
        for (; j < size; j++)                                                                           \\
            not_above |= (uint64_t)(v[j] <= a) << j;                                                    \\
        return ~not_above & ~(uint64_t)0 >> (64 - size);                                                \\
    }                                                                                                   \\
                                                                                                        \\
    LUCID_INLINE ptrdiff_t                                                                              \\
    lucid_mark_##real(const real* v, ptrdiff_t m, real a, uint64_t* marks)                              \\
    {                                                                                                   \\
        ptrdiff_t active = 0;                                                                           \\
        for (; m > 0; m -= 64, v += 64, marks++) {                                                      \\
            /* a constant in one of the calls: its loop is unrolled */                                  \\
            *marks = m >= 64 ? lucid_word_##real(v, 64, a) : lucid_word_##real(v, (int)m, a);           \\
            active += __builtin_popcountll(*marks);                                                     \\
        }                                                                                               \\
        return active;                                                                                  \\
    }

    LUCID_MARK(float, lucid_floats, LUCID_FLOATS)
    LUCID_MARK(double, lucid_doubles, LUCID_DOUBLES)

    #define LUCID_BELOW(real, vector)                                                                   \\
    LUCID_INLINE int lucid_below_##real(const real* ascending, real x)                                  \\
    {                                                                                                   \\
        return __builtin_ctz(~LUCID_BITS_##real(*(const vector*)ascending < x));                        \\
    }

    LUCID_BELOW(float, lucid_floats)
    LUCID_BELOW(double, lucid_doubles)
    """
    # How many of a register of ascending values are below x.
    int below_float "lucid_below_float" (const float* ascending, float x) noexcept nogil
    int below_double "lucid_below_double" (const double* ascending, double x) noexcept nogil
    # Marks those of m scores that are above a, or NaN; how many they are.
    Py_ssize_t mark_float "lucid_mark_float" (const float* v, Py_ssize_t m, float a, uint64_t* marks) noexcept nogil
    Py_ssize_t mark_double "lucid_mark_double" (const double* v, Py_ssize_t m, double a, uint64_t* marks) noexcept nogil

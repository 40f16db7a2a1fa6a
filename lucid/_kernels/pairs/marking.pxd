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

    /* -1 in each lane of a register whose bit is set. */
    LUCID_INLINE lucid_ranks lucid_lanes_float(unsigned bits)
    {
    #ifdef __AVX2__
        const lucid_ranks each = {1, 2, 4, 8, 16, 32, 64, 128};
    #else
        const lucid_ranks each = {1, 2, 4, 8};
    #endif
        return (((int32_t)bits - (lucid_ranks){0}) & each) == each;
    }

    LUCID_INLINE lucid_masks lucid_lanes_double(unsigned bits)
    {
    #ifdef __AVX2__
        const lucid_ranks each = {1, 1, 2, 2, 4, 4, 8, 8};
    #else
        const lucid_ranks each = {1, 1, 2, 2};      /* it compares no wider integers */
    #endif
        return (lucid_masks)((((int32_t)bits - (lucid_ranks){0}) & each) == each);
    }

    /* The first m of a register's numbers, if it has so many, and zeros. A register is not put together in
       memory: reading it would wait. */
    LUCID_INLINE lucid_floats lucid_first_float(const float* x, ptrdiff_t m)
    {
    #ifdef __AVX2__
        static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
        return _mm256_maskload_ps(x, _mm256_loadu_si256((const void*)(lanes + 8 - m)));
    #else
        switch (m) {
        case 1: return (lucid_floats){x[0]};
        case 2: return (lucid_floats){x[0], x[1]};
        case 3: return (lucid_floats){x[0], x[1], x[2]};
        default: return m > 0 ? *(const lucid_floats*)x : (lucid_floats){0};
        }
    #endif
    }

    LUCID_INLINE lucid_doubles lucid_first_double(const double* x, ptrdiff_t m)
    {
        switch (m) {
        case 1: return (lucid_doubles){x[0]};
    #ifdef __AVX2__
        case 2: return (lucid_doubles){x[0], x[1]};
        case 3: return (lucid_doubles){x[0], x[1], x[2]};
    #endif
        default: return m > 0 ? *(const lucid_doubles*)x : (lucid_doubles){0};
        }
    }

    #define LUCID_COPY(real, vector, whole)                                                             \\
    LUCID_INLINE vector lucid_kept_##real(vector x, unsigned bits, vector a)                            \\
    {                                                                                                   \\
        const whole out = (whole)lucid_lanes_##real(bits);                                              \\
        return (vector)((out & (whole)a) | (~out & (whole)x));                                          \\
    }                                                                                                   \\
                                                                                                        \\
    LUCID_INLINE ptrdiff_t                                                                              \\
    lucid_copy_##real(const real* v, ptrdiff_t m, const uint64_t* bits, real in_place, real* block)     \\
    {                                                                                                   \\
        const vector a = in_place - (vector){0};                                                        \\
        enum { LANES = LUCID_BYTES / sizeof(real) };                                                    \\
        ptrdiff_t j = 0;                                                                                \\
        for (; j + 64 <= m; j += 64, bits++)            /* unrolled */                                  \\
            for (int k = 0; k < 64; k += LANES)                                                         \\
                *(vector*)(block + j + k) = lucid_kept_##real(*(const vector*)(v + j + k), *bits >> k, a);\\
        for (; j < (m + LUCID_LANES - 1) / LUCID_LANES * LUCID_LANES; j += LANES) {                     \\
            vector x = j + LANES <= m ? *(const vector*)(v + j) : lucid_first_##real(v + j, m - j);     \\
            *(vector*)(block + j) = lucid_kept_##real(x, *bits >> j % 64, a);                           \\
        }                                                                                               \\
        return j;                                                                                       \\
    }

    LUCID_COPY(float, lucid_floats, lucid_ranks)
    LUCID_COPY(double, lucid_doubles, lucid_masks)

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
    # Copies m scores, with a in the place of those whose bit is set, up to a multiple of 8, which is returned.
    Py_ssize_t copy_float "lucid_copy_float" (const float* v, Py_ssize_t m, const uint64_t* bits, float a,
                                              float* block) noexcept nogil
    Py_ssize_t copy_double "lucid_copy_double" (const double* v, Py_ssize_t m, const uint64_t* bits, double a,
                                                double* block) noexcept nogil

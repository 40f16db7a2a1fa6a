# cython: language_level=3
"""Vectors: what the loops that compilers do not find good instructions for are written with.

These are GCC's and Clang's vector types: operators work lane by lane, comparisons give -1 or 0, and
the compiler picks the instructions of whatever machine it compiles for. A vector fills one register
of AVX2 where that is there, otherwise half of it. What is computed must not depend on which.

Memory is read and written as vectors of the type that it has, and values are cast: a compiler may
believe that a number and its bits as another type are two things, and change their order.
"""

from libc.stdint cimport int32_t

cdef extern from *:
    """
    #include <stddef.h>
    #include <stdint.h>

    #define LUCID_INLINE static inline __attribute__((always_inline))

    #ifdef __AVX2__
    #include <immintrin.h>
    enum { LUCID_BYTES = 32, LUCID_FLOATS = 8, LUCID_DOUBLES = 4 };
    #else
    #ifdef __SSE2__
    #include <emmintrin.h>
    #endif
    enum { LUCID_BYTES = 16, LUCID_FLOATS = 4, LUCID_DOUBLES = 2 };
    #endif

    enum { LUCID_LANES = 8 };       /* of a sum, in as many registers as they take */

    typedef float lucid_floats __attribute__((vector_size(LUCID_BYTES), aligned(4)));
    typedef double lucid_doubles __attribute__((vector_size(LUCID_BYTES), aligned(8)));
    typedef int32_t lucid_ranks __attribute__((vector_size(LUCID_BYTES), aligned(4)));
    typedef int64_t lucid_masks __attribute__((vector_size(LUCID_BYTES), aligned(8)));

    #define LUCID_ALL_FLOATS(x) ((x) - (lucid_floats){0})
    #define LUCID_ALL_DOUBLES(x) ((x) - (lucid_doubles){0})

    /* A register of numbers, as float64. */
    LUCID_INLINE lucid_doubles lucid_widen_float(const float* p)
    {
    #ifdef __AVX2__
        return _mm256_cvtps_pd(_mm_loadu_ps(p));
    #else
        return (lucid_doubles){p[0], p[1]};
    #endif
    }

    LUCID_INLINE lucid_doubles lucid_widen_double(const double* p)
    {
        return *(const lucid_doubles*)p;
    }

    LUCID_INLINE lucid_doubles lucid_widen_ranks(const int32_t* p)
    {
    #ifdef __AVX2__
        return _mm256_cvtepi32_pd(_mm_loadu_si128((const void*)p));
    #else
        return (lucid_doubles){p[0], p[1]};
    #endif
    }

    /* The greater of x and y; y where one is NaN. */
    LUCID_INLINE lucid_doubles lucid_max(lucid_doubles x, lucid_doubles y)
    {
    #ifdef __AVX2__
        return _mm256_max_pd(x, y);
    #elif defined __SSE2__
        return _mm_max_pd(x, y);
    #else
        lucid_masks above = x > y;
        return (lucid_doubles)(((lucid_masks)x & above) | ((lucid_masks)y & ~above));
    #endif
    }

    LUCID_INLINE int32_t lucid_sum_of_ranks(lucid_ranks n)
    {
    #ifdef __AVX2__
        n += __builtin_shufflevector(n, n, 4, 5, 6, 7, 0, 1, 2, 3);
        n += __builtin_shufflevector(n, n, 2, 3, 0, 1, 6, 7, 4, 5);
    #else
        n += __builtin_shufflevector(n, n, 2, 3, 0, 1);
    #endif
        return n[0] + n[1];
    }
    """
    enum:
        BYTES "LUCID_BYTES"     # of a register
        LANES "LUCID_LANES"     # values are ranked and summed up in multiples of so many
    const int LUCID_FLOATS      # a file that cimports this gets all of the C above

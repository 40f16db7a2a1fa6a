# cython: language_level=3
"""Ranks among 17 to 63 sorted thresholds by halving, eight scores at a time.

Level d of the search asks whether a score is above the threshold in the middle of what is left; the
`depth` answers, read as binary digits, are its rank. The 2**d thresholds that level d may ask for
stand side by side in a table, where AVX2 looks up eight of them in one instruction, as far as they
fit into a register, and half as many more each with every further register.

This is C because no loop makes a compiler find that instruction. Without it, other ways are faster.
"""

from libc.stdint cimport int8_t, int32_t

from lucid._kernels.vectors cimport LUCID_FLOATS

cdef enum:
    ROOM = 63               # thresholds that six levels can tell apart
    TABLE = 80              # values: 8 for each of the levels 0 to 3, then 16 and 32

cdef extern from *:
    """
    static const int lucid_level[6] = {0, 8, 16, 24, 32, 48};   /* where each level starts */

    #ifdef __AVX2__
    enum { LUCID_MOST_HALVED = 63 };

    /* table[k] for eight k below 2**d. A register has 8 entries: the look-up counts modulo 8. */
    LUCID_INLINE __m256 lucid_look_up(const float* table, const int d, __m256i k)
    {
        __m256 found[4], bit3, bit4;
        for (int i = 0; 8 * i < 1 << d; i++)
            found[i] = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8 * i), k);
        bit3 = _mm256_castsi256_ps(_mm256_slli_epi32(k, 28));
        bit4 = _mm256_castsi256_ps(_mm256_slli_epi32(k, 27));
        if (d == 4)
            return _mm256_blendv_ps(found[0], found[1], bit3);
        if (d == 5)
            return _mm256_blendv_ps(_mm256_blendv_ps(found[0], found[1], bit3),
                                    _mm256_blendv_ps(found[2], found[3], bit3), bit4);
        return found[0];
    }

    LUCID_INLINE void lucid_halve_to(const int depth, const float* x, ptrdiff_t m, const float* table,
                                     int32_t* rank, float* next)
    {
        for (ptrdiff_t j = 0; j < m; j += 8) {
            __m256 eight = _mm256_loadu_ps(x + j), not_below = _mm256_set1_ps(__builtin_inff());
            __m256i r = _mm256_setzero_si256();
            for (int d = 0; d < depth; d++) {
                __m256 middle = lucid_look_up(table + lucid_level[d], d, r);
                __m256 above = _mm256_cmp_ps(eight, middle, _CMP_GT_OQ);
                r = _mm256_sub_epi32(_mm256_add_epi32(r, r), _mm256_castps_si256(above));
                not_below = _mm256_blendv_ps(middle, not_below, above);
            }
            _mm256_storeu_si256((__m256i*)(rank + j), r);
            if (next)
                _mm256_storeu_ps(next + j, not_below);
        }
    }

    LUCID_INLINE int32_t lucid_count_above(const int8_t* rank, ptrdiff_t m, int8_t i)
    {
        __m256i sum = _mm256_setzero_si256();
        for (ptrdiff_t j = 0; j < m; j += 32)       /* at most 32 times: no byte overflows */
            sum = _mm256_sub_epi8(sum, _mm256_cmpgt_epi8(_mm256_loadu_si256((const __m256i*)(rank + j)),
                                                         _mm256_set1_epi8(i)));
        sum = _mm256_sad_epu8(sum, _mm256_setzero_si256());
        return _mm256_extract_epi32(sum, 0) + _mm256_extract_epi32(sum, 2)
             + _mm256_extract_epi32(sum, 4) + _mm256_extract_epi32(sum, 6);
    }

    LUCID_INLINE void lucid_halve(int depth, const float* x, ptrdiff_t m, const float* table,
                                  int32_t* rank, float* next)
    {
        if (depth == 5)                             /* a constant in each call: its loop is unrolled */
            lucid_halve_to(5, x, m, table, rank, next);
        else
            lucid_halve_to(6, x, m, table, rank, next);
    }
    #else
    enum { LUCID_MOST_HALVED = 0 };                 /* nobody calls */
    #define lucid_halve(...) ((void)0)
    #define lucid_count_above(...) 0
    #endif
    """
    # The ranks of m scores, a multiple of 8, by 5 or 6 levels; unless NULL, next is the threshold that stands at the rank.
    void halve "lucid_halve" (int depth, const float* x, Py_ssize_t m, const float* table, int32_t* rank,
                              float* next) noexcept nogil
    # How many of m ranks, a multiple of 32 and at most 1,024, are greater than i.
    int32_t count_above "lucid_count_above" (const int8_t* rank, Py_ssize_t m, int8_t i) noexcept nogil
    const int* level_start "lucid_level"
    const int MOST_HALVED "LUCID_MOST_HALVED"       # thresholds

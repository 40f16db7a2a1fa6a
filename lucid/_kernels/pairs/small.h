/* Rows of few scores and few labels, a group of eight columns at a time.

   Columns that are in no pair, labels, unknown ones and those beyond the last, are excluded: they are
   set to a, the lowest threshold, whose rank is 0. A group with no score above a is done. The others are
   noted, scores and ranks, for their sum: its lanes are those of the columns modulo 8, so that it does
   not depend on which groups are left out. vectors.pxd has the types, marking.pxd and comparing.pxd the
   comparisons. */

enum { LUCID_GROUP = 8 };

/* -1 in each lane of a register whose bit is set. */
LUCID_INLINE lucid_ranks lucid_lanes_float(unsigned bits)
{
#ifdef __AVX2__
    const lucid_ranks each = {1, 2, 4, 8, 16, 32, 64, 128};
#else
    const lucid_ranks each = {1, 2, 4, 8};
#endif
    return (((lucid_ranks){0} + (int32_t)bits) & each) == each;
}

LUCID_INLINE lucid_masks lucid_lanes_double(unsigned bits)
{
#ifdef __AVX2__
    const lucid_masks each = {1, 2, 4, 8};
#else
    const lucid_masks each = {1, 2};
#endif
    return (((lucid_masks){0} + (int64_t)bits) & each) == each;
}

/* The m < 8 scores after the last whole group, filled up. */
LUCID_INLINE void lucid_load_rest_float(const float* x, ptrdiff_t m, float* group)
{
#ifdef __AVX2__
    static const int32_t lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
    _mm256_storeu_ps(group, _mm256_maskload_ps(x, _mm256_loadu_si256((const void*)(lanes + 8 - m))));
#else
    for (int k = 0; k < LUCID_GROUP; k++)
        group[k] = k < m ? x[k] : 0;
#endif
}

LUCID_INLINE void lucid_load_rest_double(const double* x, ptrdiff_t m, double* group)
{
    for (int k = 0; k < LUCID_GROUP; k++)
        group[k] = k < m ? x[k] : 0;
}

/* Writes m < 8 numbers of a group. */
#define LUCID_STORE_REST(real)                                                                          \
LUCID_INLINE void lucid_store_rest_##real(const real* group, ptrdiff_t m, real* out)                    \
{                                                                                                       \
    if (m & 4)                                                                                          \
        memcpy(out, group, 4 * sizeof(real));                                                           \
    if (m & 2)                                                                                          \
        memcpy(out + (m & 4), group + (m & 4), 2 * sizeof(real));                                       \
    if (m & 1)                                                                                          \
        out[m - 1] = group[m - 1];                                                                      \
}

LUCID_STORE_REST(float)
LUCID_STORE_REST(double)

/* What each of eight ranks, all below 8, is worth. */
LUCID_INLINE void lucid_look_up_float(const float* worth, const int32_t* rank, float* out)
{
#ifdef __AVX2__
    _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(_mm256_loadu_ps(worth),
                                                   _mm256_loadu_si256((const void*)rank)));
#else
    for (int k = 0; k < LUCID_GROUP; k++)
        out[k] = worth[rank[k]];
#endif
}

LUCID_INLINE void lucid_look_up_double(const double* worth, const int32_t* rank, double* out)
{
    for (int k = 0; k < LUCID_GROUP; k++)
        out[k] = worth[rank[k]];
}

/* The sums of P registers, and zeros up to eight; registers after the first P are zero. */
LUCID_INLINE void lucid_sum_each(const int P, const lucid_ranks* n, int32_t* sum)
{
#ifdef __AVX2__
    const __m256i zero = {0}, *of = (const __m256i*)n;
    __m256i low = _mm256_hadd_epi32(_mm256_hadd_epi32(of[0], of[1]), _mm256_hadd_epi32(of[2], of[3])), high = zero;
    if (P > 4)
        high = _mm256_hadd_epi32(_mm256_hadd_epi32(of[4], of[5]), _mm256_hadd_epi32(of[6], zero));
    /* now each half has a part of all sums */
    _mm256_storeu_si256((void*)sum, _mm256_add_epi32(_mm256_permute2x128_si256(low, high, 0x20),
                                                     _mm256_permute2x128_si256(low, high, 0x31)));
#else
    for (int i = 0; i < LUCID_GROUP; i++)
        sum[i] = i < P ? lucid_sum_of_ranks(n[i]) : 0;
#endif
}

/* Of C scores x, in whose place a is where the bit of a column is set: how many are above each of the P
   thresholds, to `count`, and unless there is none, the gradient, for each rank what it is worth. Returns
   how many are noted, a multiple of 8: v, and their ranks. */
#define LUCID_SMALL(real, vector, whole)                                                                \
LUCID_INLINE ptrdiff_t                                                                                  \
lucid_rank_small_with_##real(const int P, const real* x, ptrdiff_t C, const uint64_t* out, real lowest, \
                             const real* thresholds, const real* worth, real* grad, real* v,            \
                             int32_t* rank, int32_t* count)                                             \
{                                                                                                       \
    enum { LANES = LUCID_BYTES / sizeof(real) };                                                        \
    const vector a = (vector){0} + lowest;                                                              \
    real rest[LUCID_GROUP], tau[7], *to = NULL;                                                         \
    lucid_ranks n[7];                                                                                   \
    ptrdiff_t noted = 0;                                                                                \
    for (int i = 0; i < 7; i++)                                                                         \
        n[i] = (lucid_ranks){0};                                                                        \
    for (int i = 0; i < P; i++)                                                                         \
        tau[i] = thresholds[i];                                                                         \
    for (ptrdiff_t first = 0; first < C; first += LUCID_GROUP) {                                        \
        const unsigned bits = out[first / 64] >> first % 64 & 255;                                      \
        const int is_whole = C - first >= LUCID_GROUP;                                                  \
        const real* from = x + first;                                                                   \
        unsigned not_above = 0;                                                                         \
        if (grad != NULL)                                                                               \
            to = is_whole ? grad + first : rest;                                                        \
        if (!is_whole) {                                                                                \
            lucid_load_rest_##real(from, C - first, rest);                                              \
            from = rest;                                                                                \
        }                                                                                               \
        for (int k = 0; k < LUCID_GROUP; k += LANES) {                                                  \
            whole lanes = lucid_lanes_##real(bits >> k), score = *(const whole*)(from + k);             \
            vector kept = (vector)((lanes & (whole)a) | (~lanes & score));                              \
            *(vector*)(v + noted + k) = kept;                                                           \
            not_above |= LUCID_BITS_##real(kept <= a) << k;         /* a NaN is not "not above" */      \
        }                                                                                               \
        if (not_above != 255) {                                                                         \
            for (int k = 0; k < LUCID_GROUP; k += LUCID_FLOATS) {                                       \
                lucid_ranks r = {0};                                                                    \
                for (int i = 0; i < P; i++) {                                                           \
                    lucid_ranks above = lucid_above_##real(v + noted + k, tau[i]);                      \
                    r -= above;                                                                         \
                    n[i] -= above;                                                                      \
                }                                                                                       \
                *(lucid_ranks*)(rank + noted + k) = lucid_in_order_##real(r);                           \
            }                                                                                           \
            if (to != NULL)                                                                             \
                lucid_look_up_##real(worth, rank + noted, to);                                          \
            noted += LUCID_GROUP;                                                                       \
        } else if (to != NULL)                                                                          \
            memset(to, 0, LUCID_GROUP * sizeof(*to));                                                   \
        if (to == rest)                                                                                 \
            lucid_store_rest_##real(rest, C - first, grad + first);                                     \
    }                                                                                                   \
    lucid_sum_each(P, n, count);                                                                        \
    return noted;                                                                                       \
}                                                                                                       \
                                                                                                        \
static ptrdiff_t                                                                                        \
lucid_rank_small_##real(const real* x, ptrdiff_t C, const uint64_t* out, real a, const real* tau,       \
                        ptrdiff_t P, const real* worth, real* grad, real* v, int32_t* rank,             \
                        int32_t* count)                                                                 \
{                                                                                                       \
    switch (P) {                    /* a constant in each call: its loops are unrolled */               \
    case 1: return lucid_rank_small_with_##real(1, x, C, out, a, tau, worth, grad, v, rank, count);     \
    case 2: return lucid_rank_small_with_##real(2, x, C, out, a, tau, worth, grad, v, rank, count);     \
    case 3: return lucid_rank_small_with_##real(3, x, C, out, a, tau, worth, grad, v, rank, count);     \
    case 4: return lucid_rank_small_with_##real(4, x, C, out, a, tau, worth, grad, v, rank, count);     \
    case 5: return lucid_rank_small_with_##real(5, x, C, out, a, tau, worth, grad, v, rank, count);     \
    case 6: return lucid_rank_small_with_##real(6, x, C, out, a, tau, worth, grad, v, rank, count);     \
    default: return lucid_rank_small_with_##real(7, x, C, out, a, tau, worth, grad, v, rank, count);    \
    }                                                                                                   \
}

LUCID_SMALL(float, lucid_floats, lucid_ranks)
LUCID_SMALL(double, lucid_doubles, lucid_masks)

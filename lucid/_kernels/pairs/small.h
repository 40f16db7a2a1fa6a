/* Rows of few scores and few labels, a group of eight columns at a time.

   Columns that are in no pair, labels, unknown ones and those beyond the last, are excluded: they are
   set to a, the lowest threshold, whose rank is 0. A group with no score above a is done. The others are
   noted, scores and ranks, for their sum: its lanes are those of the columns modulo 8, so that it does
   not depend on which groups are left out. vectors.pxd has the types, marking.pxd and comparing.pxd the
   comparisons. */

enum { LUCID_GROUP = 8 };

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

/* Writes what each of eight ranks is worth, rank / divisor: one of the eight numbers in `worth`. */
LUCID_INLINE void
lucid_put_group_float(const int32_t* rank, const float* worth, double divisor, double inverse, float* out)
{
    (void)divisor, (void)inverse;
#ifdef __AVX2__
    _mm256_storeu_ps(out, _mm256_permutevar8x32_ps(_mm256_loadu_ps(worth),
                                                   _mm256_loadu_si256((const void*)rank)));
#else
    for (int k = 0; k < LUCID_GROUP; k++)
        out[k] = worth[rank[k]];
#endif
}

LUCID_INLINE void
lucid_put_group_double(const int32_t* rank, const double* worth, double divisor, double inverse, double* out)
{
#if defined __AVX2__ && defined __FMA__
    const __m256d d = _mm256_set1_pd(divisor), i = _mm256_set1_pd(inverse);
    for (int k = 0; k < LUCID_GROUP; k += 4) {                      /* as in lucid_quotient */
        __m256d r = _mm256_cvtepi32_pd(_mm_loadu_si128((const void*)(rank + k))), q = _mm256_mul_pd(r, i);
        _mm256_storeu_pd(out + k, _mm256_fmadd_pd(_mm256_fnmadd_pd(q, d, r), i, q));
    }
#else
    for (int k = 0; k < LUCID_GROUP; k++)
        out[k] = worth[rank[k]];
#endif
}

/* The sums of P registers, and zeros up to eight; registers after the first P are zero. */
LUCID_INLINE void lucid_sum_each(const int P, const lucid_ranks* n, int32_t* sum)
{
    for (int i = 0; i < LUCID_GROUP; i += 4) {
        lucid_ranks all = {0};
        if (i < P) {                            /* four are turned by 90 degrees while they are added up */
            const lucid_ranks *p = n + i;
#ifdef __AVX2__
            all = (lucid_ranks)_mm256_hadd_epi32(_mm256_hadd_epi32((__m256i)p[0], (__m256i)p[1]),
                                                 _mm256_hadd_epi32((__m256i)p[2], (__m256i)p[3]));
            all += __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3);
#else
            lucid_ranks low = __builtin_shufflevector(p[0], p[1], 0, 4, 1, 5)
                            + __builtin_shufflevector(p[0], p[1], 2, 6, 3, 7);
            lucid_ranks high = __builtin_shufflevector(p[2], p[3], 0, 4, 1, 5)
                             + __builtin_shufflevector(p[2], p[3], 2, 6, 3, 7);
            all = __builtin_shufflevector(low, high, 0, 1, 4, 5)
                + __builtin_shufflevector(low, high, 2, 3, 6, 7);
#endif
        }
        memcpy(sum + i, &all, 4 * sizeof(*sum));
    }
}

#define LUCID_RANK_SMALL_WITH(P, real) \
    lucid_rank_small_with_##real(P, x, C, out, a, tau, worth, divisor, inverse, grad, v, rank, count)

/* Of C scores x, in whose place a is where the bit of a column is set: how many are above each of the P
   thresholds, to `count`, and unless there is none, the gradient, for each rank what it is worth. Returns
   how many are noted, a multiple of 8: v, and their ranks. */
#define LUCID_SMALL(real, vector, whole)                                                                \
LUCID_INLINE ptrdiff_t                                                                                  \
lucid_rank_small_with_##real(const int P, const real* x, ptrdiff_t C, const uint64_t* out, real lowest, \
                             const real* thresholds, const real* worth, double divisor, double inverse, \
                             real* grad, real* v, int32_t* rank, int32_t* count)                        \
{                                                                                                       \
    enum { LANES = LUCID_BYTES / sizeof(real) };                                                        \
    const vector a = lowest - (vector){0};                                                              \
    real rest[LUCID_GROUP], tau[7], *to = NULL;                                                         \
    lucid_ranks n[8];                                                                                   \
    ptrdiff_t noted = 0;                                                                                \
    for (int i = 0; i < 8; i++)                                                                         \
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
            for (int k = 0; k < LUCID_GROUP; k += LANES)                                                \
                *(vector*)(rest + k) = lucid_first_##real(from + k, C - first - k);                     \
            from = rest;                                                                                \
        }                                                                                               \
        for (int k = 0; k < LUCID_GROUP; k += LANES) {                                                  \
            whole lanes = lucid_lanes_##real(bits >> k), score = (whole)*(const vector*)(from + k);     \
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
                lucid_put_group_##real(rank + noted, worth, divisor, inverse, to);                      \
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
                        ptrdiff_t P, const real* worth, double divisor, double inverse, real* grad,     \
                        real* v, int32_t* rank, int32_t* count)                                         \
{                                                                                                       \
    switch (P) {                    /* a constant in each call: its loops are unrolled */               \
    case 1: return LUCID_RANK_SMALL_WITH(1, real);                                                      \
    case 2: return LUCID_RANK_SMALL_WITH(2, real);                                                      \
    case 3: return LUCID_RANK_SMALL_WITH(3, real);                                                      \
    case 4: return LUCID_RANK_SMALL_WITH(4, real);                                                      \
    case 5: return LUCID_RANK_SMALL_WITH(5, real);                                                      \
    case 6: return LUCID_RANK_SMALL_WITH(6, real);                                                      \
    default: return LUCID_RANK_SMALL_WITH(7, real);                                                     \
    }                                                                                                   \
}

LUCID_SMALL(float, lucid_floats, lucid_ranks)
LUCID_SMALL(double, lucid_doubles, lucid_masks)

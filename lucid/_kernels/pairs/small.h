/* Rows of few scores and few labels, a group of eight columns at a time.

   Columns that are in no pair, labels, unknown ones and those beyond the last, are excluded: they are
   set to a, the lowest threshold, whose rank is 0. A group with no score above a is done. The others are
   noted, scores and ranks, for their sum: its lanes are those of the columns modulo 8, so that it does
   not depend on which groups are left out. vectors.pxd has the types, row.pxd the sizes, marking.pxd and
   comparing.pxd the comparisons, sums.pxd the order of lanes. */

enum {
    LUCID_GROUP = LUCID_LANES,
    LUCID_ALL_BITS = 255            /* of a group */
};

/* The bits of the group that begins with column j. */
LUCID_INLINE unsigned lucid_group_of(const uint64_t* bits, size_t j)
{
    return (unsigned)(bits[j / 64] >> j % 64);
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

/* Writes what each of eight ranks, of which m are noted and the others 0, is worth, rank / divisor: one of
   the eight numbers in `worth`. */
LUCID_INLINE void
lucid_put_group_float(ptrdiff_t m, const int32_t* rank, const float* worth, double divisor, double inverse,
                      float* out)
{
    if (m == 0) {                                  /* not by memset: a compiler may make a slow loop of it */
        for (int k = 0; k < LUCID_GROUP; k += LUCID_BYTES / sizeof(float))
            *(lucid_floats*)(out + k) = (lucid_floats){0};
        return;
    }
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
lucid_put_group_double(ptrdiff_t m, const int32_t* rank, const double* worth, double divisor, double inverse,
                      double* out)
{
    if (m == 0) {                                  /* not by memset: a compiler may make a slow loop of it */
        for (int k = 0; k < LUCID_GROUP; k += LUCID_BYTES / sizeof(double))
            *(lucid_doubles*)(out + k) = (lucid_doubles){0};
        return;
    }
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

/* What the labels of a row are found to be worth. */
typedef struct {
    int32_t count[LUCID_GROUP];     /* how many scores are above each threshold, */
    double sum;                     /* float32: of count * (tau - a); */
    double above[LUCID_GROUP];      /* float64: the thresholds, and a for those below no score */
} lucid_small_labels;

/* Each threshold is read alone: they were written one by one, and to read them as a register is to wait for
   the row before. And they are read anew: kept from before, they would push other numbers out of the
   registers. */
LUCID_INLINE void
lucid_close_labels_float(const int P, const volatile float* tau, float a, lucid_small_labels* of)
{
    lucid_doubles sum[LUCID_REGISTERS];
    for (int k = 0; k < LUCID_REGISTERS; k++) {
        const volatile float* t = tau + k * LUCID_DOUBLES;
        const int m = P - k * LUCID_DOUBLES;
        lucid_doubles v;
        sum[k] = LUCID_ALL_DOUBLES(-0.0);       /* x + -0.0 takes no instruction */
        if (m <= 0)
            continue;
#ifdef __AVX2__
        v = _mm256_cvtps_pd(_mm_setr_ps(t[0], m > 1 ? t[1] : 0, m > 2 ? t[2] : 0, m > 3 ? t[3] : 0));
#else
        v = (lucid_doubles){t[0], m > 1 ? t[1] : 0};
#endif
        sum[k] = lucid_widen_ranks(of->count + k * LUCID_DOUBLES) * (v - LUCID_ALL_DOUBLES(a));
    }
    of->sum = lucid_sum_of_lanes(sum);
}

LUCID_INLINE void
lucid_close_labels_double(const int P, const volatile double* tau, double a, lucid_small_labels* of)
{
    lucid_doubles above[LUCID_REGISTERS];
    for (int k = 0; k < LUCID_REGISTERS; k++)
        above[k] = LUCID_ALL_DOUBLES(a);
    for (int i = 0; i < P; i++) {
        const double t = tau[i];
        above[i / LUCID_DOUBLES][i % LUCID_DOUBLES] = of->count[i] > 0 ? t : a;
    }
    memcpy(of->above, above, sizeof(above));
}

#define LUCID_RANK_SMALL_WITH(P, real) \
    lucid_rank_small_with_##real(P, x, C, out, a, tau, worth, divisor, inverse, grad, v, rank, labels)

/* Of a group of scores, in whose place a is where a bit is set: the ranks among P thresholds, and how many
   are above each, added to n. Returns how many are noted, v and ranks: 0 if none is above a, or 8. */
#define LUCID_SMALL(real, vector)                                                                       \
LUCID_INLINE ptrdiff_t                                                                                  \
lucid_rank_group_##real(const int P, const vector* x, unsigned bits, vector a, const real* tau,         \
                        lucid_ranks* n, real* v, int32_t* rank)                                         \
{                                                                                                       \
    enum { LANES = LUCID_BYTES / sizeof(real) };                                                        \
    unsigned idle = bits;           /* excluded, or not above a; a NaN is above */                      \
    for (int k = 0; k < LUCID_GROUP; k += LANES)                                                        \
        idle |= LUCID_BITS_##real(x[k / LANES] <= a) << k;                                              \
    if ((idle & LUCID_ALL_BITS) == LUCID_ALL_BITS)                                                      \
        return 0;                                                                                       \
    for (int k = 0; k < LUCID_GROUP; k += LANES)                                                        \
        *(vector*)(v + k) = lucid_kept_##real(x[k / LANES], bits >> k, a);                              \
    for (int k = 0; k < LUCID_GROUP; k += LUCID_FLOATS) {                                               \
        lucid_ranks r = {0};                                                                            \
        for (int i = 0; i < P; i++) {                                                                   \
            lucid_ranks above = lucid_above_##real(v + k, tau[i]);                                      \
            r -= above;                                                                                 \
            n[i] -= above;                                                                              \
        }                                                                                               \
        *(lucid_ranks*)(rank + k) = lucid_in_order_##real(r);                                           \
    }                                                                                                   \
    return LUCID_GROUP;                                                                                 \
}                                                                                                       \
                                                                                                        \
/* Of C scores x, in whose place a is where the bit of a column is set: how many are above each of the P \
   thresholds, to `labels`, and unless there is none, the gradient, for each rank what it is worth. Returns \
   how many are noted, a multiple of 8: v, and their ranks. */                                          \
LUCID_INLINE ptrdiff_t                                                                                  \
lucid_rank_small_with_##real(const int P, const real* x, ptrdiff_t C, const uint64_t* out, real lowest, \
                             const real* tau, const real* worth, double divisor, double inverse,        \
                             real* grad, real* v, int32_t* rank, lucid_small_labels* labels)            \
{                                                                                                       \
    enum { LANES = LUCID_BYTES / sizeof(real), REGISTERS = LUCID_GROUP / LANES };                       \
    const vector a = lowest - (vector){0};                                                              \
    const ptrdiff_t last = C & -LUCID_GROUP;                                                            \
    real rest[LUCID_GROUP];                                                                             \
    lucid_ranks n[LUCID_GROUP];                                                                         \
    vector group[REGISTERS];                                                                            \
    ptrdiff_t noted = 0, m;                                                                             \
    for (int i = 0; i < LUCID_GROUP; i++)                                                               \
        n[i] = (lucid_ranks){0};                                                                        \
    for (ptrdiff_t first = 0; first < last; first += LUCID_GROUP) {                                     \
        for (int k = 0; k < REGISTERS; k++)                                                             \
            group[k] = *(const vector*)(x + first + k * LANES);                                         \
        m = lucid_rank_group_##real(P, group, lucid_group_of(out, first), a, tau, n, v + noted, rank + noted); \
        if (grad != NULL)                                                                               \
            lucid_put_group_##real(m, rank + noted, worth, divisor, inverse, grad + first);             \
        noted += m;                                                                                     \
    }                                                                                                   \
    if (last < C) {                                                                                     \
        for (int k = 0; k < REGISTERS; k++)                                                             \
            group[k] = lucid_first_##real(x + last + k * LANES, C - last - k * LANES);                  \
        m = lucid_rank_group_##real(P, group, lucid_group_of(out, last), a, tau, n, v + noted, rank + noted); \
        if (grad != NULL) {                                                                             \
            lucid_put_group_##real(m, rank + noted, worth, divisor, inverse, rest);                     \
            lucid_store_rest_##real(rest, C - last, grad + last);                                       \
        }                                                                                               \
        noted += m;                                                                                     \
    }                                                                                                   \
    lucid_sum_each(P, n, labels->count);                                                                \
    lucid_close_labels_##real(P, tau, lowest, labels);                                                  \
    return noted;                                                                                       \
}                                                                                                       \
                                                                                                        \
static ptrdiff_t                                                                                        \
lucid_rank_small_##real(const real* x, ptrdiff_t C, const uint64_t* out, real a, const real* tau,       \
                        ptrdiff_t P, const real* worth, double divisor, double inverse, real* grad,     \
                        real* v, int32_t* rank, lucid_small_labels* labels)                             \
{                                                                                                       \
    switch (P) {                    /* a constant in each call: its loops are unrolled */               \
    case 1: return LUCID_RANK_SMALL_WITH(1, real);                                                      \
    case 2: return LUCID_RANK_SMALL_WITH(2, real);                                                      \
    case 3: return LUCID_RANK_SMALL_WITH(3, real);                                                      \
    case 4: return LUCID_RANK_SMALL_WITH(4, real);                                                      \
    case 5: return LUCID_RANK_SMALL_WITH(5, real);                                                      \
    case 6: return LUCID_RANK_SMALL_WITH(6, real);                                                      \
    default: return LUCID_RANK_SMALL_WITH(LUCID_SMALL_LABELS, real);                                    \
    }                                                                                                   \
}

LUCID_SMALL(float, lucid_floats)
LUCID_SMALL(double, lucid_doubles)

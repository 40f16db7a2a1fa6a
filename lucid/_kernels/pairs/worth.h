/* Scores of known ranks: what they are worth, and sums of them rank by rank; worth.pxd has the formulas.

   A rank has four numbers: its threshold tau, and w0, w1 and w2; WARP has these elsewhere. */

typedef const double (*lucid_worth)[4];

/* The numbers of as many ranks as a register has lanes: of[0] has their tau, and so on. */
LUCID_INLINE void lucid_worth_of(lucid_worth worth, const int32_t* rank, lucid_doubles* of)
{
#define LUCID_WORTH(i, k) (*(const lucid_doubles*)(worth[rank[i]] + k))
#ifdef __AVX2__
    lucid_doubles a = LUCID_WORTH(0, 0), b = LUCID_WORTH(1, 0), c = LUCID_WORTH(2, 0), d = LUCID_WORTH(3, 0);
    lucid_doubles ab = __builtin_shufflevector(a, b, 0, 4, 2, 6);
    lucid_doubles cd = __builtin_shufflevector(c, d, 0, 4, 2, 6);
    of[0] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    of[2] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
    ab = __builtin_shufflevector(a, b, 1, 5, 3, 7), cd = __builtin_shufflevector(c, d, 1, 5, 3, 7);
    of[1] = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
    of[3] = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
#else
    for (int k = 0; k < 4; k += 2) {
        lucid_doubles a = LUCID_WORTH(0, k), b = LUCID_WORTH(1, k);
        of[k] = __builtin_shufflevector(a, b, 0, 2);
        of[k + 1] = __builtin_shufflevector(a, b, 1, 3);
    }
#endif
#undef LUCID_WORTH
}

LUCID_INLINE void lucid_narrow_float(lucid_doubles x, double divisor, float* out)
{
    x *= LUCID_ALL_DOUBLES(1 / divisor);
#ifdef __AVX2__
    _mm_storeu_ps(out, _mm256_cvtpd_ps(x));
#else
    out[0] = (float)x[0], out[1] = (float)x[1];
#endif
}

LUCID_INLINE void lucid_narrow_double(lucid_doubles x, double divisor, double* out)
{
    *(lucid_doubles*)out = x / LUCID_ALL_DOUBLES(divisor);
}

/* An addition to a number in memory waits for the one before: few ranks have four sums each. */
enum { LUCID_COPIES = 4, LUCID_FEW_RANKS = 65 };

/* The sum of what m scores, a multiple of 8, are worth: w0 y + w1 where p is 1, w0 y**2 + 2 w1 y + w2 where it is 2,
   and nothing where it is 0. `gradient`, unless it is NULL, is the derivative over the divisor. Where there are
   `copies` of the sums of each rank, y is added to one of them, and, where it is `kept`, what rounding takes from
   it. */
#define LUCID_WEIGH(real)                                                                               \
LUCID_INLINE lucid_split                                                                                \
lucid_weigh_in_##real(const int p, const real* v, const int32_t* rank, ptrdiff_t m, lucid_worth worth,  \
                      double divisor, real* gradient, const int copies, const int kept, double* excess) \
{                                                                                                       \
    enum { EXACT = sizeof(real) > 4 };                                                                  \
    const int numbers = copies * (1 + kept);    /* of each rank */                                      \
    const lucid_doubles zero = {0};                                                                     \
    lucid_doubles sum[LUCID_REGISTERS] = {{0}}, lost[LUCID_REGISTERS] = {{0}}, of[4];                   \
    lucid_split total = {0, 0};                                                                         \
    for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)                                                      \
        for (int k = 0; k < LUCID_REGISTERS; k++) {                                                     \
            const ptrdiff_t at = j + k * LUCID_DOUBLES;                                                 \
            lucid_doubles y, value = zero, slope = zero;                                                \
            lucid_worth_of(worth, rank + at, of);                                                       \
            y = lucid_max(zero, lucid_widen_##real(v + at) - of[0]);        /* NaN stays NaN, */        \
            if (p == 1) {                                                                               \
                slope = of[1];                                                                          \
                value = of[1] * y + of[2];                                                              \
            }                                                                                           \
            if (p == 2) {                                                                               \
                slope = of[1] * lucid_max(y, zero) + of[2];     /* but not here, in rank 0 */           \
                slope += slope;                                                                         \
                value = of[1] * y * y + ((of[2] + of[2]) * y + of[3]);                                  \
            }                                                                                           \
            if (p > 0)                                                                                  \
                lucid_keep_all(EXACT, value, sum + k, lost + k);                                        \
            if (p > 0 && gradient != NULL)                                                              \
                lucid_narrow_##real(slope, divisor, gradient + at);                                     \
            if (copies > 0)                                                                             \
                for (int l = 0; l < LUCID_DOUBLES; l++) {                                               \
                    double* to = excess + numbers * (ptrdiff_t)rank[at + l];                            \
                    to += (k * LUCID_DOUBLES + l) % copies * (1 + kept);                                \
                    lucid_keep(EXACT, y[l], to, to + kept);                                             \
                }                                                                                       \
        }                                                                                               \
    if (!EXACT)                                                                                         \
        return (lucid_split){lucid_sum_of_lanes(sum), 0};                                               \
    for (int l = 0; l < LUCID_LANES; l++) {                                                             \
        lucid_keep(EXACT, ((const double*)sum)[l], &total.high, &total.low);                            \
        total.low += ((const double*)lost)[l];                                                          \
    }                                                                                                   \
    return total;                                                                                       \
}                                                                                                       \
                                                                                                        \
LUCID_INLINE lucid_split                                                                                \
lucid_weigh_##real(const int p, const real* v, const int32_t* rank, ptrdiff_t m, const void* worth,     \
                   double divisor, real* gradient, ptrdiff_t ranks, void* excess)                       \
{                                                                                                       \
    enum { EXACT = sizeof(real) > 4 };                                                                  \
    double copy[LUCID_FEW_RANKS][LUCID_COPIES][1 + EXACT], (*sum)[2] = excess;                          \
    lucid_split total;                                                                                  \
    if (sum == NULL)                                                                                    \
        return lucid_weigh_in_##real(p, v, rank, m, worth, divisor, gradient, 0, 0, NULL);              \
    if (ranks > LUCID_FEW_RANKS || m < LUCID_COPIES * ranks)                                            \
        return lucid_weigh_in_##real(p, v, rank, m, worth, divisor, gradient, 1, 1, *sum);              \
    memset(copy, 0, ranks * sizeof *copy);                                                              \
    total = lucid_weigh_in_##real(p, v, rank, m, worth, divisor, gradient, LUCID_COPIES, EXACT,         \
                                  copy[0][0]);                                                          \
    for (ptrdiff_t r = 0; r < ranks; r++)                                                               \
        for (int k = 0; k < LUCID_COPIES; k++) {                                                        \
            lucid_keep(EXACT, copy[r][k][0], sum[r], sum[r] + 1);                                       \
            sum[r][1] += EXACT ? copy[r][k][EXACT] : 0;                                                 \
        }                                                                                               \
    return total;                                                                                       \
}

LUCID_WEIGH(float)
LUCID_WEIGH(double)

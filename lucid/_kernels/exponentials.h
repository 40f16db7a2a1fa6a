/* exp, log1p and the losses of exponentials, a vector at a time; vectors.pxd has the types.

   Only operations that IEEE 754 rounds the same everywhere, and none of them contracted: the bits do
   not depend on the processor. Arguments are not positive, so that nothing overflows.

   exp: Cody and Waite, "Software manual for the elementary functions", 1980. d = n ln2 + r, with ln2
   in two parts, the first so short that n times it is exact; e**r is a polynomial (interpolated at
   Chebyshev's points), whose even and odd terms are two chains of operations, for neither to wait;
   2**n is put together from its bits. The error is below 1 unit in the last place.

   log1p: FreeBSD's e_log1p.c (Sun Microsystems, 1993), a fraction and a polynomial. */

typedef uint32_t lucid_words __attribute__((vector_size(LUCID_BYTES), aligned(4)));
typedef uint64_t lucid_bits __attribute__((vector_size(LUCID_BYTES), aligned(8)));
typedef float lucid_few_floats __attribute__((vector_size(LUCID_BYTES / 2), aligned(4)));

/* x where the mask has ones, 0 elsewhere, also in place of NaN; x where it has ones, else y */
#define LUCID_WHERE(mask, x) ((__typeof__(x))((__typeof__(mask))(x) & (mask)))
#define LUCID_EITHER(mask, x, y) \
    ((__typeof__(x))(((__typeof__(mask))(x) & (mask)) | ((__typeof__(mask))(y) & ~(mask))))

LUCID_INLINE lucid_floats lucid_abs_floats(lucid_floats x)
{
    return (lucid_floats)((lucid_words)x & 0x7FFFFFFF);
}

LUCID_INLINE lucid_doubles lucid_abs_doubles(lucid_doubles x)
{
    return (lucid_doubles)((lucid_bits)x & 0x7FFFFFFFFFFFFFFF);
}

LUCID_INLINE lucid_doubles lucid_widened(lucid_floats x, const int half)
{
    lucid_few_floats few;
#ifdef __AVX2__
    few = half ? __builtin_shufflevector(x, x, 4, 5, 6, 7) : __builtin_shufflevector(x, x, 0, 1, 2, 3);
#else
    few = half ? __builtin_shufflevector(x, x, 2, 3) : __builtin_shufflevector(x, x, 0, 1);
#endif
    return __builtin_convertvector(few, lucid_doubles);
}

/* What rounding takes from d = a - b (Knuth). */
#define LUCID_LOST(a, b, d) (((a) - ((d) - ((d) - (a)))) - ((b) + ((d) - (a))))

/* e**(d + tail), d not positive and tail so small that it is felt in the last places only; NaN of NaN. */
LUCID_INLINE lucid_floats lucid_exp_floats(lucid_floats d, lucid_floats tail)
{
    const float magic = 0x1.8p23f;              /* adding it leaves a whole number in the last bits */
    lucid_floats shifted = d * 0x1.715476p0f + magic, n = shifted - magic;
    lucid_floats r = (d - n * 0x1.63p-1f) - (n * -0x1.bd0106p-13f - tail), r2 = r * r;
    lucid_floats even = 0.5f + r2 * (0x1.55551ap-5f + r2 * 0x1.6d110ap-10f);
    lucid_floats odd = 0x1.5554dcp-3f + r2 * 0x1.120b6ep-7f;
    lucid_floats p = 1.0f + (r + r2 * (even + r * odd));
    /* 2**64 times what it is, for the last step to be the only one that may be subnormal */
    lucid_floats power = (lucid_floats)(((lucid_words)shifted << 23) + ((127u + 64) << 23));
    return LUCID_WHERE(~(d < -128.0f), p * power * 0x1p-64f);
}

/* factor * e**(d + tail), factor below 2**80 */
LUCID_INLINE lucid_doubles lucid_exp_times(lucid_doubles factor, lucid_doubles d, lucid_doubles tail)
{
    const double magic = 0x1.8p52;
    lucid_doubles shifted = d * 0x1.71547652b82fep0 + magic, n = shifted - magic;
    lucid_doubles r = (d - n * 0x1.62e42feep-1) - (n * 0x1.a39ef35793c76p-33 - tail), r2 = r * r;
    lucid_doubles even = 0x1.0000000000001p-1 + r2 * (0x1.5555555553d63p-5 + r2 * (0x1.6c16c1788bd90p-10
                       + r2 * (0x1.a019b90d2ae7ap-16 + r2 * 0x1.289185613a3d6p-22)));
    lucid_doubles odd = 0x1.5555555555556p-3 + r2 * (0x1.11111111109b3p-7 + r2 * (0x1.a01a01a7c41d5p-13
                      + r2 * (0x1.71de0dae63bb3p-19 + r2 * 0x1.af38a9b0ec855p-26)));
    lucid_doubles p = 1.0 + (r + r2 * (even + r * odd));
    lucid_doubles power = (lucid_doubles)(((lucid_bits)shifted << 52) + ((1023ull + 256) << 52));
    return LUCID_WHERE(~(d < -800.0), p * power * factor * 0x1p-256);
}

LUCID_INLINE lucid_doubles lucid_exp_doubles(lucid_doubles d, lucid_doubles tail)
{
    return lucid_exp_times(LUCID_ALL_DOUBLES(1.0), d, tail);
}

/* log(1 + p), p finite and not negative; NaN of NaN */
LUCID_INLINE lucid_doubles lucid_log1p(lucid_doubles p)
{
    /* 1 + p is 2**k (1 + f), with 1 + f from sqrt(1/2) to sqrt(2) */
    lucid_bits exponent = ((lucid_bits)(1.0 + p) + (0x3FF0000000000000 - 0x3FE6A09E667F3BCD))
                        & 0x7FF0000000000000;
    lucid_doubles power = (lucid_doubles)exponent;
    lucid_doubles inverse = (lucid_doubles)(0x7FE0000000000000 - exponent);
    lucid_doubles k = (lucid_doubles)((exponent >> 52) | 0x4330000000000000) - (0x1p52 + 1023);
    lucid_doubles f = (p + (1.0 - power)) * inverse;
    lucid_doubles s = f / (2.0 + f), half = 0.5 * f * f, z = s * s, z2 = z * z;
    lucid_doubles even = 3.999999999940941908e-01 + z2 * (2.222219843214978396e-01
                       + z2 * 1.531383769920937332e-01);
    lucid_doubles odd = 6.666666666666735130e-01 + z2 * (2.857142874366239149e-01
                      + z2 * (1.818357216161805012e-01 + z2 * 1.479819860511658591e-01));
    lucid_doubles rest = z * (odd + z * even);
    return k * 6.93147180369123816490e-01
         - ((half - (s * (half + rest) + k * 1.90821492927058770002e-10)) - f);
}

/* log(1 + e), e from 0 to 1: twice the inverse hyperbolic tangent of e / (2 + e) */
LUCID_INLINE lucid_floats lucid_log1p_floats(lucid_floats e)
{
    lucid_floats s = e / (2.0f + e), z = s * s;
    return s * (2.0f + z * (0x1.555556p-1f + z * (0x1.9998d4p-2f + z * (0x1.24c926p-2f
             + z * (0x1.bc8cf8p-3f + z * 0x1.dba26p-3f)))));
}

/* log(1 + w e**(d + tail)) is linear + log(1 + p): returns p, and the derivative by d; w is 0, or from 1 to 2**80,
   and so is p at most */
LUCID_INLINE lucid_doubles
lucid_softplus_parts(lucid_doubles w, lucid_doubles d, lucid_doubles tail, lucid_doubles* linear,
                     lucid_doubles* slope)
{
    lucid_masks positive = d > 0.0;               /* then it is d + log(w + e**-d) */
    lucid_doubles one = LUCID_ALL_DOUBLES(1.0);
    lucid_doubles y = lucid_exp_times(LUCID_EITHER(positive, one, w), -lucid_abs_doubles(d),
                                      LUCID_EITHER(positive, -tail, tail));
    lucid_doubles p = y + LUCID_WHERE(positive, w - 1.0);
    *linear = LUCID_WHERE(positive, d);
    *slope = LUCID_EITHER(positive, w, y) / (1.0 + p);
    return p;
}

/* The greater of x and y; y where one is NaN. */
#ifdef __AVX2__
#define LUCID_MAX_FLOATS(x, y) _mm256_max_ps(x, y)
#elif defined __SSE2__
#include <emmintrin.h>
#define LUCID_MAX_FLOATS(x, y) _mm_max_ps(x, y)
#else
#define LUCID_MAX_FLOATS(x, y) LUCID_EITHER((x) > (y), x, y)
#endif

/* What follows takes m values, a multiple of 8, and adds in eight lanes, in an order of its own. */

enum { LUCID_EIGHT_FLOATS = LUCID_LANES / LUCID_FLOATS };      /* registers for eight of them */

static float lucid_highest_float(const float* v, ptrdiff_t m)
{
    float highest = -__builtin_inff();
    lucid_floats high[LUCID_EIGHT_FLOATS];
    for (int k = 0; k < LUCID_EIGHT_FLOATS; k++)
        high[k] = LUCID_ALL_FLOATS(highest);
    for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
        for (int k = 0; k < LUCID_EIGHT_FLOATS; k++)
            high[k] = LUCID_MAX_FLOATS(*(const lucid_floats*)(v + j + k * LUCID_FLOATS), high[k]);
    for (int k = 0; k < LUCID_EIGHT_FLOATS; k++)
        for (int l = 0; l < LUCID_FLOATS; l++)
            highest = high[k][l] > highest ? high[k][l] : highest;
    return highest;
}

/* The sum of e**(v - highest), each of which is kept unless e is NULL; highest is finite. */
LUCID_INLINE lucid_split
lucid_exps_float(const int keep, const float* v, ptrdiff_t m, float highest, float* e)
{
    lucid_doubles sum[LUCID_REGISTERS] = {{0}};
    lucid_floats top = LUCID_ALL_FLOATS(highest);
    for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
        for (int k = 0; k < LUCID_EIGHT_FLOATS; k++) {
            lucid_floats x = *(const lucid_floats*)(v + j + k * LUCID_FLOATS), d = x - top;
            lucid_floats y = lucid_exp_floats(d, LUCID_LOST(x, top, d));
            if (keep)
                *(lucid_floats*)(e + j + k * LUCID_FLOATS) = y;
            sum[2 * k] += lucid_widened(y, 0);
            sum[2 * k + 1] += lucid_widened(y, 1);
        }
    return (lucid_split){lucid_sum_of_lanes(sum), 0};
}

/* High parts, multiples of 2**-32, add up without rounding; the low ones hardly matter. */
LUCID_INLINE lucid_split
lucid_exps_double(const int keep, const double* v, ptrdiff_t m, double highest, double* e)
{
    const double shifter = 0x1.8p20;
    lucid_doubles high[LUCID_REGISTERS] = {{0}}, low[LUCID_REGISTERS] = {{0}};
    lucid_doubles top = LUCID_ALL_DOUBLES(highest);
    for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
        for (int k = 0; k < LUCID_REGISTERS; k++) {
            lucid_doubles x = *(const lucid_doubles*)(v + j + k * LUCID_DOUBLES), d = x - top, h;
            lucid_doubles y = lucid_exp_doubles(d, LUCID_LOST(x, top, d));
            if (keep)
                *(lucid_doubles*)(e + j + k * LUCID_DOUBLES) = y;
            h = (y + shifter) - shifter;
            high[k] += h;
            low[k] += y - h;
        }
    return (lucid_split){lucid_sum_of_lanes(high), lucid_sum_of_lanes(low)};
}

static lucid_split lucid_sum_of_exps_float(const float* v, ptrdiff_t m, float highest, float* e)
{
    return e != NULL ? lucid_exps_float(1, v, m, highest, e) : lucid_exps_float(0, v, m, highest, e);
}

static lucid_split lucid_sum_of_exps_double(const double* v, ptrdiff_t m, double highest, double* e)
{
    return e != NULL ? lucid_exps_double(1, v, m, highest, e) : lucid_exps_double(0, v, m, highest, e);
}

/* The logistic losses of m logits, times their weights (1 where w is NULL), and their derivatives times
   scale. Without targets these are log(1 + e**v) and 1 / (1 + e**-v), which are 0 for -inf; with them

       log(1 + e**v) - t v = |v| (1 - t for positive v, t for others) + log(1 + e**-|v|),

   in which nothing is subtracted; a target of NaN is unknown and adds nothing. Instead of the
   logarithm of each 1 + e, that of their product is taken: p is the product - 1, which keeps the
   digits of small e. */
LUCID_INLINE lucid_split
lucid_softplus_float(const int dense, const int weighted, const int keep, const float* v, const float* t,
                     const double* w, ptrdiff_t m, double scale, float* g)
{
    lucid_doubles sum[LUCID_REGISTERS] = {{0}}, p[LUCID_REGISTERS] = {{0}};
    for (ptrdiff_t j = 0; j < m; j += LUCID_LANES)
        for (int k = 0; k < LUCID_EIGHT_FLOATS; k++) {
            ptrdiff_t at = j + k * LUCID_FLOATS;
            lucid_floats x = *(const lucid_floats*)(v + at), size = lucid_abs_floats(x);
            lucid_floats e = lucid_exp_floats(-size, LUCID_ALL_FLOATS(0.0f)), linear, slope;
            if (dense) {
                lucid_floats target = *(const lucid_floats*)(t + at);
                lucid_floats miss = LUCID_EITHER(x > 0.0f, 1.0f - target, target);
                lucid_floats far = e / (1.0f + e);
                linear = LUCID_WHERE(miss > 0.0f, size * miss);        /* 0 also of inf and no miss */
                slope = LUCID_WHERE(target == target, LUCID_EITHER(x > 0.0f, miss - far, far - miss));
                e = LUCID_WHERE(target == target, e);
            } else {
                linear = LUCID_WHERE(x > 0.0f, x);
                slope = LUCID_EITHER(x > 0.0f, LUCID_ALL_FLOATS(1.0f), e) / (1.0f + e);
            }
            if (weighted)
                linear += lucid_log1p_floats(e);
            else if (keep)
                *(lucid_floats*)(g + at) = slope * (float)scale;
            for (int half = 0; half < 2; half++) {
                lucid_doubles y = lucid_widened(e, half), z = lucid_widened(linear, half);
                ptrdiff_t here = at + half * LUCID_DOUBLES;
                int r = 2 * k + half;
                if (weighted) {
                    lucid_doubles weight = *(const lucid_doubles*)(w + here);
                    sum[r] += weight * z;
                    if (keep)
                        *(lucid_few_floats*)(g + here) = __builtin_convertvector(
                            lucid_widened(slope, half) * (weight * scale), lucid_few_floats);
                } else {
                    sum[r] += z;
                    p[r] += y + p[r] * y;
                }
            }
        }
    if (!weighted)
        for (int r = 0; r < LUCID_REGISTERS; r++)
            sum[r] += lucid_log1p(p[r]);
    return (lucid_split){lucid_sum_of_lanes(sum), 0};
}

/* So many numbers from 1 to 2**80 have a product that is finite. */
enum { LUCID_FACTORS = 8 };

/* The same; products of few factors, and sums with what rounding takes from them. */
LUCID_INLINE lucid_split
lucid_softplus_double(const int dense, const int weighted, const int keep, const double* v,
                      const double* t, const double* w, ptrdiff_t m, double scale, double* g)
{
    lucid_doubles sum[LUCID_REGISTERS] = {{0}}, lost[LUCID_REGISTERS] = {{0}};
    for (ptrdiff_t first = 0; first < m; first += LUCID_LANES * LUCID_FACTORS) {
        ptrdiff_t end = m - first < LUCID_LANES * LUCID_FACTORS ? m : first + LUCID_LANES * LUCID_FACTORS;
        lucid_doubles p[LUCID_REGISTERS] = {{0}};
        for (ptrdiff_t j = first; j < end; j += LUCID_LANES)
            for (int r = 0; r < LUCID_REGISTERS; r++) {
                ptrdiff_t at = j + r * LUCID_DOUBLES;
                lucid_doubles x = *(const lucid_doubles*)(v + at), size = lucid_abs_doubles(x);
                lucid_doubles e = lucid_exp_doubles(-size, LUCID_ALL_DOUBLES(0.0)), linear, slope;
                if (dense) {
                    lucid_doubles target = *(const lucid_doubles*)(t + at);
                    lucid_doubles miss = LUCID_EITHER(x > 0.0, 1.0 - target, target);
                    lucid_doubles far = e / (1.0 + e);
                    linear = LUCID_WHERE(miss > 0.0, size * miss);
                    slope = LUCID_WHERE(target == target, LUCID_EITHER(x > 0.0, miss - far, far - miss));
                    e = LUCID_WHERE(target == target, e);
                } else {
                    linear = LUCID_WHERE(x > 0.0, x);
                    slope = LUCID_EITHER(x > 0.0, LUCID_ALL_DOUBLES(1.0), e) / (1.0 + e);
                }
                if (weighted) {
                    lucid_doubles weight = *(const lucid_doubles*)(w + at);
                    lucid_keep_all(1, weight * (linear + lucid_log1p(e)), sum + r, lost + r);
                    slope *= weight * scale;
                } else {
                    lucid_keep_all(1, linear, sum + r, lost + r);
                    p[r] += e + p[r] * e;
                    slope *= scale;
                }
                if (keep)
                    *(lucid_doubles*)(g + at) = slope;
            }
        if (!weighted)
            for (int r = 0; r < LUCID_REGISTERS; r++)
                lucid_keep_all(1, lucid_log1p(p[r]), sum + r, lost + r);
    }
    return (lucid_split){lucid_sum_of_lanes(sum), lucid_sum_of_lanes(lost)};
}

/* Each choice is a constant in one of the calls. */
#define LUCID_CHOOSE_KEEP(real, dense, weighted)                                                    \
    (g != NULL ? lucid_softplus_##real(dense, weighted, 1, v, t, w, m, scale, g)                    \
               : lucid_softplus_##real(dense, weighted, 0, v, t, w, m, scale, g))
#define LUCID_CHOOSE(real)                                                                          \
    (t != NULL ? w != NULL ? LUCID_CHOOSE_KEEP(real, 1, 1) : LUCID_CHOOSE_KEEP(real, 1, 0)          \
               : w != NULL ? LUCID_CHOOSE_KEEP(real, 0, 1) : LUCID_CHOOSE_KEEP(real, 0, 0))

static lucid_split
lucid_sum_of_softplus_float(const float* v, const float* t, const double* w, ptrdiff_t m, double scale,
                            float* g)
{
    return LUCID_CHOOSE(float);
}

static lucid_split
lucid_sum_of_softplus_double(const double* v, const double* t, const double* w, ptrdiff_t m, double scale,
                             double* g)
{
    return LUCID_CHOOSE(double);
}

/* The sum of log(1 + w e**(top + v)), and the derivative of each; top is finite. A logarithm is that of a product. */
static lucid_split
lucid_sum_of_pairs(const double* v, ptrdiff_t m, double w, double top, double* slope)
{
    lucid_doubles sum[LUCID_REGISTERS] = {{0}}, lost[LUCID_REGISTERS] = {{0}};
    lucid_doubles tops = LUCID_ALL_DOUBLES(top), ws = LUCID_ALL_DOUBLES(w), product[LUCID_REGISTERS], linear;
    for (ptrdiff_t first = 0; first < m; first += LUCID_LANES * LUCID_FACTORS) {
        const ptrdiff_t end = m - first < LUCID_LANES * LUCID_FACTORS ? m : first + LUCID_LANES * LUCID_FACTORS;
        for (int r = 0; r < LUCID_REGISTERS; r++)
            product[r] = LUCID_ALL_DOUBLES(0.0);                            /* less 1 */
        for (ptrdiff_t j = first; j < end; j += LUCID_LANES)
            for (int r = 0; r < LUCID_REGISTERS; r++) {
                lucid_doubles x = -*(const lucid_doubles*)(v + j + r * LUCID_DOUBLES), d = tops - x;
                lucid_doubles p = lucid_softplus_parts(ws, d, LUCID_LOST(tops, x, d), &linear,
                                                       (lucid_doubles*)(slope + j + r * LUCID_DOUBLES));
                product[r] += p + product[r] * p;
                lucid_keep_all(1, linear, sum + r, lost + r);
            }
        for (int r = 0; r < LUCID_REGISTERS; r++)
            lucid_keep_all(1, lucid_log1p(product[r]), sum + r, lost + r);
    }
    return (lucid_split){lucid_sum_of_lanes(sum), lucid_sum_of_lanes(lost)};
}

/* The loss and slope of one number; see lucid_softplus_parts. */
static double lucid_softplus_of_one(double w, double d, double tail, double* slope)
{
    lucid_doubles slopes, linear;
    lucid_doubles p = lucid_softplus_parts(LUCID_ALL_DOUBLES(w), LUCID_ALL_DOUBLES(d), LUCID_ALL_DOUBLES(tail),
                                           &linear, &slopes);
    *slope = slopes[0];
    return linear[0] + lucid_log1p(p)[0];
}

/* factor * e**(d + tail), for every finite d and inf. */
static double lucid_exp_times_one(double factor, double d, double tail)
{
    lucid_doubles half;
    if (!(d > 0))
        return lucid_exp_times(LUCID_ALL_DOUBLES(factor), LUCID_ALL_DOUBLES(d), LUCID_ALL_DOUBLES(tail))[0];
    half = lucid_exp_doubles(LUCID_ALL_DOUBLES(-0.5 * d), LUCID_ALL_DOUBLES(-0.5 * tail));
    return factor / half[0] / half[0];
}

# cython: language_level=3, cdivision=True
"""Sums over the scores of each rank, for losses whose labels differ in what they are worth.

Let the thresholds ascend, tau_1 <= .. <= tau_P. A score x of rank r is above the r lowest of them,
by x - tau_r and more. With y = x - tau_r, the moments of a rank are the sums of y and of y**2 over its
scores. From them, from above to below,

    E_r = sum over x > tau_r of (x - tau_r)     = y_r + E_(r+1) + n_(r+1) d
    Q_r = sum over x > tau_r of (x - tau_r)**2  = y2_r + Q_(r+1) + 2 d E_(r+1) + n_(r+1) d**2

where d = tau_(r+1) - tau_r and n_r is how many scores are above tau_r. And from below to above, with
the weights w of the labels, what a score of rank r is worth:

    sum over i <= r of w_i              = W_r
    sum over i <= r of w_i (x - tau_i)  = W_r y + B_r,  where B_r = B_(r-1) + W_(r-1) d

No term is negative, so nothing cancels, wherever the thresholds are. For float32 scores float64 is
more than enough. For float64 scores sums carry their rounding error along, see `sums.pxd`.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from lucid._kernels.pairs.ranks cimport place_of
from lucid._kernels.pairs.row cimport Moment, Part, Row, Worth
from lucid._kernels.pairs.sums cimport Sum, add, add_product
from lucid._kernels.pairs.vectors cimport LUCID_FLOATS
from lucid._kernels.reals cimport real

cdef extern from *:
    """
    #include <string.h>

    typedef struct { double tau, slope, offset; } lucid_worth;
    typedef double lucid_pair __attribute__((vector_size(16), aligned(8)));
    typedef int64_t lucid_bits __attribute__((vector_size(16), aligned(8)));
    typedef struct { lucid_pair sum, lost; } lucid_moment;

    /* An addition to a number in memory waits for the one before: few ranks have four of each. */
    enum { LUCID_COPIES = 4, LUCID_FEW_RANKS = 65 };

    /* 0 where y is negative, and NaN where that is NaN: without a branch, which nothing could predict. */
    LUCID_INLINE lucid_pair lucid_positive(lucid_pair x, double y)
    {
        return (lucid_pair)((lucid_bits)x & ~((lucid_pair){0, 0} > (lucid_pair){y, y}));
    }

    LUCID_INLINE lucid_pair lucid_moments_float(float x, const lucid_worth* worth)
    {
        double y = x - worth->tau;
        return lucid_positive((lucid_pair){y, y * y}, y);
    }

    static void lucid_add_moments_float(const float* v, const int32_t* rank, ptrdiff_t m, ptrdiff_t ranks,
                                        const lucid_worth* worth, lucid_moment* moment)
    {
        lucid_pair sum[LUCID_FEW_RANKS][LUCID_COPIES];
        if (ranks > LUCID_FEW_RANKS) {
            for (ptrdiff_t j = 0; j < m; j++)
                moment[rank[j]].sum += lucid_moments_float(v[j], worth + rank[j]);
            return;
        }
        memset(sum, 0, ranks * sizeof(*sum));
        for (ptrdiff_t j = 0; j < m; j += LUCID_COPIES)
            for (int k = 0; k < LUCID_COPIES; k++)
                sum[rank[j + k]][k] += lucid_moments_float(v[j + k], worth + rank[j + k]);
        for (ptrdiff_t r = 0; r < ranks; r++)
            moment[r].sum += (sum[r][0] + sum[r][1]) + (sum[r][2] + sum[r][3]);
    }

    LUCID_INLINE void lucid_keep(lucid_moment* moment, lucid_pair term, lucid_pair lost)
    {
        lucid_pair s = moment->sum + term, part = s - moment->sum;
        moment->lost += ((moment->sum - (s - part)) + (term - part)) + lost;
        moment->sum = s;
    }

    LUCID_INLINE void lucid_moments_double(double x, const lucid_worth* worth, lucid_moment* moment)
    {
        double y = x - worth->tau, back = y - x;
        double lost = (x - (y - back)) - (worth->tau + back);   /* y + lost is exact */
        lucid_keep(moment, lucid_positive((lucid_pair){y, y * y}, y),
                   lucid_positive((lucid_pair){lost, 2 * y * lost}, y));
    }

    static void lucid_add_moments_double(const double* v, const int32_t* rank, ptrdiff_t m, ptrdiff_t ranks,
                                         const lucid_worth* worth, lucid_moment* moment)
    {
        lucid_moment sum[LUCID_FEW_RANKS][LUCID_COPIES];
        if (ranks > LUCID_FEW_RANKS) {
            for (ptrdiff_t j = 0; j < m; j++)
                lucid_moments_double(v[j], worth + rank[j], moment + rank[j]);
            return;
        }
        memset(sum, 0, ranks * sizeof(*sum));
        for (ptrdiff_t j = 0; j < m; j += LUCID_COPIES)
            for (int k = 0; k < LUCID_COPIES; k++)
                lucid_moments_double(v[j + k], worth + rank[j + k], &sum[rank[j + k]][k]);
        for (ptrdiff_t r = 0; r < ranks; r++)
            for (int k = 0; k < LUCID_COPIES; k++)
                lucid_keep(moment + r, sum[r][k].sum, sum[r][k].lost);
    }
    """
    void add_moments_float "lucid_add_moments_float" (const float* v, const int32_t* rank, Py_ssize_t m,
                                                      Py_ssize_t ranks, const void* worth,
                                                      void* moment) noexcept nogil
    void add_moments_double "lucid_add_moments_double" (const double* v, const int32_t* rank, Py_ssize_t m,
                                                        Py_ssize_t ranks, const void* worth,
                                                        void* moment) noexcept nogil


cdef inline void moments_add(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                             const Row* row, Part* part) noexcept nogil:
    if real is float:
        add_moments_float(v, rank, m, row.P + 1, row.worth, part.moment)
    else:
        add_moments_double(v, rank, m, row.P + 1, row.worth, part.moment)


cdef inline void merge_moments(Moment* moments, const Moment* moment, const Row* row) noexcept nogil:
    """Add the moments of a segment to those of the segments before; nothing if there are none."""
    cdef Sum total
    cdef Py_ssize_t r
    if moment == NULL:
        return
    for r in range(row.P + 1):
        total.hi, total.lo = moments[r].sum, moments[r].lost
        add(&total, moment[r].sum)
        moments[r].sum, moments[r].lost = total.hi, total.lo + moment[r].lost
        total.hi, total.lo = moments[r].squares, moments[r].lost_squares
        add(&total, moment[r].squares)
        moments[r].squares, moments[r].lost_squares = total.hi, total.lo + moment[r].lost_squares


cdef inline Sum gap(const real* tau, Py_ssize_t k) noexcept nogil:
    """How far the next threshold is above ``tau[k]``."""
    cdef Sum d
    d.hi, d.lo = tau[k + 1], 0
    add(&d, -<double>tau[k])
    return d


cdef inline void add_times(Sum* total, const Sum* x, const Sum* y, const real* tau) noexcept nogil:
    """Add x * y; ``tau`` says to which scores the accuracy must be fit."""
    if real is float:
        total.hi += x.hi * y.hi
    else:
        add_product(total, x.hi, y.hi)
        total.lo += x.hi * y.lo + x.lo * y.hi


cdef inline Sum number(double x) noexcept nogil:
    cdef Sum total
    total.hi, total.lo = x, 0
    return total


cdef inline void find_taus(const real* x, Row* row) noexcept nogil:
    """Note the threshold of each rank."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Py_ssize_t r
    row.worth[0].tau = row.a
    for r in range(row.P):
        row.worth[r + 1].tau = tau[r]


cdef inline double weight_of(Py_ssize_t i, const Row* row) noexcept nogil:
    """The weight of the i-th label; 1 unless it was given."""
    return row.weight[i] if row.terms.weights != NULL else 1


cdef inline void gather_weights(const real* x, Row* row) noexcept nogil:
    """Add up the weights of the labels at each threshold."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Py_ssize_t i
    if row.terms.weights == NULL:
        for i in range(row.P):
            row.weight_at[i] = 1
        return
    memset(row.weight_at, 0, (row.P + 1) * sizeof(double))
    for i in range(row.P):
        row.weight_at[place_of(i, &row.thresholds, tau)] += weight_of(i, row)


cdef inline void weigh_ranks(const real* x, Row* row, int p) noexcept nogil:
    """What a rank is worth to the gradient of a score: that of (x - tau)**p over the thresholds below."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Sum w = number(0), b = number(0), d
    cdef Py_ssize_t r
    row.worth[0].slope, row.worth[0].offset = 0, 0
    for r in range(1, row.P + 1):
        if p == 2 and r > 1:
            d = gap(tau, r - 2)
            add_times(&b, &w, &d, tau)
        add(&w, row.weight_at[r - 1])
        row.worth[r].slope = over(2 * (w.hi + w.lo), row, tau) if p == 2 else 0
        row.worth[r].offset = over(2 * (b.hi + b.lo) if p == 2 else w.hi + w.lo, row, tau)


cdef inline double over(double value, const Row* row, const real* tau) noexcept nogil:
    """Return value / divisor, as exactly as a gradient needs it."""
    return value * row.inverse if real is float else value / row.divisor


cdef inline void sum_moments(const real* x, const Row* row, Part* part, int p, Sum* loss) noexcept nogil:
    """The sum over labels and scores of w (x - tau)**p, from the counts and moments.

    In place of each rank's moment, ``sum`` and ``lost`` are E_r from then on.
    """
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Sum e = number(0), q = number(0), d, n, w, double_gap
    cdef Py_ssize_t k
    loss[0] = number(part.moment[0].sum)        # 0, or NaN
    for k in range(row.P - 1, -1, -1):
        if k + 1 < row.P and part.count[k + 1] > 0:
            d, n = gap(tau, k), number(part.count[k + 1])
            if p == 2:
                double_gap.hi, double_gap.lo = 2 * d.hi, 2 * d.lo
                add_times(&q, &double_gap, &e, tau)
                square(&d, tau)
                add_times(&q, &n, &d, tau)
                d = gap(tau, k)
            add_times(&e, &n, &d, tau)
        add(&e, part.moment[k + 1].sum)
        e.lo += part.moment[k + 1].lost
        add(&q, part.moment[k + 1].squares)
        q.lo += part.moment[k + 1].lost_squares
        part.moment[k + 1].sum, part.moment[k + 1].lost = e.hi, e.lo
        if row.weight_at[k] > 0:
            w = number(row.weight_at[k])
            add_times(loss, &w, &q if p == 2 else &e, tau)


cdef inline void square(Sum* d, const real* tau) noexcept nogil:
    cdef Sum squared = number(0)
    add_times(&squared, d, d, tau)
    d[0] = squared


cdef inline double weighted_excess(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                                   const Part* part) noexcept nogil:
    """How far the scores above the threshold of label i are above it, summed up, times its weight."""
    cdef Sum w = number(weight_of(i, row)), e, product = number(0)
    cdef Py_ssize_t r = min(place + 1, row.P)       # thresholds that are NaN are not in order
    e.hi, e.lo = part.moment[r].sum, part.moment[r].lost
    if not isfinite(e.hi):
        return w.hi * e.hi
    add_times(&product, &w, &e, tau)
    return product.hi + product.lo


cdef inline void put_offset(const real* v, const int32_t* rank, Py_ssize_t m, const Row* row,
                            real* gradient) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(m):
        gradient[j] = <real>row.worth[rank[j]].offset


cdef inline void put_line(const real* v, const int32_t* rank, Py_ssize_t m, const Row* row,
                          real* gradient) noexcept nogil:
    cdef const Worth* worth
    cdef double y
    cdef Py_ssize_t j
    for j in range(m):
        worth = &row.worth[rank[j]]
        y = v[j] - worth.tau
        y = y if y > 0 else 0           # in rank 0, where it may be infinite
        gradient[j] = <real>(worth.slope * y + worth.offset)

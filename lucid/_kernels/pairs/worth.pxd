# cython: language_level=3, cdivision=True
"""What a rank is worth, for losses whose labels differ in what they are worth.

Let the thresholds ascend, tau_1 <= .. <= tau_P, and w_i be the weights of their labels. A score x of
rank r is above the r lowest of them, by y = x - tau_r and more. So with the sums over i <= r

    w0 = sum w_i,   w1 = sum w_i (tau_r - tau_i),   w2 = sum w_i (tau_r - tau_i)**2

of its rank, which follow from those of the rank below, its pairs come to

    sum w_i (x - tau_i)     = w0 y + w1                 with the derivative w0
    sum w_i (x - tau_i)**2  = w0 y**2 + 2 w1 y + w2     with the derivative 2 (w0 y + w1).

From the other side, with the sums of y over the scores of each rank, and n_r scores above tau_r, how far
all scores above a threshold are above it follows from above to below:

    E_r = sum over x > tau_r of (x - tau_r) = (sum of y)_r + E_(r+1) + n_(r+1) (tau_(r+1) - tau_r).

No term is negative, so nothing cancels, wherever the thresholds are. For float32 scores float64 is
more than enough. For float64 scores sums carry their rounding error along, see `sums.pxd`.
"""

from libc.math cimport isfinite
from libc.stdint cimport int32_t
from libc.string cimport memset

from lucid._kernels.pairs.ranks cimport place_of
from lucid._kernels.pairs.row cimport Excess, Part, Row
from lucid._kernels.pairs.sums cimport Split, Sum, add, add_product, value_of
from lucid._kernels.pairs.vectors cimport LUCID_FLOATS
from lucid._kernels.reals cimport real

cdef extern from "pairs/worth.h":
    Split weigh_float "lucid_weigh_float" (
        int p, const float* v, const int32_t* rank, Py_ssize_t m, const void* worth, double divisor,
        float* gradient, Py_ssize_t ranks, void* excess) noexcept nogil
    Split weigh_double "lucid_weigh_double" (
        int p, const double* v, const int32_t* rank, Py_ssize_t m, const void* worth, double divisor,
        double* gradient, Py_ssize_t ranks, void* excess) noexcept nogil


# Before the scan: what a rank is worth.

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
    memset(row.weight_at, 0, row.P * sizeof(double))
    for i in range(row.P):
        row.weight_at[place_of(i, &row.thresholds, tau)] += row.weight[i]


cdef inline void put_thresholds(const real* x, Row* row) noexcept nogil:
    """Put tau of each rank; that of rank 0 is the lowest threshold."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Py_ssize_t r
    row.worth[0].tau = row.a
    for r in range(1, row.P + 1):
        row.worth[r].tau = tau[r - 1]


cdef inline void weigh_ranks(const real* x, Row* row, int p) noexcept nogil:
    """Put tau and w0 to w``p`` of each rank."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Sum w0 = number(0), w1 = number(0), w2 = number(0), d
    cdef Py_ssize_t r
    put_thresholds(x, row)
    put_sums(row, 0, &w0, &w1, &w2)
    for r in range(1, row.P + 1):
        if r > 1:
            d = gap(tau, r - 2)
            if p > 1:                   # d**2 w0 + 2 d w1, with the w1 of before and that of after
                add_times(&w2, &w1, &d, tau)
            add_times(&w1, &w0, &d, tau)
            if p > 1:
                add_times(&w2, &w1, &d, tau)
        add_number(&w0, row.weight_at[r - 1], tau)
        put_sums(row, r, &w0, &w1, &w2)


cdef inline void put_sums(Row* row, Py_ssize_t r, const Sum* w0, const Sum* w1,
                          const Sum* w2) noexcept nogil:
    row.worth[r].w0, row.worth[r].w1, row.worth[r].w2 = value_of(w0), value_of(w1), value_of(w2)


cdef inline Sum number(double x) noexcept nogil:
    cdef Sum total
    total.hi, total.lo = x, 0
    return total


cdef inline void add_number(Sum* total, double x, const real* tau) noexcept nogil:
    """Add x; ``tau`` says to which scores the accuracy must be fit."""
    if real is float:
        total.hi += x
    else:
        add(total, x)


cdef inline void add_times(Sum* total, const Sum* x, const Sum* y, const real* tau) noexcept nogil:
    """Add x * y."""
    if real is float:
        total.hi += x.hi * y.hi
    else:
        add_product(total, x.hi, y.hi)
        total.lo += x.hi * y.lo + x.lo * y.hi


cdef inline Sum gap(const real* tau, Py_ssize_t k) noexcept nogil:
    """How far the next threshold is above ``tau[k]``; nothing between infinities that are alike."""
    cdef Sum d = number(0)
    if tau[k] != tau[k + 1]:
        d.hi = tau[k + 1]
        add_number(&d, -<double>tau[k], tau)
    return d


# In the scan.

cdef inline void weigh_scores(int p, const real* v, const int32_t* rank, Py_ssize_t m, const Row* row,
                              real* gradient, Part* part, Excess* excess) noexcept nogil:
    """Add what scores are worth to the loss, unless ``p`` is 0, and put their gradient, unless there is none.

    Unless there is none, how far each score is above the threshold of its rank is added to its ``excess``.
    """
    cdef Split sum
    if real is float:
        sum = weigh_float(p, v, rank, m, row.worth, row.divisor, gradient, row.P + 1, excess)
    else:
        sum = weigh_double(p, v, rank, m, row.worth, row.divisor, gradient, row.P + 1, excess)
    add_number(&part.total, sum.high, v)
    part.total.lo += sum.low


# After the scan.

cdef inline void sum_excess(const real* x, const Row* row, Part* part) noexcept nogil:
    """Make of the sums of each rank E_r, how far all scores above its threshold are above it."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Sum e = number(0), d, n
    cdef Py_ssize_t r
    for r in range(row.P, 0, -1):
        if r < row.P and part.count[r] > 0:
            d, n = gap(tau, r - 1), number(part.count[r])
            add_times(&e, &n, &d, tau)
        add_number(&e, part.excess[r].sum, tau)
        e.lo += part.excess[r].lost
        part.excess[r].sum, part.excess[r].lost = e.hi, e.lo


cdef inline void add_weighted(Sum* total, double weight, const Excess* excess,
                              const real* tau) noexcept nogil:
    """Add the weight times E_r."""
    cdef Sum w = number(weight), e
    e.hi, e.lo = excess.sum, excess.lost
    if isfinite(e.hi):
        add_times(total, &w, &e, tau)
    else:
        total.hi += weight * e.hi

# cython: language_level=3, cdivision=True
"""The multi-label ranking margin loss and its gradient, exact, in near-linear time.

For one row x of C scores with labels t_1 .. t_P,

    C * L = sum over labels i, over j not a label, of max(0, 1 - x[t_i] + x_j).

**Counting instead of pairing.**  Let tau_i = x[t_i] - 1 (rounded), the threshold of label i. The
pair (i, j) is active exactly when x_j > tau_i: rounding is symmetric in sign, and a difference of
two floats is zero only when they are equal, so this is the sign of the rounded 1 - x[t_i] + x_j,
bit for bit. Let

    r_j = number of thresholds below x_j      (the rank of a negative j)
    n_i = number of negatives above tau_i     (the count of a label i).

Both are integers, and they are the gradient: dL/dx_j = r_j / C and dL/dx[t_i] = -n_i / C. With
a = min tau the loss follows from them, in O(C + P):

    C * L = sum_j r_j * (x_j - a)+  -  sum_i n_i * (tau_i - a).

The labels are read in `row.pxd`, the scores in `scan.pxd`, which has them ranked by `ranks.pxd`.
Here is what a rank is worth, summed up to the last bit by `sums.pxd`.

**The same bits always.**  Counts are integers. Float sums run over fixed lanes within a block, over
blocks within a segment, over segments within a row and over rows, in that order, whichever thread
computes which part.

**NaN and infinities.**  A NaN score is never "not above a", so it reaches the sum. What the counts
cannot tell (inf - inf between a label and a negative, a NaN label) is decided in `nonfinite.pxd`. A
row whose loss is NaN has NaN for its gradient.

The margin may be another number than 1, or one for each class, and columns may be left out: none of
that changes more than the thresholds.
"""

from libc.stdint cimport int32_t, int64_t

from lucid._kernels.bits cimport BLOCK
from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.ranks cimport Thresholds, close_counts, rank_of
from lucid._kernels.pairs.row cimport Part, Row, is_negative
from lucid._kernels.pairs.scan cimport pad, scan
from lucid._kernels.pairs.sums cimport Sum, add, add_product, add_products, rounded_quotient
from lucid._kernels.reals cimport real

cdef extern from *:
    const double SCALE "0x1p-64"


cdef inline void put_gradient(real* out, double count, double divisor, double inverse) noexcept nogil:
    """Write count / divisor, rounded once; a product with the inverse is as good for float32."""
    if real is float:
        out[0] = <float>(count * inverse)
    else:
        out[0] = rounded_quotient(count, divisor, inverse)


cdef inline void hinge_weigh(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                             const Row* row, real* gradient, Part* part) noexcept nogil:
    cdef Py_ssize_t j
    add_products(v, rank, m, sum_of_ranks, row.a, row.P, &part.total)
    if gradient != NULL:
        for j in range(m):
            put_gradient(gradient + j, rank[j], row.divisor, row.inverse)


cdef inline void hinge_scan(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row,
                            real* grad, Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, hinge_weigh[real])


cdef inline double hinge_of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                                  const Part* part) noexcept nogil:
    return -part.count[place]


cdef inline void hinge_close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    """From the ranks and counts of a whole row: the sum over its pairs, and the gradient of its labels."""
    cdef const Thresholds* t = &row.thresholds
    cdef const real* tau = <const real*>t.tau
    cdef int32_t* count = part.count
    cdef real above[BLOCK]
    cdef real a = <real>row.a
    cdef Sum of_labels
    cdef Py_ssize_t i, j, m
    cdef int64_t counts
    of_labels.hi, of_labels.lo = 0, 0
    close_counts(t, count)
    for i from 0 <= i < row.P by BLOCK:
        m = min(BLOCK, row.P - i)
        counts = 0
        for j in range(m):              # a threshold below no score adds nothing, not even if it is inf
            above[j] = tau[i + j] if count[i + j] > 0 else a
            counts += count[i + j]
        add_products(above, count + i, pad(above, m, a), counts, row.a, row.C, &of_labels)
    loss[0] = part.total
    add(loss, -of_labels.hi)
    loss.lo -= of_labels.lo
    if is_doubtful(row, loss) and not settle(x, row, loss):
        sum_scaled(x, row, count, loss)


cdef inline void sum_scaled(const real* x, const Row* row, const int32_t* count, Sum* loss) noexcept nogil:
    """Sum up finite scores whose float64 sum overflows on the way, as their 2**-64th parts."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Py_ssize_t i, j
    cdef Sum total
    total.hi, total.lo = 0, 0
    for i in range(row.P):
        if count[i] > 0:
            add_product(&total, -count[i], SCALE * tau[i])
    for j in range(row.C):
        if x[j] > <real>row.a and is_negative(j, row):
            add_product(&total, rank_of(x[j], &row.thresholds), SCALE * x[j])
    loss.hi = (total.hi + total.lo) / SCALE     # inf beyond the largest float64
    loss.lo = 0

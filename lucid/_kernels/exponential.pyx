# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The losses of sums of exponentials over the labels i and the negatives j of a row, in O(C).

    LSEP            log(1 + A B),  A = sum of e**-x_i,  B = sum of e**x_j: A B is the sum over all pairs
    LSEP per label  the mean over i of log(1 + e**-x_i B)
    ZLPR            log(1 + A) + log(1 + B)
    BP-MLL          A B / pairs

A sum is kept as its highest term, whose exponent says how large it is, and the sum of the others
relative to that: nothing overflows that need not, and log(1 + ...) keeps the digits of small sums.
Each block has its own highest score, so that the scores are read once; the blocks' sums are brought
to one exponent in the end. The gradient of a negative is its term, kept since the scan, times a number
of its row and block; that of a label likewise, with the sign turned.

Nothing is undefined but what is a difference of equal infinities in a pair. Otherwise an infinite
score is the limit: it outweighs all others.
"""

from libc.math cimport INFINITY, NAN, isfinite, isnan
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.bits cimport BLOCK, WORDS, any_of, is_set
from lucid._kernels.column_sums cimport (
    Close, Row, fill_up, finish_segment, put, scan_segment, solve, solve_row, whole, width_of,
)
from lucid._kernels.exponentials cimport (
    exp_times, highest_of, lost, softplus_of, sum_of_exps, sum_of_pairs,
)
from lucid._kernels.pairs.sums cimport Sum, add_product
from lucid._kernels.pairs.vectors cimport LANES
from lucid._kernels.reals cimport real


cdef enum:                  # so far below the highest score, powers of e are nearly subnormal:
    NARROW = 80             # for float32,
    WIDE = 700              # and for float64


# Each block.

cdef inline const real* negatives_of(const real* x, Py_ssize_t b, const Row* row, real* block) noexcept nogil:
    """A multiple of LANES of scores, -inf where there is no negative; in ``block``, if need be."""
    cdef Py_ssize_t m = width_of(b, row)
    cdef const uint64_t* labels = row.labels + b * WORDS
    cdef const uint64_t* unknown = row.unknown + b * WORDS
    x += b * BLOCK
    if not any_of(labels) and not any_of(unknown) and m % LANES == 0:
        return x
    memcpy(block, x, m * sizeof(real))
    put(block, labels, <real>-INFINITY)
    put(block, unknown, <real>-INFINITY)
    fill_up(block, m, <real>-INFINITY)
    return block


cdef void scan(const real* x, Py_ssize_t b, Row* row, real* grad) noexcept nogil:
    cdef real block[BLOCK]
    cdef real terms[BLOCK]
    cdef Py_ssize_t m = width_of(b, row)
    cdef const real* v = negatives_of(x, b, row, block)
    cdef real top = highest_of(v, whole(m))
    cdef real* e = NULL
    if grad != NULL:
        e = grad + b * BLOCK if m % LANES == 0 else terms
    sum = sum_of_exps(v, whole(m), top, e)
    row.top[b], row.sum[b].hi, row.sum[b].lo = top, sum.high, sum.low
    if e == terms:
        memcpy(grad + b * BLOCK, terms, m * sizeof(real))


cdef void finish(const real* x, Py_ssize_t b, const Row* row, real* grad) noexcept nogil:
    cdef real block[BLOCK]
    cdef Py_ssize_t j, m = width_of(b, row)
    cdef double factor = row.coefficient * row.factor[b]
    cdef real narrow = <real>factor
    grad += b * BLOCK
    if not factor <= 1 and (not isfinite(narrow) or is_wide(x + b * BLOCK, m, <real>row.top[b])):
        put_large(negatives_of(x, b, row, block), m, row, grad)
        return
    for j in range(m):
        grad[j] *= narrow


cdef inline bint is_wide(const real* v, Py_ssize_t m, real top) noexcept nogil:
    """Whether some e**(v - top) may be below the normal numbers."""
    cdef real lowest = top
    cdef Py_ssize_t j
    for j in range(m):
        lowest = v[j] if v[j] < lowest else lowest
    if real is float:
        return top - lowest > NARROW
    else:
        return top - lowest > WIDE


cdef inline void put_large(const real* v, Py_ssize_t m, const Row* row, real* grad) noexcept nogil:
    """Write a gradient whose factors cannot be multiplied with each other."""
    cdef Py_ssize_t j
    for j in range(m):
        grad[j] = 0 if v[j] == -INFINITY else <real>(row.scale * power(row.large, v[j], row.reference))


cdef inline double power(double factor, double a, double b) noexcept nogil:
    """factor * e**(a - b), of which only one is infinite, or both alike."""
    return factor if a == b else exp_times(factor, a - b, lost(a, b))


# A whole row.

cdef struct Sums:           # sum * e**top
    double top
    double sum


cdef inline Sums sum_negatives(Row* row) noexcept nogil:
    """B, from the blocks; the factors that bring them to the exponent of the highest."""
    cdef Py_ssize_t b, m = whole(row.blocks)
    cdef Sum total
    cdef Sums B
    if row.blocks == 1:                 # as below, sooner
        row.factor[0] = 1
        B.top, B.sum = row.top[0], row.sum[0].hi + row.sum[0].lo
        return B
    fill_up(row.top, row.blocks, <double>-INFINITY)
    B.top = highest_of(row.top, m)
    sum_of_exps(row.top, m, B.top, row.factor)
    total.hi, total.lo = 0, 0
    for b in range(row.blocks):
        add_product(&total, row.factor[b], row.sum[b].hi)
        total.lo += row.factor[b] * row.sum[b].lo
    B.sum = total.hi + total.lo
    return B


cdef inline Sums take_labels(const real* x, Row* row) noexcept nogil:
    """The exponents of A; their sum is not needed."""
    cdef Py_ssize_t i
    cdef Sums A
    for i in range(row.P):
        row.value[i] = -<double>x[row.label[i]]
    fill_up(row.value, row.P, <double>-INFINITY)
    A.top, A.sum = highest_of(row.value, whole(row.P)), 0
    return A


cdef inline Sums sum_labels(const real* x, Row* row) noexcept nogil:
    """A, and the term of each label."""
    cdef Sums A = take_labels(x, row)
    sum = sum_of_exps(row.value, whole(row.P), A.top, row.of_label)
    A.sum = sum.high + sum.low
    return A


cdef inline bint any_negative_low(const real* x, const Row* row) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(row.C):
        if x[j] == -INFINITY and not is_set(j, row.labels) and not is_set(j, row.unknown):
            return True
    return False


cdef inline bint any_label_high(const Row* row) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(row.P):
        if row.value[i] == -INFINITY:
            return True
    return False


cdef inline bint are_pairs_settled(const real* x, Row* row, const Sums* A, const Sums* B) noexcept nogil:
    """Whether the loss of the pairs is clear already: there are none, or it is undefined."""
    if row.P == 0 or row.negatives == 0:
        row.loss, row.scale = 0, 0      # whatever the scores are, even NaN
        return True
    if (isnan(A.sum) or isnan(B.sum) or (B.top == INFINITY and any_label_high(row))
            or (A.top == INFINITY and any_negative_low(x, row))):
        row.loss = NAN
        return True
    return False


cdef inline void put_slopes(double of_negatives, double of_labels, const Sums* A, const Sums* B,
                            Row* row) noexcept nogil:
    """The gradient, from the derivatives of the loss by log B and by log A."""
    cdef double each = -of_labels / A.sum * row.scale if A.sum > 0 else 0
    cdef Py_ssize_t i
    row.large = of_negatives / B.sum if B.sum > 0 else 0
    row.reference = B.top
    row.coefficient = row.large * row.scale
    row.adds = True
    for i in range(row.P):
        row.of_label[i] *= each


cdef void close_lsep(const real* x, Row* row) noexcept nogil:
    cdef Sums A = sum_labels(x, row), B = sum_negatives(row)
    cdef double slope
    if are_pairs_settled(x, row, &A, &B):
        return
    row.loss = softplus_of(A.sum * B.sum, B.top + A.top, lost(B.top, -A.top), &slope)
    put_slopes(slope, slope, &A, &B, row)


cdef void close_lsep_per_label(const real* x, Row* row) noexcept nogil:
    cdef Sums A = take_labels(x, row), B = sum_negatives(row)
    cdef double slopes = 0
    cdef Py_ssize_t i
    if are_pairs_settled(x, row, &A, &B):
        return
    if isfinite(B.top):
        sum = sum_of_pairs(row.value, whole(row.P), B.sum, B.top, row.of_label)
        row.loss = sum.high + sum.low if isfinite(sum.high) else sum.high
    else:
        for i in range(row.P):
            row.loss += softplus_of(B.sum, B.top + row.value[i], 0, &row.of_label[i])
    row.loss /= row.P
    for i in range(row.P):
        slopes += row.of_label[i]
    A.sum = row.P                       # as if each label had a share of what its slope is
    put_slopes(slopes / row.P, 1, &A, &B, row)


cdef void close_zlpr(const real* x, Row* row) noexcept nogil:
    cdef Sums A = sum_labels(x, row), B = sum_negatives(row)
    cdef double of_labels, of_negatives
    if isnan(A.sum) or isnan(B.sum):
        row.loss = NAN
        return
    row.loss = softplus_of(A.sum, A.top, 0, &of_labels) + softplus_of(B.sum, B.top, 0, &of_negatives)
    put_slopes(of_negatives, of_labels, &A, &B, row)


cdef void close_bpmll(const real* x, Row* row) noexcept nogil:
    cdef Sums A = sum_labels(x, row), B = sum_negatives(row)
    cdef double pairs = <double>row.P * row.negatives
    cdef Py_ssize_t i
    if are_pairs_settled(x, row, &A, &B):
        return
    row.loss = power(A.sum * B.sum / pairs, B.top, -A.top)
    put_slopes(row.loss, row.loss, &A, &B, row)
    row.large, row.reference = A.sum / pairs, -A.top
    if not isfinite(row.loss * row.scale) or row.loss * row.scale > A.sum and is_wide(row.value, row.P, A.top):
        for i in range(row.P):
            row.of_label[i] = -row.scale * power(B.sum / pairs, B.top, -row.value[i])


# For Python; see the `.pyi` of `margin`.

cdef inline double run(x, indices, indptr, double divisor, out, grad, int threads, terms,
                       Close close) except? -1:
    return solve(x, indices, indptr, divisor, out, grad, threads, terms, False, scan[real], close,
                 finish[real], solve_row[real], scan_segment[real], finish_segment[real])


def lsep_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_lsep[float])


def lsep_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_lsep[double])


def lsep_per_label_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_lsep_per_label[float])


def lsep_per_label_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_lsep_per_label[double])


def zlpr_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_zlpr[float])


def zlpr_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_zlpr[double])


def bpmll_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_bpmll[float])


def bpmll_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return run(x, indices, indptr, divisor, out, grad, threads, terms, close_bpmll[double])

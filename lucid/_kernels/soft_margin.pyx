# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The multi-label soft margin loss: the mean over a row's known classes of their logistic losses.

    L = 1/known * sum of w log(1 + e**-x) over the labels, w log(1 + e**x) over the others

A label is like the others once the sign of its logit is turned, and an unknown class costs nothing
with a logit of -inf. With numbers from 0 to 1 in place of labels, it is known where these are.
"""

from libc.math cimport INFINITY, NAN
from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.bits cimport BLOCK, WORDS, any_of
from lucid._kernels.column_sums cimport (
    Close, Row, fill_up, finish_segment, negate, padded, put, scan_segment, solve, solve_row, whole, width_of,
)
from lucid._kernels.exponentials cimport sum_of_softplus
from lucid._kernels.pairs.sums cimport Sum, merge, quotient
from lucid._kernels.pairs.vectors cimport LANES
from lucid._kernels.reals cimport real


cdef void scan(const real* x, Py_ssize_t b, Row* row, real* grad) noexcept nogil:
    cdef real logits[BLOCK]
    cdef real targets[BLOCK]
    cdef double weights[BLOCK]
    cdef real slopes[BLOCK]
    cdef Py_ssize_t first = b * BLOCK, m = width_of(b, row)
    cdef const uint64_t* labels = row.labels + b * WORDS
    cdef const uint64_t* unknown = row.unknown + b * WORDS
    cdef const real* v = x + first
    cdef const real* t = NULL
    cdef const double* w = NULL
    cdef real* g = NULL
    cdef bint any_labels = False
    if row.target != NULL:
        t = padded(<const real*>row.target + first, m, <real>NAN, targets)
        v = padded(v, m, <real>-INFINITY, logits)
    else:
        any_labels = any_of(labels)
        if any_labels or any_of(unknown) or m % LANES != 0:
            memcpy(logits, v, m * sizeof(real))
            negate(logits, labels)
            put(logits, unknown, <real>-INFINITY)
            fill_up(logits, m, <real>-INFINITY)
            v = logits
    if row.weight != NULL:
        w = padded(row.weight + first, m, <double>0, weights)
    if grad != NULL:
        g = grad + first if m % LANES == 0 else slopes
    sum = sum_of_softplus(v, t, w, whole(m), row.scale / max(1, row.C - row.unknowns), g)
    row.sum[b].hi, row.sum[b].lo = sum.high, sum.low
    if grad != NULL:
        if g == slopes:
            memcpy(grad + first, slopes, m * sizeof(real))
        if any_labels:
            negate(grad + first, labels)


cdef void close(const real* x, Row* row) noexcept nogil:
    cdef Sum total
    cdef Py_ssize_t b
    total.hi, total.lo = 0, 0
    for b in range(row.blocks):
        merge(&total, &row.sum[b])
    row.loss = quotient(&total, max(1, row.C - row.unknowns))


cdef inline double run(x, labels, indptr, double divisor, out, grad, int threads, terms,
                       Close close) except? -1:
    return solve(x, labels, indptr, divisor, out, grad, threads, terms, indptr is None, scan[real], close,
                 NULL, solve_row[real], scan_segment[real], finish_segment[real])


def soft_margin_float32(x, labels, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return run(x, labels, indptr, divisor, out, grad, threads, terms, close[float])


def soft_margin_float64(x, labels, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the same of float64 logits."""
    return run(x, labels, indptr, divisor, out, grad, threads, terms, close[double])

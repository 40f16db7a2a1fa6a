# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The margin loss of squares, with a weight for the pairs of each label.

An active pair of label i and negative j, x_j > tau_i, costs w_i (x_j - tau_i)**2. So the gradient of a
negative is a line in x_j for each rank, 2 sum_i w_i (x_j - tau_i) over the thresholds below it, and that
of a label is -2 w_i E_i. How they are summed up is told in `pairs/worth.pxd`.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t

from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.problem cimport solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport close_counts
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.scan cimport scan
from lucid._kernels.pairs.sums cimport Sum, value_of
from lucid._kernels.pairs.worth cimport (
    add_weighted, gather_weights, number, sum_excess, weigh_ranks, weigh_scores, weight_of,
)
from lucid._kernels.reals cimport real


cdef inline void weigh(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                       const Row* row, real* gradient, Part* part) noexcept nogil:
    weigh_scores(2, v, rank, m, row, gradient, part, part.excess if gradient != NULL else NULL)


cdef void scan_scores(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, weigh[real])


cdef void prepare(const real* x, Row* row) noexcept nogil:
    gather_weights(x, row)
    weigh_ranks(x, row, 2)


cdef inline double of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                            const Part* part) noexcept nogil:
    cdef Sum total = number(0)
    add_weighted(&total, weight_of(i, row), &part.excess[min(place + 1, row.P)], tau)   # NaN has any place
    return 0 - 2 * value_of(&total)        # no negative zero


cdef void close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    close_counts(&row.thresholds, part.count)
    loss[0] = part.total
    if is_doubtful(row, loss) and not settle(x, row, loss):
        loss.hi, loss.lo = INFINITY, 0          # no term is negative
    if grad != NULL:
        sum_excess(x, row, part)


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, prepare[real], scan_scores[real], close[real],
                      NULL, of_label[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, scan_scores[real])


def squared_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], prepare[float], close[float],
                        NULL, of_label[float], NULL)


def squared_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], prepare[double], close[double],
                         NULL, of_label[double], NULL)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The margin loss of squares, with a weight for the pairs of each label.

An active pair of label i and negative j, x_j > tau_i, costs w_i (x_j - tau_i)**2. So the gradient of a
negative is a line in x_j for each rank, 2 sum_i w_i (x_j - tau_i) over the thresholds below it, and that
of a label is -2 w_i E_i. The sums are those of `pairs/moments.pxd`.
"""

from libc.stdint cimport int64_t

from lucid._kernels.pairs.labels cimport put_labels
from lucid._kernels.pairs.moments cimport (
    find_taus, gather_weights, moments_add, put_line, sum_moments, weigh_ranks, weighted_excess,
)
from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.problem cimport solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport close_counts
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.scan cimport scan
from lucid._kernels.pairs.sums cimport Sum
from lucid._kernels.reals cimport real


cdef void scan_scores(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, moments_add[real], put_line[real])


cdef void prepare(const real* x, Row* row) noexcept nogil:
    find_taus(x, row)
    gather_weights(x, row)
    if row.has_gradient:
        weigh_ranks(x, row, 2)


cdef inline double of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                            const Part* part) noexcept nogil:
    return 0 - 2 * weighted_excess(tau, i, place, row, part)     # no negative zero


cdef void close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    close_counts(&row.thresholds, part.count)
    sum_moments(x, row, part, 2, loss)
    if is_doubtful(row, loss):
        settle(x, row, loss)
    if grad != NULL:
        put_labels(grad, row, part, loss, of_label[real])


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, prepare[real], scan_scores[real], close[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, scan_scores[real])


def squared_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], prepare[float], close[float], NULL)


def squared_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], prepare[double], close[double], NULL)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""WARP, exact: the margin loss whose labels weigh more the more negatives come too close to them.

With n_i negatives above the threshold of label i, and L(n) what a count is worth, as handed in,

    loss = sum over labels i of L(n_i) / n_i * (the sum of the n_i active hinges).

The weights are constants in the gradient: L(n_i) / n_i summed over the thresholds below a negative,
and -L(n_i) for a label. They are known when all scores have been ranked. So the scan keeps each
score's rank where its gradient goes, see `pairs/kept.pxd`, until the row has been closed.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t

from lucid._kernels.pairs.kept cimport keep_rank, look_up_segment
from lucid._kernels.pairs.labels cimport put_label
from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.problem cimport finish_segment, solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport close_counts
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.scan cimport scan
from lucid._kernels.pairs.sums cimport Sum, value_of
from lucid._kernels.pairs.worth cimport (
    add_number, add_weighted, gather_weights, number, put_thresholds, sum_excess, weigh_scores,
)
from lucid._kernels.reals cimport real


cdef inline void weigh(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                       const Row* row, real* gradient, Part* part) noexcept nogil:
    cdef Py_ssize_t j
    weigh_scores(0, v, rank, m, row, NULL, part, part.excess)
    if gradient != NULL:
        for j in range(m):
            keep_rank(gradient + j, rank[j])


cdef void scan_scores(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, weigh[real])


cdef void prepare(const real* x, Row* row) noexcept nogil:
    gather_weights(x, row)
    put_thresholds(x, row)


cdef inline double of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                            const Part* part) noexcept nogil:
    return 0 - row.worth_of_count[part.count[place]]        # no negative zero


cdef void close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef Sum w = number(0)
    cdef real* worth = <real*>row.weight    # of each rank, to its gradient: labels have no weights here
    cdef Py_ssize_t k
    close_counts(&row.thresholds, part.count)
    sum_excess(x, row, part)
    loss[0] = number(part.excess[0].sum)        # 0, or NaN
    for k in range(row.P):
        if part.count[k] > 0:
            row.weight_at[k] *= row.worth_of_count[part.count[k]] / part.count[k]
        if row.weight_at[k] > 0:
            add_weighted(loss, row.weight_at[k], &part.excess[k + 1], tau)
    if is_doubtful(row, loss) and not settle(x, row, loss):
        loss.hi, loss.lo = INFINITY, 0          # no term is negative
    if grad != NULL:
        worth[0] = 0
        for k in range(row.P):
            add_number(&w, row.weight_at[k], tau)
            put_label(&worth[k + 1], value_of(&w), row.divisor, row.inverse)


cdef void finish(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                 Part* part) noexcept nogil:
    look_up_segment(<const real*>row.weight, start, stop, grad, part)


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, prepare[real], scan_scores[real], close[real],
                      finish[real], of_label[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, scan_scores[real])


cdef int finish_shared(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return finish_segment(x, s, thread, problem, finish[real])


def warp_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], prepare[float], close[float],
                        finish_shared[float], of_label[float], NULL)


def warp_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], prepare[double], close[double],
                         finish_shared[double], of_label[double], NULL)

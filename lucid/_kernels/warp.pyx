# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""WARP, exact: the margin loss whose labels weigh more the more negatives come too close to them.

With n_i negatives above the threshold of label i, and L(n) what a count is worth, as handed in,

    loss = sum over labels i of L(n_i) / n_i * (the sum of the n_i active hinges).

The weights are constants in the gradient: L(n_i) / n_i summed over the thresholds below a negative,
and -L(n_i) for a label. They are known when all scores have been ranked. So the scan leaves each
score's rank where its gradient goes, to be looked up when the row is closed.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.pairs.labels cimport put_labels
from lucid._kernels.pairs.moments cimport (
    find_taus, gather_weights, moments_add, sum_moments, weigh_ranks,
)
from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.problem cimport solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport LANES, close_counts
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.scan cimport scan
from lucid._kernels.pairs.sums cimport Sum
from lucid._kernels.reals cimport real


cdef inline void put_rank(const real* v, const int32_t* rank, Py_ssize_t m, const Row* row,
                          real* gradient) noexcept nogil:
    cdef Py_ssize_t j
    for j in range(m):
        gradient[j] = 0
        memcpy(gradient + j, rank + j, sizeof(int32_t))


cdef inline void look_up(real* grad, const Row* row) noexcept nogil:
    """Put what the ranks are worth in their place; nearly all are 0, as their gradient is."""
    cdef Py_ssize_t first, whole = row.C // LANES * LANES
    for first from 0 <= first < whole by LANES:
        if any_bit(grad + first):
            look_up_each(grad + first, LANES, row)
    look_up_each(grad + whole, row.C - whole, row)


cdef inline bint any_bit(const real* grad) noexcept nogil:
    """Whether one of LANES numbers is not zero, all at once."""
    cdef uint64_t words[LANES]
    cdef uint64_t bits = 0
    cdef Py_ssize_t w
    memcpy(words, grad, LANES * sizeof(real))
    for w in range(LANES * sizeof(real) // sizeof(uint64_t)):
        bits |= words[w]
    return bits != 0


cdef inline void look_up_each(real* grad, Py_ssize_t m, const Row* row) noexcept nogil:
    cdef int32_t rank
    cdef Py_ssize_t j
    for j in range(m):
        memcpy(&rank, grad + j, sizeof(rank))
        grad[j] = <real>row.worth[rank].offset


cdef void scan_scores(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, moments_add[real], put_rank[real])


cdef void prepare(const real* x, Row* row) noexcept nogil:
    find_taus(x, row)
    gather_weights(x, row)


cdef inline double of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                            const Part* part) noexcept nogil:
    return 0 - row.worth_of_count[part.count[place]]        # no negative zero


cdef void close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    cdef Py_ssize_t k
    close_counts(&row.thresholds, part.count)
    for k in range(row.P):
        if part.count[k] > 0:
            row.weight_at[k] *= row.worth_of_count[part.count[k]] / part.count[k]
    sum_moments(x, row, part, 1, loss)
    if is_doubtful(row, loss):
        settle(x, row, loss)
    if grad != NULL:
        weigh_ranks(x, row, 1)
        look_up(grad, row)
        put_labels(grad, row, part, loss, of_label[real])


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, prepare[real], scan_scores[real], close[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, scan_scores[real])


def warp_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], prepare[float], close[float], NULL)


def warp_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` of `margin`."""
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], prepare[double], close[double], NULL)

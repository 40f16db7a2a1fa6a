# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""WARP, exact: the margin loss whose labels weigh more the more negatives come too close to them.

With n_i negatives above the threshold of label i, and L(n) what a count is worth, as handed in,

    loss = sum over labels i of L(n_i) / n_i * (the sum of the n_i active hinges).

The weights are constants in the gradient: L(n_i) / n_i summed over the thresholds below a negative,
and -L(n_i) for a label. They are known when all scores have been ranked. So the scan leaves each
score's rank where its gradient goes, to be looked up when the row has been closed.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.bits cimport BLOCK, WORD, WORDS, count_trailing_zeros
from lucid._kernels.pairs.labels cimport put_label
from lucid._kernels.pairs.nonfinite cimport is_doubtful, settle
from lucid._kernels.pairs.problem cimport finish_segment, solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport LANES, close_counts
from lucid._kernels.pairs.row cimport MOST_NOTED, Part, Row
from lucid._kernels.pairs.scan cimport MANY, mark_active, scan
from lucid._kernels.pairs.sums cimport Sum, value_of
from lucid._kernels.pairs.worth cimport (
    add_number, add_weighted, gather_weights, number, put_thresholds, sum_excess, weigh_scores,
)
from lucid._kernels.reals cimport real

cdef enum:
    ABOVE = 1 << 30         # rank 1 is the float32 just above 2 then


cdef inline void weigh(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                       const Row* row, real* gradient, Part* part) noexcept nogil:
    cdef Py_ssize_t j
    weigh_scores(0, v, rank, m, row, NULL, part, part.excess)
    if gradient != NULL:
        for j in range(m):
            put_number(gradient + j, rank[j])


cdef inline void put_number(real* place, int32_t rank) noexcept nogil:
    """Keep a rank in the memory of a gradient, as a number that is above 0 where the rank is."""
    if real is float:                   # a float32 counts to 2**24 only, but has bits for all ranks
        rank |= ABOVE if rank > 0 else 0
        memcpy(place, &rank, sizeof(rank))
    else:
        place[0] = rank


cdef inline int32_t take_number(const real* place) noexcept nogil:
    cdef int32_t rank
    if real is float:
        memcpy(&rank, place, sizeof(rank))
        return rank & ~ABOVE
    else:
        return <int32_t>place[0]


cdef inline void look_up(const real* worth, real* place) noexcept nogil:
    place[0] = worth[take_number(place)]


cdef inline void look_up_all(const real* worth, real* grad, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t j, l
    for j from 0 <= j <= m - LANES by LANES:
        for l in range(LANES):          # unrolled
            look_up(worth, grad + j + l)
    for j in range(m - m % LANES, m):
        look_up(worth, grad + j)


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
    """Put what the ranks are worth in their place; mostly nearly all are 0, as their gradient is."""
    cdef const real* worth = <const real*>row.weight
    cdef uint64_t marks[WORDS]
    cdef uint64_t word
    cdef Py_ssize_t first, m, active, w, j
    if part.noted <= MOST_NOTED:
        for j in range(part.noted):
            look_up(worth, grad + part.note[j])
        return
    for first from start <= first < stop by BLOCK:
        m = min(BLOCK, stop - first)
        active = mark_active(grad + first, m, <real>0, marks)
        if MANY * active > m:
            look_up_all(worth, grad + first, m)
        elif active > 0:
            for w in range((m + WORD - 1) // WORD):
                word = marks[w]
                while word != 0:
                    look_up(worth, grad + first + w * WORD + count_trailing_zeros(word))
                    word &= word - 1


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

# cython: language_level=3, cdivision=True
"""Small rows of the plain hinge: the same bits as any row's, in a third of the time.

Most rows in use have up to a hundred scores and a few labels. What is done for any row, blocks, a queue,
segments, takes longer there than the pairs. Here a row is opened and closed on the stack,
and `small.h` ranks it. Whatever is odd about a row, no label or one that is named twice, unknown or out of
range, a value that is not finite, makes it go the way of the others.
"""

from libc.math cimport INFINITY, NAN, isfinite
from libc.stdint cimport int32_t, int64_t, uint64_t

# What `small.h` is written with.
from lucid._kernels.pairs.vectors cimport LUCID_FLOATS
from lucid._kernels.pairs.marking cimport mark_float
from lucid._kernels.pairs.comparing cimport compare_float

from lucid._kernels.bits cimport WORD, count_ones, set_bit
from lucid._kernels.pairs.hinge cimport put_gradient
from lucid._kernels.pairs.labels cimport put_label
from lucid._kernels.pairs.problem cimport Problem, gradient_of
from lucid._kernels.pairs.ranks cimport LANES
from lucid._kernels.pairs.row cimport CLASSES, PAIRS, SMALL_LABELS, SMALL_SCORES, SMALL_WORDS, scaled
from lucid._kernels.pairs.sums cimport Sum, add, add_products, divide, multiply
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport read_once, read_whole

cdef extern from "pairs/small.h":
    Py_ssize_t rank_small_float "lucid_rank_small_float" (
        const float* x, Py_ssize_t C, const uint64_t* out, float a, const float* tau, Py_ssize_t P,
        const float* worth, double divisor, double inverse, float* grad, float* v, int32_t* rank, int32_t* count) noexcept nogil
    Py_ssize_t rank_small_double "lucid_rank_small_double" (
        const double* x, Py_ssize_t C, const uint64_t* out, double a, const double* tau, Py_ssize_t P,
        const double* worth, double divisor, double inverse, double* grad, double* v, int32_t* rank, int32_t* count) noexcept nogil



cdef struct Frame:          # what rows have in common
    uint64_t beyond[SMALL_WORDS]    # a bit for each column after the last
    double base, of_base            # of the loss of the last row,
    double divisor, inverse         # and of its gradient


cdef inline Py_ssize_t small_rows(const real* x, Py_ssize_t first, Py_ssize_t last,
                                  const Problem* problem) noexcept nogil:
    """Solve rows from the first on, until one that is odd; returns that, or ``last``."""
    cdef real worth[LANES]
    cdef Frame frame
    cdef Py_ssize_t n, w, C = problem.C
    if C > SMALL_SCORES:
        return first
    for w in range(SMALL_WORDS):
        frame.beyond[w] = ~<uint64_t>0 << max(0, C - w * WORD) if C < (w + 1) * WORD else 0
    frame.base = frame.divisor = NAN
    for n in range(first, last):
        if not small_row(x + n * C, n, problem, worth, &frame):
            return n
    return last


cdef inline bint small_row(const real* x, Py_ssize_t n, const Problem* problem, real* worth,
                           Frame* frame) noexcept nogil:
    """Solve one row, as `row.pxd`, `scan.pxd` and `hinge.pxd` would; False if it is odd."""
    cdef real tau[LANES]
    cdef real v[SMALL_SCORES]
    cdef int32_t rank[SMALL_SCORES]
    cdef int32_t count[LANES]
    cdef int32_t label[LANES]
    cdef uint64_t excluded[SMALL_WORDS]
    cdef real* grad = gradient_of(x, n, problem)
    cdef real a = INFINITY, margin = <real>problem.terms.margin
    cdef const double* margins = problem.terms.margins
    cdef int64_t start = n * problem.K, K = problem.K, unknowns = 0, counts = 0
    cdef uint64_t column, C = problem.C
    cdef Py_ssize_t P = 0, m, i, w, known = 0
    cdef double base = C, scale = 1, divisor
    cdef Sum of_labels
    cdef Sum* loss = &problem.loss[n]

    for i in range(LANES):
        tau[i] = 0
    for w in range(SMALL_WORDS):
        excluded[w] = frame.beyond[w]
    if problem.indptr != NULL and not cut(problem.indptr + n, problem.size, &start, &K):
        return False
    while P < min(K, SMALL_LABELS):
        column = read_whole(problem.indices, start + P, problem.bytes)
        if column >= C:
            break
        set_bit(column, excluded)
        label[P] = <int32_t>column
        if margins != NULL:
            margin = <real>margins[column]
        tau[P] = x[column] - margin
        a = tau[P] if tau[P] < a else a
        P += 1
    if P == 0 or not ends(problem, start, P, K):
        return False
    if problem.unknown_indptr != NULL:
        if not cut(problem.unknown_indptr + n, problem.unknowns, &start, &unknowns):
            return False
        for i in range(unknowns):
            column = read_once(problem.unknown + start + i)
            if column >= C:
                return False
            set_bit(column, excluded)
    for w in range(SMALL_WORDS):
        known += WORD - count_ones(excluded[w])
    if known + P + unknowns != <Py_ssize_t>C:       # one is named twice
        return False

    if not problem.plain:
        base = C - unknowns if problem.terms.base == CLASSES else (
            P * known if problem.terms.base == PAIRS else 1)
        base = base if base > 0 else 1
    divisor = base * problem.divisor
    if problem.scale != NULL:
        scale = problem.scale[n]
        if scale == 0:
            return False
        divisor = scaled(divisor, scale)
    if divisor != frame.divisor:
        frame.divisor, frame.inverse = divisor, 1 / divisor
        for i in range(LANES):
            put_gradient(worth + i, i, frame.divisor, frame.inverse)

    m = rank_small(x, C, excluded, a, tau, P, worth, frame, grad, v, rank, count)
    for i in range(P):
        counts += count[i]
    loss.hi, loss.lo, of_labels.hi, of_labels.lo = 0, 0, 0, 0
    if real is double:                  # a threshold that is below no score is not to be the highest
        for i in range(LANES):
            of_labels.lo += 0 * tau[i]  # NaN, unless it is finite
            tau[i] = tau[i] if count[i] > 0 else a
    add_products(v, rank, m, counts, a, P, loss)
    add_products(tau, count, LANES, counts, a, C, &of_labels)
    add(loss, -of_labels.hi)
    loss.lo -= of_labels.lo
    if not isfinite(loss.hi) or not isfinite(loss.lo):
        return False
    if not problem.plain:
        if base != frame.base:
            frame.base, frame.of_base = base, 1 / base
        divide(loss, base, frame.of_base)
        multiply(loss, scale)
    if grad != NULL:
        for i in range(P):
            put_label(grad + label[i], -count[i], frame.divisor, frame.inverse)
    return True


cdef inline bint ends(const Problem* problem, int64_t start, Py_ssize_t P, int64_t K) noexcept nogil:
    """Whether a row of K entries has no more than the first P labels, and does not make one doubt."""
    cdef bint padded = problem.indptr == NULL
    if P == K:
        return not padded or K < problem.C or K == 1
    return (padded and read_whole(problem.indices, start + P, problem.bytes) == -1
            and (P + 1 == K or read_whole(problem.indices, start + P + 1, problem.bytes) == -1))


cdef inline bint cut(const int64_t* indptr, Py_ssize_t size, int64_t* start, int64_t* count) noexcept nogil:
    """Where the entries of a row start, and how many they are; False if they are not there."""
    cdef int64_t end = read_once(indptr + 1)
    start[0] = read_once(indptr)
    count[0] = end - start[0]
    return 0 <= start[0] <= end <= size


cdef inline Py_ssize_t rank_small(const real* x, Py_ssize_t C, const uint64_t* excluded, real a,
                                  const real* tau, Py_ssize_t P, const real* worth, const Frame* frame,
                                  real* grad, real* v, int32_t* rank, int32_t* count) noexcept nogil:
    if real is float:
        return rank_small_float(x, C, excluded, a, tau, P, worth, frame.divisor, frame.inverse, grad, v, rank,
                                count)
    else:
        return rank_small_double(x, C, excluded, a, tau, P, worth, frame.divisor, frame.inverse, grad, v, rank,
                                 count)

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
from lucid._kernels.pairs.vectors cimport LANES, LUCID_FLOATS
from lucid._kernels.pairs.marking cimport mark_float
from lucid._kernels.pairs.comparing cimport compare_float

from lucid._kernels.bits cimport WORD, count_ones, is_column, set_bit
from lucid._kernels.pairs.hinge cimport put_gradient
from lucid._kernels.pairs.labels cimport put_label
from lucid._kernels.pairs.problem cimport Problem
from lucid._kernels.pairs.row cimport SMALL_LABELS, SMALL_SCORES, SMALL_WORDS, base_of, scaled
from lucid._kernels.pairs.sums cimport Sum, add_products, divide, multiply, sum_of, sum_of_products
from lucid._kernels.reals cimport real
from lucid._kernels.rows cimport Rows, cut_labels, cut_unknown, gradient_of
from lucid._kernels.sharing cimport read_once, read_whole

cdef extern from "pairs/small.h":
    ctypedef struct SmallLabels "lucid_small_labels":
        int32_t count[LANES]        # how many scores are above the threshold of each
        double sum                  # of count * (tau - a), of float32,
        double above[LANES]         # or what to sum it up from, of float64
    Py_ssize_t rank_small_float "lucid_rank_small_float" (
        const float* x, Py_ssize_t C, const uint64_t* out, float a, const float* tau, Py_ssize_t P,
        const float* worth, double divisor, double inverse, float* grad, float* v, int32_t* rank,
        SmallLabels* labels) noexcept nogil
    Py_ssize_t rank_small_double "lucid_rank_small_double" (
        const double* x, Py_ssize_t C, const uint64_t* out, double a, const double* tau, Py_ssize_t P,
        const double* worth, double divisor, double inverse, double* grad, double* v, int32_t* rank,
        SmallLabels* labels) noexcept nogil


cdef struct Frame:          # what rows have in common
    uint64_t beyond[SMALL_WORDS]    # a bit for each column after the last
    double base, of_base            # of the loss of the last row,
    double divisor, inverse         # and of its gradient


cdef struct Small:          # a row before its scores are ranked
    Py_ssize_t P, unknowns, negatives       # of its columns; these are all
    int32_t label[LANES]
    uint64_t excluded[SMALL_WORDS]          # the bits of all but negatives


cdef inline Py_ssize_t small_rows(const real* x, Py_ssize_t first, Py_ssize_t last,
                                  const Problem* problem) noexcept nogil:
    """Solve rows from the first on, until one that is odd; returns that, or ``last``."""
    cdef const Rows* given = &problem.given
    cdef real worth[LANES]
    cdef Frame frame
    cdef Py_ssize_t n, w, C = given.C
    if C > SMALL_SCORES:
        return first
    for w in range(SMALL_WORDS):
        frame.beyond[w] = ~<uint64_t>0 << max(0, C - w * WORD) if C < (w + 1) * WORD else 0
    frame.base = frame.of_base = frame.divisor = frame.inverse = NAN
    for n in range(first, last):
        if not small_row(x + n * C, n, problem, worth, &frame):
            return n
    return last


cdef inline bint small_row(const real* x, Py_ssize_t n, const Problem* problem, real* worth,
                           Frame* frame) noexcept nogil:
    """Solve one row, as `row.pxd`, `scan.pxd` and `hinge.pxd` would; False if it is odd."""
    cdef const Rows* given = &problem.given
    cdef real v[SMALL_SCORES]
    cdef int32_t rank[SMALL_SCORES]
    cdef real tau[LANES]
    cdef SmallLabels labels
    cdef real a
    cdef real* grad = gradient_of(x, n, given)
    cdef Sum* loss = &problem.loss[n]
    cdef Small row
    cdef Py_ssize_t i, m
    cdef double scale = 1
    if not small_open(x, n, problem, frame, &row, tau, &a):
        return False
    if not problem.plain and given.scale != NULL:
        scale = given.scale[n]
        if scale == 0:
            return False
    small_divisor(&row, scale, problem, frame, worth)
    m = rank_small(x, given.C, row.excluded, a, tau, row.P, worth, frame, grad, v, rank, &labels)
    if not small_sum(v, rank, m, &labels, &row, a, given.C, loss):
        return False
    if not problem.plain:
        divide(loss, frame.base, frame.of_base)
        multiply(loss, scale)
    if grad != NULL:
        for i in range(row.P):
            put_label(grad + row.label[i], -labels.count[i], frame.divisor, frame.inverse)
    return True


cdef inline bint small_open(const real* x, Py_ssize_t n, const Problem* problem, const Frame* frame, Small* row,
                            real* tau, real* a) noexcept nogil:
    """Read the labels of row n, their thresholds, and the unknown columns; False if something is odd."""
    cdef const Rows* given = &problem.given
    cdef int64_t start, K
    cdef Py_ssize_t w
    for w in range(SMALL_WORDS):
        row.excluded[w] = frame.beyond[w]
    if not cut_labels(n, given, &start, &K):
        return False
    if given.bytes == sizeof(int64_t):  # a constant: it is not asked for at each label
        row.P = small_labels(x, problem, start, K, sizeof(int64_t), row, tau, a)
    else:
        row.P = small_labels(x, problem, start, K, given.bytes, row, tau, a)
    row.unknowns = row.negatives = 0
    if row.P == 0 or not problem.plain and not small_unknown(n, given, row):
        return False
    for w in range(SMALL_WORDS):
        row.negatives -= count_ones(row.excluded[w])
    row.negatives += SMALL_WORDS * WORD
    return row.P + row.unknowns + row.negatives == given.C      # none is named twice


cdef inline Py_ssize_t small_labels(const real* x, const Problem* problem, int64_t start, int64_t K, int bytes,
                                    Small* row, real* tau, real* a) noexcept nogil:
    """Read the labels among K entries, of so many bytes each; returns how many, 0 if something is odd."""
    cdef const Rows* given = &problem.given
    cdef bint padded = given.indptr == NULL
    cdef const double* margins = problem.terms.margins
    cdef real margin = <real>problem.terms.margin
    cdef int64_t column = 0
    cdef Py_ssize_t P = 0, i
    a[0] = INFINITY
    for i in range(LANES):
        tau[i] = 0
    while P < min(K, LANES):
        column = read_whole(given.indices, start + P, bytes)
        if not is_column(column, given.C):
            break
        set_bit(column, row.excluded)
        row.label[P] = <int32_t>column
        if margins != NULL:
            margin = <real>margins[column]
        tau[P] = x[column] - margin
        if real is double and not isfinite(tau[P]):
            return 0
        a[0] = tau[P] if tau[P] < a[0] else a[0]
        P += 1
    if P > SMALL_LABELS:
        return 0
    if P == K:
        return P if not padded or K < given.C or K == 1 else 0
    return P if padded and column == -1 and (
        P + 1 == K or read_whole(given.indices, start + P + 1, bytes) == -1) else 0


cdef inline bint small_unknown(Py_ssize_t n, const Rows* given, Small* row) noexcept nogil:
    """Exclude the unknown columns of row n; False if something is odd about them."""
    cdef int64_t start, unknowns, column, i
    if not cut_unknown(n, given, &start, &unknowns):
        return False
    for i in range(unknowns):
        column = read_once(given.unknown + start + i)
        if not is_column(column, given.C):
            return False
        set_bit(column, row.excluded)
    row.unknowns = unknowns
    return True


cdef inline void small_divisor(const Small* row, double scale, const Problem* problem, Frame* frame,
                               real* worth) noexcept nogil:
    """What loss and gradient are divided by; most rows have that of the row before."""
    cdef double base = problem.given.C, divisor
    cdef Py_ssize_t i
    if not problem.plain:
        base = base_of(problem.terms.base, problem.given.C - row.unknowns, row.P, row.negatives)
        if base != frame.base:
            frame.base, frame.of_base = base, 1 / base
    divisor = scaled(base * problem.given.divisor, scale)
    if divisor != frame.divisor:
        frame.divisor, frame.inverse = divisor, 1 / divisor
        for i in range(LANES):
            put_gradient(worth + i, i, frame.divisor, frame.inverse)


cdef inline bint small_sum(const real* v, const int32_t* rank, Py_ssize_t m, const SmallLabels* labels,
                           const Small* row, real a, Py_ssize_t C, Sum* loss) noexcept nogil:
    """Sum up the loss of the row's pairs; False if it is not finite."""
    cdef Sum of_scores, of_labels
    cdef Py_ssize_t i
    cdef int64_t counts = 0
    if real is float:
        loss[0] = sum_of(sum_of_products(v, rank, m, a), -labels.sum)
        return isfinite(loss.hi)
    else:
        for i in range(row.P):
            counts += labels.count[i]
        of_labels.hi, of_labels.lo, of_scores.hi, of_scores.lo = 0, 0, 0, 0
        add_products(v, rank, m, counts, a, row.P, &of_scores)
        add_products(labels.above, labels.count, LANES, counts, a, C, &of_labels)
        loss[0] = sum_of(of_scores.hi, -of_labels.hi)
        loss.lo = of_scores.lo + loss.lo - of_labels.lo
        return isfinite(loss.hi + loss.lo)


cdef inline Py_ssize_t rank_small(const real* x, Py_ssize_t C, const uint64_t* excluded, real a,
                                  const real* tau, Py_ssize_t P, const real* worth, const Frame* frame,
                                  real* grad, real* v, int32_t* rank, SmallLabels* labels) noexcept nogil:
    if real is float:
        return rank_small_float(x, C, excluded, a, tau, P, worth, frame.divisor, frame.inverse, grad, v, rank,
                                labels)
    else:
        return rank_small_double(x, C, excluded, a, tau, P, worth, frame.divisor, frame.inverse, grad, v, rank,
                                 labels)

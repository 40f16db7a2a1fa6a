# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A problem: rows of scores with their labels, and what solves it, whatever the loss.

Rows are shared out: each is a task of its own or, when there are fewer rows than threads could use,
each of its segments is. A row is cut into the same segments either way, so that the bits are the same.
"""

from libc.stdint cimport INT32_MAX, int64_t
from libc.stdlib cimport calloc, free, malloc

from lucid._kernels.driver cimport Task, run
from lucid._kernels.pairs.row cimport (
    Part, Row, Terms, allocate_part, allocate_row, free_part, free_row, open_row, plain_terms,
)
from lucid._kernels.pairs.segments cimport (
    SEGMENT, Scan, count_segments, merge_parts, scan_row, scan_segment,
)
from lucid._kernels.pairs.sums cimport Sum, divide, merge, multiply, quotient
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport read_once

cdef enum:
    SERIAL = 1 << 15        # scores below which one thread is faster than several
    TASK = 1 << 12          # scores a thread takes at a time, or more in one row
    PATIENCE = 1 << 23      # scores between two looks for Ctrl-C
    REFUSED = 1             # labels are to be looked at again

# Makes of the labels of a row what its scores are to be weighed with.
ctypedef void (*Prepare)(const real* x, Row* row) noexcept nogil
# From what the scans of a row have found: the sum over its pairs, and the gradient of its labels.
ctypedef void (*Close)(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil


cdef struct Problem:        # what was asked, the same for every row, and what is found
    Py_ssize_t N, C, K
    const int64_t* indices  # labels of row n: indices[indptr[n]:indptr[n + 1]], or, where indptr is
    const int64_t* indptr   # NULL, K of them from indices[n * K]; they end at the first -1
    Py_ssize_t size         # of indices
    Terms terms             # what else is asked for, of all rows,
    bint plain              # unless it is what the plain loss is
    const double* scale     # [N]: of each row, or NULL
    const int64_t* unknown  # unknown columns of row n: unknown[unknown_indptr[n]:unknown_indptr[n + 1]]
    const int64_t* unknown_indptr   # or NULL
    Py_ssize_t unknowns     # size of unknown
    double divisor          # of losses and gradients: N for a mean over rows, or 1
    void* grad              # real[N, C], or NULL
    Row* rows               # one for each thread, or one that they share
    Part* parts             # one for each thread, or for each segment of the row that they share
    Sum* loss               # [N]: of each row


cdef inline bint open_nth(const real* x, Py_ssize_t n, const Problem* problem, Prepare prepare,
                          Row* row) noexcept nogil:
    cdef int64_t start = n * problem.K, end = start + problem.K
    cdef bint padded = problem.indptr == NULL
    if not padded:
        start, end = read_once(problem.indptr + n), read_once(problem.indptr + n + 1)
    if not 0 <= start <= end <= problem.size:
        return False
    if not problem.plain and not set_terms(n, start, problem, &row.terms):
        return False
    if not open_row(x, problem.C, problem.indices + start, end - start, padded, problem.divisor, row):
        return False
    if prepare != NULL:
        prepare(x, row)
    return True


cdef inline bint set_terms(Py_ssize_t n, int64_t start, const Problem* problem, Terms* terms) noexcept nogil:
    """What is asked for of row n, whose labels begin with entry ``start``."""
    cdef int64_t first, last
    terms[0] = problem.terms
    if terms.weights != NULL and terms.by_entry:
        terms.weights += start
    if problem.scale != NULL:
        terms.scale = problem.scale[n]
    if problem.unknown_indptr != NULL:
        first, last = read_once(problem.unknown_indptr + n), read_once(problem.unknown_indptr + n + 1)
        if not 0 <= first <= last <= problem.unknowns:
            return False
        terms.unknown, terms.unknowns = problem.unknown + first, last - first
    return True


cdef inline real* gradient_of(const real* x, Py_ssize_t n, const Problem* problem) noexcept nogil:
    """Where the gradient of row n goes; ``x`` says of which type it is."""
    cdef real* grad = <real*>problem.grad
    return grad + n * problem.C if grad != NULL else NULL


cdef inline void close_nth(const real* x, Row* row, real* grad, Part* part, Py_ssize_t n,
                           const Problem* problem, Close close) noexcept nogil:
    close(x, row, grad, part, &problem.loss[n])
    if not problem.plain:
        divide(&problem.loss[n], row.base)
        multiply(&problem.loss[n], row.terms.scale)


cdef inline int solve_row(const real* x, Py_ssize_t n, int thread, void* p, Prepare prepare, Scan scan,
                          Close close) noexcept nogil:
    """Solve the row n: the task of a thread."""
    cdef Problem* problem = <Problem*>p
    cdef Row* row = &problem.rows[thread]
    cdef Part* part = &problem.parts[thread]
    cdef real* grad = gradient_of(x, n, problem)
    x += n * problem.C
    if not open_nth(x, n, problem, prepare, row):
        return REFUSED
    scan_row(x, row, grad, part, scan)
    close_nth(x, row, grad, part, n, problem, close)
    return 0


cdef inline int solve_segment(const real* x, Py_ssize_t s, int thread, void* p, Scan scan) noexcept nogil:
    """Scan the segment s of a row that threads share: the task of one of them.

    ``x`` and ``problem.grad`` begin with the row.
    """
    cdef Problem* problem = <Problem*>p
    scan_segment(x, s, problem.rows, <real*>problem.grad, &problem.parts[s], scan)
    return 0


cdef inline int solve_shared(const real* x, Problem* problem, Task segment, Prepare prepare, Close close,
                             int threads) except -1:
    """Solve the rows one after the other; the threads share the segments of each."""
    cdef Problem row = problem[0]
    cdef Py_ssize_t n
    for n in range(problem.N):
        row.grad = gradient_of(x, n, problem)
        if not open_nth(x + n * problem.C, n, problem, prepare, row.rows):
            return REFUSED
        run(segment, x + n * problem.C, &row, count_segments(row.rows), 1, PATIENCE // SEGMENT, threads)
        merge_parts(row.parts, row.rows)
        close_nth(x + n * problem.C, row.rows, <real*>row.grad, row.parts, n, problem, close)
    return 0


cdef inline Py_ssize_t most_labels(const Problem* problem) noexcept nogil:
    """Of a row: there is room for the labels there are, not for all that padding allows.

    -1 when they are to be looked at again: as long as the scores, and nothing but -1, 0 and 1.
    """
    cdef const int64_t* row
    cdef int64_t highest = -1
    cdef Py_ssize_t n, P, K = 0
    if problem.indptr != NULL:
        return most_entries(problem.indptr, problem.N, problem.size)
    for n in range(problem.N):
        row = problem.indices + n * problem.K
        P = 0
        while P < problem.K and row[P] != -1:
            highest = max(highest, row[P])
            P += 1
        K = max(K, P)
    if problem.K == problem.C > 1 and highest <= 1 and problem.N > 0:
        return -1
    return K


cdef inline Py_ssize_t most_entries(const int64_t* indptr, Py_ssize_t N, Py_ssize_t size) noexcept nogil:
    cdef Py_ssize_t n, most = 0
    for n in range(N):
        most = max(most, min(size, indptr[n + 1] - indptr[n]))
    return most


cdef inline double solve(const real[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                         double divisor, double[::1] out, real[:, ::1] grad, int threads, terms,
                         Task row, Task segment, Prepare prepare, Close close) except? -1:
    """Loss and gradient of all rows: each one's loss over ``divisor`` to ``out``, or else their sum.

    ``row`` and ``segment`` are `solve_row` and `solve_segment` with the loss's own scan; there is a
    ``prepare`` where labels differ in what they are worth.
    """
    cdef Problem problem
    cdef Py_ssize_t N = x.shape[0], C = x.shape[1], K, n, slots, unknowns = 0
    cdef bint shared, allocated, differ = prepare != NULL
    cdef int failure
    cdef Sum total
    cdef const double[::1] margins = None, weights = None, scale = None, worth_of_count = None
    cdef const int64_t[::1] unknown = None, unknown_indptr = None
    problem.N, problem.C, problem.K = N, C, indices.shape[1] if indptr is None else 0
    problem.indices = &indices[0, 0] if indices.shape[0] > 0 else NULL
    problem.indptr = NULL if indptr is None else &indptr[0]
    problem.size = indices.shape[0] * indices.shape[1]
    problem.divisor = divisor
    problem.grad = NULL if grad is None else &grad[0, 0]
    if (not 1 <= C <= INT32_MAX or threads < 1
            or (indices.shape[0] != N if indptr is None else indptr.shape[0] != N + 1)
            or (out is not None and out.shape[0] != N)
            or (grad is not None and (grad.shape[0] != N or grad.shape[1] != C))):
        raise ValueError("shapes do not fit")
    if N > 0 and <size_t>&x[0, 0] % sizeof(real) or <size_t>problem.indices % sizeof(int64_t):
        raise ValueError("unaligned")
    problem.terms, problem.plain = plain_terms(), terms is None
    problem.scale = NULL
    problem.unknown, problem.unknown_indptr, problem.unknowns = NULL, NULL, 0
    if terms is not None:
        margins, weights, scale, worth_of_count = (
            terms.margins, terms.weights, terms.scale, terms.worth_of_count)
        unknown, unknown_indptr = terms.unknown_indices, terms.unknown_indptr
        problem.terms.margin, problem.terms.base = terms.margin, terms.base
        problem.terms.by_entry = terms.by_entry
        if ((margins is not None and margins.shape[0] != C)
                or (weights is not None
                    and (not differ or weights.shape[0] != (problem.size if terms.by_entry else C)))
                or (scale is not None and scale.shape[0] != N)
                or (worth_of_count is not None and worth_of_count.shape[0] <= C)
                or (unknown_indptr is not None and (unknown is None or unknown_indptr.shape[0] != N + 1))):
            raise ValueError("shapes of terms do not fit")
        if margins is not None:
            problem.terms.margins = &margins[0]
        if weights is not None and weights.shape[0] > 0:
            problem.terms.weights = &weights[0]
        if scale is not None and N > 0:
            problem.scale = &scale[0]
        if unknown_indptr is not None:
            problem.unknown = &unknown[0] if unknown.shape[0] > 0 else NULL
            problem.unknown_indptr, problem.unknowns = &unknown_indptr[0], unknown.shape[0]
            unknowns = most_entries(problem.unknown_indptr, N, problem.unknowns)
    K = most_labels(&problem)
    if not (0 <= K <= INT32_MAX and 0 <= unknowns <= INT32_MAX):
        raise ValueError("doubtful labels, or too many of them")
    if N * C < SERIAL:
        threads = 1
    shared = 1 < threads and N < 4 * threads and C > SEGMENT
    slots = (C + SEGMENT - 1) // SEGMENT if shared else threads

    problem.rows = <Row*>calloc(threads, sizeof(Row))
    problem.parts = <Part*>calloc(slots, sizeof(Part))
    problem.loss = <Sum*>malloc((N + 1) * sizeof(Sum))
    try:
        allocated = problem.rows != NULL and problem.parts != NULL and problem.loss != NULL
        for n in range(1 if shared else threads):
            allocated = allocated and allocate_row(&problem.rows[n], K, unknowns, C, differ)
            if not allocated:
                break
            problem.rows[n].has_gradient = problem.grad != NULL
            if worth_of_count is not None:
                problem.rows[n].worth_of_count = &worth_of_count[0]
        for n in range(slots):
            allocated = allocated and allocate_part(&problem.parts[n], K, differ)
        if not allocated:
            raise MemoryError(f"no memory for the workspace of rows of {C} scores with {K} labels")
        if shared:
            failure = solve_shared(&x[0, 0], &problem, segment, prepare, close, threads)
        else:
            failure = run(row, &x[0, 0], &problem, N, max(1, TASK // C), max(1, PATIENCE // C), threads)
        if failure != 0:
            raise ValueError("the labels were changed after they had been checked")
        if problem.plain:
            divisor *= C
        total.hi, total.lo = 0, 0
        for n in range(N):
            if out is not None:
                out[n] = quotient(&problem.loss[n], divisor)
            merge(&total, &problem.loss[n])
        return quotient(&total, divisor)
    finally:
        for n in range(threads):
            if problem.rows != NULL:
                free_row(&problem.rows[n])
        for n in range(slots):
            if problem.parts != NULL:
                free_part(&problem.parts[n])
        free(problem.rows)
        free(problem.parts)
        free(problem.loss)

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""A problem: rows of scores with their labels, and what solves it, whatever the loss.

Rows are shared out, a few at a time, or, when there are fewer than threads could use, the segments of
each. A row is cut into the same segments either way, so that the bits are the same.
"""

from libc.stdint cimport INT32_MAX, int64_t
from libc.stdlib cimport free, malloc

from lucid._kernels.buffers cimport Buffers, hold_vector, release
from lucid._kernels.driver cimport Task, run, too_few
from lucid._kernels.entries cimport CHANGED, refuse_changed
from lucid._kernels.pairs.labels cimport OfLabel, put_labels
from lucid._kernels.pairs.row cimport (
    Part, Row, Terms, bytes_of_part, bytes_of_row, open_row, place_part, place_row, plain_terms,
)
from lucid._kernels.pairs.segments cimport (
    SEGMENT, Scan, count_segments, merge_parts, scan_row, scan_segment, start_of,
)
from lucid._kernels.pairs.sums cimport Sum, divide, merge, multiply, quotient
from lucid._kernels.reals cimport real
from lucid._kernels.rows cimport (
    Rows, cut_labels, cut_unknown, gradient_of, most_labels, read_labels, read_terms_of_rows, read_scores,
)

cdef enum:
    SERIAL = 1 << 15        # scores below which one thread is faster than several
    TASK = 1 << 12          # scores a thread takes at a time, or more in one row
    PATIENCE = 1 << 23      # scores between two looks for Ctrl-C
    STACK = 1 << 10         # sums whose memory is enough for a short call


cdef struct Problem:        # what was asked, the same for every row, and what is found
    Rows given
    Py_ssize_t chunk        # rows of one task
    Terms terms             # what else is asked for, of all rows,
    bint plain              # unless it is what the plain loss is
    const double* worth_of_count    # [C + 1]: by how many negatives a label is weighed, or NULL
    Row* rows               # one for each thread, or one that they share
    Part* parts             # one for each thread, or for each segment of the row that they share
    Sum* loss               # [N]: of each row
    void* small             # SmallRows, or NULL

# Makes of the labels of a row what its scores are to be weighed with.
ctypedef void (*Prepare)(const real* x, Row* row) noexcept nogil
# From what the scans of a row have found: the sum over its pairs, and what its gradient is made of.
ctypedef void (*Close)(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil
# Solves rows from the first on, in a way of its own, until one that it cannot: returns that, or ``last``.
ctypedef Py_ssize_t (*SmallRows)(const real* x, Py_ssize_t first, Py_ssize_t last,
                                 const Problem* problem) noexcept nogil


cdef inline bint open_nth(const real* x, Py_ssize_t n, const Problem* problem, Prepare prepare,
                          Row* row) noexcept nogil:
    cdef const Rows* given = &problem.given
    cdef int64_t start, K
    if not cut_labels(n, given, &start, &K):
        return False
    if not problem.plain and not set_terms(n, start, problem, &row.terms):
        return False
    if not open_row(x, given.C, given.indices, start, K, given.bytes, given.indptr == NULL, given.divisor, row):
        return False
    if prepare != NULL:
        prepare(x, row)
    return True


cdef inline bint set_terms(Py_ssize_t n, int64_t start, const Problem* problem, Terms* terms) noexcept nogil:
    """What is asked for of row n alone; its labels begin with entry ``start``."""
    cdef const Rows* given = &problem.given
    cdef int64_t first, count
    if terms.by_entry and terms.weights != NULL:
        terms.weights = problem.terms.weights + start
    if given.scale != NULL:
        terms.scale = given.scale[n]
    if not cut_unknown(n, given, &first, &count):
        return False
    terms.unknown, terms.unknowns = given.unknown + first, count
    return True


cdef inline void close_nth(const real* x, Row* row, real* grad, Part* part, Py_ssize_t n,
                           const Problem* problem, Close close) noexcept nogil:
    close(x, row, grad, part, &problem.loss[n])
    if not problem.plain:
        divide(&problem.loss[n], row.base, row.of_base)
        multiply(&problem.loss[n], row.terms.scale)


cdef inline int solve_rows(const real* x, Py_ssize_t task, int thread, void* p, Prepare prepare, Scan scan,
                           Close close, Scan finish, OfLabel of_label) noexcept nogil:
    """Solve some rows: the task of a thread."""
    cdef Problem* problem = <Problem*>p
    cdef Row* row = &problem.rows[thread]
    cdef Part* part = &problem.parts[thread]
    cdef const real* scores
    cdef real* grad
    cdef Py_ssize_t n = task * problem.chunk, last = min(problem.given.N, n + problem.chunk)
    while n < last:
        if problem.small != NULL:
            n = (<SmallRows>problem.small)(x, n, last, problem)
            if n == last:
                break
        scores, grad = x + n * problem.given.C, gradient_of(x, n, &problem.given)
        if not open_nth(scores, n, problem, prepare, row):
            return CHANGED
        scan_row(scores, row, grad, part, scan)
        close_nth(scores, row, grad, part, n, problem, close)
        if grad != NULL:
            if finish != NULL:
                finish(scores, 0, problem.given.C, row, grad, part)
            put_labels(grad, row, part, &problem.loss[n], of_label)
        n += 1
    return 0


cdef inline int solve_segment(const real* x, Py_ssize_t s, int thread, void* p, Scan scan) noexcept nogil:
    """Scan the segment s of a row that threads share: the task of one of them.

    ``x`` and ``problem.given.grad`` begin with the row.
    """
    cdef Problem* problem = <Problem*>p
    scan_segment(x, s, problem.rows, <real*>problem.given.grad, &problem.parts[s], scan)
    return 0


cdef inline int finish_segment(const real* x, Py_ssize_t s, int thread, void* p, Scan finish) noexcept nogil:
    """Finish the gradient of its scores, likewise, when the row has been closed."""
    cdef Problem* problem = <Problem*>p
    finish(x, start_of(s, problem.rows), start_of(s + 1, problem.rows), problem.rows, <real*>problem.given.grad,
           &problem.parts[s])
    return 0


cdef inline int solve_shared(const real* x, Problem* problem, Task segment, Prepare prepare, Close close,
                             Task finish, OfLabel of_label, int threads) except -1:
    """Solve the rows one after the other; the threads share the segments of each."""
    cdef Problem row = problem[0]
    cdef real* grad
    cdef Py_ssize_t n, segments
    for n in range(problem.given.N):
        row.given.grad = grad = gradient_of(x, n, &problem.given)
        if not open_nth(x + n * problem.given.C, n, problem, prepare, row.rows):
            return CHANGED
        segments = count_segments(row.rows)
        run(segment, x + n * problem.given.C, &row, segments, 1, PATIENCE // SEGMENT, threads)
        merge_parts(row.parts, row.rows)
        close_nth(x + n * problem.given.C, row.rows, grad, row.parts, n, problem, close)
        if grad != NULL:
            if finish != NULL:
                run(finish, x + n * problem.given.C, &row, segments, 1, PATIENCE // SEGMENT, threads)
            put_labels(grad, row.rows, row.parts, &problem.loss[n], of_label)
    return 0


cdef inline void read_terms(asked, bint differ, Problem* problem, Buffers* buffers) except *:
    cdef Terms* terms = &problem.terms
    cdef Rows* given = &problem.given
    terms[0] = plain_terms()
    problem.plain, problem.worth_of_count = asked is None, NULL
    read_terms_of_rows(asked, given, buffers)
    if asked is None:
        return
    terms.margin, terms.base, terms.by_entry = asked.margin, asked.base, asked.by_entry
    terms.margins = <const double*>hold_vector(asked.margins, c"d", given.C, False, buffers)
    terms.weights = <const double*>hold_vector(
        asked.weights, c"d", given.size if terms.by_entry else given.C, False, buffers)
    problem.worth_of_count = <const double*>hold_vector(
        asked.worth_of_count, c"d", given.C + 1, False, buffers)
    if terms.weights != NULL and not differ:
        raise ValueError("labels do not differ in what they are worth")


cdef inline double solve(x, indices, indptr, double divisor, out, grad, int threads, terms,
                         Task rows, Task segment, Prepare prepare, Close close, Task finish,
                         OfLabel of_label, SmallRows small) except? -1:
    """Loss and gradient of all rows: each one's loss over ``divisor`` to ``out``, or else their sum.

    ``rows`` and ``segment`` are `solve_rows` and `solve_segment` with the loss's own scan; there is a
    ``prepare`` where labels differ in what they are worth, a ``finish``, `finish_segment`, where the
    gradient of scores is not known until their row is closed, and a ``small`` where that is faster.
    """
    cdef Problem problem
    cdef Rows* given = &problem.given
    cdef Buffers buffers
    cdef const real* scores = NULL
    cdef Sum stack[STACK]
    cdef void* heap = NULL
    cdef char* memory = <char*>stack
    cdef Py_ssize_t N, C, K, n, slots, workspaces, size, size_of_row, size_of_part
    cdef bint shared, differ = prepare != NULL
    cdef int failure
    cdef Sum total
    buffers.count = 0
    problem.small = <void*>small
    try:
        read_scores(x, divisor, out, grad, &scores, given, &buffers)
        read_labels(indices, indptr, given, &buffers)
        read_terms(terms, differ, &problem, &buffers)
        N, C, K = given.N, given.C, most_labels(given)
        if not 0 <= K <= INT32_MAX or threads < 1:
            raise ValueError("too few threads, or too many labels")
        if N * C < SERIAL:
            threads = 1
        shared = too_few(N, threads) and C > SEGMENT
        workspaces = 1 if shared else threads
        slots = (C + SEGMENT - 1) // SEGMENT if shared else threads

        size_of_row, size_of_part = bytes_of_row(K, C, differ), bytes_of_part(K, differ)
        size = (N * <Py_ssize_t>sizeof(Sum) + workspaces * (<Py_ssize_t>sizeof(Row) + size_of_row)
                + slots * (<Py_ssize_t>sizeof(Part) + size_of_part))
        if size > <Py_ssize_t>sizeof(stack):
            memory = <char*>malloc(size)
            heap = memory
            if heap == NULL:
                raise MemoryError(f"no memory for the workspace of rows of {C} scores with {K} labels")
        problem.loss = <Sum*>memory
        problem.rows = <Row*>(problem.loss + N)
        problem.parts = <Part*>(problem.rows + workspaces)
        memory = <char*>(problem.parts + slots)
        for n in range(workspaces):
            place_row(&problem.rows[n], memory, K, C, differ)
            problem.rows[n].terms, problem.rows[n].worth_of_count = problem.terms, problem.worth_of_count
            memory += size_of_row
        for n in range(slots):
            place_part(&problem.parts[n], memory, K, differ)
            memory += size_of_part

        problem.chunk = max(1, TASK // C)
        if shared:
            failure = solve_shared(scores, &problem, segment, prepare, close, finish, of_label,
                                   threads)
        else:
            failure = run(rows, scores, &problem, (N + problem.chunk - 1) // problem.chunk, 1,
                          max(1, PATIENCE // C // problem.chunk), threads)
        refuse_changed(failure)
        if problem.plain:
            divisor *= C
        total.hi, total.lo = 0, 0
        for n in range(N):
            if given.out != NULL:
                given.out[n] = quotient(&problem.loss[n], divisor)
            merge(&total, &problem.loss[n])
        return quotient(&total, divisor)
    finally:
        release(&buffers)
        free(heap)

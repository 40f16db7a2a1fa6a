# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The driver of the multi-label margin loss: rows, threads and the door to Python.

What happens to one row, and why, stands in `margin_row.pxd`. Here rows are shared out: each is a
task of its own or, when there are fewer rows than threads could use, each of its segments is. A
row is cut into the same segments either way, so that the bits are the same.
"""

from cython.parallel cimport prange, threadid
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport INT32_MAX, int64_t
from libc.stdlib cimport calloc, free, malloc

from lucid._kernels.machine cimport startable
from lucid._kernels.margin_row cimport (
    SEGMENT, Part, Row, allocate_part, allocate_row, close_row, open_row, rank_row, rank_segment, segment_of,
)
from lucid._kernels.reading cimport read_once
from lucid._kernels.sums cimport Sum, merge, quotient, real

cdef enum:
    SERIAL = 1 << 15        # scores below which one thread is faster than several
    PATIENCE = 1 << 23      # scores between two looks for Ctrl-C


cdef struct Problem:        # what was asked, the same for every row
    Py_ssize_t N, C, K
    const int64_t* indices  # labels of row n: indices[indptr[n]:indptr[n + 1]], or, where indptr is
    const int64_t* indptr   # NULL, K of them from indices[n * K]; they end at the first -1
    Py_ssize_t size         # of indices
    double divisor          # of loss and gradient: C, or C * N for a mean over rows


cdef inline bint open_nth(const real* x, Py_ssize_t n, const Problem* problem, Row* row) noexcept nogil:
    cdef int64_t start = n * problem.K, end = start + problem.K
    cdef bint padded = problem.indptr == NULL
    if not padded:
        start, end = read_once(problem.indptr + n), read_once(problem.indptr + n + 1)
    if not 0 <= start <= end <= problem.size:
        return False
    return open_row(x, problem.C, problem.indices + start, end - start, padded, problem.divisor, row)


cdef Py_ssize_t most_labels(const Problem* problem) noexcept nogil:
    """Of a row: there is room for the labels there are, not for all that padding allows.

    -1 when they are to be looked at again: as long as the scores, and nothing but -1, 0 and 1.
    """
    cdef const int64_t* row
    cdef int64_t highest = -1
    cdef Py_ssize_t n, P, K = 0
    for n in range(problem.N):
        if problem.indptr != NULL:
            P = max(0, min(problem.size, problem.indptr[n + 1] - problem.indptr[n]))
        else:
            row = problem.indices + n * problem.K
            P = 0
            while P < problem.K and row[P] != -1:
                highest = max(highest, row[P])
                P += 1
        K = max(K, P)
    if problem.indptr == NULL and problem.K == problem.C > 1 and highest <= 1 and problem.N > 0:
        return -1
    return K


cdef void run_row(const real* x, real* grad, Py_ssize_t n, const Problem* problem, Row* row, Part* part,
                  Sum* loss, bint* refused) noexcept nogil:
    """One thread ranks the row n."""
    x += n * problem.C
    if open_nth(x, n, problem, row):
        rank_row(x, row, grad + n * problem.C if grad != NULL else NULL, part, &loss[n])
    else:
        refused[0] = True


cdef void merge_parts(Part* parts, Py_ssize_t segments, Py_ssize_t P) noexcept nogil:
    """Gather the parts of a row that was shared in the first, in the order of ``rank_row``."""
    cdef Sum total
    cdef Py_ssize_t s, i
    total.hi, total.lo = 0, 0
    for s in range(segments):
        merge(&total, &parts[s].total)
        if s > 0:
            parts[0].repeated |= parts[s].repeated
            for i in range(P + 1):
                parts[0].count[i] += parts[s].count[i]
    parts[0].total = total


cdef void run_wave(const real* x, real* grad, const Problem* problem, Py_ssize_t first, Py_ssize_t last,
                   bint shared, Row* rows, Part* parts, Sum* loss, bint* refused,
                   int threads) noexcept nogil:
    """Rank the rows first to last: a row a task or, when ``shared``, a segment of the one row a task."""
    cdef Py_ssize_t task, n, tasks = last - first, C = problem.C
    cdef Py_ssize_t chunk = 1 if shared else max(1, 4096 // C)
    if threads == 1:                    # small problems: entering a parallel region is felt
        for n in range(first, last):
            run_row(x, grad, n, problem, rows, parts, loss, refused)
        return
    if shared:
        x += first * C
        grad = grad + first * C if grad != NULL else NULL
        if not open_nth(x, first, problem, rows):
            refused[0] = True
            return
        tasks = (C + segment_of(rows.P) - 1) // segment_of(rows.P)
    for task in prange(tasks, schedule='dynamic', chunksize=chunk, num_threads=threads):
        if shared:
            rank_segment(x, task, rows, grad, &parts[task])
        else:
            run_row(x, grad, first + task, problem, &rows[threadid()], &parts[threadid()], loss, refused)
    if shared:
        merge_parts(parts, tasks, rows.P)
        close_row(x, rows, grad, parts, &loss[first])


cdef double solve(const real* x, real* grad, const Problem* problem, double[::1] out, int threads) except? -1:
    """Loss and gradient of all rows: each one's C * L over ``divisor`` to ``out``, or else their sum."""
    cdef Py_ssize_t N = problem.N, C = problem.C, K
    cdef Py_ssize_t n, step, slots
    cdef int active
    cdef bint shared, refused = False, allocated = True
    cdef Row* rows
    cdef Part* parts
    cdef Sum* loss
    cdef Sum total
    K = most_labels(problem)
    if not 0 <= K <= INT32_MAX:
        raise ValueError("doubtful labels, or too many of them")
    if N * C < SERIAL:
        threads = 1
    shared = 1 < threads and N < 4 * threads and C > SEGMENT
    slots = (C + SEGMENT - 1) // SEGMENT if shared else threads
    step = 1 if shared else max(1, PATIENCE // C)

    rows = <Row*>calloc(threads, sizeof(Row))
    parts = <Part*>calloc(slots, sizeof(Part))
    loss = <Sum*>malloc((N + 1) * sizeof(Sum))
    try:
        allocated = rows != NULL and parts != NULL and loss != NULL
        for n in range(1 if shared else threads):
            allocated = allocated and allocate_row(&rows[n], K, C)
        for n in range(slots):
            allocated = allocated and allocate_part(&parts[n], K)
        if not allocated:
            raise MemoryError(f"no memory for the workspace of rows of {C} scores with {K} labels")
        active = startable(threads)
        for n from 0 <= n < N by step:
            with nogil:
                run_wave(x, grad, problem, n, min(N, n + step), shared, rows, parts, loss, &refused, active)
            if refused:
                raise ValueError("the labels were changed after they had been checked")
            PyErr_CheckSignals()        # Ctrl-C
        total.hi, total.lo = 0, 0
        for n in range(N):
            if out is not None:
                out[n] = quotient(&loss[n], problem.divisor)
            merge(&total, &loss[n])
        return quotient(&total, problem.divisor)
    finally:
        for n in range(threads):
            if rows != NULL:
                free(rows[n].block_start)
        for n in range(slots):
            if parts != NULL:
                free(parts[n].count)
        free(rows)
        free(parts)
        free(loss)


cdef double margin(const real[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                   double divisor, double[::1] out, real[:, ::1] grad, int threads) except? -1:
    cdef Problem problem
    problem.N, problem.C, problem.K = x.shape[0], x.shape[1], indices.shape[1]
    problem.indices = &indices[0, 0] if indices.shape[0] > 0 else NULL
    problem.indptr = NULL if indptr is None else &indptr[0]
    problem.size = indices.shape[0] * indices.shape[1]
    problem.divisor = divisor
    if indptr is not None:
        problem.K = 0
    if (not 1 <= x.shape[1] <= INT32_MAX or threads < 1
            or (indices.shape[0] != problem.N if indptr is None else indptr.shape[0] != problem.N + 1)
            or (out is not None and out.shape[0] != problem.N)
            or (grad is not None and (grad.shape[0] != problem.N or grad.shape[1] != problem.C))):
        raise ValueError("shapes do not fit")
    if problem.N > 0 and <size_t>&x[0, 0] % sizeof(real) or <size_t>problem.indices % sizeof(int64_t):
        raise ValueError("unaligned")
    return solve(&x[0, 0], NULL if grad is None else &grad[0, 0], &problem, out, threads)


def margin_float32(const float[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                   double divisor, double[::1] out, float[:, ::1] grad, int threads):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return margin(x, indices, indptr, divisor, out, grad, threads)


def margin_float64(const double[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                   double divisor, double[::1] out, double[:, ::1] grad, int threads):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return margin(x, indices, indptr, divisor, out, grad, threads)

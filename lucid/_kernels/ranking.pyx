# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Where the labels of a row stand in the ranking of its scores: all that ranking metrics ask for.

For each label t of a row x of C scores, with Y the labels of the row,

    above            = number of scores greater than x[t]
    not_below        = number of scores greater than or equal to x[t]
    labels_not_below = the same among the labels: number of u in Y with x[u] >= x[t]
    place            = above, plus the ties x[j] == x[t] with j < t

so `place` is the label's place, from 0, when ties go to the lower column. And for each row

    depth            = the largest not_below, that of the lowest label; 0 without labels

They are counts, hence exact, and the same for every number of threads. The caller asks for those
that it needs.

With few labels each is compared with all scores, which is what vector units do best: eight labels
at a time, in blocks that stay in the L1 cache, C * P comparisons. With many, the labels' scores are
sorted, and each of the C scores looks up by bisection between which of them it falls:
(C + P) * log P. A NaN has no place in a ranking; it is looked for on the way, since a row that has
just been read is in the cache.
"""

from cython.parallel cimport prange, threadid
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memset

from lucid._kernels.machine cimport startable
from lucid._kernels.reading cimport read_once

ctypedef fused real:
    float
    double

ctypedef fused whole:
    int32_t
    int64_t

cdef enum:
    LANES = 8               # labels compared at a time
    BLOCK = 2048            # scores compared with every label in turn while they are in L1
    FEW = 256               # up to so many labels are compared one by one
    SERIAL = 1 << 18        # comparisons below which one thread is faster than several
    PATIENCE = 1 << 20      # scores between two looks for Ctrl-C
    TASK = 1 << 14          # scores a thread takes at least: what it writes is far from the others'
    PADDING = 128           # bytes between two threads' workspaces: no cache line in common


cdef struct Counts:         # of one row, or of all: an entry for each label, or NULL if not asked for
    int64_t* above
    int64_t* not_below
    int64_t* labels_not_below
    int64_t* place


cdef struct Workspace:      # of one thread
    int64_t* labels         # [P]: a row's, a copy, for the caller's may change at any time
    # For rows with many labels:
    void* thresholds        # real[P]: the labels' scores, ascending
    int64_t* equal          # [P]: scores equal to threshold l, counted at the first of equal ones
    int64_t* between        # [P + 1]: scores between thresholds l - 1 and l


cdef bint read_labels(const int64_t* labels, Py_ssize_t P, Py_ssize_t C, int64_t* copy) noexcept nogil:
    """Whether all of them are in range, those that are copied."""
    cdef Py_ssize_t i
    for i in range(P):
        copy[i] = read_once(labels + i)
        if not 0 <= copy[i] < C:
            return False
    return True


cdef bint has_nan(const real* x, Py_ssize_t C) noexcept nogil:
    cdef int32_t found = 0
    cdef Py_ssize_t j
    for j in range(C):
        found |= x[j] != x[j]
    return found


cdef void count_lanes(const real* x, Py_ssize_t m, const real* score, bint above,
                      whole* count) noexcept nogil:
    """For each of LANES scores, the number of m scores above it, or not below it.

    A count is as wide as a score: both fill a vector alike.
    """
    cdef real s[LANES]
    cdef whole c[LANES]
    cdef Py_ssize_t j, l
    for l in range(LANES):
        s[l] = score[l]
        c[l] = 0
    if above:
        for j in range(m):
            for l in range(LANES):
                c[l] += x[j] > s[l]
    else:
        for j in range(m):
            for l in range(LANES):
                c[l] += x[j] >= s[l]
    for l in range(LANES):
        count[l] = c[l]


cdef void count_all(const real* x, Py_ssize_t C, const real* score, Py_ssize_t P, bint above,
                    int64_t* count) noexcept nogil:
    """The same for P scores and any C; there is room for LANES scores more."""
    cdef int32_t narrow[LANES]
    cdef int64_t wide[LANES]
    cdef Py_ssize_t first, i, l, m
    memset(count, 0, P * sizeof(int64_t))
    for first from 0 <= first < C by BLOCK:
        m = min(BLOCK, C - first)
        for i from 0 <= i < P by LANES:
            if real is float:
                count_lanes(x + first, m, score + i, above, narrow)
            else:
                count_lanes(x + first, m, score + i, above, wide)
            for l in range(min(LANES, P - i)):
                count[i + l] += narrow[l] if real is float else wide[l]


cdef int64_t count_ties(const real* x, Py_ssize_t m, real score) noexcept nogil:
    cdef int64_t count = 0
    cdef Py_ssize_t j
    for j in range(m):
        count += x[j] == score
    return count


cdef int64_t count_depth(const real* x, Py_ssize_t C, const int64_t* labels,
                         Py_ssize_t P) noexcept nogil:
    cdef real lowest = INFINITY
    cdef int64_t depth = 0
    cdef int32_t count
    cdef Py_ssize_t i, j, first
    for i in range(P):
        lowest = min(lowest, x[labels[i]])
    for first from 0 <= first < C by BLOCK:
        count = 0                       # as wide as a float
        for j in range(first, min(C, first + BLOCK)):
            count += x[j] >= lowest
        depth += count
    return depth


cdef void count_few(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t P,
                    Counts out) noexcept nogil:
    cdef real score[FEW + LANES]
    cdef int64_t above[FEW]
    cdef int64_t not_below[FEW]
    cdef Py_ssize_t i
    for i in range(P):
        score[i] = x[labels[i]]
    for i in range(P, P + LANES):
        score[i] = INFINITY
    if out.labels_not_below != NULL:
        count_all(score, P, score, P, False, out.labels_not_below)
    if out.above != NULL or out.place != NULL:
        count_all(x, C, score, P, True, above)
    if out.not_below != NULL or out.place != NULL:
        count_all(x, C, score, P, False, not_below)
    for i in range(P):
        if out.above != NULL:
            out.above[i] = above[i]
        if out.not_below != NULL:
            out.not_below[i] = not_below[i]
        if out.place != NULL:
            out.place[i] = above[i]
            if not_below[i] - above[i] > 1:     # itself, and ties
                out.place[i] += count_ties(x, labels[i], score[i])


cdef int ascending_float(const void* p, const void* q) noexcept nogil:
    return ((<const float*>p)[0] > (<const float*>q)[0]) - ((<const float*>p)[0] < (<const float*>q)[0])


cdef int ascending_double(const void* p, const void* q) noexcept nogil:
    return ((<const double*>p)[0] > (<const double*>q)[0]) - ((<const double*>p)[0] < (<const double*>q)[0])


cdef inline Py_ssize_t bisect(const real* thresholds, Py_ssize_t P, real score) noexcept nogil:
    """The first of the ascending thresholds that is not below the score; P if there is none."""
    cdef Py_ssize_t low = 0, size = P
    while size > 0:
        # No branch on the outcome, which no processor could predict.
        low += (size - size // 2) * (thresholds[low + size // 2] < score)
        size //= 2
    return low


cdef void count_many(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t P,
                     Counts out, Workspace work) noexcept nogil:
    cdef real* thresholds = <real*>work.thresholds
    cdef int64_t above, between
    cdef Py_ssize_t i, j, l
    for i in range(P):
        thresholds[i] = x[labels[i]]
    qsort(thresholds, P, sizeof(real), ascending_float if real is float else ascending_double)
    memset(work.equal, 0, P * sizeof(int64_t))
    memset(work.between, 0, (P + 1) * sizeof(int64_t))

    i = 0                               # the next label: they ascend, as the columns do
    for j in range(C):
        l = bisect(thresholds, P, x[j])
        if l < P and thresholds[l] == x[j]:
            if i < P and labels[i] == j:
                if out.place != NULL:
                    out.place[i] = work.equal[l]        # so many ties before it
                i += 1
            work.equal[l] += 1
        else:
            work.between[l] += 1

    above = work.between[P]
    for l in range(P - 1, -1, -1):      # from here on `between` holds the sums from above
        between = work.between[l]
        work.between[l] = above
        above += work.equal[l] + between

    for i in range(P):
        l = bisect(thresholds, P, x[labels[i]])
        if out.above != NULL:
            out.above[i] = work.between[l]
        if out.not_below != NULL:
            out.not_below[i] = work.between[l] + work.equal[l]
        if out.labels_not_below != NULL:
            out.labels_not_below[i] = P - l
        if out.place != NULL:
            out.place[i] += work.between[l]


cdef inline Counts of_row(Counts all_rows, Py_ssize_t start) noexcept nogil:
    cdef Counts row
    row.above = all_rows.above + start if all_rows.above != NULL else NULL
    row.not_below = all_rows.not_below + start if all_rows.not_below != NULL else NULL
    row.labels_not_below = (
        all_rows.labels_not_below + start if all_rows.labels_not_below != NULL else NULL
    )
    row.place = all_rows.place + start if all_rows.place != NULL else NULL
    return row


cdef inline int64_t* pointer(int64_t[::1] counts) noexcept:
    return NULL if counts is None else &counts[0]


cdef enum:                  # what comes of a row
    COUNTED = 0
    FOUND_NAN = 1
    REFUSED = 2             # its labels are not what they were when they were checked


cdef int count_row(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t P, Counts out,
                   int64_t* depth, Workspace work) noexcept nogil:
    """Write the numbers of one row."""
    if has_nan(x, C):
        return FOUND_NAN
    if not read_labels(labels, P, C, work.labels):
        return REFUSED
    if P > 0 and depth != NULL:
        depth[0] = count_depth(x, C, work.labels, P)
    if P > 0 and (out.above != NULL or out.not_below != NULL or out.labels_not_below != NULL
                  or out.place != NULL):
        if P > FEW:
            count_many(x, C, work.labels, P, out, work)
        else:
            count_few(x, C, work.labels, P, out)
    return COUNTED


def count(const real[:, ::1] scores, const int64_t[::1] indices, const int64_t[::1] indptr,
          int threads, int64_t[::1] above=None, int64_t[::1] not_below=None,
          int64_t[::1] labels_not_below=None, int64_t[::1] place=None,
          int64_t[::1] depth=None):
    """Write the numbers above to arrays of zeros: an entry for each label, `depth` for each row.

    The labels of a row are `indices[indptr[n]:indptr[n + 1]]`, ascending, each once and in range.
    Return whether a score is NaN; the numbers mean nothing then. ValueError, with no word for
    users, where the labels are not of that form.
    """
    cdef Py_ssize_t N = scores.shape[0], C = scores.shape[1], nnz = indices.shape[0], n, longest = 0
    cdef Py_ssize_t first, last, step, rows
    cdef int64_t start, end
    cdef Counts out
    cdef int64_t* depth_of_row = pointer(depth)
    cdef Workspace* work = NULL
    cdef char* memory = NULL
    cdef size_t size
    cdef int outcome = COUNTED, of_row_n
    cdef int* worst = &outcome          # all threads', which a plain variable in a prange is not
    out.above, out.not_below = pointer(above), pointer(not_below)
    out.labels_not_below, out.place = pointer(labels_not_below), pointer(place)
    if indptr.shape[0] != N + 1:
        raise ValueError("shapes do not fit")
    if C * (N + nnz) < SERIAL:
        threads = 1
    for n in range(N):
        longest = max(longest, indptr[n + 1] - indptr[n])
    longest = min(longest, nnz)

    size = ((4 if longest > FEW else 1) * longest + 1) * sizeof(int64_t) + PADDING
    work = <Workspace*>malloc(threads * sizeof(Workspace))
    memory = <char*>malloc(threads * size)
    if work == NULL or memory == NULL:
        free(work)
        free(memory)
        raise MemoryError()
    for n in range(threads):
        work[n].labels = <int64_t*>(memory + n * size)
        work[n].thresholds = work[n].labels + longest
        work[n].equal = work[n].labels + 2 * longest
        work[n].between = work[n].labels + 3 * longest
    threads = startable(threads)

    step = max(1, PATIENCE // max(1, C))
    rows = max(8, TASK // max(1, C))
    try:
        for first from 0 <= first < N by step:
            last = min(N, first + step)
            for n in prange(first, last, nogil=True, num_threads=threads,
                            schedule="dynamic", chunksize=rows):
                start, end = read_once(&indptr[n]), read_once(&indptr[n + 1])
                if 0 <= start <= end <= nnz and end - start <= longest:
                    of_row_n = count_row(
                        &scores[n, 0], C, &indices[0] + start, end - start, of_row(out, start),
                        depth_of_row + n if depth_of_row != NULL else NULL, work[threadid()])
                else:
                    of_row_n = REFUSED
                if of_row_n > COUNTED:
                    worst[0] = of_row_n
            if outcome == REFUSED:
                raise ValueError("the labels were changed after they had been checked")
            PyErr_CheckSignals()        # Ctrl-C
    finally:
        free(work)
        free(memory)
    return outcome == FOUND_NAN

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
that it needs. Unknown classes are left out: the scores of a row that has some are copied without
theirs, and everything else goes on as if they had no column there.

With few labels each is compared with all scores, which is what vector units do best: eight labels
at a time, in blocks that stay in the L1 cache, C * P comparisons. With many, the labels' scores are
sorted, and each of the C scores looks up by bisection between which of them it falls:
(C + P) * log P. A NaN has no place in a ranking; it is looked for on the way, since a row that has
just been read is in the cache.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from lucid._kernels.driver cimport run
from lucid._kernels.entries cimport CHANGED, cut, refuse_changed
from lucid._kernels.reals cimport real, search, sort
from lucid._kernels.sharing cimport APART, read_once

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


cdef struct Counts:         # of one row, or of all: an entry for each label, or NULL if not asked for
    int64_t* above
    int64_t* not_below
    int64_t* labels_not_below
    int64_t* place


cdef struct Workspace:      # of one thread
    int64_t* labels         # [P]: a row's, a copy, for the caller's may change at any time
    void* known             # real[C]: a row's scores without those of unknown classes
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


cdef Py_ssize_t leave_out(const real* x, Py_ssize_t C, const int64_t* unknown, Py_ssize_t U,
                          int64_t* labels, Py_ssize_t P, real* known) noexcept nogil:
    """Copy the scores of the known classes, and count the labels as if there were no others.

    Returns the number of known classes; -1 if labels and unknown classes do not both ascend, apart
    from each other and in range.
    """
    cdef Py_ssize_t k, i = 0, first = 0, size = 0
    cdef int64_t end
    for k in range(U + 1):
        end = read_once(unknown + k) if k < U else C
        if not first <= end < C + (k == U):
            return -1
        while i < P and labels[i] < end:
            if labels[i] < first:
                return -1
            labels[i] -= k
            i += 1
        memcpy(known + size, x + first, (end - first) * sizeof(real))
        size += end - first
        first = end + 1
    return size


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


cdef void count_many(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t P,
                     Counts out, Workspace work) noexcept nogil:
    cdef real* thresholds = <real*>work.thresholds
    cdef int64_t above, between
    cdef Py_ssize_t i, j, l
    for i in range(P):
        thresholds[i] = x[labels[i]]
    sort(thresholds, P)
    memset(work.equal, 0, P * sizeof(int64_t))
    memset(work.between, 0, (P + 1) * sizeof(int64_t))

    i = 0                               # the next label: they ascend, as the columns do
    for j in range(C):
        l = search(thresholds, 0, P, x[j])
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
        l = search(thresholds, 0, P, x[labels[i]])
        if out.above != NULL:
            out.above[i] = work.between[l]
        if out.not_below != NULL:
            out.not_below[i] = work.between[l] + work.equal[l]
        if out.labels_not_below != NULL:
            out.labels_not_below[i] = P - l
        if out.place != NULL:
            out.place[i] += work.between[l]


cdef enum:
    FOUND_NAN = CHANGED + 1     # what a task returns whose row has no ranks


cdef struct Problem:        # what was asked, and where the answers go
    Py_ssize_t C
    const int64_t* indices
    const int64_t* indptr
    Py_ssize_t size         # of indices
    Py_ssize_t longest      # labels of a row
    const int64_t* unknown  # classes, or NULL
    const int64_t* unknown_indptr
    Py_ssize_t unknown_size
    Counts out              # of all rows
    int64_t* depth          # [N], or NULL if not asked for
    Workspace* work         # one for each thread


cdef inline Counts of_row(const Counts* out, Py_ssize_t start) noexcept nogil:
    cdef Counts row
    row.above = out.above + start if out.above != NULL else NULL
    row.not_below = out.not_below + start if out.not_below != NULL else NULL
    row.labels_not_below = out.labels_not_below + start if out.labels_not_below != NULL else NULL
    row.place = out.place + start if out.place != NULL else NULL
    return row


cdef inline bint any_of(const Counts* out) noexcept nogil:
    return (out.above != NULL or out.not_below != NULL or out.labels_not_below != NULL
            or out.place != NULL)


cdef int count_row(const real* x, Py_ssize_t n, int thread, void* p) noexcept nogil:
    """Write the numbers of one row: the task of a thread."""
    cdef Problem* problem = <Problem*>p
    cdef Workspace* work = &problem.work[thread]
    cdef int64_t start, P, first, unknowns = 0
    cdef Py_ssize_t C = problem.C
    cdef Counts out
    if not cut(n, problem.indptr, problem.size, &start, &P) or P > problem.longest:
        return CHANGED
    if not read_labels(problem.indices + start, P, C, work.labels):
        return CHANGED
    x += n * C
    if problem.unknown != NULL and not cut(n, problem.unknown_indptr, problem.unknown_size, &first, &unknowns):
        return CHANGED
    if unknowns > 0:
        C = leave_out(x, C, problem.unknown + first, unknowns, work.labels, P, <real*>work.known)
        if C < 0:
            return CHANGED
        x = <real*>work.known
    if has_nan(x, C):
        return FOUND_NAN
    if P > 0 and problem.depth != NULL:
        problem.depth[n] = count_depth(x, C, work.labels, P)
    if P > 0 and any_of(&problem.out):
        out = of_row(&problem.out, start)
        if P > FEW:
            count_many(x, C, work.labels, P, out, work[0])
        else:
            count_few(x, C, work.labels, P, out)
    return 0


cdef inline int64_t* pointer(int64_t[::1] counts) noexcept:
    return NULL if counts is None else &counts[0]


def count(const real[:, ::1] scores, const int64_t[::1] indices, const int64_t[::1] indptr,
          int threads, int64_t[::1] above=None, int64_t[::1] not_below=None,
          int64_t[::1] labels_not_below=None, int64_t[::1] place=None,
          int64_t[::1] depth=None, const int64_t[::1] unknown_indices=None,
          const int64_t[::1] unknown_indptr=None):
    """Write the numbers above to arrays of zeros: an entry for each label, `depth` for each row.

    The labels of a row are `indices[indptr[n]:indptr[n + 1]]`, ascending, each once and in range;
    its unknown classes, none of them a label, are given likewise, or not at all. Return whether a score is NaN; the numbers mean nothing then.
    """
    cdef Py_ssize_t N = scores.shape[0], C = scores.shape[1], longest = 0, n
    cdef Problem problem
    cdef char* memory
    cdef size_t numbers, size
    cdef int failure
    if indptr.shape[0] != N + 1 or (unknown_indptr is not None and unknown_indptr.shape[0] != N + 1):
        raise ValueError("shapes do not fit")
    if C * (N + indices.shape[0]) < SERIAL:
        threads = 1
    for n in range(N):
        longest = max(longest, indptr[n + 1] - indptr[n])
    longest = min(longest, indices.shape[0])
    problem.C, problem.longest, problem.depth = C, longest, pointer(depth)
    problem.indices, problem.indptr, problem.size = &indices[0], &indptr[0], indices.shape[0]
    problem.unknown = problem.unknown_indptr = NULL
    if unknown_indices is not None and unknown_indptr is not None:
        problem.unknown, problem.unknown_indptr = &unknown_indices[0], &unknown_indptr[0]
        problem.unknown_size = unknown_indices.shape[0]
    problem.out.above, problem.out.not_below = pointer(above), pointer(not_below)
    problem.out.labels_not_below, problem.out.place = pointer(labels_not_below), pointer(place)

    numbers = (4 if longest > FEW else 1) * longest + 1 + (C if problem.unknown != NULL else 0)
    size = numbers * sizeof(int64_t) + APART
    problem.work = <Workspace*>malloc(threads * sizeof(Workspace))
    memory = <char*>malloc(threads * size)
    try:
        if problem.work == NULL or memory == NULL:
            raise MemoryError(f"no memory for the workspace of rows with {longest} labels")
        for n in range(threads):
            problem.work[n].labels = <int64_t*>(memory + n * size)
            problem.work[n].thresholds = problem.work[n].labels + longest
            problem.work[n].equal = problem.work[n].labels + 2 * longest
            problem.work[n].between = problem.work[n].labels + 3 * longest
            if problem.unknown != NULL:
                problem.work[n].known = problem.work[n].labels + numbers - C
        failure = run(count_row[real], &scores[0, 0], &problem, N, max(8, TASK // max(1, C)),
                      max(1, PATIENCE // max(1, C)), threads)
    finally:
        free(problem.work)
        free(memory)
    refuse_changed(failure)
    return failure == FOUND_NAN

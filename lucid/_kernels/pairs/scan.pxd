# cython: language_level=3, cdivision=True
"""From a segment of a row to blocks of scores and their ranks, whatever a rank is worth.

A row is read once, in blocks of 512 columns that stay in the L1 cache. Scores not above the lowest
threshold a have rank 0 and add nothing. In a trained model that is nearly all of them: a block with
none above is done, and the active scores of a block with few wait in a queue until they fill a
block. A block with many is ranked where it is. Labels, and columns that are left out, lose their mark or, in
a copy of their block, are set to a: they have rank 0 then.

What a rank is worth is handed in as a function, which the compiler puts in its place.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from lucid._kernels.pairs.marking cimport mark_double, mark_float
from lucid._kernels.pairs.ranks cimport LANES, rank_scores
from lucid._kernels.pairs.row cimport (
    BLOCK, MOST_NOTED, SMALL_LABELS, SMALL_SCORES, WORD, WORDS, Columns, Part, Row,
)
from lucid._kernels.reals cimport real

cdef extern from *:
    int count_trailing_zeros "__builtin_ctzll" (unsigned long long word) nogil

cdef enum:
    SMALL = 32              # scores that are ranked without a look at which are active
    MANY = 4                # a block is ranked whole where more than 1 / MANY of it are active
    QUEUE = 1024            # 2 * BLOCK

# Adds to ``part`` what m scores with these ranks add to the loss and, unless it is NULL, writes their
# ``gradient``; m is a multiple of LANES.
ctypedef void (*Weigh)(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                       const Row* row, real* gradient, Part* part) noexcept nogil


cdef inline Py_ssize_t pad(real* v, Py_ssize_t m, real a) noexcept nogil:
    """Fill up ``m`` scores with a to a multiple of LANES, which is returned."""
    cdef Py_ssize_t j, whole = (m + LANES - 1) // LANES * LANES
    for j in range(m, whole):
        v[j] = a
    return whole


cdef inline Py_ssize_t mark_active(const real* v, Py_ssize_t m, real a, uint64_t* marks) noexcept nogil:
    """Mark the scores above ``a`` with a bit each; how many they are."""
    if real is float:
        return mark_float(v, m, a, marks)
    else:
        return mark_double(v, m, a, marks)


cdef inline bint unmark(const Columns* columns, Py_ssize_t first, uint64_t* marks) noexcept nogil:
    """Clear the marks of columns in the block from ``first`` on; whether one had none, or no more."""
    cdef Py_ssize_t k, j, b = first // BLOCK
    cdef uint64_t bit
    cdef bint missing = False
    for k in range(columns.start[b], columns.start[b + 1]):
        j = columns.by_block[k] - first
        bit = <uint64_t>1 << (j % WORD)
        missing |= marks[j // WORD] & bit == 0
        marks[j // WORD] &= ~bit
    return missing


cdef inline Py_ssize_t enqueue(const real* v, Py_ssize_t m, Py_ssize_t first, const uint64_t* marks,
                               real* queue, int32_t* column) noexcept nogil:
    """Append the marked scores, and the columns they come from; how many they are."""
    cdef uint64_t word
    cdef Py_ssize_t w, j, queued = 0
    for w in range((m + WORD - 1) // WORD):
        word = marks[w]
        while word != 0:
            j = WORD * w + count_trailing_zeros(word)
            queue[queued] = v[j]
            column[queued] = <int32_t>(first + j)
            queued += 1
            word &= word - 1
    return queued


cdef inline void rank_queue(real* queue, const int32_t* column, Py_ssize_t queued, int32_t* rank,
                            const Row* row, real* grad, Part* part, Weigh weigh) noexcept nogil:
    """Rank the queued scores."""
    cdef real gradient[QUEUE]
    cdef Py_ssize_t k, m = pad(queue, queued, <real>row.a)
    cdef int64_t sum_of_ranks = rank_scores(queue, m, &row.thresholds, rank, part.count)
    weigh(queue, rank, m, sum_of_ranks, row, gradient if grad != NULL else NULL, part)
    if grad != NULL:
        for k in range(queued):
            grad[column[k]] = gradient[k]
    if part.note != NULL and part.noted + queued <= MOST_NOTED:
        memcpy(part.note + part.noted, column, queued * sizeof(int32_t))
    part.noted += queued


cdef inline bint set_to(real a, const Columns* columns, Py_ssize_t first, real* block) noexcept nogil:
    """Set columns in the copy of the block from ``first`` on to a; whether one was, or is by now."""
    cdef Py_ssize_t k, j, b = first // BLOCK
    cdef bint was = False
    for k in range(columns.start[b], columns.start[b + 1]):
        j = columns.by_block[k] - first
        was |= block[j] == a
        block[j] = a
    return was


cdef inline void rank_block(const real* v, Py_ssize_t first, Py_ssize_t width, real* block,
                            int32_t* rank, const Row* row, real* grad, Part* part,
                            Weigh weigh) noexcept nogil:
    """Rank the whole block of ``width`` scores v, which begins with column ``first``."""
    cdef real a = <real>row.a
    cdef Py_ssize_t m = width, b = first // BLOCK
    cdef bint leave_out = row.left_out.count > 0 and row.left_out.start[b] != row.left_out.start[b + 1]
    cdef int64_t sum_of_ranks
    cdef real gradient[BLOCK]
    if row.labels.start[b] != row.labels.start[b + 1] or leave_out or m % LANES != 0:
        memcpy(block, v, m * sizeof(real))
        m = pad(block, m, a)
        v = block
        part.repeated |= set_to(a, &row.labels, first, block)
        if leave_out:
            set_to(a, &row.left_out, first, block)
    sum_of_ranks = rank_scores(v, m, &row.thresholds, rank, part.count)
    part.noted = MOST_NOTED + 1
    if grad == NULL or m == width:
        weigh(v, rank, m, sum_of_ranks, row, grad + first if grad != NULL else NULL, part)
    else:
        weigh(v, rank, m, sum_of_ranks, row, gradient, part)
        memcpy(grad + first, gradient, width * sizeof(real))


cdef inline bint is_whole(Py_ssize_t m, const Row* row) noexcept nogil:
    """Whether a block is so small that it is ranked without a look at which scores are active.

    That is also how `small.pxd` adds a row up, where all that counts is the rank.
    """
    return m <= SMALL or (row.C <= SMALL_SCORES and row.P <= SMALL_LABELS and row.worth == NULL)


cdef inline void scan(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part, Weigh weigh) noexcept nogil:
    """Rank the scores x[start:stop]; write their gradient unless ``grad`` is NULL."""
    cdef real block[BLOCK]              # a copy of a block with labels
    cdef real queue[QUEUE]              # active scores of blocks that had few
    cdef int32_t column[QUEUE]          # and where they came from
    cdef int32_t rank[QUEUE]
    cdef uint64_t marks[WORDS]
    cdef Py_ssize_t first, m, active, queued = 0
    cdef bint repeated = False
    if row.P == 0:                      # no pairs: whatever the scores are, even NaN
        if grad != NULL:
            memset(grad + start, 0, (stop - start) * sizeof(real))
        return
    for first from start <= first < stop by BLOCK:
        m = min(BLOCK, stop - first)
        active = m if is_whole(m, row) else mark_active(x + first, m, <real>row.a, marks)
        if MANY * active > m:
            rank_block(x + first, first, m, block, rank, row, grad, part, weigh)
            continue
        if grad != NULL:
            memset(grad + first, 0, m * sizeof(real))
        repeated |= unmark(&row.labels, first, marks)
        if row.left_out.count > 0:
            unmark(&row.left_out, first, marks)
        if active > 0:
            queued += enqueue(x + first, m, first, marks, queue + queued, column + queued)
        if queued >= BLOCK:
            rank_queue(queue, column, queued, rank, row, grad, part, weigh)
            queued = 0
    if queued > 0:
        rank_queue(queue, column, queued, rank, row, grad, part, weigh)
    part.repeated |= repeated

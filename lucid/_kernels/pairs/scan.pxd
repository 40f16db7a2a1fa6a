# cython: language_level=3, cdivision=True
"""From a segment of a row to blocks of scores and their ranks, whatever a rank is worth.

A row is read once, in blocks of 512 columns that stay in the L1 cache. Scores not above the lowest
threshold a have rank 0 and add nothing. In a trained model that is nearly all of them: a block with
none above is done, and the active scores of a block with few wait in a queue until they fill a
block. A block with many is ranked where it is. Columns that are excluded, labels and those in no pair,
are not queued or, in a copy of their block, are set to a: they have rank 0 then.

What a rank is worth is handed in as a function, which the compiler puts in its place.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memcpy, memset

from lucid._kernels.bits cimport BLOCK, WORD, WORDS, any_of, count_trailing_zeros
from lucid._kernels.pairs.marking cimport copy_double, copy_float, mark_double, mark_float
from lucid._kernels.pairs.ranks cimport rank_scores
from lucid._kernels.pairs.row cimport MOST_NOTED, SMALL_LABELS, SMALL_SCORES, Part, Row
from lucid._kernels.pairs.vectors cimport LANES
from lucid._kernels.reals cimport real

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


cdef inline const uint64_t* excluded_from(Py_ssize_t first, const Row* row) noexcept nogil:
    """The bits of the columns of the block from ``first`` on that are no negatives."""
    return row.excluded + first // WORD


cdef inline Py_ssize_t enqueue(const real* v, Py_ssize_t m, Py_ssize_t first, const uint64_t* marks,
                               const uint64_t* excluded, real* queue, int32_t* column) noexcept nogil:
    """Append the marked scores of negatives, and the columns they come from; how many they are."""
    cdef uint64_t word
    cdef Py_ssize_t w, j, queued = 0
    for w in range((m + WORD - 1) // WORD):
        word = marks[w] & ~excluded[w]
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


cdef inline void rank_block(const real* v, Py_ssize_t first, Py_ssize_t width, real* block,
                            int32_t* rank, const Row* row, real* grad, Part* part,
                            Weigh weigh) noexcept nogil:
    """Rank the whole block of ``width`` scores v, which begins with column ``first``."""
    cdef real a = <real>row.a
    cdef const uint64_t* excluded = excluded_from(first, row)
    cdef Py_ssize_t m = width
    cdef int64_t sum_of_ranks
    cdef real gradient[BLOCK]
    if row.C <= BLOCK or m % LANES != 0 or any_of(excluded):
        if real is float:
            m = copy_float(v, m, excluded, a, block)
        else:
            m = copy_double(v, m, excluded, a, block)
        v = block
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
        if active > 0:
            queued += enqueue(x + first, m, first, marks, excluded_from(first, row), queue + queued,
                              column + queued)
        if queued >= BLOCK:
            rank_queue(queue, column, queued, rank, row, grad, part, weigh)
            queued = 0
    if queued > 0:
        rank_queue(queue, column, queued, rank, row, grad, part, weigh)

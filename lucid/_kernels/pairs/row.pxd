# cython: language_level=3, cdivision=True
"""A row before its scores are ranked: its labels, and their thresholds.

The labels are read once, checked and copied, for the caller's may change at any time. They are
sorted by the block of columns that they are in, since a row is scanned block by block.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport malloc
from libc.string cimport memset

from lucid._kernels.pairs.ranks cimport SLACK, Thresholds, count_buckets, open_thresholds
from lucid._kernels.pairs.sums cimport Sum
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport APART, read_once

cdef enum:
    BLOCK = 512             # columns ranked together: scores, ranks and queue fit in L1


cdef struct Row:            # what is known of a row before its scores are ranked
    Py_ssize_t C            # how many scores
    double divisor          # of loss and gradient: C, or C * N for a mean over N rows
    double inverse          # 1 / divisor
    Py_ssize_t room         # for how many labels there is memory
    int32_t* labels         # [P]: as given
    Py_ssize_t P            # how many
    bint finite             # whether every threshold is
    double a                # the lowest threshold
    Thresholds thresholds
    const int32_t* by_block # [P]: the labels, block by block
    int32_t* sorted         # [room]: for by_block
    int64_t* block_start    # [blocks + 1]: where each block's labels start in by_block
    char apart[APART]


cdef struct Part:           # what scanning a segment of a row finds
    Sum total               # what the scores add to the loss
    int32_t* count          # [P + SLACK]: see rank_scores
    bint repeated           # whether a label may occur twice
    char apart[APART]


cdef inline bint open_row(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t K,
                          bint padded, double divisor, Row* row) noexcept nogil:
    """Read the labels of a row, once, up to the first -1; False when they are to be looked at again.

    That is when a label is out of range or there are more than there is room for, and when a
    ``padded`` row makes one doubt what it means: it goes on after its -1, or has no -1 although it
    is as long as the scores.
    """
    cdef Thresholds* t = &row.thresholds
    cdef real* tau = <real*>t.by_label
    cdef real a = INFINITY, high = -INFINITY
    cdef Py_ssize_t P = 0
    cdef int64_t label
    cdef bint any_nan = False
    while P < K:
        label = read_once(labels + P)
        if label == -1:
            break
        if <uint64_t>label >= <uint64_t>C or P == row.room:     # 64 bits: 2**32 + 3 is not 3, -2 is huge
            return False
        row.labels[P] = <int32_t>label
        tau[P] = x[label] - 1
        a = tau[P] if tau[P] < a else a
        high = tau[P] if tau[P] > high else high
        any_nan |= tau[P] != tau[P]
        P += 1
    if padded and (P + 1 < K and labels[P + 1] != -1 or P == K == C > 1):
        return False
    row.C, row.divisor, row.inverse = C, divisor, 1 / divisor
    row.P, row.a = P, a
    row.finite = not any_nan and a > -INFINITY and high < INFINITY
    open_thresholds(tau, P, a, high, t)
    sort_by_block(row)
    return True


cdef inline void sort_by_block(Row* row) noexcept nogil:
    """A counting sort: sizes, then ends, and each label placed moves its block's end down to its start."""
    cdef Py_ssize_t i, b, blocks = count_blocks(row.C)
    if blocks == 1:
        row.by_block = row.labels
        row.block_start[0], row.block_start[1] = 0, row.P
        return
    row.by_block = row.sorted
    memset(row.block_start, 0, (blocks + 1) * sizeof(int64_t))
    for i in range(row.P):
        row.block_start[row.labels[i] // BLOCK] += 1
    for b in range(1, blocks + 1):
        row.block_start[b] += row.block_start[b - 1]
    for i in range(row.P):
        b = row.labels[i] // BLOCK
        row.block_start[b] -= 1
        row.sorted[row.block_start[b]] = row.labels[i]


cdef inline Py_ssize_t count_blocks(Py_ssize_t C) noexcept nogil:
    return (C + BLOCK - 1) // BLOCK


cdef inline void find_labels(const Row* row, Py_ssize_t b, bint* is_label) noexcept nogil:
    """Which columns of block b are labels."""
    cdef Py_ssize_t k
    memset(is_label, 0, BLOCK * sizeof(bint))
    for k in range(row.block_start[b], row.block_start[b + 1]):
        is_label[row.by_block[k] - b * BLOCK] = True


cdef inline bint allocate_row(Row* row, Py_ssize_t K, Py_ssize_t C) noexcept nogil:
    """Memory for a row of up to K labels; what is never touched costs nothing."""
    cdef Py_ssize_t blocks = count_blocks(C), buckets = count_buckets(K)
    cdef Thresholds* t = &row.thresholds
    cdef char* memory = <char*>malloc((blocks + 1) * sizeof(int64_t)
                                      + 2 * (K + SLACK) * sizeof(double)
                                      + (3 * K + buckets + 1) * sizeof(int32_t) + APART)
    row.room = K
    row.block_start = <int64_t*>memory
    t.by_label = <double*>(row.block_start + blocks + 1)
    t.ascending = <double*>t.by_label + K + SLACK
    t.bucket = <int32_t*>(<double*>t.ascending + K + SLACK)
    row.labels = t.bucket + K
    row.sorted = row.labels + K
    t.start = row.sorted + K
    return memory != NULL


cdef inline bint allocate_part(Part* part, Py_ssize_t K) noexcept nogil:
    part.count = <int32_t*>malloc((K + SLACK) * sizeof(int32_t) + APART)
    return part.count != NULL

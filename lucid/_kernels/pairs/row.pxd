# cython: language_level=3, cdivision=True
"""A row before its scores are ranked: its labels, their thresholds, and the columns left out.

The labels are read once, checked and copied, for the caller's may change at any time. They are
sorted by the block of columns that they are in, since a row is scanned block by block.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from lucid._kernels.pairs.ranks cimport SLACK, Thresholds, count_buckets, open_thresholds
from lucid._kernels.pairs.sums cimport Sum, add
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport APART, read_once, read_whole

cdef extern from *:
    int count_ones "__builtin_popcountll" (unsigned long long word) nogil

cdef enum:
    BLOCK = 512             # columns ranked together: scores, ranks and queue fit in L1
    WORD = 64               # columns that a word has a bit for
    WORDS = 8               # BLOCK / WORD
    SMALL_SCORES = 128      # of a row that `small.pxd` solves,
    SMALL_WORDS = 2         # of bits,
    SMALL_LABELS = 7        # with so many labels
    MOST_NOTED = BLOCK      # columns whose rank is not 0

cdef enum Base:             # what the sum over the pairs of a row is divided by
    CLASSES                 # the number of known classes
    PAIRS                   # the sum of the weights of the pairs
    NOTHING


cdef struct Columns:        # some columns of a row, block by block
    Py_ssize_t count
    int32_t* given          # [count]: in the order in which they came
    const int32_t* by_block # [count]
    int32_t* sorted         # [count]: for by_block
    int64_t* start          # [blocks + 1]: where each block's columns start in by_block


cdef struct Terms:          # what is asked for of a row, beside its labels
    double margin           # of each label, or,
    const double* margins   # [C]: unless NULL, of each class
    const double* weights   # [C]: of the pairs of each class's label; NULL is 1
    bint by_entry           # whether there are weights for the labels as they are given, instead
    Base base
    double scale            # of loss and gradient
    const int64_t* unknown  # the columns of which nothing is known
    Py_ssize_t unknowns


cdef struct Worth:          # what a rank is worth to a score: see `worth.pxd`
    double tau              # the highest threshold of the rank, the lowest of all for rank 0
    double w0, w1, w2


cdef struct Excess:         # a sum over scores of one rank, of how far they are above its threshold
    double sum
    double lost             # what rounding has taken from it


cdef struct Row:            # what is known of a row before its scores are ranked
    Py_ssize_t C            # how many scores
    Py_ssize_t P            # how many labels
    Py_ssize_t room         # for how many labels there is memory
    Py_ssize_t room_left_out
    Terms terms
    double base             # what the sum over its pairs is divided by
    double divisor          # of the gradient: base, times N for a mean over N rows
    double inverse          # 1 / divisor
    bint finite             # whether every threshold is
    double a                # the lowest threshold
    Thresholds thresholds
    Columns labels
    Columns left_out        # in no pair: unknown, or labels of weight 0
    # Where labels differ in what they are worth:
    double* weight          # [P]: of each label
    Worth* worth            # [P + 1]: what each rank is worth
    double* weight_at       # [P]: of the labels at each threshold
    const double* worth_of_count    # [C + 1]: by how many negatives it is weighed, or NULL
    char apart[APART]


cdef struct Part:           # what scanning a segment of a row finds
    Sum total               # what the scores add to the loss
    int32_t* count          # [P + SLACK]: see rank_scores
    Excess* excess          # [P + 1]: of each rank, or NULL
    Excess* before          # [P + 1]: of the segments before
    bint repeated           # whether a label may occur twice
    int32_t* note           # [MOST_NOTED]: the columns whose rank is not 0, or NULL
    Py_ssize_t noted        # how many they are; more than there is room for: they were not noted
    char apart[APART]


cdef inline Terms plain_terms() noexcept nogil:
    cdef Terms terms
    memset(&terms, 0, sizeof(terms))
    terms.margin, terms.base, terms.scale = 1, CLASSES, 1
    return terms


cdef inline bint open_row(const real* x, Py_ssize_t C, const void* labels, Py_ssize_t start, Py_ssize_t K,
                          int bytes, bint padded, double divisor, Row* row) noexcept nogil:
    """Read the labels of a row, once, up to the first -1; False when they are to be looked at again.

    They are K integers of so many ``bytes``, from entry ``start`` on.

    That is when a label is out of range or there are more than there is room for, and when a
    ``padded`` row makes one doubt what it means: it goes on after its -1, or has no -1 although it
    is as long as the scores.
    """
    cdef int32_t* given = row.labels.given
    cdef Py_ssize_t P = 0
    cdef int64_t label
    while P < K:
        label = read_whole(labels, start + P, bytes)
        if label == -1:
            break
        if <uint64_t>label >= <uint64_t>C or P == row.room:     # 64 bits: 2**32 + 3 is not 3, -2 is huge
            return False
        given[P] = <int32_t>label
        P += 1
    if padded and (P + 1 < K and read_whole(labels, start + P + 1, bytes) != -1 or P == K == C > 1):
        return False
    row.C, row.P, row.left_out.count = C, P, 0
    if row.terms.weights != NULL:
        take_weights(row)
    if row.terms.unknowns > 0 and not leave_out_unknown(row):
        return False
    if row.terms.scale == 0:            # no pair is wanted
        row.P = 0
    find_thresholds(x, row)
    row.labels.count = row.P
    sort_by_block(C, &row.labels)
    if row.left_out.count > 0:
        sort_by_block(C, &row.left_out)
    row.base = base_of(row)
    row.divisor = row.base * divisor
    if row.terms.scale != 1 and row.terms.scale != 0:
        row.divisor /= row.terms.scale
    row.inverse = 1 / row.divisor
    return True


cdef inline void find_thresholds(const real* x, Row* row) noexcept nogil:
    cdef const int32_t* label = row.labels.given
    cdef const double* margins = row.terms.margins
    cdef real* tau = <real*>row.thresholds.by_label
    cdef real a = INFINITY, high = -INFINITY, margin = <real>row.terms.margin
    cdef Py_ssize_t i
    cdef bint any_nan = False
    for i in range(row.P):
        tau[i] = x[label[i]] - (margin if margins == NULL else <real>margins[label[i]])
        a = tau[i] if tau[i] < a else a
        high = tau[i] if tau[i] > high else high
        any_nan |= tau[i] != tau[i]
    row.a = a
    row.finite = not any_nan and a > -INFINITY and high < INFINITY
    open_thresholds(tau, row.P, a, high, row.worth != NULL, &row.thresholds)


cdef inline void take_weights(Row* row) noexcept nogil:
    """Note the weights of the labels; one of weight 0 is in no pair."""
    cdef int32_t* given = row.labels.given
    cdef Py_ssize_t k, P = 0
    for k in range(row.P):
        row.weight[P] = row.terms.weights[k if row.terms.by_entry else given[k]]
        if row.weight[P] == 0:
            leave_out(row, given[k])
        else:
            given[P] = given[k]
            P += 1
    row.P = P


cdef inline bint leave_out_unknown(Row* row) noexcept nogil:
    """False when an unknown column is out of range, or there are more than there is room for."""
    cdef Py_ssize_t k
    cdef int64_t column
    for k in range(row.terms.unknowns):
        column = read_once(row.terms.unknown + k)
        if <uint64_t>column >= <uint64_t>row.C or row.left_out.count == row.room_left_out:
            return False
        leave_out(row, column)
    return True


cdef inline void leave_out(Row* row, int64_t column) noexcept nogil:
    row.left_out.given[row.left_out.count] = <int32_t>column
    row.left_out.count += 1


cdef inline double base_of(const Row* row) noexcept nogil:
    """What the sum over the pairs of a row is divided by; 1 where there are none."""
    cdef double base = 1
    cdef Sum weights
    cdef Py_ssize_t i
    if row.terms.base == CLASSES:
        base = row.C - row.terms.unknowns
    elif row.terms.base == PAIRS:
        weights.hi, weights.lo = row.P, 0
        if row.terms.weights != NULL:
            weights.hi = 0
            for i in range(row.P):
                add(&weights, row.weight[i])
        base = (weights.hi + weights.lo) * count_negatives(row)
    return base if base > 0 else 1


cdef inline Py_ssize_t count_negatives(const Row* row) noexcept nogil:
    """How many columns are neither labels nor left out; one may be named twice."""
    cdef uint64_t named[WORDS]
    cdef Py_ssize_t b, w, count = row.C
    for b in range(count_blocks(row.C)):
        if name(&row.labels, b, named, name(&row.left_out, b, named, False)):
            for w in range(WORDS):
                count -= count_ones(named[w])
    return count


cdef inline bint name(const Columns* columns, Py_ssize_t b, uint64_t* named, bint begun) noexcept nogil:
    """Set the bits of a block's columns; whether it has any, or had before, or else none is set."""
    cdef Py_ssize_t k, j
    if columns.count == 0 or columns.start[b] == columns.start[b + 1]:
        return begun
    if not begun:
        memset(named, 0, WORDS * sizeof(uint64_t))
    for k in range(columns.start[b], columns.start[b + 1]):
        j = columns.by_block[k] - b * BLOCK
        named[j // WORD] |= <uint64_t>1 << (j % WORD)
    return True


cdef inline void sort_by_block(Py_ssize_t C, Columns* columns) noexcept nogil:
    """A counting sort: sizes, then ends, and each column placed moves its block's end down to its start."""
    cdef Py_ssize_t i, b, blocks = count_blocks(C)
    if blocks == 1:
        columns.by_block = columns.given
        columns.start[0], columns.start[1] = 0, columns.count
        return
    columns.by_block = columns.sorted
    memset(columns.start, 0, (blocks + 1) * sizeof(int64_t))
    for i in range(columns.count):
        columns.start[columns.given[i] // BLOCK] += 1
    for b in range(1, blocks + 1):
        columns.start[b] += columns.start[b - 1]
    for i in range(columns.count):
        b = columns.given[i] // BLOCK
        columns.start[b] -= 1
        columns.sorted[columns.start[b]] = columns.given[i]


cdef inline Py_ssize_t count_blocks(Py_ssize_t C) noexcept nogil:
    return (C + BLOCK - 1) // BLOCK


cdef inline void find_negatives(const Row* row, Py_ssize_t b, bint* is_negative) noexcept nogil:
    """Which columns of block b are negatives."""
    cdef Py_ssize_t j, k
    for j in range(BLOCK):
        is_negative[j] = True
    for k in range(row.labels.start[b], row.labels.start[b + 1]):
        is_negative[row.labels.by_block[k] - b * BLOCK] = False
    if row.left_out.count > 0:
        for k in range(row.left_out.start[b], row.left_out.start[b + 1]):
            is_negative[row.left_out.by_block[k] - b * BLOCK] = False


cdef inline Py_ssize_t bytes_of_row(Py_ssize_t K, Py_ssize_t unknowns, Py_ssize_t C,
                                    bint differ) noexcept nogil:
    """Memory for a row of up to K labels, which may ``differ`` in what they are worth."""
    cdef Py_ssize_t left_out = unknowns + (K if differ else 0)
    return whole_words(
        2 * (count_blocks(C) + 1) * sizeof(int64_t) + 2 * (K + SLACK) * sizeof(double)
        + (3 * K + SLACK + 2 * left_out + count_buckets(K) + 1) * sizeof(int32_t) + APART
        + ((K + 1) * (sizeof(Worth) + 2 * sizeof(double)) if differ else 0))


cdef inline Py_ssize_t whole_words(Py_ssize_t size) noexcept nogil:
    """Bytes, rounded up to where anything may follow."""
    return (size + 7) // 8 * 8


cdef inline void place_row(Row* row, char* memory, Py_ssize_t K, Py_ssize_t unknowns, Py_ssize_t C,
                           bint differ) noexcept nogil:
    """Lay a row out in its memory."""
    cdef Py_ssize_t blocks = count_blocks(C), left_out = unknowns + (K if differ else 0)
    cdef Thresholds* t = &row.thresholds
    row.terms = plain_terms()
    row.worth_of_count = NULL
    row.room, row.room_left_out = K, left_out
    row.labels.start = <int64_t*>memory
    row.left_out.start = row.labels.start + blocks + 1
    t.by_label = <double*>(row.left_out.start + blocks + 1)
    t.ascending = <double*>t.by_label + K + SLACK
    row.weight = <double*>t.ascending + K + SLACK
    row.weight_at = row.weight + (K + 1 if differ else 0)
    row.worth = <Worth*>(row.weight_at + (K + 1 if differ else 0))
    t.bucket = <int32_t*>(row.worth + (K + 1 if differ else 0))
    if not differ:
        row.weight, row.weight_at, row.worth = NULL, NULL, NULL
    row.labels.given = t.bucket + K + SLACK
    row.labels.sorted = row.labels.given + K
    row.left_out.given = row.labels.sorted + K
    row.left_out.sorted = row.left_out.given + left_out
    t.start = row.left_out.sorted + left_out


cdef inline Py_ssize_t bytes_of_part(Py_ssize_t K, bint differ) noexcept nogil:
    return (whole_words((K + SLACK) * sizeof(int32_t)) + APART
            + (2 * (K + 1) * sizeof(Excess) + MOST_NOTED * sizeof(int32_t) if differ else 0))


cdef inline void place_part(Part* part, char* memory, Py_ssize_t K, bint differ) noexcept nogil:
    part.count = <int32_t*>memory
    part.excess = <Excess*>(memory + whole_words((K + SLACK) * sizeof(int32_t))) if differ else NULL
    part.before = part.excess + K + 1 if differ else NULL
    part.note = <int32_t*>(part.before + K + 1) if differ else NULL

# cython: language_level=3, cdivision=True
"""A row before its scores are ranked: its labels, their thresholds, and the columns that are excluded.

The labels are read once, checked and copied, for the caller's may change at any time. A row is scanned
column by column: each has a bit that says whether it is excluded, for it is a label or in no pair.
"""

from libc.float cimport DBL_MAX
from libc.math cimport INFINITY, NAN
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset

from lucid._kernels.bits cimport BLOCK, WORD, WORDS, count_blocks, is_column, is_set, set_bit
from lucid._kernels.pairs.ranks cimport SLACK, Thresholds, count_buckets, open_thresholds
from lucid._kernels.pairs.sums cimport Sum, add
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport APART, read_once, read_whole
from lucid._kernels.weights cimport is_weight

cdef extern from *:
    """
    enum { LUCID_SMALL_SCORES = 128, LUCID_SMALL_WORDS = LUCID_SMALL_SCORES / 64, LUCID_SMALL_LABELS = 7 };
    """
    enum:
        SMALL_SCORES "LUCID_SMALL_SCORES"   # of a row that `small.pxd` solves,
        SMALL_WORDS "LUCID_SMALL_WORDS"     # of bits,
        SMALL_LABELS "LUCID_SMALL_LABELS"   # with so many labels

cdef enum:
    MOST_NOTED = BLOCK      # columns whose rank is not 0

cdef enum Base:             # what the sum over the pairs of a row is divided by
    CLASSES                 # the number of known classes
    PAIRS                   # the sum of the weights of the pairs
    NOTHING


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
    Terms terms
    double base             # what the sum over its pairs is divided by,
    double of_base          # 1 / base
    double divisor          # of the gradient: base, times N for a mean over N rows
    double inverse          # 1 / divisor
    bint finite             # whether every threshold is
    double a                # the lowest threshold
    Thresholds thresholds
    int32_t* label          # [P]: as they are given
    bint repeated           # whether one of them may occur twice
    uint64_t* excluded      # [blocks * WORDS]: the bits of labels, of unknown columns, and those after the last
    Py_ssize_t negatives    # how many columns are not
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

    That is when a label is out of range or there are more than there is room for, when its weight is
    none (see `is_weight`), and when a ``padded`` row makes one doubt what it means: it goes on after
    its -1, or has no -1 although it is as long as the scores.
    """
    cdef Py_ssize_t k, P = 0, named = 0
    cdef int64_t column
    cdef double base
    for k in range(count_blocks(C)):
        memset(row.excluded + k * WORDS, 0, WORDS * sizeof(uint64_t))
    if C % WORD != 0:
        row.excluded[C // WORD] = ~<uint64_t>0 << C % WORD
    while P < K:
        column = read_whole(labels, start + P, bytes)
        if column == -1:
            break
        if P == row.room or not is_column(column, C):
            return False
        row.label[P] = <int32_t>column
        named += set_bit(column, row.excluded)
        P += 1
    if padded and (P + 1 < K and read_whole(labels, start + P + 1, bytes) != -1 or P == K == C > 1):
        return False
    row.C, row.P, row.repeated = C, P, named < P
    if row.terms.weights != NULL and not take_weights(row):
        return False
    for k in range(row.terms.unknowns):
        column = read_once(row.terms.unknown + k)
        if not is_column(column, C):
            return False
        named += set_bit(column, row.excluded)
    row.negatives = C - named
    if row.terms.scale == 0:            # no pair is wanted
        row.P = 0
    find_thresholds(x, row)
    base = base_of(row.terms.base, row.C - row.terms.unknowns, sum_of_weights(row), row.negatives)
    if base != row.base:                # most rows have that of the row before
        row.base, row.of_base = base, 1 / base
    row.divisor = scaled(row.base * divisor, row.terms.scale)
    row.inverse = 1 / row.divisor
    return True


cdef inline double scaled(double divisor, double scale) noexcept nogil:
    """What the gradient of a row of this scale is divided by: finite, however small the scale."""
    return divisor if scale == 1 or scale == 0 else min(divisor / scale, DBL_MAX)


cdef inline bint is_negative(Py_ssize_t j, const Row* row) noexcept nogil:
    return not is_set(j, row.excluded)


cdef inline void find_thresholds(const real* x, Row* row) noexcept nogil:
    cdef const int32_t* label = row.label
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


cdef inline bint take_weights(Row* row) noexcept nogil:
    """Note the weights of the labels; one of weight 0 is in no pair. False when one is not a weight."""
    cdef Py_ssize_t k, P = 0
    for k in range(row.P):
        row.weight[P] = row.terms.weights[k if row.terms.by_entry else row.label[k]]
        if not is_weight(row.weight[P]):
            return False
        if row.weight[P] != 0:
            row.label[P] = row.label[k]
            P += 1
    row.P = P
    return True


cdef inline double base_of(Base base, Py_ssize_t known, double weights, Py_ssize_t negatives) noexcept nogil:
    """What the sum over the pairs of a row is divided by; 1 where there are none.

    Of its columns so many are ``known``, and its labels weigh so much in all.
    """
    cdef double divisor = known if base == CLASSES else weights * negatives if base == PAIRS else 1
    return divisor if divisor > 0 else 1


cdef inline double sum_of_weights(const Row* row) noexcept nogil:
    cdef Sum weights
    cdef Py_ssize_t i
    if row.terms.weights == NULL:
        return row.P
    weights.hi, weights.lo = 0, 0
    for i in range(row.P):
        add(&weights, row.weight[i])
    return weights.hi + weights.lo


cdef inline Py_ssize_t bytes_of_row(Py_ssize_t K, Py_ssize_t C, bint differ) noexcept nogil:
    """Memory for a row of up to K labels, which may ``differ`` in what they are worth."""
    return whole_words(
        count_blocks(C) * WORDS * sizeof(uint64_t) + 2 * (K + SLACK) * sizeof(double)
        + (2 * K + SLACK + count_buckets(K) + 1) * sizeof(int32_t) + APART
        + ((K + 1) * (sizeof(Worth) + 2 * sizeof(double)) if differ else 0))


cdef inline Py_ssize_t whole_words(Py_ssize_t size) noexcept nogil:
    """Bytes, rounded up to where anything may follow."""
    return (size + 7) // 8 * 8


cdef inline void place_row(Row* row, char* memory, Py_ssize_t K, Py_ssize_t C, bint differ) noexcept nogil:
    """Lay a row out in its memory."""
    cdef Thresholds* t = &row.thresholds
    row.terms = plain_terms()
    row.worth_of_count = NULL
    row.room, row.base = K, NAN
    row.excluded = <uint64_t*>memory
    t.by_label = <double*>(row.excluded + count_blocks(C) * WORDS)
    t.ascending = <double*>t.by_label + K + SLACK
    row.weight = <double*>t.ascending + K + SLACK
    row.weight_at = row.weight + (K + 1 if differ else 0)
    row.worth = <Worth*>(row.weight_at + (K + 1 if differ else 0))
    t.bucket = <int32_t*>(row.worth + (K + 1 if differ else 0))
    if not differ:
        row.weight, row.weight_at, row.worth = NULL, NULL, NULL
    row.label = t.bucket + K + SLACK
    t.start = row.label + K


cdef inline Py_ssize_t bytes_of_part(Py_ssize_t K, bint differ) noexcept nogil:
    return (whole_words((K + SLACK) * sizeof(int32_t)) + APART
            + (2 * (K + 1) * sizeof(Excess) + MOST_NOTED * sizeof(int32_t) if differ else 0))


cdef inline void place_part(Part* part, char* memory, Py_ssize_t K, bint differ) noexcept nogil:
    part.count = <int32_t*>memory
    part.excess = <Excess*>(memory + whole_words((K + SLACK) * sizeof(int32_t))) if differ else NULL
    part.before = part.excess + K + 1 if differ else NULL
    part.note = <int32_t*>(part.before + K + 1) if differ else NULL

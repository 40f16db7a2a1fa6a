# cython: language_level=3, cdivision=True
"""The multi-label ranking margin loss and its gradient, exact, in near-linear time.

For one row x of C scores with labels t_1 .. t_P,

    C * L = sum over labels i, over j not a label, of max(0, 1 - x[t_i] + x_j).

**Counting instead of pairing.**  Let tau_i = x[t_i] - 1 (rounded), the threshold of label i. The
pair (i, j) is active exactly when x_j > tau_i: rounding is symmetric in sign, and a difference of
two floats is zero only when they are equal, so this is the sign of the rounded 1 - x[t_i] + x_j,
bit for bit. Let

    r_j = number of thresholds below x_j      (the rank of a negative j)
    n_i = number of negatives above tau_i     (the count of a label i).

Both are integers, and they are the gradient: dL/dx_j = r_j / C and dL/dx[t_i] = -n_i / C. With
a = min tau the loss follows from them, in O(C + P):

    C * L = sum_j r_j * (x_j - a)+  -  sum_i n_i * (tau_i - a).

**From a row to its ranks.**  A row is read once, in blocks of 512 columns that stay in the L1 cache.

1. `open_row` reads and checks the labels, and sorts them by block (a counting sort).
2. `mark_active`: scores not above a have rank 0. In a trained model that is nearly all of them: a
   block with none is done, and the active ones of a block with few wait in a queue until they
   fill a block. A block with many is ranked where it stands. Labels lose their mark or, in a copy
   of their block, are set to a: they have rank 0 then, and add exactly 0.
3. Ranking, by comparing or by a grid of buckets: see `ranks.pxd`.
4. The sums, to the last bit: see `sums.pxd`.

**The same bits always.**  Counts are integers. Float sums run over fixed lanes within a block, over
blocks within a segment, over segments within a row and over rows, in that order, whichever thread
computes which part.

**NaN and infinities.**  A NaN score is never "not above a", so it reaches the sum. What the counts
cannot tell (inf - inf between a label and a negative, a NaN label) `settle` decides from which
kinds of values occur. A row whose loss is NaN has NaN for its gradient.
"""

from libc.math cimport INFINITY, NAN, isfinite, isnan
from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from lucid._kernels.marking cimport mark_double, mark_float
from lucid._kernels.ranks cimport (
    Thresholds, close_counts, count_buckets, open_thresholds, place_of, rank_of, rank_scores,
)
from lucid._kernels.reading cimport read_once
from lucid._kernels.sums cimport Sum, add, add_product, add_products, merge, quotient, real, rounded_quotient

cdef extern from *:
    const double SCALE "0x1p-64"
    int count_trailing_zeros "__builtin_ctzll" (unsigned long long word) nogil

cdef enum:
    BLOCK = 512             # columns ranked together: scores, ranks and queue fit in L1
    WORDS = 8               # BLOCK / 64
    SMALL = 32              # scores that are ranked without a look at which are active
    SEGMENT = 1 << 15       # columns of one task when the threads share a row
    PADDING = 128           # bytes between what two threads write: no cache line in common


cdef struct Row:            # what is known of a row before its scores are ranked
    Py_ssize_t C            # how many scores
    double divisor          # of loss and gradient: C, or C * N for a mean over N rows
    double inverse          # 1 / divisor
    Py_ssize_t room         # for how many labels there is memory
    int32_t* labels         # [P]: a copy, for the caller's may change at any time
    Py_ssize_t P            # how many
    bint finite             # whether every threshold is
    double a                # the lowest threshold
    Thresholds thresholds
    const int32_t* by_block # [P]: the labels, block by block
    int32_t* sorted         # [room]: for by_block
    int64_t* block_start    # [blocks + 1]: where each block's labels start in by_block
    char apart[PADDING]


cdef struct Part:           # what scanning a segment of a row finds
    Sum total               # sum_j r_j * (x_j - a)+
    int32_t* count          # [P + 8]: see rank_scores
    bint repeated           # whether a label may occur twice
    char apart[PADDING]


# ------------------------------------------------------------------------------------ 1. the labels

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
    cdef Py_ssize_t i, b, blocks = (row.C + BLOCK - 1) // BLOCK
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


# ------------------------------------------------------------------------------------ 2. the scores

cdef inline Py_ssize_t pad(real* v, Py_ssize_t m, real a) noexcept nogil:
    """Fill up ``m`` scores with a to a multiple of 8, which is returned."""
    cdef Py_ssize_t j, whole = (m + 7) // 8 * 8
    for j in range(m, whole):
        v[j] = a
    return whole


cdef inline Py_ssize_t mark_active(const real* v, Py_ssize_t m, real a, uint64_t* marks) noexcept nogil:
    """Mark the scores above ``a`` with a bit each; how many they are."""
    if real is float:
        return mark_float(v, m, a, marks)
    else:
        return mark_double(v, m, a, marks)


cdef inline bint unmark(uint64_t* marks, Py_ssize_t j) noexcept nogil:
    """Clear the mark of score j; whether there was one."""
    cdef uint64_t bit = <uint64_t>1 << (j % 64)
    cdef bint marked = marks[j // 64] & bit != 0
    marks[j // 64] &= ~bit
    return marked


cdef inline Py_ssize_t enqueue(const real* v, Py_ssize_t m, Py_ssize_t first, const uint64_t* marks,
                               real* queue, int32_t* column) noexcept nogil:
    """Append the marked scores, and the columns they come from; how many they are."""
    cdef uint64_t word
    cdef Py_ssize_t w, j, queued = 0
    for w in range((m + 63) // 64):
        word = marks[w]
        while word != 0:
            j = 64 * w + count_trailing_zeros(word)
            queue[queued] = v[j]
            column[queued] = <int32_t>(first + j)
            queued += 1
            word &= word - 1
    return queued


cdef inline void put_gradient(real* out, double count, const Row* row) noexcept nogil:
    """Write count / divisor, rounded once; a product with the inverse is as good for float32."""
    if real is float:
        out[0] = <float>(count * row.inverse)
    else:
        out[0] = rounded_quotient(count, row.divisor, row.inverse)


cdef inline void scan(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row,
                      real* grad, Part* part) noexcept nogil:
    """Rank the scores x[start:stop]; write their gradient unless ``grad`` is NULL."""
    cdef real block[BLOCK]
    cdef real queue[2 * BLOCK]          # active scores of blocks that had few
    cdef int32_t column[2 * BLOCK]      # and where they came from, counted from start
    cdef int32_t rank[2 * BLOCK]
    cdef uint64_t marks[WORDS]
    cdef const real* v
    cdef const int32_t* label           # the block's labels
    cdef const int32_t* end
    cdef Py_ssize_t first, j, m, width, active, queued = 0
    cdef int64_t ranks
    cdef bint repeated = False
    cdef real a = <real>row.a
    if row.P == 0:                      # no pairs: whatever the scores are, even NaN
        if grad != NULL:
            memset(grad + start, 0, (stop - start) * sizeof(real))
        return
    for first from start <= first < stop by BLOCK:
        m = width = min(BLOCK, stop - first)
        v = x + first
        label = row.by_block + row.block_start[first // BLOCK]
        end = row.by_block + row.block_start[first // BLOCK + 1]
        active = m if m <= SMALL else mark_active(v, m, a, marks)
        if 4 * active > m:
            if label != end or m % 8 != 0:
                memcpy(block, v, m * sizeof(real))
                m = pad(block, m, a)
                v = block
                while label != end:
                    repeated |= block[label[0] - first] == a
                    block[label[0] - first] = a
                    label += 1
            ranks = rank_scores(v, m, &row.thresholds, rank, part.count)
            add_products(v, rank, m, ranks, row.a, row.P, &part.total)
            if grad != NULL:
                for j in range(width):
                    put_gradient(grad + first + j, rank[j], row)
            continue
        if grad != NULL:
            memset(grad + first, 0, width * sizeof(real))
        while label != end:
            repeated |= not unmark(marks, label[0] - first)
            label += 1
        if active == 0:
            continue
        queued += enqueue(v, m, first - start, marks, queue + queued, column + queued)
        if queued >= BLOCK:
            flush(queue, column, rank, queued, row, grad + start if grad != NULL else NULL, part)
            queued = 0
    part.repeated |= repeated
    if queued > 0:
        flush(queue, column, rank, queued, row, grad + start if grad != NULL else NULL, part)


cdef inline void flush(real* queue, const int32_t* column, int32_t* rank, Py_ssize_t queued,
                       const Row* row, real* grad, Part* part) noexcept nogil:
    """Rank the queued scores."""
    cdef Py_ssize_t k, m = pad(queue, queued, <real>row.a)
    cdef int64_t ranks = rank_scores(queue, m, &row.thresholds, rank, part.count)
    add_products(queue, rank, m, ranks, row.a, row.P, &part.total)
    if grad != NULL:
        for k in range(queued):
            put_gradient(grad + column[k], rank[k], row)


# --------------------------------------------------------------------------- 3. the loss of the row

cdef inline void close_row(const real* x, const Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    """From the ranks and counts of a whole row: C times its loss, and the gradient of its labels."""
    cdef const Thresholds* t = &row.thresholds
    cdef const real* tau = <const real*>t.tau
    cdef int32_t* count = part.count
    cdef real above[BLOCK]
    cdef real a = <real>row.a
    cdef Sum of_labels
    cdef Py_ssize_t i, j, m
    cdef int64_t counts, times
    of_labels.hi, of_labels.lo = 0, 0
    close_counts(t, count)
    for i from 0 <= i < row.P by BLOCK:
        m = min(BLOCK, row.P - i)
        counts = 0
        for j in range(m):              # a threshold below no score adds nothing, not even if it is inf
            above[j] = tau[i + j] if count[i + j] > 0 else a
            counts += count[i + j]
        add_products(above, count + i, pad(above, m, a), counts, row.a, row.C, &of_labels)
    loss[0] = part.total
    add(loss, -of_labels.hi)
    loss.lo -= of_labels.lo
    if not row.finite or not isfinite(loss.hi) or not isfinite(loss.lo):
        settle(x, row, count, loss)
    if grad == NULL:
        return
    if isnan(loss.hi):
        for i in range(row.C):
            grad[i] = NAN
    elif part.repeated:
        # The scan left zeros at the labels: a label given m times counts m times, with one rounding.
        for i in range(row.P):
            tally(grad + row.labels[i], 1)
        for i in range(row.P):
            times = tally(grad + row.labels[i], 0)
            if times > 0:               # not yet a gradient, whose sign is negative
                put_gradient(grad + row.labels[i],
                             times * <double>(-count[place_of(i, t, tau)]), row)
    else:
        for i in range(row.P):
            put_gradient(grad + row.labels[i], -count[place_of(i, t, tau)], row)


cdef inline int64_t tally(real* place, int64_t more) noexcept nogil:
    """Add to a whole number that is kept in the memory of a gradient: a float32 ends at 2**24."""
    cdef int32_t narrow
    cdef int64_t wide
    if real is float:
        memcpy(&narrow, place, sizeof(narrow))
        narrow += <int32_t>more
        memcpy(place, &narrow, sizeof(narrow))
        return narrow
    else:
        memcpy(&wide, place, sizeof(wide))
        wide += more
        memcpy(place, &wide, sizeof(wide))
        return wide


cdef inline void find_labels(const Row* row, Py_ssize_t b, bint* is_label) noexcept nogil:
    """Which columns of block b are labels."""
    cdef Py_ssize_t k
    memset(is_label, 0, BLOCK * sizeof(bint))
    for k in range(row.block_start[b], row.block_start[b + 1]):
        is_label[row.by_block[k] - b * BLOCK] = True


cdef inline void settle(const real* x, const Row* row, const int32_t* count, Sum* loss) noexcept nogil:
    """Decide between NaN, inf and the sum as it stands, by which values meet in pairs."""
    cdef bint is_label[BLOCK]
    cdef bint nan = False, high = False, low = False, any_negative = False
    cdef bint label_nan = False, label_high = False, label_low = False
    cdef Py_ssize_t i, b, j
    cdef real value
    for i in range(row.P):
        value = x[row.labels[i]]
        label_nan |= isnan(value)
        label_high |= value == INFINITY
        label_low |= value == -INFINITY
    for b in range((row.C + BLOCK - 1) // BLOCK):
        find_labels(row, b, is_label)
        for j in range(b * BLOCK, min(row.C, (b + 1) * BLOCK)):
            if not is_label[j - b * BLOCK]:
                any_negative = True
                nan |= isnan(x[j])
                high |= x[j] == INFINITY
                low |= x[j] == -INFINITY
    if nan or (label_nan and any_negative) or (high and label_high) or (low and label_low):
        loss.hi, loss.lo = NAN, 0
    elif high or (label_low and any_negative):
        loss.hi, loss.lo = INFINITY, 0
    elif not any_negative or row.a == INFINITY:
        loss.hi, loss.lo = 0, 0
    elif not isfinite(loss.hi) or not isfinite(loss.lo):
        sum_scaled(x, row, count, loss)


cdef inline void sum_scaled(const real* x, const Row* row, const int32_t* count, Sum* loss) noexcept nogil:
    """Sum up finite scores whose float64 sum overflows on the way, as their 2**-64th parts."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef bint is_label[BLOCK]
    cdef Py_ssize_t i, b, j
    cdef Sum total
    total.hi, total.lo = 0, 0
    for i in range(row.P):
        if count[i] > 0:
            add_product(&total, -count[i], SCALE * tau[i])
    for b in range((row.C + BLOCK - 1) // BLOCK):
        find_labels(row, b, is_label)
        for j in range(b * BLOCK, min(row.C, (b + 1) * BLOCK)):
            if x[j] > <real>row.a and not is_label[j - b * BLOCK]:
                add_product(&total, rank_of(x[j], &row.thresholds), SCALE * x[j])
    loss.hi = (total.hi + total.lo) / SCALE     # inf beyond the largest float64
    loss.lo = 0


# -------------------------------------------------------------------------------------- 4. a row

cdef inline Py_ssize_t segment_of(Py_ssize_t P) noexcept nogil:
    """Columns of a segment: at least as many as there are counts to merge, and whole blocks."""
    return SEGMENT if P <= SEGMENT else (P + BLOCK - 1) // BLOCK * BLOCK


cdef inline void rank_segment(const real* x, Py_ssize_t s, const Row* row, real* grad, Part* part) noexcept nogil:
    """Rank the segment s of a row on its own."""
    cdef Py_ssize_t size = segment_of(row.P)
    memset(part.count, 0, (row.P + 8) * sizeof(int32_t))
    part.total.hi, part.total.lo = 0, 0
    part.repeated = False
    scan(x, s * size, min(row.C, (s + 1) * size), row, grad, part)


cdef inline void rank_row(const real* x, const Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    """Rank all segments of a row, one after the other."""
    cdef Py_ssize_t start, size = segment_of(row.P)
    cdef Sum total
    rank_segment(x, 0, row, grad, part)
    total = part.total
    for start from size <= start < row.C by size:
        part.total.hi, part.total.lo = 0, 0
        scan(x, start, min(row.C, start + size), row, grad, part)
        merge(&total, &part.total)
    part.total = total
    close_row(x, row, grad, part, loss)


cdef inline bint allocate_row(Row* row, Py_ssize_t K, Py_ssize_t C) noexcept nogil:
    """Memory for a row of up to K labels; what is never touched costs nothing."""
    cdef Py_ssize_t blocks = (C + BLOCK - 1) // BLOCK, buckets = count_buckets(K)
    cdef Thresholds* t = &row.thresholds
    cdef char* memory = <char*>malloc((blocks + 1) * sizeof(int64_t)
                                      + 2 * (K + 8) * sizeof(double)
                                      + (3 * K + buckets + 1) * sizeof(int32_t) + PADDING)
    row.room = K
    row.block_start = <int64_t*>memory
    t.by_label = <double*>(row.block_start + blocks + 1)
    t.ascending = <double*>t.by_label + K + 8
    t.bucket = <int32_t*>(<double*>t.ascending + K + 8)
    row.labels = t.bucket + K
    row.sorted = row.labels + K
    t.start = row.sorted + K
    return memory != NULL


cdef inline bint allocate_part(Part* part, Py_ssize_t K) noexcept nogil:
    part.count = <int32_t*>malloc((K + 8) * sizeof(int32_t) + PADDING)
    return part.count != NULL


cdef inline int multilabel_margin_row(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t K,
                                      real* grad, double* loss) noexcept nogil:
    """The loss of one row and, unless ``grad`` is NULL, its gradient: for kernels of your own.

    ``labels`` are K class indices, ended earlier by a -1. Returns 0; -1 when a label is out of
    range, -2 when there is no memory: nothing is written then.
    """
    cdef Row row
    cdef Part part
    cdef Sum total
    cdef int status = -2
    part.count = NULL
    if allocate_row(&row, K, C) and allocate_part(&part, K):
        status = -1
        if open_row(x, C, labels, K, False, C, &row):
            rank_row(x, &row, grad, &part, &total)
            loss[0] = quotient(&total, C)
            status = 0
    free(row.block_start)
    free(part.count)
    return status

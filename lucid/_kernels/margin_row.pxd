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
2. A block that holds labels is copied and its labels set to a: a score equal to a has rank 0 and
   adds exactly 0, so from here on nothing needs to know which columns are labels.
3. `mark_active`: scores not above a have rank 0. In a trained model that is nearly all of them: a
   block with none is done, the active ones of a block with few wait in a queue until they fill
   a block; a block with many is ranked where it stands.
4. Ranking: with few labels `rank_by_comparing` tests every pair, lane by lane. With many,
   `open_grid` spreads the sorted thresholds over buckets of equal width and `rank_by_grid` starts
   at the bucket of x_j: mostly one comparison. The bucket of a score is monotone in the score
   even in floating point, so no rank depends on rounding. A histogram of ranks gives all n_i.

**The same bits always.**  Counts are integers. Float sums run over fixed lanes within a block, over
blocks within a segment, over segments within a row and over rows, in that order, whichever thread
computes which part. Sums carry their rounding error along (hi + lo), so that what cancels between
the two sums above does not show in a float64 loss.

**NaN and infinities.**  A NaN score is never "not above a", so it reaches the sum. What the counts
cannot tell (inf - inf between a label and a negative, a NaN label) `settle` decides from which
kinds of values occur. A row whose loss is NaN has NaN for its gradient.
"""

from libc.math cimport INFINITY, NAN, fma, isfinite, isnan
from libc.stdint cimport int32_t, int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, malloc, qsort
from libc.string cimport memcpy, memset

ctypedef fused real:
    float
    double

ctypedef fused lane:        # an integer as wide as a real, so that both fill vectors alike
    int32_t
    int64_t

cdef enum:
    BLOCK = 512             # columns ranked together: scores, ranks and queue fit in L1
    WORDS = 64              # BLOCK / 8
    LANES = 8               # partial sums of a block
    FEW = 24                # up to so many labels are compared pair by pair
    BUCKETS = 2             # buckets of the grid for each threshold
    MOST_BUCKETS = 1 << 23  # their numbers stay exact in float32
    SEGMENT = 1 << 15       # columns of one task when the threads share a row
    PADDING = 128           # bytes between two threads' workspaces: no false sharing


cdef struct Sum:            # a float64 sum and what rounding has taken from it
    double hi
    double lo


cdef struct Row:            # what is known of a row before its scores are ranked
    Py_ssize_t C            # how many scores
    double divisor          # of loss and gradient: C, or C * N for a mean over N rows
    double inverse          # 1 / divisor
    const int64_t* labels   # as given
    Py_ssize_t P            # how many
    bint finite             # whether every threshold is
    double a                # the lowest threshold
    void* tau               # real[P + 4]: thresholds, padded with inf; sorted when P > FEW
    void* unsorted          # real[P]: thresholds in the order of the labels
    int64_t* by_block       # [P]: the labels, block by block
    int64_t* block_start    # [blocks + 1]: where each block's labels start in by_block
    int32_t* bucket_start   # [P * BUCKETS + 1]: where each bucket's thresholds start in tau
    int32_t* bucket         # [P]: the bucket of each label's threshold
    double low, scale       # a score x falls into bucket (x - low) * scale


cdef struct Part:           # what scanning a segment of a row finds
    Sum total               # sum_j r_j * (x_j - a)+
    int64_t* count          # [P + 4]: with few labels their n_i, with many a histogram of ranks


cdef inline void add(Sum* total, double value) noexcept nogil:
    """Add ``value`` and keep the rounding error (Knuth's two-sum)."""
    cdef double s = total.hi + value
    cdef double part = s - total.hi
    total.lo += (total.hi - (s - part)) + (value - part)
    total.hi = s


cdef inline double quotient(const Sum* total, double divisor) noexcept nogil:
    """The sum over ``divisor``, rounded once."""
    cdef double whole = total.hi + total.lo
    cdef double rest = total.lo - (whole - total.hi)
    cdef double q = whole / divisor
    if not isfinite(total.hi) or not isfinite(q):
        return total.hi / divisor
    return q + (fma(-q, divisor, whole) + rest) / divisor


# ------------------------------------------------------------------------------------ 1. the labels

cdef inline bint open_row(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t K,
                   bint doubtful, double divisor, Row* row) noexcept nogil:
    """Read the labels of a row up to the first -1; False when they are to be looked at again.

    That is when a label is out of range, and when a padded row makes one doubt what it means: it
    goes on after its -1, or has no -1 although it is as long as the scores.
    """
    cdef real* tau = <real*>row.tau
    cdef real a = INFINITY
    cdef Py_ssize_t i, b, P = 0, blocks = (C + BLOCK - 1) // BLOCK
    cdef bint finite = True
    while P < K and labels[P] != -1:
        if <uint64_t>labels[P] >= <uint64_t>C:      # 64 bits: 2**32 + 3 is not 3, and -2 is huge
            return False
        tau[P] = x[labels[P]] - 1
        if tau[P] < a:
            a = tau[P]
        finite &= isfinite(tau[P])
        P += 1
    if P + 1 < K and labels[P + 1] != -1 or doubtful and P == K == C > 1:
        return False
    row.C, row.divisor, row.inverse = C, divisor, 1 / divisor
    row.labels, row.P, row.finite, row.a = labels, P, finite, a

    # A counting sort: sizes, then ends, and each label placed moves its block's end down to its start.
    memset(row.block_start, 0, (blocks + 1) * sizeof(int64_t))
    for i in range(P):
        row.block_start[labels[i] // BLOCK] += 1
    for b in range(1, blocks + 1):
        row.block_start[b] += row.block_start[b - 1]
    for i in range(P):
        b = labels[i] // BLOCK
        row.block_start[b] -= 1
        row.by_block[row.block_start[b]] = labels[i]

    if P > FEW:
        open_grid(tau, <real*>row.unsorted, row)
    else:
        for i in range(P, P + 4):       # thresholds are compared four at a time
            tau[i] = INFINITY
    return True


cdef inline int ascending_float(const void* p, const void* q) noexcept nogil:
    return ((<const float*>p)[0] > (<const float*>q)[0]) - ((<const float*>p)[0] < (<const float*>q)[0])


cdef inline int ascending_double(const void* p, const void* q) noexcept nogil:
    return ((<const double*>p)[0] > (<const double*>q)[0]) - ((<const double*>p)[0] < (<const double*>q)[0])


cdef inline Py_ssize_t count_buckets(Py_ssize_t P) noexcept nogil:
    return min(BUCKETS * P, MOST_BUCKETS)


cdef inline int32_t bucket_of(real value, real low, real scale, real last) noexcept nogil:
    cdef real position = (value - low) * scale
    position = position if position > 0 else 0      # NaN goes to the first bucket
    position = position if position < last else last
    return <int32_t>position


cdef inline void open_grid(real* tau, real* unsorted, Row* row) noexcept nogil:
    """Sort the thresholds into buckets of equal width, then within each bucket."""
    cdef int32_t* start = row.bucket_start
    cdef Py_ssize_t i, k, b, P = row.P, buckets = count_buckets(P)
    cdef int32_t fullest = 0, end = 0
    cdef real low = INFINITY, high = -INFINITY, scale = 0, last = buckets - 1, value
    for i in range(P):
        unsorted[i] = tau[i]
        if isfinite(tau[i]):
            low = tau[i] if tau[i] < low else low
            high = tau[i] if tau[i] > high else high
    if high > low:
        scale = buckets / (high - low)
    else:
        low = 0
    row.low, row.scale = low, scale

    memset(start, 0, (buckets + 1) * sizeof(int32_t))
    for i in range(P):
        row.bucket[i] = bucket_of(unsorted[i], low, scale, last)
        start[row.bucket[i]] += 1
    for b in range(buckets):
        fullest = start[b] if start[b] > fullest else fullest
        end += start[b]
        start[b] = end
    start[buckets] = end
    for i in range(P):
        b = row.bucket[i]
        start[b] -= 1
        tau[start[b]] = unsorted[i]
    if fullest > 16:                    # thresholds in clusters
        for b in range(buckets):
            qsort(tau + start[b], start[b + 1] - start[b], sizeof(real),
                  ascending_float if real is float else ascending_double)
    for i in range(1, P):               # insertion: hardly anything is far from its place
        value = tau[i]
        k = i
        while k > 0 and tau[k - 1] > value:
            tau[k] = tau[k - 1]
            k -= 1
        tau[k] = value
    tau[P] = INFINITY                   # nothing is above the end


# ------------------------------------------------------------------------------------ 2. the ranks

cdef inline Py_ssize_t mark_active(const real* v, Py_ssize_t m, real a, uint64_t* marks) noexcept nogil:
    """Mark the scores above ``a`` with a byte each, eight to a word; how many they are."""
    cdef uint8_t* mark = <uint8_t*>marks
    cdef uint64_t sums = 0              # of each of the eight bytes: at most BLOCK / 8 < 256
    cdef Py_ssize_t j
    marks[(m - 1) // 8] = 0
    for j in range(m):
        mark[j] = not (v[j] <= a)       # NaN is active
    for j in range((m + 7) // 8):
        sums += marks[j]
    sums = (sums & 0x00FF00FF00FF00FFu) + ((sums >> 8) & 0x00FF00FF00FF00FFu)
    return <Py_ssize_t>((sums * 0x0001000100010001u) >> 48)


cdef inline void compare(const real* v, Py_ssize_t m, const real* tau, Py_ssize_t P, lane* rank,
                         int64_t* count) noexcept nogil:
    cdef Py_ssize_t i, j
    cdef real tau0, tau1, tau2, tau3
    cdef lane above0, above1, above2, above3, n0, n1, n2, n3
    memset(rank, 0, m * sizeof(lane))
    for i from 0 <= i < P by 4:
        tau0, tau1, tau2, tau3 = tau[i], tau[i + 1], tau[i + 2], tau[i + 3]
        n0 = n1 = n2 = n3 = 0
        for j in range(m):
            above0 = v[j] > tau0
            above1 = v[j] > tau1
            above2 = v[j] > tau2
            above3 = v[j] > tau3
            rank[j] += above0 + above1 + above2 + above3
            n0 += above0
            n1 += above1
            n2 += above2
            n3 += above3
        count[i] += n0
        count[i + 1] += n1
        count[i + 2] += n2
        count[i + 3] += n3


cdef inline void rank_by_comparing(const real* v, Py_ssize_t m, const real* tau, Py_ssize_t P,
                            int32_t* rank, int64_t* count) noexcept nogil:
    """Rank ``m`` scores against few thresholds, adding to each threshold's count."""
    cdef int64_t wide[2 * BLOCK]
    cdef Py_ssize_t j
    if real is float:
        compare(v, m, tau, P, rank, count)
    else:                               # vector lanes as wide as the scores: nothing to convert
        compare(v, m, tau, P, wide, count)
        for j in range(m):
            rank[j] = <int32_t>wide[j]


cdef inline Py_ssize_t search(const real* tau, Py_ssize_t low, Py_ssize_t high,
                              real value) noexcept nogil:
    """The first of the sorted ``tau[low:high]`` that is not below ``value``."""
    cdef Py_ssize_t middle
    while low < high:
        middle = (low + high) // 2
        if value > tau[middle]:
            low = middle + 1
        else:
            high = middle
    return low


cdef inline Py_ssize_t rank_in_bucket(const real* tau, const int32_t* bucket_start, int32_t b,
                                      real value) noexcept nogil:
    cdef Py_ssize_t r = bucket_start[b]
    r += value > tau[r]
    if value > tau[r]:
        r = search(tau, r, bucket_start[b + 1], value)
    return r


cdef inline void rank_by_grid(const real* v, Py_ssize_t m, const real* tau, const Row* row,
                       int32_t* rank, int64_t* count) noexcept nogil:
    """Rank ``m`` scores against many thresholds, adding to the histogram of ranks."""
    cdef real low = row.low, scale = row.scale, last = count_buckets(row.P) - 1
    cdef Py_ssize_t j, r
    for j in range(m):
        rank[j] = bucket_of(v[j], low, scale, last)
    for j in range(m):
        r = rank_in_bucket(tau, row.bucket_start, rank[j], v[j])
        rank[j] = <int32_t>r
        count[r] += 1


cdef inline void rank_scores(const real* v, Py_ssize_t m, const Row* row, int32_t* rank,
                             int64_t* count) noexcept nogil:
    if row.P > FEW:
        rank_by_grid(v, m, <const real*>row.tau, row, rank, count)
    else:
        rank_by_comparing(v, m, <const real*>row.tau, row.P, rank, count)


# --------------------------------------------------------------- 3. the loss and the gradient of it

cdef inline void accumulate(double* hi, double* lo, double r, real x, double a) noexcept nogil:
    """Add r * (x - a)+ to hi, and for float64 scores to lo what rounding takes from it."""
    cdef double d, back, error, top, product, s, part, value
    cdef uint64_t bits
    if real is float:
        d = x - a
        d = 0 if 0 > d else d           # in this order NaN stays NaN
        hi[0] += r * d
    else:
        value = a if x < a else x
        d = value - a
        back = value - d                # value - a = d + error (Knuth)
        error = (value - (d + back)) + (back - a)
        memcpy(&bits, &d, sizeof(d))    # top: the upper 26 bits of d; r * top is exact for |r| < 2**27
        bits &= 0xFFFFFFFFF8000000u
        memcpy(&top, &bits, sizeof(d))
        product = r * top
        s = hi[0] + product
        part = s - hi[0]
        lo[0] += ((hi[0] - (s - part)) + (product - part)) + r * ((d - top) + error)
        hi[0] = s


cdef inline void add_excess(const real* v, const int32_t* rank, Py_ssize_t m, double a,
                     Sum* total) noexcept nogil:
    """Add sum_j r_j * (x_j - a)+, lane by lane."""
    cdef double hi[LANES]
    cdef double lo[LANES]
    cdef Py_ssize_t i, j, l, whole = m - m % LANES
    memset(hi, 0, sizeof(hi))
    memset(lo, 0, sizeof(lo))
    for i in range(m // LANES):
        j = i * LANES
        for l in range(LANES):
            accumulate(&hi[l], &lo[l], rank[j + l], v[j + l], a)
    for j in range(whole, m):
        accumulate(&hi[j - whole], &lo[j - whole], rank[j], v[j], a)
    if real is float:
        add(total, ((hi[0] + hi[4]) + (hi[2] + hi[6])) + ((hi[1] + hi[5]) + (hi[3] + hi[7])))
    else:
        for l in range(LANES):
            add(total, hi[l])
            total.lo += lo[l]


cdef inline void put_gradient(real* out, double count, const Row* row) noexcept nogil:
    """Write count / divisor, rounded once; a product with the inverse is as good for float32."""
    if real is float:
        out[0] = <float>(count * row.inverse)
    else:
        out[0] = count / row.divisor


cdef inline void scan(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row,
               real* grad, Part* part) noexcept nogil:
    """Rank the scores x[start:stop]; write their gradient unless ``grad`` is NULL."""
    cdef real block[BLOCK]
    cdef real queue[2 * BLOCK]          # active scores of blocks that had few
    cdef int32_t column[2 * BLOCK]      # and where they came from, counted from start
    cdef int32_t rank[2 * BLOCK]
    cdef const real* v
    cdef uint64_t marks[WORDS]
    cdef Py_ssize_t first, w, j, k, m, b, active, queued = 0
    cdef real a = <real>row.a
    if row.P == 0:                      # no pairs: whatever the scores are, even NaN
        if grad != NULL:
            memset(grad + start, 0, (stop - start) * sizeof(real))
        return
    for b in range(start // BLOCK, (stop + BLOCK - 1) // BLOCK):
        first = b * BLOCK
        m = min(BLOCK, stop - first)
        v = x + first
        if row.block_start[b] < row.block_start[b + 1]:
            memcpy(block, v, m * sizeof(real))
            for k in range(row.block_start[b], row.block_start[b + 1]):
                block[row.by_block[k] - first] = a
            v = block
        active = mark_active(v, m, a, marks)
        if 4 * active > m:
            rank_scores(v, m, row, rank, part.count)
            add_excess(v, rank, m, row.a, &part.total)
            if grad != NULL:
                for j in range(m):
                    put_gradient(grad + first + j, rank[j], row)
            continue
        if grad != NULL:
            memset(grad + first, 0, m * sizeof(real))
        if active == 0:
            continue
        for w in range((m + 7) // 8):
            if marks[w] != 0:
                for j in range(8 * w, min(8 * w + 8, m)):
                    queue[queued] = v[j]
                    column[queued] = <int32_t>(first - start + j)
                    queued += (<uint8_t*>marks)[j]
        if queued >= BLOCK:
            flush(queue, column, rank, queued, row, grad + start if grad != NULL else NULL, part)
            queued = 0
    if queued > 0:
        flush(queue, column, rank, queued, row, grad + start if grad != NULL else NULL, part)


cdef inline void flush(const real* queue, const int32_t* column, int32_t* rank, Py_ssize_t queued,
                const Row* row, real* grad, Part* part) noexcept nogil:
    """Rank the queued scores."""
    cdef Py_ssize_t k
    rank_scores(queue, queued, row, rank, part.count)
    add_excess(queue, rank, queued, row.a, &part.total)
    if grad != NULL:
        for k in range(queued):
            put_gradient(grad + column[k], rank[k], row)


cdef inline void close_row(const real* x, const Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    """From the ranks and counts of a whole row: C times its loss, and the gradient of its labels."""
    cdef const real* tau = <const real*>row.tau
    cdef int64_t* count = part.count
    cdef int64_t above, size
    cdef double hi = 0, lo = 0
    cdef Py_ssize_t i, r, P = row.P
    cdef real* g
    if P > FEW:                         # from the histogram of ranks to those above each rank
        above = 0
        for r in range(P, -1, -1):
            size = count[r]
            count[r] = above
            above += size
    r = 0
    for i in range(P):
        # With many labels tau is sorted, and equal thresholds share the lowest one's rank.
        r = r if P > FEW and i > 0 and tau[i] == tau[i - 1] else i
        if count[r] > 0:
            accumulate(&hi, &lo, -count[r], tau[i], row.a)
    loss[0] = part.total
    add(loss, hi)
    loss.lo += lo
    if not row.finite or not isfinite(loss.hi) or not isfinite(loss.lo):
        settle(x, row, loss)
    if grad == NULL:
        return
    if isnan(loss.hi):
        for i in range(row.C):
            grad[i] = NAN
        return
    # The scan left zeros at the labels: a label given m times counts m times, with one rounding.
    for i in range(P):
        grad[row.labels[i]] += 1
    for i in range(P):
        g = grad + row.labels[i]
        if g[0] > 0:
            r = i if P <= FEW else rank_in_bucket(
                tau, row.bucket_start, row.bucket[i], (<const real*>row.unsorted)[i])
            put_gradient(g, 0 - g[0] * <double>count[r], row)


cdef inline void settle(const real* x, const Row* row, Sum* loss) noexcept nogil:
    """Decide between NaN, inf and the sum as it stands, by which values meet in pairs."""
    cdef bint is_label[BLOCK]
    cdef bint nan = False, high = False, low = False, any_negative = False
    cdef bint label_nan = False, label_high = False, label_low = False
    cdef Py_ssize_t i, j, k, b, first, m
    cdef real value
    for i in range(row.P):
        value = x[row.labels[i]]
        label_nan |= isnan(value)
        label_high |= value == INFINITY
        label_low |= value == -INFINITY
    for b in range((row.C + BLOCK - 1) // BLOCK):
        first = b * BLOCK
        m = min(BLOCK, row.C - first)
        memset(is_label, 0, sizeof(is_label))
        for k in range(row.block_start[b], row.block_start[b + 1]):
            is_label[row.by_block[k] - first] = True
        for j in range(m):
            if not is_label[j]:
                any_negative = True
                nan |= isnan(x[first + j])
                high |= x[first + j] == INFINITY
                low |= x[first + j] == -INFINITY
    if nan or (label_nan and any_negative) or (high and label_high) or (low and label_low):
        loss.hi, loss.lo = NAN, 0
    elif high or (label_low and any_negative):
        loss.hi, loss.lo = INFINITY, 0
    elif not any_negative:
        loss.hi, loss.lo = 0, 0
    elif not isfinite(loss.hi) or not isfinite(loss.lo):
        loss.hi, loss.lo = INFINITY, 0      # finite scores whose float64 sum overflows


# -------------------------------------------------------------------------------------- 4. a row

cdef inline Py_ssize_t segment_of(Py_ssize_t P) noexcept nogil:
    """Columns of a segment: at least as many as there are counts to merge, and whole blocks."""
    return SEGMENT if P <= SEGMENT else (P + BLOCK - 1) // BLOCK * BLOCK


cdef inline void merge(Sum* total, const Sum* part) noexcept nogil:
    add(total, part.hi)
    total.lo += part.lo


cdef inline void rank_segment(const real* x, Py_ssize_t s, const Row* row, real* grad, Part* part) noexcept nogil:
    """Rank the segment s of a row on its own."""
    cdef Py_ssize_t size = segment_of(row.P)
    memset(part.count, 0, (row.P + 4) * sizeof(int64_t))
    part.total.hi, part.total.lo = 0, 0
    scan(x, s * size, min(row.C, (s + 1) * size), row, grad, part)


cdef inline void rank_row(const real* x, const Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    """Rank all segments of a row, one after the other."""
    cdef Py_ssize_t s, size = segment_of(row.P)
    cdef Sum total
    total.hi, total.lo = 0, 0
    memset(part.count, 0, (row.P + 4) * sizeof(int64_t))
    for s in range((row.C + size - 1) // size):
        part.total.hi, part.total.lo = 0, 0
        scan(x, s * size, min(row.C, (s + 1) * size), row, grad, part)
        merge(&total, &part.total)
    part.total = total
    close_row(x, row, grad, part, loss)


cdef inline bint allocate_row(Row* row, Py_ssize_t K, Py_ssize_t C) noexcept nogil:
    """Memory for a row of up to K labels; what is never touched costs nothing."""
    cdef Py_ssize_t blocks = (C + BLOCK - 1) // BLOCK
    cdef char* memory = <char*>malloc((blocks + 1 + K) * sizeof(int64_t) + (2 * K + 4) * sizeof(double)
                                      + ((BUCKETS + 1) * K + 1) * sizeof(int32_t) + PADDING)
    row.block_start = <int64_t*>memory
    row.by_block = row.block_start + blocks + 1
    row.tau = <double*>(row.by_block + K)
    row.unsorted = <double*>row.tau + K + 4
    row.bucket = <int32_t*>(<double*>row.unsorted + K)
    row.bucket_start = row.bucket + K
    return memory != NULL


cdef inline bint allocate_part(Part* part, Py_ssize_t K) noexcept nogil:
    part.count = <int64_t*>malloc((K + 4) * sizeof(int64_t) + PADDING)
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

# cython: language_level=3, cdivision=True
"""Ranks: how many of a row's thresholds are below each score, and how many scores above each.

There are two ways, and the number of thresholds decides between them.

* `rank_by_comparing`, for a few: each score with each threshold, see `comparing.pxd`.
* `rank_by_grid`, for more. The thresholds are sorted into buckets of equal width between the lowest
  and the highest. A score's bucket says how many thresholds are below the bucket; the few that share
  it are compared. The bucket of a value is monotone in the value even in floating point, so no rank
  depends on rounding. A histogram of the ranks holds the counts of all thresholds.
"""

from libc.math cimport INFINITY, isfinite
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from lucid._kernels.pairs.comparing cimport compare_double, compare_float
from lucid._kernels.pairs.marking cimport below_double, below_float
from lucid._kernels.pairs.vectors cimport BYTES, LANES
from lucid._kernels.reals cimport real, search, sort

cdef enum:
    FEW_BYTES = 256         # of thresholds, 64 or 32: for so many comparing takes no longer
    SLACK = 8               # entries behind thresholds and counts, for the lanes of registers
    CROWDED = 16            # thresholds in a bucket, from which on they are sorted by more than insertion
    BUCKETS = 2             # for each threshold
    MOST_BUCKETS = 1 << 23  # their numbers stay exact in float32


cdef struct Thresholds:
    bint few                # whether scores are compared with each of them
    bint sorted             # whether tau ascends
    Py_ssize_t P            # how many
    void* by_label          # real[P + SLACK]: in the order of the labels
    void* ascending         # real[P + SLACK]: sorted, and closed by inf
    void* tau               # the one of the two whose order the counts have
    # for the grid:
    Py_ssize_t buckets
    double low, scale       # a value x falls into bucket (x - low) * scale
    int32_t* bucket         # [P + SLACK]: of each label's threshold; of few sorted ones, the place in tau
    int32_t* start          # [buckets + 1]: where each bucket's thresholds start in tau


cdef inline Py_ssize_t count_buckets(Py_ssize_t P) noexcept nogil:
    return min(BUCKETS * P, MOST_BUCKETS)


cdef inline int32_t bucket_of(real value, real low, real scale, real last) noexcept nogil:
    cdef real position = (value - low) * scale
    position = position if position > 0 else 0      # NaN goes to the first bucket
    position = position if position < last else last
    return <int32_t>position


cdef inline void open_thresholds(real* by_label, Py_ssize_t P, real low, real high, bint sorted,
                                 Thresholds* t) noexcept nogil:
    """Take P thresholds from low to high; few of them in the order of the labels, unless ``sorted``."""
    t.P = P
    t.few = P * <Py_ssize_t>sizeof(real) <= FEW_BYTES
    t.sorted = sorted or not t.few
    t.tau = t.ascending if t.sorted else t.by_label
    if not t.few:
        sort_into_buckets(by_label, <real*>t.tau, low, high, t)
    elif sorted and P > 0:
        sort_by_comparing(by_label, P, <real*>t.tau, t.bucket)


cdef inline void sort_by_comparing(real* by_label, Py_ssize_t P, real* tau, int32_t* place) noexcept nogil:
    """Sort a few thresholds: as many as are below one come before it."""
    cdef int32_t count[FEW_BYTES]
    cdef Py_ssize_t i, whole = (P + LANES - 1) // LANES * LANES
    memset(count, 0, P * sizeof(int32_t))
    for i in range(P, whole):
        by_label[i] = 0
    rank_by_comparing(by_label, whole, by_label, P, place, count)
    for i in range(P):
        tau[i] = -INFINITY
    for i in range(P):
        tau[place[i]] = by_label[i]
    for i in range(1, P):               # equal ones have one place, and leave the next ones empty
        tau[i] = tau[i] if tau[i] > tau[i - 1] else tau[i - 1]


cdef inline void sort_into_buckets(const real* by_label, real* tau, real low, real high,
                                   Thresholds* t) noexcept nogil:
    """Sort the thresholds into buckets, then within each bucket."""
    cdef int32_t* start = t.start
    cdef Py_ssize_t i, b, P = t.P, buckets = count_buckets(P)
    cdef int32_t fullest = 0, end = 0, size
    cdef real scale = 0, last = buckets - 1
    if not (isfinite(low) and isfinite(high)):      # the width of a bucket must be finite
        low, high = INFINITY, -INFINITY
        for i in range(P):
            if isfinite(by_label[i]):
                low = by_label[i] if by_label[i] < low else low
                high = by_label[i] if by_label[i] > high else high
    if high > low:
        scale = buckets / (high - low)
    else:
        low = 0
    t.low, t.scale, t.buckets = low, scale, buckets

    memset(start, 0, (buckets + 1) * sizeof(int32_t))
    for i in range(P):
        t.bucket[i] = bucket_of(by_label[i], low, scale, last)
        start[t.bucket[i]] += 1
    for b in range(buckets):
        size = start[b]
        fullest = size if size > fullest else fullest
        end += size
        start[b] = end
    start[buckets] = end
    for i in range(P):
        b = t.bucket[i]
        start[b] -= 1
        tau[start[b]] = by_label[i]
    if fullest > CROWDED:
        for b in range(buckets):
            sort(tau + start[b], start[b + 1] - start[b])
    sort_by_insertion(tau, P)           # hardly anything is far from its place
    for i in range(P, P + SLACK):
        tau[i] = INFINITY


cdef inline void sort_by_insertion(real* tau, Py_ssize_t P) noexcept nogil:
    cdef Py_ssize_t i, k
    cdef real value
    for i in range(1, P):
        value = tau[i]
        k = i
        while k > 0 and tau[k - 1] > value:
            tau[k] = tau[k - 1]
            k -= 1
        tau[k] = value


cdef inline Py_ssize_t rank_in_bucket(const real* tau, const int32_t* start, int32_t b,
                                      real value) noexcept nogil:
    """The rank of a value of bucket b: a register of thresholds from its start on is nearly always enough."""
    cdef Py_ssize_t r = start[b]
    cdef int below
    if real is float:
        below = below_float(tau + r, value)
    else:
        below = below_double(tau + r, value)
    r += below
    if below * <int>sizeof(real) == BYTES:
        r = search(tau, r, start[b + 1], value)
    return r


cdef inline int64_t rank_by_grid(const real* v, Py_ssize_t m, const real* tau, const Thresholds* t,
                                 int32_t* rank, int32_t* count) noexcept nogil:
    """Rank ``m`` scores against many thresholds, adding to the histogram of ranks."""
    cdef real low = t.low, scale = t.scale, last = t.buckets - 1
    cdef int64_t sum_of_ranks = 0
    cdef Py_ssize_t j, r
    for j in range(m):
        rank[j] = bucket_of(v[j], low, scale, last)
    for j in range(m):
        r = rank_in_bucket(tau, t.start, rank[j], v[j])
        rank[j] = <int32_t>r
        count[r] += 1
        sum_of_ranks += r
    return sum_of_ranks


cdef inline int64_t rank_by_comparing(const real* v, Py_ssize_t m, const real* tau, Py_ssize_t P,
                                      int32_t* rank, int32_t* count) noexcept nogil:
    """Rank ``m`` scores against few thresholds, adding to each threshold's count."""
    if real is float:
        return compare_float(v, m, tau, P, rank, count)
    else:
        return compare_double(v, m, tau, P, rank, count)


cdef inline int64_t rank_scores(const real* v, Py_ssize_t m, const Thresholds* t, int32_t* rank,
                                int32_t* count) noexcept nogil:
    """Rank ``m`` scores, a multiple of LANES, and count them; the sum of their ranks."""
    cdef const real* tau = <const real*>t.tau
    if t.few:
        return rank_by_comparing(v, m, tau, t.P, rank, count)
    return rank_by_grid(v, m, tau, t, rank, count)


cdef inline Py_ssize_t rank_of(real value, const Thresholds* t) noexcept nogil:
    """The rank of one score, on its own."""
    cdef const real* tau = <const real*>t.tau
    cdef Py_ssize_t i, r = 0
    if not t.few:
        return search(tau, 0, t.P, value)
    for i in range(t.P):
        r += value > tau[i]
    return r


cdef inline void close_counts(const Thresholds* t, int32_t* count) noexcept nogil:
    """Make of what the calls of ``rank_scores`` added up how many scores are above each ``tau[i]``."""
    cdef int32_t above = 0, size
    cdef Py_ssize_t r
    if not t.few:
        for r in range(t.P, -1, -1):
            size = count[r]
            count[r] = above
            above += size


cdef inline Py_ssize_t place_of(Py_ssize_t i, const Thresholds* t, const real* tau) noexcept nogil:
    """Where the threshold of the i-th label, or the first that equals it, stands in ``tau``."""
    if not t.sorted:
        return i
    if t.few:
        return t.bucket[i]
    return rank_in_bucket(tau, t.start, t.bucket[i], (<const real*>t.by_label)[i])

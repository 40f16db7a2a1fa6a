# cython: language_level=3, cdivision=True
"""A row in segments: one thread scans all of them, or several share them; the bits are the same."""

from libc.stdint cimport int32_t
from libc.string cimport memset

from lucid._kernels.pairs.ranks cimport SLACK
from lucid._kernels.pairs.row cimport BLOCK, Excess, Part, Row
from lucid._kernels.pairs.sums cimport Sum, add, merge
from lucid._kernels.reals cimport real

cdef enum:
    SEGMENT = 1 << 15       # columns of one task when the threads share a row

# A loss's own `scan`, of the scores x[start:stop].
ctypedef void (*Scan)(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row, real* grad,
                      Part* part) noexcept nogil


cdef inline Py_ssize_t segment_of(Py_ssize_t P) noexcept nogil:
    """Columns of a segment: at least as many as there are counts to merge, and whole blocks."""
    return SEGMENT if P <= SEGMENT else (P + BLOCK - 1) // BLOCK * BLOCK


cdef inline Py_ssize_t count_segments(const Row* row) noexcept nogil:
    return (row.C + segment_of(row.P) - 1) // segment_of(row.P)


cdef inline Py_ssize_t start_of(Py_ssize_t s, const Row* row) noexcept nogil:
    """The column that segment s begins with, or the end of the row."""
    return min(row.C, s * segment_of(row.P))


cdef inline void clear(const Row* row, Part* part) noexcept nogil:
    memset(part.count, 0, (row.P + SLACK) * sizeof(int32_t))
    part.noted = 0
    clear_sums(row, part)


cdef inline void clear_sums(const Row* row, Part* part) noexcept nogil:
    part.total.hi, part.total.lo = 0, 0
    if part.excess != NULL:
        memset(part.excess, 0, (row.P + 1) * sizeof(Excess))


cdef inline void scan_segment(const real* x, Py_ssize_t s, const Row* row, real* grad, Part* part,
                              Scan scan) noexcept nogil:
    """Scan the segment s of a row on its own."""
    clear(row, part)
    scan(x, start_of(s, row), start_of(s + 1, row), row, grad, part)


cdef inline void scan_row(const real* x, const Row* row, real* grad, Part* part, Scan scan) noexcept nogil:
    """Scan all segments of a row, one after the other, into one part."""
    cdef Py_ssize_t start, size = segment_of(row.P)
    cdef Sum total
    scan_segment(x, 0, row, grad, part, scan)
    if row.C <= size:
        return
    total = part.total
    part.excess, part.before = part.before, part.excess
    for start from size <= start < row.C by size:
        clear_sums(row, part)
        scan(x, start, min(row.C, start + size), row, grad, part)
        merge(&total, &part.total)
        merge_excess(part.before, part.excess, row)
    part.total = total
    part.excess, part.before = part.before, part.excess


cdef inline void merge_excess(Excess* total, const Excess* part, const Row* row) noexcept nogil:
    """Add the sums of a segment to those of the segments before; nothing if there are none."""
    cdef Sum sum
    cdef Py_ssize_t r
    if part == NULL:
        return
    for r in range(row.P + 1):
        sum.hi, sum.lo = total[r].sum, total[r].lost
        add(&sum, part[r].sum)
        total[r].sum, total[r].lost = sum.hi, sum.lo + part[r].lost


cdef inline void merge_parts(Part* parts, const Row* row) noexcept nogil:
    """Gather the parts of a row's segments in the first, in the order of ``scan_row``."""
    cdef Sum total
    cdef Py_ssize_t s, i
    total.hi, total.lo = 0, 0
    for s in range(count_segments(row)):
        merge(&total, &parts[s].total)
        if s > 0:
            for i in range(row.P + 1):
                parts[0].count[i] += parts[s].count[i]
            merge_excess(parts[0].excess, parts[s].excess, row)
    parts[0].total = total

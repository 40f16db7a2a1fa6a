# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Ranks that are kept where their gradient goes, until their row has been closed.

The gradient of a loss whose weights are found by the scan itself is a function of the rank that is not
known before. Mostly nearly all ranks are 0, as their gradient is.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.string cimport memcpy

from lucid._kernels.bits cimport BLOCK, WORD, WORDS, count_trailing_zeros
from lucid._kernels.pairs.row cimport MOST_NOTED, Part
from lucid._kernels.pairs.scan cimport MANY, mark_active
from lucid._kernels.pairs.vectors cimport LANES
from lucid._kernels.reals cimport real

cdef enum:
    ABOVE = 1 << 30         # rank 1 is the float32 just above 2 then


cdef inline void keep_rank(real* place, int32_t rank) noexcept nogil:
    """Keep a rank in the memory of a gradient, as a number that is above 0 where the rank is."""
    if real is float:                   # a float32 counts to 2**24 only, but has bits for all ranks
        rank |= ABOVE if rank > 0 else 0
        memcpy(place, &rank, sizeof(rank))
    else:
        place[0] = rank


cdef inline int32_t kept_rank(const real* place) noexcept nogil:
    cdef int32_t rank
    if real is float:
        memcpy(&rank, place, sizeof(rank))
        return rank & ~ABOVE
    else:
        return <int32_t>place[0]


cdef inline void look_up(const real* worth, real* place) noexcept nogil:
    """Put what the rank that is kept there is worth in its place."""
    place[0] = worth[kept_rank(place)]


cdef inline void look_up_all(const real* worth, real* grad, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t j, l
    for j from 0 <= j <= m - LANES by LANES:
        for l in range(LANES):          # unrolled
            look_up(worth, grad + j + l)
    for j in range(m - m % LANES, m):
        look_up(worth, grad + j)


cdef inline void look_up_segment(const real* worth, Py_ssize_t start, Py_ssize_t stop, real* grad,
                                 const Part* part) noexcept nogil:
    """The same for all scores that the scan of a part has seen."""
    cdef uint64_t marks[WORDS]
    cdef uint64_t word
    cdef Py_ssize_t first, m, active, w, j
    if part.noted <= MOST_NOTED:
        for j in range(part.noted):
            look_up(worth, grad + part.note[j])
        return
    for first from start <= first < stop by BLOCK:
        m = min(BLOCK, stop - first)
        active = mark_active(grad + first, m, <real>0, marks)
        if MANY * active > m:
            look_up_all(worth, grad + first, m)
        elif active > 0:
            for w in range((m + WORD - 1) // WORD):
                word = marks[w]
                while word != 0:
                    look_up(worth, grad + first + w * WORD + count_trailing_zeros(word))
                    word &= word - 1

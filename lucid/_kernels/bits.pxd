# cython: language_level=3, cdivision=True
"""A bit for each column of a row, 64 to a word, in blocks of columns that are looked at together."""

from libc.stdint cimport int64_t, uint64_t

cdef extern from *:
    int count_ones "__builtin_popcountll" (unsigned long long word) nogil
    int count_trailing_zeros "__builtin_ctzll" (unsigned long long word) nogil

cdef enum:
    BLOCK = 512             # columns whose scores, and what is made of them, fit in L1
    WORD = 64               # columns that a word has a bit for
    WORDS = 8               # BLOCK / WORD


cdef inline Py_ssize_t count_blocks(Py_ssize_t C) noexcept nogil:
    return (C + BLOCK - 1) // BLOCK


cdef inline bint is_column(int64_t j, Py_ssize_t C) noexcept nogil:
    return <uint64_t>j < <uint64_t>C            # of 64 bits: 2**32 + 3 is not 3, -2 is huge


cdef inline bint set_bit(uint64_t j, uint64_t* bits) noexcept nogil:
    """Set the bit of column j; whether it was not set."""
    cdef uint64_t word = bits[j // WORD], bit = <uint64_t>1 << (j % WORD)
    bits[j // WORD] = word | bit
    return word & bit == 0


cdef inline bint is_set(uint64_t j, const uint64_t* bits) noexcept nogil:
    return bits[j // WORD] >> (j % WORD) & 1


cdef inline bint any_of(const uint64_t* bits) noexcept nogil:
    """Whether a bit of a block is set."""
    cdef uint64_t found = 0
    cdef Py_ssize_t w
    for w in range(WORDS):
        found |= bits[w]
    return found != 0

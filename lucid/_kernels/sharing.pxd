# cython: language_level=3
"""Memory that several threads look at."""

from libc.stdint cimport int64_t

cdef enum:
    # Bytes between what two threads write: two cache lines, since processors fetch them in pairs.
    # Closer to each other, they would slow each other down.
    APART = 128

cdef extern from *:
    """
    #define LUCID_READ_ONCE(p) (*(const volatile int64_t*)(p))
    """
    # What may change meanwhile: what is checked is what is used.
    int64_t read_once "LUCID_READ_ONCE" (const int64_t* p) nogil

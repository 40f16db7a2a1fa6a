# cython: language_level=3
"""Reading memory that another thread may change meanwhile: what is checked is what is used."""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    #define LUCID_READ_ONCE(p) (*(const volatile int64_t*)(p))
    """
    int64_t read_once "LUCID_READ_ONCE" (const int64_t* p) nogil

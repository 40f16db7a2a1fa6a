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

    /* Entry k of signed integers of so many bytes. */
    static inline __attribute__((always_inline)) int64_t
    lucid_read_whole(const void* p, ptrdiff_t k, int bytes)
    {
        switch (bytes) {
        case 8: return ((const volatile int64_t*)p)[k];
        case 4: return ((const volatile int32_t*)p)[k];
        case 2: return ((const volatile int16_t*)p)[k];
        default: return ((const volatile int8_t*)p)[k];
        }
    }
    """
    # What may change meanwhile: what is checked is what is used.
    int64_t read_once "LUCID_READ_ONCE" (const int64_t* p) nogil
    int64_t read_whole "lucid_read_whole" (const void* p, Py_ssize_t k, int bytes) nogil

# cython: language_level=3, cdivision=True
"""The two types of scores, and how they are sorted and searched."""

from libc.stdlib cimport qsort

ctypedef fused real:
    float
    double


cdef inline int ascending_float(const void* p, const void* q) noexcept nogil:
    return ((<const float*>p)[0] > (<const float*>q)[0]) - ((<const float*>p)[0] < (<const float*>q)[0])


cdef inline int ascending_double(const void* p, const void* q) noexcept nogil:
    return ((<const double*>p)[0] > (<const double*>q)[0]) - ((<const double*>p)[0] < (<const double*>q)[0])


cdef inline void sort(real* v, Py_ssize_t m) noexcept nogil:
    qsort(v, m, sizeof(real), ascending_float if real is float else ascending_double)


cdef inline Py_ssize_t search(const real* v, Py_ssize_t low, Py_ssize_t high, real value) noexcept nogil:
    """The first of the ascending ``v[low:high]`` that is not below ``value``; ``high`` if there is none."""
    cdef Py_ssize_t size = high - low
    while size > 0:
        # No branch on the outcome, which no processor could predict.
        low += (size - size // 2) * (v[low + size // 2] < value)
        size //= 2
    return low

# cython: language_level=3
"""Arrays of Python, as they are handed in: a short call would wait for a typed memoryview of each."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from libc.string cimport strchr

cdef enum:
    MOST_ARRAYS = 12        # of one call


cdef struct Buffers:        # the arrays that a call holds
    int count
    Py_buffer held[MOST_ARRAYS]


cdef inline Py_buffer* hold(array, int ndim, const char* formats, Py_ssize_t itemsize, bint writable,
                            Buffers* buffers) except NULL:
    """Get at an array, C-contiguous and aligned; its type is one of ``formats``, see `struct`.

    ``ndim`` and ``itemsize`` are what they must be, or 0.
    """
    cdef Py_buffer* view = &buffers.held[buffers.count]
    PyObject_GetBuffer(array, view,
                       PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    buffers.count += 1
    if (ndim not in (0, view.ndim) or view.format == NULL or view.format[0] == 0 or view.format[1] != 0
            or strchr(formats, view.format[0]) == NULL or itemsize not in (0, view.itemsize)
            or <size_t>view.buf % view.itemsize):
        raise ValueError("an array is not of the kind that is read")
    return view


cdef inline void* hold_vector(array, const char* formats, Py_ssize_t itemsize, Py_ssize_t size, bint writable,
                              Buffers* buffers) except? NULL:
    """The entries of an array of one axis, of this size; NULL for None."""
    cdef Py_buffer* view
    if array is None:
        return NULL
    view = hold(array, 1, formats, itemsize, writable, buffers)
    if view.shape[0] != size:
        raise ValueError("shapes do not fit")
    return view.buf


cdef inline void release(Buffers* buffers) noexcept:
    cdef int k
    for k in range(buffers.count):
        PyBuffer_Release(&buffers.held[k])

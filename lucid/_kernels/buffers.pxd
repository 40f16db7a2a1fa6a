# cython: language_level=3
"""Arrays of Python, as they are handed in: a short call would wait for a typed memoryview of each."""

from cpython.buffer cimport (
    PyBUF_C_CONTIGUOUS, PyBUF_FORMAT, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)

cdef extern from *:
    """
    #define LUCID_NATIVE (__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? '<' : '>')
    """
    const char NATIVE "LUCID_NATIVE"

cdef enum:
    MOST_ARRAYS = 12        # of one call


cdef struct Buffers:        # the arrays that a call holds
    int count
    Py_buffer held[MOST_ARRAYS]


cdef inline bint fits(const char* given, char wanted) noexcept:
    """Whether a format of `struct`, in the byte order of this machine, is the wanted one."""
    given += given[0] == c"@" or given[0] == c"=" or given[0] == NATIVE
    return given[0] != 0 and given[1] == 0 and (
        given[0] == wanted or wanted == c"l" and given[0] in (c"q", c"i", c"h", c"b"))


cdef inline Py_buffer* hold(array, int ndim, char format, Py_ssize_t itemsize, bint writable,
                            Buffers* buffers) except NULL:
    """Get at an array, C-contiguous and aligned, whose entries have a ``format``: b"f", b"d" or, for
    integers with a sign, b"l". ``ndim`` and ``itemsize`` are what they must be, or 0.
    """
    cdef Py_buffer* view = &buffers.held[buffers.count]
    PyObject_GetBuffer(array, view,
                       PyBUF_C_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
    buffers.count += 1
    if (ndim not in (0, view.ndim) or itemsize not in (0, view.itemsize)
            or view.format == NULL or not fits(view.format, format)
            or <size_t>view.buf & (view.itemsize - 1)):
        raise ValueError("an array is not of the kind that is read")
    return view


cdef inline void* hold_vector(array, char format, Py_ssize_t size, bint writable,
                              Buffers* buffers) except? NULL:
    """The entries of an array of one axis, of this size and 8 bytes each; NULL for None."""
    cdef Py_buffer* view
    if array is None:
        return NULL
    view = hold(array, 1, format, 8, writable, buffers)
    if view.shape[0] != size:
        raise ValueError("shapes do not fit")
    return view.buf


cdef inline void release(Buffers* buffers) noexcept:
    cdef int k
    for k in range(buffers.count):
        PyBuffer_Release(&buffers.held[k])

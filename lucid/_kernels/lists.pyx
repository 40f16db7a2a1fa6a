# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Rows of Python's own integers, a list or tuple for each, where nothing is odd about them."""

from libc.stdint cimport int64_t

cdef extern from "Python.h":
    bint PyList_CheckExact(object)
    bint PyTuple_CheckExact(object)
    bint PyLong_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int* overflow) except? -1


def count(list rows, int64_t[::1] indptr):
    """Write where each row begins; False where one is neither a list nor a tuple."""
    cdef Py_ssize_t n = 0
    if indptr.shape[0] != len(rows) + 1:
        return False
    indptr[0] = 0
    for row in rows:
        if PyList_CheckExact(row):
            indptr[n + 1] = indptr[n] + len(<list>row)
        elif PyTuple_CheckExact(row):
            indptr[n + 1] = indptr[n] + len(<tuple>row)
        else:
            return False
        n += 1
    return True


def fill(list rows, int64_t num_classes, int64_t[::1] indices):
    """Write the entries of all rows; False where one is not an integer, or not of a class."""
    cdef Py_ssize_t k = 0
    cdef int64_t entry
    cdef int overflow
    for row in rows:
        for number in row:
            if not PyLong_CheckExact(number) or k == indices.shape[0]:
                return False
            entry = PyLong_AsLongLongAndOverflow(number, &overflow)
            if overflow != 0 or not 0 <= entry < num_classes:
                return False
            indices[k] = entry
            k += 1
    return k == indices.shape[0]

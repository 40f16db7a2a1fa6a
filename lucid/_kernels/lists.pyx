# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Rows of Python's own integers, a list or tuple for each, where nothing is odd about them."""

from libc.stdint cimport int64_t

from lucid._kernels.buffers cimport Buffers, hold_vector, release

cdef extern from "Python.h":
    bint PyList_CheckExact(object)
    bint PyTuple_CheckExact(object)
    bint PyLong_CheckExact(object)
    long long PyLong_AsLongLongAndOverflow(object, int* overflow) except? -1


def count(list rows, indptr):
    """Write where each row begins, and return how many entries there are; -1 where one is not a list or tuple."""
    cdef Py_ssize_t n = 0, total = 0
    cdef Buffers buffers
    cdef int64_t* starts
    buffers.count = 0
    try:
        starts = <int64_t*>hold_vector(indptr, c"l", len(rows) + 1, True, &buffers)
        starts[0] = 0
        for row in rows:
            if PyList_CheckExact(row):
                total += len(<list>row)
            elif PyTuple_CheckExact(row):
                total += len(<tuple>row)
            else:
                return -1
            n += 1
            starts[n] = total
        return total
    finally:
        release(&buffers)


def fill(list rows, int64_t num_classes, Py_ssize_t total, indices):
    """Write the entries of all rows; False where one is not an integer, or not of a class."""
    cdef Py_ssize_t k = 0
    cdef Buffers buffers
    cdef int64_t* entries
    cdef int64_t entry
    cdef int overflow
    buffers.count = 0
    try:
        entries = <int64_t*>hold_vector(indices, c"l", total, True, &buffers)
        for row in rows:
            for number in row:
                if not PyLong_CheckExact(number) or k == total:
                    return False
                entry = PyLong_AsLongLongAndOverflow(number, &overflow)
                if overflow != 0 or not 0 <= entry < num_classes:
                    return False
                entries[k] = entry
                k += 1
        return k == total
    finally:
        release(&buffers)

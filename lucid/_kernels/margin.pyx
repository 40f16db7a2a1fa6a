# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The multi-label margin loss, for Python: what happens, and why, is told in `pairs/hinge.pxd`.

Rows of few scores and labels take the way of `pairs/small.pxd`, to the same bits.
"""

from libc.stdint cimport int64_t

from lucid._kernels.pairs.hinge cimport hinge_close, hinge_of_label, hinge_scan
from lucid._kernels.pairs.problem cimport solve, solve_rows, solve_segment
from lucid._kernels.pairs.small cimport small_rows
from lucid._kernels.reals cimport real


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, NULL, hinge_scan[real], hinge_close[real],
                      NULL, hinge_of_label[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, hinge_scan[real])


def margin_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], NULL, hinge_close[float],
                        NULL, hinge_of_label[float], small_rows[float])


def margin_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], NULL, hinge_close[double],
                         NULL, hinge_of_label[double], small_rows[double])

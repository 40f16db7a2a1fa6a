# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The multi-label margin loss, for Python: what happens, and why, is told in `pairs/hinge.pxd`."""

from libc.stdint cimport int64_t

from lucid._kernels.pairs.hinge cimport hinge_close, hinge_scan
from lucid._kernels.pairs.problem cimport solve, solve_row, solve_segment
from lucid._kernels.reals cimport real


cdef int row(const real* x, Py_ssize_t n, int thread, void* problem) noexcept nogil:
    return solve_row(x, n, thread, problem, NULL, hinge_scan[real], hinge_close[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, hinge_scan[real])


def margin_float32(const float[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                   double divisor, double[::1] out, float[:, ::1] grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return solve(x, indices, indptr, divisor, out, grad, threads, terms,
                 row[float], segment[float], NULL, hinge_close[float])


def margin_float64(const double[:, ::1] x, const int64_t[:, ::1] indices, const int64_t[::1] indptr,
                   double divisor, double[::1] out, double[:, ::1] grad, int threads, terms=None):
    """Return the sum of the rows' losses; see the `.pyi` beside this file."""
    return solve(x, indices, indptr, divisor, out, grad, threads, terms,
                 row[double], segment[double], NULL, hinge_close[double])

# cython: language_level=3, cdivision=True
"""The gradient of a row's labels, of which one may be named more than once."""

from libc.math cimport NAN, isnan
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcpy

from lucid._kernels.pairs.ranks cimport place_of
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.sums cimport Sum
from lucid._kernels.reals cimport real

# The gradient of the label i, at a place among the thresholds, times the divisor; not positive.
ctypedef double (*OfLabel)(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                           const Part* part) noexcept nogil


cdef inline void put_label(real* out, double value, double divisor, double inverse) noexcept nogil:
    """Write value / divisor, rounded once, as `put_gradient` does for whole numbers."""
    out[0] = <real>(value * inverse if real is float else value / divisor)


cdef inline void put_labels(real* grad, const Row* row, const Part* part, const Sum* loss,
                            OfLabel of_label) noexcept nogil:
    """Write the gradient of the labels; that of all columns where the loss is NaN."""
    cdef const real* tau = <const real*>row.thresholds.tau
    cdef const int32_t* label = row.label
    cdef Py_ssize_t i
    cdef int64_t times
    if isnan(loss.hi):
        for i in range(row.C):
            grad[i] = NAN
    elif row.repeated:
        # The scan left zeros at the labels: a label given m times counts m times, with one rounding.
        for i in range(row.P):
            tally(grad + label[i], 1)
        for i in range(row.P):
            times = tally(grad + label[i], 0)
            if times > 0:               # not yet a gradient, whose sign is negative
                put_label(grad + label[i],
                          times * of_label(tau, i, place_of(i, &row.thresholds, tau), row, part),
                          row.divisor, row.inverse)
    else:
        for i in range(row.P):
            put_label(grad + label[i],
                      of_label(tau, i, place_of(i, &row.thresholds, tau), row, part),
                      row.divisor, row.inverse)


cdef inline int64_t tally(real* place, int64_t more) noexcept nogil:
    """Add to a whole number that is kept in the memory of a gradient: a float32 ends at 2**24."""
    cdef int32_t narrow
    cdef int64_t wide
    if real is float:
        memcpy(&narrow, place, sizeof(narrow))
        narrow += <int32_t>more
        memcpy(place, &narrow, sizeof(narrow))
        return narrow
    else:
        memcpy(&wide, place, sizeof(wide))
        wide += more
        memcpy(place, &wide, sizeof(wide))
        return wide

# cython: language_level=3, cdivision=True
"""What a row's loss is where NaN and infinities meet, whatever the loss."""

from libc.math cimport INFINITY, NAN, isfinite, isnan

from lucid._kernels.pairs.row cimport Row, is_negative
from lucid._kernels.pairs.sums cimport Sum
from lucid._kernels.reals cimport real


cdef inline bint is_doubtful(const Row* row, const Sum* loss) noexcept nogil:
    """Whether values that are not finite, or too large, may have had a say in the loss."""
    return not row.finite or not isfinite(loss.hi) or not isfinite(loss.lo)


cdef inline bint settle(const real* x, const Row* row, Sum* loss) noexcept nogil:
    """Decide between NaN, inf and the sum as it stands, by which values meet in pairs.

    False if a sum of finite values has overflowed on the way.
    """
    cdef bint nan = False, high = False, low = False, any_negative = row.negatives > 0
    cdef bint label_nan = False, label_high = False, label_low = False
    cdef Py_ssize_t i, j
    cdef real value
    for i in range(row.P):
        value = x[row.label[i]]
        label_nan |= isnan(value)
        label_high |= value == INFINITY
        label_low |= value == -INFINITY
    for j in range(row.C):
        if is_negative(j, row):
            nan |= isnan(x[j])
            high |= x[j] == INFINITY
            low |= x[j] == -INFINITY
    if nan or (label_nan and any_negative) or (high and label_high) or (low and label_low):
        loss.hi, loss.lo = NAN, 0
    elif high or (label_low and any_negative):
        loss.hi, loss.lo = INFINITY, 0
    elif not any_negative or row.a == INFINITY:
        loss.hi, loss.lo = 0, 0
    else:
        return isfinite(loss.hi) and isfinite(loss.lo)
    return True

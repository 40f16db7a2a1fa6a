# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The scanner of sparse multi-label text: `label,label feature:value feature:value`, a line a row.

One pass over the bytes, one state: the place in the text. The caller has counted commas, colons
and lines, so the arrays are large enough. What is wrong is reported as a code and a place; the
caller knows the file's name and words the error.

A value is read as an integer of its digits and a power of ten. Where the integer has at most 53
bits and the power is at most 10**22, both are exact doubles and one rounded multiplication or
division gives the nearest double [1]_; other values, which are rare, go through Python's own
correctly rounded conversion.

.. [1] W. D. Clinger, "How to read floating point numbers accurately", PLDI 1990.
"""

from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t

cdef extern from "Python.h":
    double PyOS_string_to_double(const char *s, char **endptr, void *overflow) except? -1.0

ctypedef fused real:
    float
    double

# What `scan` found; the texts for users are in lucid/data/scanning.py.
OK, BAD_LABEL, BAD_FEATURE, BAD_VALUE, LABEL_RANGE, FEATURE_RANGE, TOO_MANY_ROWS = range(7)

cdef enum:
    _OK, _BAD_LABEL, _BAD_FEATURE, _BAD_VALUE, _LABEL_RANGE, _FEATURE_RANGE, _TOO_MANY_ROWS

cdef double[23] POWERS_OF_TEN
for _exponent in range(23):
    POWERS_OF_TEN[_exponent] = 10.0 ** _exponent

cdef int64_t NO_INTEGER = -1
cdef int64_t TEN_TO_17 = 100_000_000_000_000_000
cdef int64_t HUGE_INTEGER = 0x7FFFFFFFFFFFFFFF


cdef inline bint is_digit(char c) noexcept:
    return c'0' <= c <= c'9'


cdef inline bint is_blank(char c) noexcept:
    return c == c' ' or c == c'\t' or c == c'\r'


cdef inline bint ends_line(const char *at, const char *end, char comment) noexcept:
    return at >= end or at[0] == c'\n' or at[0] == comment


cdef inline bint is_feature(const char *at) noexcept:
    while is_digit(at[0]):
        at += 1
    return at[0] == c':'


cdef inline int64_t read_integer(const char **at) noexcept:
    """Read digits (the text ends with a NUL, so that this stops); move behind them."""
    cdef const char *p = at[0]
    cdef int64_t value = 0
    if not is_digit(p[0]):
        return NO_INTEGER
    while is_digit(p[0]):
        # What has more than 18 digits is out of any range, and must not wrap around.
        value = value * 10 + (p[0] - c'0') if value < TEN_TO_17 else HUGE_INTEGER
        p += 1
    at[0] = p
    return value


cdef bint read_real(const char **at, double *value) except -1:
    """Read a finite decimal number, rounded to the nearest double; False if there is none."""
    cdef const char *start = at[0]
    cdef const char *p = start
    cdef const char *digits
    cdef uint64_t mantissa = 0
    cdef int64_t written_exponent = 0
    cdef Py_ssize_t num_digits = 0
    cdef int64_t exponent = 0
    cdef bint negative = p[0] == c'-'
    cdef bint negative_exponent
    cdef char *stop = NULL
    if p[0] == c'-' or p[0] == c'+':
        p += 1

    digits = p
    while is_digit(p[0]):
        mantissa = mantissa * 10 + (p[0] - c'0')  # may wrap: then there are 20 digits or more
        p += 1
    num_digits = p - digits
    if p[0] == c'.':
        p += 1
        digits = p
        while is_digit(p[0]):
            mantissa = mantissa * 10 + (p[0] - c'0')
            p += 1
        num_digits += p - digits
        exponent = -(p - digits)
    if num_digits == 0:
        return False
    if p[0] == c'e' or p[0] == c'E':
        p += 1
        negative_exponent = p[0] == c'-'
        if p[0] == c'-' or p[0] == c'+':
            p += 1
        written_exponent = read_integer(&p)
        if written_exponent == NO_INTEGER:
            return False
        # Anything this large leaves the fast path; the bound keeps the sum from overflowing.
        written_exponent = min(written_exponent, <int64_t>1_000_000)
        exponent += -written_exponent if negative_exponent else written_exponent

    at[0] = p
    if num_digits <= 19 and mantissa <= (<uint64_t>1 << 53) and -22 <= exponent <= 22:
        if exponent < 0:
            value[0] = <double>mantissa / POWERS_OF_TEN[-exponent]
        else:
            value[0] = <double>mantissa * POWERS_OF_TEN[exponent]
        if negative:
            value[0] = -value[0]
    else:
        value[0] = PyOS_string_to_double(start, &stop, NULL)
    return isfinite(value[0])


def scan(
    bytes text,
    Py_ssize_t start,
    bint svmlight,
    int64_t first_feature,
    int64_t num_features,
    int64_t num_classes,
    int64_t[::1] labels,
    int64_t[::1] label_indptr,
    int64_t[::1] features,
    int64_t[::1] feature_indptr,
    real[::1] values,
):
    """Fill the arrays from the lines of `text` from `start` on, in CSR form.

    Features count from `first_feature` in the text and from 0 in the arrays. Lines that hold
    nothing are rows without labels and features; at the end of the text they are never rows beyond
    the capacity of the arrays. In svmlight's form they are skipped, and a `#` begins a comment.

    Returns `(code, place, rows)`: one of the codes above, the offset of what is wrong, and the
    number of whole rows. The row pointers tell how many labels and features were stored.
    """
    cdef const char *base = text
    cdef const char *end = base + len(text)
    cdef const char *at = base + start
    cdef const char *token
    cdef Py_ssize_t capacity = label_indptr.shape[0] - 1
    cdef Py_ssize_t row = 0, label = 0, feature = 0
    cdef int64_t integer
    cdef double value = 0
    cdef char comment = c'#' if svmlight else c'\n'
    label_indptr[0] = 0
    feature_indptr[0] = 0

    while at < end:
        token = at
        while is_blank(at[0]):
            at += 1
        if ends_line(at, end, comment) and (svmlight or row == capacity):
            at = next_line(at, end)
            continue
        if row == capacity:
            return _TOO_MANY_ROWS, token - base, row

        # Labels stand at the very beginning of the line.
        if at == token and not ends_line(at, end, comment) and not is_feature(at):
            while True:
                token = at
                integer = read_integer(&at)
                if integer == NO_INTEGER:
                    return _BAD_LABEL, token - base, row
                if integer >= num_classes:
                    return _LABEL_RANGE, token - base, row
                labels[label] = integer
                label += 1
                if at[0] != c',':
                    break
                at += 1
            if not (is_blank(at[0]) or ends_line(at, end, comment)):
                return _BAD_LABEL, token - base, row

        while True:
            while is_blank(at[0]):
                at += 1
            if ends_line(at, end, comment):
                break
            token = at
            integer = read_integer(&at)
            if integer == NO_INTEGER or at[0] != c':':
                return _BAD_FEATURE, token - base, row
            if not first_feature <= integer < num_features + first_feature:
                return _FEATURE_RANGE, token - base, row
            at += 1
            if not read_real(&at, &value) or not isfinite(<real>value):
                return _BAD_VALUE, token - base, row
            if not (is_blank(at[0]) or ends_line(at, end, comment)):
                return _BAD_VALUE, token - base, row
            features[feature] = integer - first_feature
            values[feature] = <real>value
            feature += 1

        at = next_line(at, end)
        row += 1
        label_indptr[row] = label
        feature_indptr[row] = feature
    return _OK, at - base, row


cdef const char *next_line(const char *at, const char *end) noexcept:
    """Skip a comment, if there is one, and the end of the line."""
    while at < end and at[0] != c'\n':
        at += 1
    return at + 1

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
"""Rows of scores with their labels, as losses are handed them.

The labels, and the unknown columns, are the caller's and may change at any time: whoever solves a row
reads them once, and checks what it has read.
"""

from libc.stdint cimport INT32_MAX, int64_t

from lucid._kernels.buffers cimport Buffers, hold, hold_vector
from lucid._kernels.entries cimport cut, most_entries
from lucid._kernels.reals cimport real
from lucid._kernels.sharing cimport read_whole

cdef enum:
    ROOM = 128              # for so many labels there is memory without a look at how many there are


cdef struct Rows:
    Py_ssize_t N, C
    const void* indices     # labels of row n: indices[indptr[n]:indptr[n + 1]], or, where indptr is
    const int64_t* indptr   # NULL, K of them from indices[n * K]; they end at the first -1
    int bytes               # of an entry of indices
    Py_ssize_t size, K      # of indices
    const int64_t* unknown  # unknown columns of row n: unknown[unknown_indptr[n]:unknown_indptr[n + 1]]
    const int64_t* unknown_indptr   # or NULL
    Py_ssize_t unknowns     # size of unknown
    const double* scale     # [N]: of each row, or NULL
    double divisor          # of losses and gradients: N for a mean over rows, or 1
    double* out             # [N], or NULL
    void* grad              # real[N, C], or NULL


cdef inline real* gradient_of(const real* x, Py_ssize_t n, const Rows* rows) noexcept nogil:
    """Where the gradient of row n goes; ``x`` says of which type it is."""
    cdef real* grad = <real*>rows.grad
    return grad + n * rows.C if grad != NULL else NULL


cdef inline bint cut_labels(Py_ssize_t n, const Rows* rows, int64_t* start, int64_t* count) noexcept nogil:
    """Where the labels of row n start, and how many they are at most; False if they are not there."""
    start[0] = n * rows.K
    count[0] = rows.K
    return rows.indptr == NULL or cut(n, rows.indptr, rows.size, start, count)


cdef inline bint cut_unknown(Py_ssize_t n, const Rows* rows, int64_t* start, int64_t* count) noexcept nogil:
    """Where the unknown columns of row n start, and how many they are; False if they are not there."""
    start[0], count[0] = 0, 0
    return rows.unknown_indptr == NULL or cut(n, rows.unknown_indptr, rows.unknowns, start, count)


cdef inline bint may_be_multi_hot(const void* indices, int bytes, Py_ssize_t N, Py_ssize_t K,
                                  Py_ssize_t C) noexcept nogil:
    """Whether padded rows may be numbers for all classes, -1 where nothing is known, instead of labels.

    That is when they are as long as the scores and have no label above 1, unless each row is what such
    labels are: none, 0, 1 or both, and then nothing but -1.
    """
    cdef Py_ssize_t n, k, P, sum
    cdef int64_t label = 0
    cdef bint odd = False
    if not K == C > 1:
        return False
    for n in range(N):
        P, sum = 0, 0
        for k in range(K):
            label = read_whole(indices, n * K + k, bytes)
            if label == -1:
                break
            if label > 1:
                return False
            P += 1
            sum += label
        odd |= P > 2 or P == 2 and sum != 1
        for k in range(P, K if not odd else P):
            odd |= read_whole(indices, n * K + k, bytes) != -1
    return odd


cdef inline Py_ssize_t most_labels(const Rows* rows) noexcept nogil:
    """Of a row: there is room for the labels there are, not for all that padding allows."""
    cdef Py_ssize_t n, P, K = 0
    if rows.indptr != NULL:
        return most_entries(rows.indptr, rows.N, rows.size)
    if rows.K <= ROOM:
        return rows.K
    for n in range(rows.N):
        P = 0
        while P < rows.K and read_whole(rows.indices, n * rows.K + P, rows.bytes) != -1:
            P += 1
        K = max(K, P)
    return K


cdef inline void* hold_matrix(matrix, const real* type_of_x, bint writable, const Rows* rows,
                              Buffers* buffers) except NULL:
    """The entries of an array (N, C)."""
    cdef Py_buffer* view = hold(matrix, 2, c"f" if real is float else c"d", sizeof(real), writable, buffers)
    if view.shape[0] != rows.N or view.shape[1] != rows.C:
        raise ValueError("shapes do not fit")
    return view.buf


cdef inline void read_scores(x, double divisor, out, grad, const real** scores, Rows* rows,
                             Buffers* buffers) except *:
    cdef Py_buffer* view = hold(x, 2, c"f" if real is float else c"d", sizeof(real), False, buffers)
    scores[0], rows.N, rows.C = <const real*>view.buf, view.shape[0], view.shape[1]
    if not 1 <= rows.C <= INT32_MAX:
        raise ValueError("no classes, or too many")
    rows.divisor, rows.grad = divisor, NULL
    rows.out = <double*>hold_vector(out, c"d", rows.N, True, buffers)
    if grad is not None:
        rows.grad = hold_matrix(grad, scores[0], True, rows, buffers)


cdef inline void read_labels(indices, indptr, Rows* rows, Buffers* buffers) except *:
    cdef Py_buffer* view = hold(indices, 2 if indptr is None else 0, c"l", 0, False, buffers)
    rows.indices, rows.bytes = view.buf, <int>view.itemsize
    rows.size, rows.K = view.len // view.itemsize, 0
    rows.indptr = <const int64_t*>hold_vector(indptr, c"l", rows.N + 1, False, buffers)
    if indptr is None:
        rows.K = view.shape[1]
        if view.shape[0] != rows.N:
            raise ValueError("shapes do not fit")
        if may_be_multi_hot(rows.indices, rows.bytes, rows.N, rows.K, rows.C):
            raise ValueError("doubtful labels")


cdef inline void read_terms_of_rows(terms, Rows* rows, Buffers* buffers) except *:
    """The scales of rows and their unknown columns, if there are any."""
    cdef Py_buffer* view
    rows.scale, rows.unknown, rows.unknown_indptr, rows.unknowns = NULL, NULL, NULL, 0
    if terms is None:
        return
    rows.scale = <const double*>hold_vector(terms.scale, c"d", rows.N, False, buffers)
    rows.unknown_indptr = <const int64_t*>hold_vector(terms.unknown_indptr, c"l", rows.N + 1, False, buffers)
    if rows.unknown_indptr != NULL:
        view = hold(terms.unknown_indices, 1, c"l", sizeof(int64_t), False, buffers)
        rows.unknown, rows.unknowns = <const int64_t*>view.buf, view.shape[0]

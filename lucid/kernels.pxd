# cython: language_level=3, cdivision=True
"""The row functions, for kernels of your own: `from lucid.kernels cimport multilabel_margin_row`.

They are inline: your extension compiles them with its own flags and needs nothing of lucid when it
runs. For lucid's bits, leave -ffast-math and -march=native out, or add -ffp-contract=off.
"""

from libc.stdint cimport int64_t
from libc.stdlib cimport free, malloc

from lucid._kernels.pairs.hinge cimport hinge_close, hinge_of_label, hinge_scan
from lucid._kernels.pairs.labels cimport put_labels
from lucid._kernels.pairs.row cimport (
    Part, Row, bytes_of_part, bytes_of_row, open_row, place_part, place_row,
)
from lucid._kernels.pairs.segments cimport scan_row
from lucid._kernels.pairs.sums cimport Sum, quotient
from lucid._kernels.reals cimport real


cdef inline int multilabel_margin_row(const real* x, Py_ssize_t C, const int64_t* labels, Py_ssize_t K,
                                      real* grad, double* loss) noexcept nogil:
    """The loss of one row and, unless ``grad`` is NULL, its gradient: for kernels of your own.

    ``labels`` are K class indices, ended earlier by a -1. Returns 0; -1 when a label is out of
    range, -2 when there is no memory: nothing is written then.
    """
    cdef Row row
    cdef Part part
    cdef Sum total
    cdef Py_ssize_t size = bytes_of_row(K, C, False)
    cdef char* memory = <char*>malloc(size + bytes_of_part(K, False))
    if memory == NULL:
        return -2
    place_row(&row, memory, K, C, False)
    place_part(&part, memory + size, K, False)
    if not open_row(x, C, labels, 0, K, sizeof(int64_t), False, 1, &row):
        free(memory)
        return -1
    scan_row(x, &row, grad, &part, hinge_scan[real])
    hinge_close(x, &row, grad, &part, &total)
    if grad != NULL:
        put_labels(grad, &row, &part, &total, hinge_of_label[real])
    loss[0] = quotient(&total, C)
    free(memory)
    return 0

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The two products of a linear layer with sparse rows x: x @ weight.T and, for its gradient, g.T @ x.

Rows x (N, D) are in CSR form, the weight is (C, D). An entry of x is multiplied with a column of
the weight, whose C numbers lie far apart. So the classes are worked on in tiles of 32: the columns
in which x has entries, K of them, are copied to a tile (K, 32), where the numbers of a column are
neighbours. An entry then takes a few vector operations, and the copy of a column serves all entries
in it. The gradient goes the other way: it is summed up in a tile, then added to its columns.

Threads share out the tiles. What one class gets does not depend on them, so the bits are the same.
"""

from libc.stdint cimport int64_t, uintptr_t
from libc.stdlib cimport calloc, free
from libc.string cimport memset

from lucid._kernels.driver cimport Task, run
from lucid._kernels.reals cimport real

cdef enum:
    TILE = 32               # classes: four vectors of float32
    SERIAL = 1 << 21        # multiplications and copies, 0.4 ms, below which threads are not worth it


cdef struct Rows:
    Py_ssize_t N, D, K
    const void* values      # real[nnz]
    const int64_t* places   # [nnz]: in which of the K columns each value is
    const int64_t* indptr   # [N + 1]
    const int64_t* columns  # [K]


cdef void add_multiple(real* total, const real* numbers, real factor) noexcept nogil:
    cdef Py_ssize_t i
    for i in range(TILE):
        total[i] += factor * numbers[i]


cdef void multiply_tile(const Rows* x, const real* weight, Py_ssize_t C, Py_ssize_t first,
                        real* tile, real* out) noexcept nogil:
    """Write the products of all rows and the classes from ``first`` on."""
    cdef Py_ssize_t classes = min(TILE, C - first), D = x.D, n, k, i, p
    cdef const real* values = <const real*>x.values
    cdef const real* column
    cdef real total[TILE]
    weight += first * D
    for k in range(x.K):
        column = weight + x.columns[k]
        for i in range(classes):
            tile[k * TILE + i] = column[i * D]
    for n in range(x.N):
        memset(total, 0, sizeof(total))
        for p in range(x.indptr[n], x.indptr[n + 1]):
            add_multiple(total, tile + x.places[p] * TILE, values[p])
        for i in range(classes):
            out[n * C + first + i] = total[i]


cdef void add_tile(const Rows* x, const real* g, Py_ssize_t C, Py_ssize_t first,
                   real* tile, real* out) noexcept nogil:
    """Add what all rows bring to the gradient of the classes from ``first`` on."""
    cdef Py_ssize_t classes = min(TILE, C - first), D = x.D, n, k, i, p
    cdef const real* values = <const real*>x.values
    cdef real* column
    cdef real row[TILE]
    memset(tile, 0, x.K * TILE * sizeof(real))
    memset(row, 0, sizeof(row))
    for n in range(x.N):
        for i in range(classes):
            row[i] = g[n * C + first + i]
        for p in range(x.indptr[n], x.indptr[n + 1]):
            add_multiple(tile + x.places[p] * TILE, row, values[p])
    out += first * D
    for k in range(x.K):
        column = out + x.columns[k]
        for i in range(classes):
            column[i * D] += tile[k * TILE + i]


cdef struct Product:        # one of the two, and where it goes
    const Rows* x
    Py_ssize_t C
    void* out               # real[N, C], or real[C, D] for the gradient
    void* tiles             # real[threads, K, TILE]


cdef int multiply(const real* weight, Py_ssize_t t, int thread, void* p) noexcept nogil:
    """Multiply the tile t: the task of a thread."""
    cdef Product* product = <Product*>p
    cdef real* tile = <real*>product.tiles + thread * product.x.K * TILE
    multiply_tile(product.x, weight, product.C, t * TILE, tile, <real*>product.out)
    return 0


cdef int add(const real* g, Py_ssize_t t, int thread, void* p) noexcept nogil:
    cdef Product* product = <Product*>p
    cdef real* tile = <real*>product.tiles + thread * product.x.K * TILE
    add_tile(product.x, g, product.C, t * TILE, tile, <real*>product.out)
    return 0


cdef share_out(Task task, const Rows* x, const real* factor, real* out, Py_ssize_t C, int threads):
    """Share out the tiles of one of the two products: ``factor`` is the weight or the gradient g."""
    cdef Py_ssize_t tiles = (C + TILE - 1) // TILE
    cdef Product product
    cdef void* memory
    if C * (x.K + x.indptr[x.N]) < SERIAL:
        threads = 1
    threads = max(1, min(threads, tiles))
    memory = calloc(threads * x.K * TILE * sizeof(real) + 64, 1)    # zeros: the last tile may lack classes
    if memory == NULL:
        raise MemoryError(f"no memory for {threads} tiles of {x.K} columns")
    product.x, product.C, product.out = x, C, out
    product.tiles = <void*>((<uintptr_t>memory + 63) // 64 * 64)    # a row of 32 begins with a cache line
    try:
        # Few large chunks: two threads write to the same cache lines where their classes meet.
        run(task, factor, &product, tiles, max(1, tiles // (4 * threads)), tiles, threads)
    finally:
        free(memory)


cdef Rows rows_of(const int64_t[::1] places, const int64_t[::1] indptr, const int64_t[::1] columns,
                  Py_ssize_t nnz, Py_ssize_t N, Py_ssize_t D) except *:
    cdef Rows x
    cdef Py_ssize_t n
    cdef bint fit = (places.shape[0] == nnz and indptr.shape[0] == N + 1
                     and indptr[0] == 0 and indptr[N] <= nnz)
    for n in range(N if fit else 0):
        fit = fit and indptr[n] <= indptr[n + 1]
    if not fit:
        raise ValueError("rows refused")
    x.N, x.D, x.K = N, D, columns.shape[0]
    x.places, x.indptr, x.columns = &places[0], &indptr[0], &columns[0]
    return x


def times_transposed(const real[::1] values, const int64_t[::1] places, const int64_t[::1] indptr,
                     const int64_t[::1] columns, const real[:, ::1] weight, real[:, ::1] out, int threads):
    """Write ``x @ weight.T`` to ``out``; see the `.pyi` beside this file."""
    cdef Rows x = rows_of(places, indptr, columns, values.shape[0], out.shape[0], weight.shape[1])
    x.values = &values[0]
    if out.shape[1] != weight.shape[0]:
        raise ValueError("shapes do not fit")
    share_out(multiply[real], &x, &weight[0, 0], &out[0, 0], weight.shape[0], threads)


def add_transposed_times(const real[:, ::1] g, const real[::1] values, const int64_t[::1] places,
                         const int64_t[::1] indptr, const int64_t[::1] columns, real[:, ::1] out,
                         int threads):
    """Add ``g.T @ x`` to ``out``; see the `.pyi` beside this file."""
    cdef Rows x = rows_of(places, indptr, columns, values.shape[0], g.shape[0], out.shape[1])
    x.values = &values[0]
    if out.shape[0] != g.shape[1]:
        raise ValueError("shapes do not fit")
    share_out(add[real], &x, &g[0, 0], &out[0, 0], out.shape[0], threads)

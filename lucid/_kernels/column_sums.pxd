# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""Rows of scores in blocks of 512 columns, where a loss is a sum over columns, whatever it sums up.

A loss is three functions: `scan` sees a block, `close` what the scans of a row have found, and
`finish` sees each block again where the gradient of a column depends on the whole row. Meanwhile the
row is in the cache. No block depends on another, so that threads may share a row and give the same
bits.

Labels and unknown columns are marked with a bit each, and excluded exactly: `scan` gets a copy of a
block that has some, in which others are in their place. What the caller may change at any time is
read once, checked and copied.
"""

from libc.math cimport NAN, isnan
from libc.stdint cimport int64_t, uint64_t
from libc.stdlib cimport calloc, free
from libc.string cimport memcpy, memset

from lucid._kernels.bits cimport BLOCK, WORD, WORDS, count_blocks, count_trailing_zeros, is_column, set_bit
from lucid._kernels.buffers cimport Buffers, hold_vector, release
from lucid._kernels.driver cimport Task, run, too_few
from lucid._kernels.entries cimport CHANGED, refuse_changed
from lucid._kernels.pairs.sums cimport Sum, add, quotient
from lucid._kernels.pairs.vectors cimport LANES
from lucid._kernels.reals cimport real
from lucid._kernels.rows cimport (
    Rows, cut_labels, cut_unknown, gradient_of, hold_matrix, most_labels, read_labels, read_scores,
    read_terms_of_rows,
)
from lucid._kernels.sharing cimport APART, read_once, read_whole

cdef enum:
    SEGMENT = 64            # blocks of one task when the threads share a row
    SERIAL = 1 << 14        # scores below which one thread is faster than several
    TASK = 1 << 12          # scores a thread takes at a time, or more in one row
    PATIENCE = 1 << 22      # scores between two looks for Ctrl-C
    STACK = 1 << 10         # sums whose memory is enough for a short call


cdef struct Row:
    Py_ssize_t C            # how many scores
    Py_ssize_t P            # how many labels, of which one may be given twice
    Py_ssize_t room         # for how many labels there is memory
    Py_ssize_t blocks
    Py_ssize_t unknowns     # how many columns are unknown,
    Py_ssize_t negatives    # and how many neither that nor labels
    double weight_of_row    # what its loss is multiplied by,
    double scale            # and what its gradient is
    const void* target      # real[C]: numbers in place of labels, or NULL
    const double* weight    # [C]: of the columns, or NULL
    int64_t* label          # [P]
    double* value           # [P + LANES]: of each label, what the loss makes of it,
    double* of_label        # [P + LANES]: and in the end its gradient
    uint64_t* labels        # [blocks * WORDS]: a bit for each column
    uint64_t* unknown
    # What a scan finds of each block; as many as a multiple of LANES:
    double* top             # the highest of its scores
    double* factor          # what its part of the gradient is multiplied by
    Sum* sum
    # What closing the row finds:
    double loss
    double coefficient      # of the gradient of the negatives, which is also
    double large            # scale * large * e**(x - reference)
    double reference
    bint adds               # whether of_label is to be added to the gradient
    char apart[APART]

# Scans the block b of a row; writes its gradient, or what `finish` makes it of, unless ``grad`` is NULL.
ctypedef void (*Scan)(const real* x, Py_ssize_t b, Row* row, real* grad) noexcept nogil
# Finds the loss of a row, from what the scans have found.
ctypedef void (*Close)(const real* x, Row* row) noexcept nogil
# Finishes the gradient of a block.
ctypedef void (*Finish)(const real* x, Py_ssize_t b, const Row* row, real* grad) noexcept nogil


cdef struct Problem:        # what was asked, the same for every row, and what is found
    Rows given
    const void* target      # real[N, C]: numbers in place of labels, or NULL
    double* loss            # [N]
    Row* rows               # one for each thread, or one that they share
    void* scan              # Scan,
    void* close             # Close,
    void* finish            # and Finish, or NULL


# The blocks of a row.

cdef inline Py_ssize_t width_of(Py_ssize_t b, const Row* row) noexcept nogil:
    """How many columns block b has."""
    return min(BLOCK, row.C - b * BLOCK)


cdef inline Py_ssize_t whole(Py_ssize_t m) noexcept nogil:
    return (m + LANES - 1) // LANES * LANES


cdef inline void put(real* block, const uint64_t* bits, real value) noexcept nogil:
    """Write ``value`` to the columns whose bits are set."""
    cdef Py_ssize_t w
    cdef uint64_t word
    for w in range(WORDS):
        word = bits[w]
        while word != 0:
            block[w * WORD + count_trailing_zeros(word)] = value
            word &= word - 1


cdef inline void negate(real* block, const uint64_t* bits) noexcept nogil:
    """Turn the signs of the columns whose bits are set."""
    cdef Py_ssize_t w, j
    cdef uint64_t word
    for w in range(WORDS):
        word = bits[w]
        while word != 0:
            j = w * WORD + count_trailing_zeros(word)
            block[j] = -block[j]
            word &= word - 1


cdef inline void fill_up(real* block, Py_ssize_t m, real value) noexcept nogil:
    """Fill up m values to a multiple of LANES."""
    cdef Py_ssize_t j
    for j in range(m, whole(m)):
        block[j] = value


cdef inline const real* padded(const real* v, Py_ssize_t m, real value, real* block) noexcept nogil:
    """The m values, or a copy that is filled up to a multiple of LANES."""
    if m % LANES == 0:
        return v
    memcpy(block, v, m * sizeof(real))
    fill_up(block, m, value)
    return block


# A row.

cdef inline bint open_row(const real* x, Py_ssize_t n, const Problem* problem, Row* row) noexcept nogil:
    """Read the labels and the unknown columns of row n; False when they are to be looked at again."""
    cdef const Rows* given = &problem.given
    cdef Py_ssize_t words = row.blocks * WORDS, k
    cdef int64_t first, count
    row.P, row.unknowns, row.negatives, row.loss, row.adds = 0, 0, row.C, 0, False
    row.weight_of_row = 1 if given.scale == NULL else given.scale[n]
    row.scale = row.weight_of_row / given.divisor
    if row.weight_of_row == 0:          # left out altogether
        row.scale = 0
        return True
    if problem.target != NULL:
        row.target = <const real*>problem.target + n * row.C
        row.unknowns = count_nan(<const real*>row.target, row.C)
    else:
        if not cut_labels(n, given, &first, &count) or count > row.room:
            return False
        row.P = count
        for k in range(row.P):
            row.label[k] = read_whole(given.indices, first + k, given.bytes)
        memset(row.labels, 0, words * sizeof(uint64_t))
        if not mark(row.label, row.P, row.C, row.labels, &row.negatives):
            return False
    if given.unknown_indptr != NULL:
        if not cut_unknown(n, given, &first, &count):
            return False
        memset(row.unknown, 0, words * sizeof(uint64_t))
        row.unknowns = row.negatives
        if not mark(given.unknown + first, count, row.C, row.unknown, &row.negatives):
            return False
        row.unknowns -= row.negatives
    return True


cdef inline Py_ssize_t count_nan(const real* v, Py_ssize_t m) noexcept nogil:
    cdef Py_ssize_t j, count = 0
    for j in range(m):
        count += v[j] != v[j]
    return count


cdef inline bint mark(const int64_t* column, Py_ssize_t m, Py_ssize_t C, uint64_t* bits,
                      Py_ssize_t* left) noexcept nogil:
    """Set the bits of m columns, each new one of which is one less ``left``; whether all are in range."""
    cdef Py_ssize_t k
    cdef int64_t j
    for k in range(m):
        j = read_once(column + k)
        if not is_column(j, C):
            return False
        left[0] -= set_bit(j, bits)
    return True


cdef inline void scan_blocks(const real* x, Py_ssize_t first, Py_ssize_t end, Row* row, real* grad,
                             const Problem* problem) noexcept nogil:
    cdef Py_ssize_t b
    for b in range(first, min(end, row.blocks)):
        (<Scan>problem.scan)(x, b, row, grad)


cdef inline void finish_blocks(const real* x, Py_ssize_t first, Py_ssize_t end, const Row* row, real* grad,
                               const Problem* problem) noexcept nogil:
    cdef Py_ssize_t b, j, start = first * BLOCK, stop = min(row.C, end * BLOCK)
    if row.scale == 0:
        memset(grad + start, 0, (stop - start) * sizeof(real))
    elif isnan(row.loss):
        for j in range(start, stop):
            grad[j] = NAN
    elif problem.finish != NULL:
        for b in range(first, min(end, row.blocks)):
            (<Finish>problem.finish)(x, b, row, grad)


cdef inline void finish_labels(const Row* row, real* grad) noexcept nogil:
    """Add the gradient of each label, where the blocks have left a zero."""
    cdef Py_ssize_t i
    for i in range(row.P if row.adds else 0):
        grad[row.label[i]] += <real>row.of_label[i]


cdef inline int solve_row(const real* x, Py_ssize_t n, int thread, void* p) noexcept nogil:
    """Solve the row n: the task of a thread."""
    cdef Problem* problem = <Problem*>p
    cdef Row* row = &problem.rows[thread]
    cdef real* grad = gradient_of(x, n, &problem.given)
    x += n * problem.given.C
    if not open_row(x, n, problem, row):
        return CHANGED
    if row.scale != 0:
        scan_blocks(x, 0, row.blocks, row, grad, problem)
        (<Close>problem.close)(x, row)
    if grad != NULL:
        finish_blocks(x, 0, row.blocks, row, grad, problem)
        finish_labels(row, grad)
    problem.loss[n] = row.loss * row.weight_of_row
    return 0


# Rows one after the other, whose segments the threads share.

cdef inline int scan_segment(const real* x, Py_ssize_t s, int thread, void* p) noexcept nogil:
    """The task of a thread; ``x`` and ``problem.given.grad`` begin with the row."""
    cdef Problem* problem = <Problem*>p
    scan_blocks(x, s * SEGMENT, (s + 1) * SEGMENT, problem.rows, <real*>problem.given.grad, problem)
    return 0


cdef inline int finish_segment(const real* x, Py_ssize_t s, int thread, void* p) noexcept nogil:
    cdef Problem* problem = <Problem*>p
    finish_blocks(x, s * SEGMENT, (s + 1) * SEGMENT, problem.rows, <real*>problem.given.grad, problem)
    return 0


cdef inline int solve_shared(const real* x, Problem* problem, Task scan, Task finish, int threads) except -1:
    cdef Problem shared = problem[0]
    cdef Row* row = problem.rows
    cdef real* grad
    cdef Py_ssize_t n, segments = (row.blocks + SEGMENT - 1) // SEGMENT
    for n in range(problem.given.N):
        shared.given.grad = grad = gradient_of(x, n, &problem.given)
        if not open_row(x, n, problem, row):
            return CHANGED
        if row.scale != 0:
            run(scan, x + n * problem.given.C, &shared, segments, 1, PATIENCE // BLOCK // SEGMENT, threads)
            (<Close>problem.close)(x + n * problem.given.C, row)
        if grad != NULL:
            run(finish, x + n * problem.given.C, &shared, segments, 1, PATIENCE // BLOCK // SEGMENT, threads)
            finish_labels(row, grad)
        problem.loss[n] = row.loss * row.weight_of_row
    return 0


# All rows.

cdef inline Py_ssize_t bytes_of_row(Py_ssize_t room, Py_ssize_t C) noexcept nogil:
    """Memory for a row of up to ``room`` labels."""
    cdef Py_ssize_t blocks = count_blocks(C)
    return (whole(blocks) * (<Py_ssize_t>sizeof(Sum) + 2 * <Py_ssize_t>sizeof(double))
            + whole(room) * 3 * <Py_ssize_t>sizeof(double)
            + 2 * blocks * WORDS * <Py_ssize_t>sizeof(uint64_t) + APART)


cdef inline void place_row(Row* row, char* memory, Py_ssize_t room, Py_ssize_t C) noexcept nogil:
    """Lay a row out in its memory, which is zero."""
    cdef Py_ssize_t found, labels = whole(room)
    row.C, row.room, row.blocks = C, room, count_blocks(C)
    found = whole(row.blocks)
    row.sum = <Sum*>memory
    row.top = <double*>(row.sum + found)
    row.factor = row.top + found
    row.value = row.factor + found
    row.of_label = row.value + labels
    row.label = <int64_t*>(row.of_label + labels)
    row.labels = <uint64_t*>(row.label + labels)
    row.unknown = row.labels + row.blocks * WORDS


cdef inline double solve(x, labels, indptr, double divisor, out, grad, int threads, terms, bint numbers,
                         Scan scan, Close close, Finish finish, Task row, Task scan_task,
                         Task finish_task) except? -1:
    """Loss and gradient of all rows: each one's loss over ``divisor`` to ``out``, or else their sum.

    The ``labels`` may be ``numbers`` for all columns. The tasks are `solve_row`, `scan_segment` and
    `finish_segment`.
    """
    cdef Problem problem
    cdef Rows* given = &problem.given
    cdef Buffers buffers
    cdef const real* scores = NULL
    cdef const double* weight = NULL
    cdef Sum stack[STACK]
    cdef void* heap = NULL
    cdef char* memory = <char*>stack
    cdef Py_ssize_t N, C, n, room = 0, workspaces, size, size_of_row
    cdef bint shared
    cdef int failure
    cdef Sum total
    buffers.count = 0
    problem.target = NULL
    problem.scan, problem.close, problem.finish = <void*>scan, <void*>close, <void*>finish
    try:
        read_scores(x, divisor, out, grad, &scores, given, &buffers)
        if numbers:
            problem.target = hold_matrix(labels, scores, False, given, &buffers)
        else:
            read_labels(labels, indptr, given, &buffers)
            room = most_labels(given)
        read_terms_of_rows(terms, given, &buffers)
        N, C = given.N, given.C
        if terms is not None:
            weight = <const double*>hold_vector(terms.weights, c"d", C, False, &buffers)
        if threads < 1:
            raise ValueError("too few threads")
        if N * C < SERIAL:
            threads = 1
        shared = too_few(N, threads) and C > SEGMENT * BLOCK
        workspaces = 1 if shared else threads

        size_of_row = bytes_of_row(room, C)
        size = N * <Py_ssize_t>sizeof(double) + workspaces * (<Py_ssize_t>sizeof(Row) + size_of_row)
        if size > <Py_ssize_t>sizeof(stack):
            heap = calloc(1, size)      # what is never touched costs nothing
            memory = <char*>heap
            if heap == NULL:
                raise MemoryError(f"no memory for the workspace of rows of {C} scores with {room} labels")
        else:
            memset(memory, 0, size)
        problem.loss = <double*>memory
        problem.rows = <Row*>(problem.loss + N)
        memory = <char*>(problem.rows + workspaces)
        for n in range(workspaces):
            place_row(&problem.rows[n], memory, room, C)
            problem.rows[n].weight, problem.rows[n].target = weight, NULL
            memory += size_of_row

        if shared:
            failure = solve_shared(scores, &problem, scan_task, finish_task, threads)
        else:
            failure = run(row, scores, &problem, N, max(1, TASK // C), max(1, PATIENCE // C), threads)
        refuse_changed(failure)
        total.hi, total.lo = 0, 0
        for n in range(N):
            if given.out != NULL:
                given.out[n] = problem.loss[n] / divisor
            add(&total, problem.loss[n])
        return quotient(&total, divisor)
    finally:
        release(&buffers)
        free(heap)

# cython: language_level=3
"""The driver of all kernels that threads share: tasks in chunks, and a look for Ctrl-C now and then.

A task is a row of scores, a segment of one, or a tile of classes. It is told which of the threads
runs it, so that each thread has a workspace of its own.
"""

from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport parallel, prange, threadid

from lucid._kernels.machine cimport processor, startable, stay_apart
from lucid._kernels.reals cimport real

cdef enum:
    SHORT = 2048            # of patience, half a second or less, this part is done without letting go of the GIL
    FEW = 4                 # rows for each thread; where there are fewer, some threads would wait for others


cdef inline bint too_few(Py_ssize_t N, int threads) noexcept nogil:
    """Whether several threads had better share each row than share out N rows."""
    return 1 < threads and N < FEW * threads


# Returns 0, or why the problem cannot be solved.
ctypedef int (*Task)(const real* x, Py_ssize_t i, int thread, void* problem) noexcept nogil


cdef inline int run(Task task, const real* x, void* problem, Py_ssize_t tasks, Py_ssize_t chunk,
                    Py_ssize_t patience, int threads) except -1:
    """Run the tasks, ``chunk`` of them at a time by one thread, ``patience`` between two looks for Ctrl-C.

    Returns 0, or what one of the tasks did, whereupon those after the next look are left out.
    """
    cdef Py_ssize_t first, last, i
    cdef int failure = 0, outcome, home
    cdef int* of_all = &failure         # which a plain variable in a prange is not
    if threads == 1 and SHORT * tasks <= patience:      # letting go of the interpreter would be felt
        for i in range(tasks):
            outcome = task(x, i, 0, problem)
            if outcome != 0:
                failure = outcome
        return failure
    threads = startable(threads)
    for first from 0 <= first < tasks by patience:
        last = min(tasks, first + patience)
        if threads == 1:                # small problems: entering a parallel region is felt
            with nogil:
                for i in range(first, last):
                    outcome = task(x, i, 0, problem)
                    if outcome != 0:
                        failure = outcome
        else:
            home = processor()
            with nogil, parallel(num_threads=threads):
                if threadid() != 0:
                    stay_apart(home)
                for i in prange(first, last, schedule="dynamic", chunksize=chunk):
                    outcome = task(x, i, threadid(), problem)
                    if outcome != 0:
                        of_all[0] = outcome
        if failure != 0:
            return failure
        PyErr_CheckSignals()
    return 0

# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Problems, and the fast path from the arguments of a user to a kernel and back.

It is compiled, for a small problem takes its kernel less time than a few lines of Python. Nothing is
checked here for the words of an error: what is not plainly good goes the careful path of `Loss`.
"""

cimport numpy as cnp
import numpy as np

from lucid._kernels.machine cimport current_threads
from lucid._kernels.weights cimport all_weights
from lucid._kernels.weights import sum_of_weights
from lucid.arrays import buffers
from lucid.labels import Labels, plain_labels
from lucid.losses.options import as_sample_weight

cnp.import_array()

cdef Py_ssize_t LARGE = buffers.LARGE
# Types of options that cannot change: they are looked at once, not in each call.
cdef tuple CONSTANT = (float, int, str, bool, type(None))


cdef class Problem:
    """Rows of scores with their labels, and what of their losses is wanted; see the `.pyi`."""

    cdef readonly object x, target, scale
    cdef readonly bint rows
    cdef readonly double divisor

    def __init__(self, x, target, scale, reduction):
        self.x, self.target, self.scale = x, target, scale
        self.rows = reduction == "none"
        self.divisor = 1
        if reduction == "mean":
            self.divisor = len(x) if scale is None else sum_of_weights(scale)

    def gathered(self, losses):
        """Make of the losses of the rows, in float64, what is wanted."""
        if self.scale is not None:
            # A row of weight 0 is not there, not even where its loss is NaN.
            losses = np.where(self.scale == 0, 0, losses * self.scale)
        return losses if self.rows else np.divide(losses.sum(), self.divisor)

    def factors(self):
        """Return what the gradient of each row is multiplied by, (N, 1), or one number for all."""
        if self.scale is None:
            return float(np.divide(1.0, self.divisor))
        # A row of weight 0 has a gradient of 0, also where all weights are, and their mean is nan.
        counted = self.scale != 0
        return np.divide(self.scale, self.divisor, np.zeros_like(self.scale), where=counted)[:, np.newaxis]


cdef class Terms:
    """What is asked of a kernel beside plain labels; see `_kernels/margin.pyi`."""

    cdef readonly double margin
    cdef readonly object margins, weights, scale, worth_of_count, unknown_indices, unknown_indptr
    cdef readonly bint by_entry
    cdef readonly int base

    def __init__(self, margin=1.0, margins=None, weights=None, by_entry=False, base=0, scale=None,
                 worth_of_count=None, unknown_indices=None, unknown_indptr=None):
        self.margin, self.margins, self.weights, self.by_entry = margin, margins, weights, by_entry
        self.base, self.scale, self.worth_of_count = base, scale, worth_of_count
        self.unknown_indices, self.unknown_indptr = unknown_indices, unknown_indptr

    cdef Terms of(self, scale, unknown_indices, unknown_indptr):
        """The same for rows with these scales and unknown columns."""
        return Terms(self.margin, self.margins, self.weights, self.by_entry, self.base, scale,
                     self.worth_of_count, unknown_indices, unknown_indptr)


cdef Terms PLAIN = Terms()


cdef class KernelSolver:
    """A kernel with the options of a loss: from a `Problem` to its solution."""

    cdef object kernel
    cdef Terms terms            # None for those of the plain loss

    def __init__(self, kernel, Terms terms=None):
        self.kernel, self.terms = kernel, terms

    def __call__(self, problem, want_gradient):
        return self.solve(problem, want_gradient)

    cdef tuple solve(self, Problem problem, bint want_gradient):
        cdef Terms terms = self.terms
        indices, indptr, unknown_indices, unknown_indptr = problem.target, None, None, None
        if not cnp.PyArray_CheckExact(indices):
            labels = indices        # its slots: each property would take as long as a row
            indices, indptr = labels._indices, labels._indptr
            unknown_indices, unknown_indptr = labels._unknown_indices, labels._unknown_indptr
        if problem.scale is not None or unknown_indptr is not None:
            terms = PLAIN if terms is None else terms
            terms = terms.of(problem.scale, unknown_indices, unknown_indptr)
        return call(self.kernel, problem.x, indices, indptr, problem.divisor, problem.rows, want_gradient,
                    terms)


cpdef tuple call(kernel, cnp.ndarray x, indices, indptr, double divisor, bint rows, bint want_gradient,
                 terms=None):
    """Call a kernel: all threads, and memory that is kept for large gradients."""
    gradient = None
    if want_gradient:
        if cnp.PyArray_NBYTES(x) < LARGE:
            gradient = cnp.PyArray_EMPTY(x.ndim, x.shape, cnp.PyArray_TYPE(x), 0)
        else:
            gradient = buffers.empty_like(x)
    out = cnp.PyArray_EMPTY(1, x.shape, cnp.NPY_DOUBLE, 0) if rows else None
    total = kernel(x, indices, indptr, divisor, out, gradient, current_threads(), terms)
    return total if out is None else out, gradient


cdef class FastPath:
    """What a loss does with arguments that are plainly good; see the `.pyi`."""

    cdef object loss
    cdef bint padded, reads_labels
    # The last solver, for a training asks for the same again and again.
    cdef int dtype
    cdef Py_ssize_t num_classes
    cdef object options, solver

    def __init__(self, loss, bint padded, bint reads_labels):
        self.loss, self.padded, self.reads_labels, self.solver = loss, padded, reads_labels, None

    def compute(self, cnp.ndarray x not None, target, reduction, sample_weight, options,
                bint want_gradient):
        """Return the loss and its gradient, or None: after a closer look, if need be."""
        solved = self.solve(x, target, reduction, sample_weight, options, want_gradient)
        if solved is not None:
            return solved
        return self.loss.compute_carefully(x, target, reduction, sample_weight, options, want_gradient)

    cpdef tuple solve(self, cnp.ndarray x, target, reduction, sample_weight, options, bint want_gradient):
        """Return the loss and its gradient or None; None if the arguments take a closer look."""
        cdef int dtype = cnp.PyArray_TYPE(x)
        if (dtype not in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) or not cnp.PyArray_ISCARRAY_RO(x)
                or x.ndim != 2 or x.shape[1] == 0
                or type(reduction) is not str or reduction not in ("mean", "sum", "none")):
            return None
        if not self.is_ready(x, target):
            target = plain_labels(target, (x.shape[0], x.shape[1])) if self.reads_labels else None
            if target is None:
                return None
        options, solver = options or None, self.solver
        if solver is None or dtype != self.dtype or x.shape[1] != self.num_classes or (
                options is not self.options):
            solver = self.find_solver(dtype, x.shape[1], options)
        if type(solver) is not KernelSolver:
            return None
        scale = None if sample_weight is None else weights_of_rows(sample_weight, x)
        problem = Problem(x, target, scale, reduction)
        try:
            result, gradient = (<KernelSolver>solver).solve(problem, want_gradient)
        except ValueError:
            return None             # labels that the kernel doubts
        return rounded(result, dtype), gradient

    cpdef bint is_ready(self, cnp.ndarray x, target):
        """Whether kernels may be handed labels as they are."""
        cdef cnp.ndarray padded
        if cnp.PyArray_CheckExact(target):
            padded = target
            return (self.padded and cnp.PyArray_ISSIGNED(padded) and cnp.PyArray_ISCARRAY_RO(padded)
                    and padded.ndim == 2 and padded.shape[0] == x.shape[0])
        return (type(target) is Labels and cnp.PyArray_SIZE(target._indptr) == x.shape[0] + 1
                and target._num_classes == x.shape[1])

    cdef find_solver(self, int dtype, Py_ssize_t num_classes, options):
        char = "f" if dtype == cnp.NPY_FLOAT else "d"
        given = options or {}
        solver = self.loss.solver_for(char, num_classes, given)
        if are_constant(given, read_by(solver)):
            self.dtype, self.num_classes, self.options, self.solver = dtype, num_classes, options, solver
        return solver


cdef weights_of_rows(sample_weight, cnp.ndarray x):
    """Return the weights of rows in an array of its own, for the caller's may change."""
    cdef cnp.ndarray given, weights
    cdef Py_ssize_t n
    if cnp.PyArray_CheckExact(sample_weight):
        given = sample_weight
        if (cnp.PyArray_TYPE(given) in (cnp.NPY_FLOAT, cnp.NPY_DOUBLE) and cnp.PyArray_ISCARRAY_RO(given)
                and given.ndim == 1 and given.shape[0] == x.shape[0]):
            weights = cnp.PyArray_EMPTY(1, given.shape, cnp.NPY_DOUBLE, 0)
            for n in range(given.shape[0]):
                (<double*>weights.data)[n] = ((<float*>given.data)[n]
                                              if cnp.PyArray_TYPE(given) == cnp.NPY_FLOAT
                                              else (<double*>given.data)[n])
            if all_weights(<const double*>weights.data, weights.shape[0]):
                return weights
    return as_sample_weight(sample_weight, (x.shape[0], x.shape[1]))


cpdef bint are_constant(options, array=None):
    """Whether options are such as cannot change, or the ``array``."""
    for value in options.values():
        if type(value) not in CONSTANT and value is not array:
            return False
    return True


cdef read_by(solver):
    """The class weights that a kernel reads where they are, and looks at in each call, or None."""
    cdef Terms terms = (<KernelSolver>solver).terms if type(solver) is KernelSolver else None
    return None if terms is None else terms.weights


cdef cnp.ndarray rounded(result, int dtype):
    """A number of Python or an array of float64, as an array of float32 or float64."""
    cdef cnp.ndarray losses, wanted
    cdef Py_ssize_t n
    if type(result) is float:
        wanted = cnp.PyArray_EMPTY(0, NULL, dtype, 0)
        if dtype == cnp.NPY_FLOAT:
            (<float*>wanted.data)[0] = <float><double>result
        else:
            (<double*>wanted.data)[0] = <double>result
        return wanted
    losses = result
    if dtype == cnp.NPY_DOUBLE:
        return losses
    wanted = cnp.PyArray_EMPTY(1, losses.shape, dtype, 0)
    for n in range(losses.shape[0]):
        (<float*>wanted.data)[n] = <float>(<double*>losses.data)[n]
    return wanted

# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True, initializedcheck=False
"""The steps of the optimisers, in one pass over a parameter, its gradient and its state.

As operations on whole arrays a step of Adam goes over memory 28 times, a step of SGD 10 times; here
it reads and writes each number once. The operations and their roundings are the same, element by
element, as in the formulas of `lucid/optim/`.
"""

from libc.math cimport sqrt, sqrtf

from lucid._kernels.reals cimport real


cdef inline real root(real x) noexcept nogil:
    if real is float:
        return sqrtf(x)
    else:
        return sqrt(x)


cdef Py_ssize_t size_of(Py_ssize_t n, Py_ssize_t g, Py_ssize_t first, Py_ssize_t second) except -1:
    if g != n or first != n or second != n:
        raise ValueError("sizes do not fit")
    return n


def sgd(real[::1] x, const real[::1] g, real[::1] b, real lr, real weight_decay, real momentum,
        real new, bint nesterov):
    """Take a step of SGD with momentum; see the `.pyi` beside this file."""
    cdef Py_ssize_t n = size_of(x.shape[0], g.shape[0], b.shape[0], b.shape[0]), i
    cdef real d
    with nogil:
        for i in range(n):
            d = g[i]
            if weight_decay != 0:
                d = x[i] * weight_decay + d
            b[i] = b[i] * momentum + d * new
            d = d + b[i] * momentum if nesterov else b[i]
            x[i] = x[i] - d * lr


def plain_sgd(real[::1] x, const real[::1] g, real lr, real weight_decay):
    """Take a step of SGD without momentum; see the `.pyi` beside this file."""
    cdef Py_ssize_t n = size_of(x.shape[0], g.shape[0], g.shape[0], g.shape[0]), i
    cdef real d
    with nogil:
        for i in range(n):
            d = g[i]
            if weight_decay != 0:
                d = x[i] * weight_decay + d
            x[i] = x[i] - d * lr


def adam(real[::1] x, const real[::1] g, real[::1] m, real[::1] v, real step, real weight_decay,
         real shrink, real beta1, real new1, real beta2, real new2, real eps):
    """Take a step of Adam; see the `.pyi` beside this file."""
    cdef Py_ssize_t n = size_of(x.shape[0], g.shape[0], m.shape[0], v.shape[0]), i
    cdef real d, y
    with nogil:
        for i in range(n):
            y = x[i] * shrink
            d = g[i]
            if weight_decay != 0:
                d = d + y * weight_decay
            m[i] = m[i] * beta1 + d * new1
            v[i] = v[i] * beta2 + d * d * new2
            x[i] = y - m[i] / (root(v[i]) + eps) * step

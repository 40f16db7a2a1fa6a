"""The smooth losses once more, as formulas of tensors, for their second and higher derivatives.

Kernels give the loss and its gradient. Only where the backward pass is itself recorded are these
formulas needed, and of them the derivatives alone. They take O(C) a row, too: no pair is formed.

As in the kernel, A is the sum of e**-x_i over the labels and B that of e**x_j over the negatives,
each relative to its highest term, whose exponent is a constant: the sum does not depend on it.
"""

from __future__ import annotations

import numpy as np

from lucid.autograd.ops.choices import where
from lucid.autograd.ops.elementwise import exp, log, sigmoid
from lucid.autograd.primitive import Result, primitive
from lucid.autograd.tensor import Array, Tensor
from lucid.labels import Labels
from lucid.losses.solving import Problem


def lsep(x: Tensor, problem: Problem, *, per_label: bool) -> Tensor:
    """Return the LSEP loss of each row."""
    times, negatives = _places(problem)
    B, top = _sum(x, negatives)
    if not per_label:
        A, highest = _sum(-x, times)
        return _log_of(A * B, highest + top)[:, 0]
    of_labels = where(times > 0, top - x, 0)
    power = exp(_relative(of_labels, top=of_labels._data))
    each = _log_of(B * power, _finite(of_labels._data))
    return (each * (times / _at_least_1(times))).sum(axis=-1)


def zlpr(x: Tensor, problem: Problem) -> Tensor:
    """Return the ZLPR loss of each row."""
    times, negatives = _places(problem)
    return (_log_of(*_sum(-x, times)) + _log_of(*_sum(x, negatives)))[:, 0]


def bpmll(x: Tensor, problem: Problem) -> Tensor:
    """Return the BP-MLL loss of each row."""
    times, negatives = _places(problem)
    A, highest = _sum(-x, times)
    B, top = _sum(x, negatives)
    pairs = _at_least_1(times) * _at_least_1(negatives)
    exponent = np.where((A._data > 0) & (B._data > 0), highest + top, 0)  # without pairs it is 0
    half = np.exp(exponent / 2)  # the whole may be too large where the mean is not
    losses: Tensor = (A * half / pairs) * (B * half)
    return losses[:, 0]


def soft_margin(x: Tensor, problem: Problem, *, weight: Array | None) -> Tensor:
    """Return the soft margin loss of each row."""
    target = problem.target
    if isinstance(target, Labels):
        times, negatives = _places(problem)
        known, labels = (times > 0) | (negatives > 0), np.minimum(times, 1)
    else:
        known = target == target
        labels = np.where(known, target, 0).astype(x.dtype)
    factor = known / _at_least_1(known) * (1 if weight is None else weight)
    # What is multiplied by 0 may be infinite, and is left out before.
    of_labels = _softplus(where((factor > 0) & (labels > 0), -x, 0))
    of_others = _softplus(where((factor > 0) & (labels < 1), x, 0))
    losses = labels * of_labels + (1 - labels) * of_others
    total: Tensor = (losses * factor.astype(x.dtype)).sum(axis=-1)
    return total


def _places(problem: Problem) -> tuple[Array, Array]:
    """Return how often each class is a label, and 1 for negatives, each (N, C) in x's dtype."""
    labels: Labels = problem.target
    times = np.zeros(problem.x.shape, problem.x.dtype)
    rows = np.repeat(np.arange(len(labels)), labels.lengths())
    np.add.at(times, (rows, labels.indices), 1)
    negatives = np.asarray(times == 0, times.dtype)
    if labels.unknown_indptr is not None:
        rows = np.repeat(np.arange(len(labels)), np.diff(labels.unknown_indptr))
        negatives[rows, labels.unknown_indices] = 0
    return times, negatives


def _sum(x: Tensor, times: Array) -> tuple[Tensor, Array]:
    """Return the sum of e**x over some places of each row, over e**top; and top, both (N, 1)."""
    there = times > 0
    top = np.where(there, x._data, -np.inf).max(axis=-1, keepdims=True)
    top = np.where(top == -np.inf, 0, top).astype(x.dtype)
    terms = exp(where(there, _relative(x, top=top), 0)) * times
    return terms.sum(axis=-1, keepdims=True), _finite(top)


@primitive
def _relative(x: Tensor, *, top: Array) -> Result:
    """Return x - top, which is 0 for infinities that are alike."""
    difference = np.subtract(x._data, top, np.zeros_like(x._data), where=x._data != top)
    return difference, lambda g, y: (g,)


def _finite(exponent: Array) -> Array:
    """Return exponents with inf as a number that outweighs others, and can be added to another."""
    largest = np.finfo(exponent.dtype).max / 4
    finite: Array = np.minimum(exponent, largest)
    return finite


def _log_of(total: Tensor, exponent: Array) -> Tensor:
    """Return log(1 + total * e**exponent), whose derivative has no digits to lose."""
    exponent = np.where(total._data > 0, exponent, 0)  # of an empty sum it says nothing
    shift = np.maximum(exponent, 0)
    return log(total * np.exp(exponent - shift) + np.exp(-shift)) + shift


def _at_least_1(times: Array) -> Array:
    """Return how many there are in each row, or 1 instead of 0, (N, 1)."""
    total: Array = np.maximum(times.sum(axis=-1, keepdims=True), 1)
    return total


@primitive
def _softplus(x: Tensor) -> Result:
    return np.logaddexp(0, x._data), lambda g, y: (g * sigmoid(x),)

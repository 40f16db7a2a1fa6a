# cython: language_level=3, boundscheck=False, wraparound=False, initializedcheck=False
"""Weights, for Python: see the `.pyi` beside this file."""


def are_weights(const double[::1] weight):
    """Return whether all are from 0 to the largest float32, so that no sum of them overflows."""
    return all_weights(&weight[0], weight.shape[0]) if weight.shape[0] > 0 else True


def sum_of_weights(const double[::1] weight):
    """Return the sum, rounded once."""
    return sum_up(&weight[0], weight.shape[0]) if weight.shape[0] > 0 else 0.0

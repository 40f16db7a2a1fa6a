"""The highest scores of each row, without an array as wide as the classes for all rows."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, as_int, kind_of

Array = npt.NDArray[Any]

#: Rows of so many scores are looked through one by one.
_WIDE = 8192
#: So many groups of scores for each of the best: hardly more scores than these are looked at twice.
_GROUPS = 16


def top_k(
    scores: npt.ArrayLike, k: SupportsIndex
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    """Return the `k` highest scores of each row, the highest first, and their classes.

    Parameters
    ----------
    scores : array_like
        Shape ``(N, C)``, without NaN.
    k : int
        From 1 to ``C``.

    Returns
    -------
    classes : ndarray of int64
        Shape ``(N, k)``. Of equal scores the lowest class comes first, as in the metrics.
    scores : ndarray
        Shape ``(N, k)``: their scores, in the dtype of `scores`.

    Raises
    ------
    TypeError
        If the scores are not real numbers.
    ValueError
        If `k` is out of range, or `scores` are not of two axes or hold NaN.

    Examples
    --------
    >>> from lucid import training
    >>> training.top_k([[0.1, 0.9, 0.5], [0.7, 0.2, 0.7]], k=2)
    (array([[1, 2],
           [0, 2]]), array([[0.9, 0.5],
           [0.7, 0.7]]))
    """
    x = as_array("scores", scores)
    if x.dtype.kind not in "fiu":
        raise TypeError(f"scores must hold real numbers, got {kind_of(x)}")
    places = as_int("k", k)
    if x.ndim != 2:
        raise ValueError(f"scores must have shape (N, C), got {x.shape}")
    if not 1 <= places <= x.shape[1]:
        raise ValueError(f"k must be from 1 to C = {x.shape[1]}, got {places}")
    if np.isnan(x).any():
        raise ValueError("scores must not be NaN")
    classes, best = (_of_wide_rows if _are_wide(x, places) else _of_rows)(x, places)
    return classes.astype(np.int64, copy=False), best


def highest(scores: Array, k: int) -> Array:
    """Return the `k` highest scores of each row, the highest first, without their classes.

    Examples
    --------
    >>> import numpy as np
    >>> highest(np.array([[0.1, 0.9, 0.5], [0.7, 0.2, 0.7]]), 2)
    array([[0.9, 0.5],
           [0.7, 0.7]])
    """
    if _are_wide(scores, k):
        return _of_wide_rows(scores, k)[1]
    return np.sort(np.partition(scores, -k, axis=1)[:, -k:], axis=1)[:, ::-1]


def _are_wide(x: Array, k: int) -> bool:
    return bool(x.shape[1] >= max(_WIDE, 2 * _GROUPS * k))


def _of_rows(x: Array, k: int) -> tuple[Array, Array]:
    """Return classes and scores of the best of each row, by a partition of all rows at once."""
    chosen = np.argpartition(x, -k, axis=1)[:, -k:]
    best = np.take_along_axis(x, chosen, axis=1)
    least = best.min(axis=1, keepdims=True)
    # Where more scores are equal to the least one than there is room for, the lowest classes win.
    tied = np.count_nonzero(x == least, axis=1) > np.count_nonzero(best == least, axis=1)
    for row in np.flatnonzero(tied):
        chosen[row] = _at_least(x[row], least[row], k)
        best[row] = x[row, chosen[row]]
    order = np.lexsort((-chosen, best), axis=1)[:, ::-1]
    return np.take_along_axis(chosen, order, axis=1), np.take_along_axis(best, order, axis=1)


def _of_wide_rows(x: Array, k: int) -> tuple[Array, Array]:
    """Return the same, looking only at scores that the highest of some groups of them allow.

    A partition of many scores, nearly all of which are equal, as those of classes that no row of a
    training had, takes many times as long.
    """
    groups = _GROUPS * k
    each = x.shape[1] // groups
    highest = x[:, : groups * each].reshape(len(x), each, groups).max(axis=1)
    bounds = np.partition(highest, -k, axis=1)[:, -k]  # k scores or more are not below it
    classes = np.empty((len(x), k), np.int64)
    best = np.empty((len(x), k), x.dtype)
    for row, bound in enumerate(bounds):
        chosen = _at_least(x[row], bound, k)
        scores = x[row, chosen]
        order = np.lexsort((-chosen, scores))[: -k - 1 : -1]
        classes[row], best[row] = chosen[order], scores[order]
    return classes, best


def _at_least(scores: Array, bound: Any, k: int) -> Array:
    """Return the classes above a bound, and where they are fewer than k, the first on it."""
    above = np.flatnonzero(scores > bound)
    if above.size >= k:
        return above
    return np.concatenate([above, np.flatnonzero(scores == bound)[: k - above.size]])

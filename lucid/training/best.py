"""The highest scores of each row, without an array as wide as the classes for all rows."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, as_int, kind_of


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
    chosen = np.argpartition(x, -places, axis=1)[:, -places:]
    best = np.take_along_axis(x, chosen, axis=1)
    least = best.min(axis=1, keepdims=True)
    # Where more scores are equal to the least one than there is room for, the lowest classes win.
    tied = np.count_nonzero(x == least, axis=1) > np.count_nonzero(best == least, axis=1)
    for row in np.flatnonzero(tied):
        above = np.flatnonzero(x[row] > least[row])
        equal = np.flatnonzero(x[row] == least[row])
        chosen[row] = np.concatenate([above, equal[: places - above.size]])
        best[row] = x[row, chosen[row]]
    order = np.lexsort((-chosen, best), axis=1)[:, ::-1]
    return (
        np.take_along_axis(chosen, order, axis=1).astype(np.int64, copy=False),
        np.take_along_axis(best, order, axis=1),
    )

"""A linear layer and the margin loss of its outputs in one, a few rows at a time.

The logits of N rows and C classes, and their gradient, are the largest arrays of a step: 64 rows
of a million classes take 256 MB each in float32. But a row's loss needs that row's logits only,
and its gradient is used up at once: it goes into those of the features and of the layer. So one
buffer of as many rows as the caller allows serves them all, and the result is the same.

One row's C logits are always held. They are no more than one D-th of the layer's weight.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid._features import add_transposed_times, times_transposed
from lucid._margin import margin_of
from lucid.labels import Labels

Array = npt.NDArray[Any]


class Gradients(NamedTuple):
    """What is computed for each input; None for those without a gradient."""

    weight: Array | None
    bias: Array | None
    features: Array | None


class Wanted(NamedTuple):
    """Which of the `Gradients` to compute."""

    weight: bool = False
    bias: bool = False
    features: bool = False


def linear_margin_of(
    features: Any,
    weight: Array,
    bias: Array,
    labels: Labels,
    *,
    chunk: int,
    scale: Array | float = 1.0,
    wanted: Wanted,
) -> tuple[Array, Gradients]:
    """Return the loss of each row, and the gradients of the sum over rows of scale * loss.

    ``features`` (N, D), an array or a CSR matrix; ``weight`` (C, D); ``bias`` (C,); ``scale`` for
    all rows or for each (N,).
    """
    # float16 is computed in float32.
    dtype = np.result_type(features.dtype, weight.dtype, bias.dtype, np.float32)
    features, weight, bias = (a.astype(dtype, copy=False) for a in (features, weight, bias))
    n, c = len(labels), len(weight)
    gradients = Gradients(
        np.zeros_like(weight, order="C") if wanted.weight else None,
        np.zeros_like(bias) if wanted.bias else None,
        np.empty_like(features, order="C") if wanted.features else None,
    )
    losses = np.empty(n, dtype)
    scales = np.broadcast_to(np.asarray(scale, dtype), n)[:, np.newaxis]
    step = max(1, min(chunk // c, n))
    buffer = np.empty((step, c), dtype)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        x, logits = features[rows], buffer[: rows.stop - start]
        times_transposed(x, weight, out=logits)
        logits += bias
        losses[rows], g = margin_of(logits, labels[rows], "none", any(wanted))
        if g is None:
            continue
        g *= scales[rows]
        if gradients.weight is not None:
            add_transposed_times(g, x, out=gradients.weight)
        if gradients.bias is not None:
            np.add(gradients.bias, g.sum(axis=0), out=gradients.bias)
        if gradients.features is not None:
            # g @ weight; in this order OpenBLAS's threads wait less for each other.
            gradients.features[rows] = (weight.T @ g.T).T
    return losses, gradients

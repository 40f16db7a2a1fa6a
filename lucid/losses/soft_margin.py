"""The multi-label soft margin loss of arrays, with its gradient, in few passes over the logits.

For one logit x and its target t, with e = exp(-|x|), which overflows nowhere:

    loss     = softplus(x) - t x = max(x, 0) - t x + log(1 + e)
    gradient = sigmoid(x) - t    = (1 if x >= 0 else e) / (1 + e) - t

Labels are targets of 1 at few places and 0 elsewhere. Only these places are visited for them:
there the loss is max(-x, 0) + log(1 + e) and the gradient -sigmoid(-x), without any cancellation.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.buffers import empty_like
from lucid.arrays.reduction import reduced
from lucid.labels import Labels

Array = npt.NDArray[Any]

#: Rows are worked on in blocks of about so many logits, whose temporary arrays stay in the cache.
_BLOCK = 1 << 15


@np.errstate(over="ignore", invalid="ignore")  # infinite logits follow IEEE arithmetic
def soft_margin_of(
    x: Array, target: Array | Labels, weight: Array, reduction: str, want_gradient: bool
) -> tuple[Array, Array | None]:
    """Return the loss and, if wanted, its gradient, for arguments that are known to be right.

    Labels must hold each label of a row once.
    """
    # float16 is computed in float32.
    logits = np.atleast_2d(x.astype(np.result_type(x, np.float32), copy=False))
    weight = weight.astype(logits.dtype, copy=False)
    gradient = empty_like(logits) if want_gradient else None
    losses = np.empty(len(logits), logits.dtype)
    step = max(1, _BLOCK // logits.shape[1])
    targets = np.atleast_2d(target) if isinstance(target, np.ndarray) else target
    for start in range(0, len(logits), step):
        rows = slice(start, start + step)
        losses[rows] = _losses(
            logits[rows], targets[rows], weight, None if gradient is None else gradient[rows]
        )
    dtype = x.dtype.newbyteorder("=")
    if gradient is not None:
        gradient *= gradient_scale(x, weight, reduction)
        gradient = (gradient if x.ndim == 2 else gradient[0]).astype(dtype, copy=False)
    return reduced(losses.reshape(x.shape[:-1]), reduction).astype(dtype), gradient


def gradient_scale(x: Array, weight: Array, reduction: str) -> Array:
    """Return what sigmoid(x) - target is multiplied by in the gradient, as an array."""
    n = len(x) if reduction == "mean" and x.ndim == 2 else 1
    return np.asarray(weight / (x.shape[-1] * max(n, 1)), np.result_type(x, np.float32))


def _losses(x: Array, target: Array | Labels, weight: Array, gradient: Array | None) -> Array:
    """Return the loss of each row; write sigmoid(x) - target into ``gradient``."""
    e = np.abs(x)
    np.exp(np.negative(e, out=e), out=e)
    u = e + 1
    if gradient is not None:
        np.divide(np.maximum(e, x >= 0), u, out=gradient)
    terms = _log_of_sum(e, u)
    hinge = np.maximum(x, 0)
    if isinstance(target, Labels):
        at = np.repeat(np.arange(len(target)), target.lengths()), target.indices
        hinge[at] = np.maximum(-x[at], 0)
        if gradient is not None:
            gradient[at] = -np.where(x[at] >= 0, e[at], 1) / u[at]
    else:
        t = target.astype(x.dtype, copy=False)
        hinge -= t * x
        if gradient is not None:
            gradient -= t
    terms += hinge
    terms *= weight
    losses = np.asarray(terms.mean(axis=-1))
    if not isinstance(target, Labels) and np.isnan(losses).any():
        # inf - inf: in the limit an infinite logit costs nothing on the target's side, else all.
        infinite = np.isinf(x)
        limit = np.where(t[infinite] == (x[infinite] > 0), 0, np.inf)
        terms[infinite] = limit * np.broadcast_to(weight, x.shape)[infinite]
        losses = np.asarray(terms.mean(axis=-1))
    return losses


def _log_of_sum(e: Array, u: Array) -> Array:
    """Return log(1 + e), where u = 1 + e rounded; overwrites nothing.

    As exact as ``log1p``, and faster, for NumPy's ``log`` is vectorised and its ``log1p`` is not:
    what the rounding of 1 + e has lost, e - (u - 1), is exact and so small that log is linear.
    """
    lost = u - 1
    np.subtract(e, lost, out=lost)
    lost /= u
    lost += np.log(u)
    return lost

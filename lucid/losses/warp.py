"""The WARP loss of arrays, exact."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import Reduction
from lucid.losses import docs
from lucid.losses.options import as_margin
from lucid.losses.pairs import pairs_solver
from lucid.losses.problem import Loss, Solver

Array = npt.NDArray[Any]


@docs.shared(docs.ARRAYS)
def warp_loss(
    x: npt.ArrayLike,
    target: Any,
    reduction: Reduction = "mean",
    *,
    margin: npt.ArrayLike = 1.0,
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the weighted approximate-rank pairwise loss of arrays, and its gradient.

    .. math::

        L(x, y) = \sum_{i \in \mathrm{pos}} \frac{H(n_i)}{n_i} \sum_{j \notin \mathrm{pos}}
                  \max(0,\; m_i - x_i + x_j)

    where :math:`n_i` of these pairs are active and :math:`H(k) = 1 + 1/2 + \dots + 1/k`. The
    weights are constants in the gradient. More is told at `lucid.nn.WARPLoss`.

    Parameters
    ----------
    {x}
    {target}
    {reduction}
    margin : float or array_like, default 1
        The margin :math:`m`, or one for each class, shape ``(C,)``: that of a pair is its label's.
    {sample_weight}

    Returns
    -------
    {returns}

    Raises
    ------
    {raises}

    See Also
    --------
    lucid.nn.WARPLoss : The loss as a module.
    lucid.nn.functional.warp_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.losses import warp_loss
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = warp_loss(x, [[0, 3]])
    >>> print(loss.round(4))
    3.2389
    >>> print(gradient.round(4))
    [[-1.8333  1.2222  1.2222 -1.8333  1.2222]]
    """
    return WARP.of_arrays(x, target, reduction, sample_weight, margin=margin)


def _check(num_classes: int | None, margin: Any) -> dict[str, Any]:
    return {"margin": as_margin(margin, num_classes)}


def _solver(dtype: str, num_classes: int, *, margin: float | Array) -> Solver:
    worth_of_count = harmonic(num_classes)
    return pairs_solver("warp", dtype, margin, None, worth_of_count=worth_of_count)


def harmonic(n: int) -> Array:
    """Return 0, 1, 1 + 1/2, .., up to the n-th: the sums of 1 / k."""
    return _harmonic(1 << max(10, n.bit_length()))[: n + 1]  # few sizes, each kept


@lru_cache(maxsize=4)
def _harmonic(size: int) -> Array:
    # In whole units of 2**-58, and of 2**-87 for what these leave: rounding errors cannot add up.
    k = np.arange(1, size, dtype=np.uint64)
    units, rest = np.divmod(np.uint64(1 << 58), k)
    carried = np.cumsum((rest << np.uint64(29)) // k) >> np.uint64(29)
    sums: Array = np.concatenate([[0.0], (np.cumsum(units) + carried) / 2.0**58])
    sums.flags.writeable = False
    return sums


WARP = Loss(warp_loss, _solver, _check, padded=True, hinges=True, worth_of_count=harmonic)

"""The losses of sums of exponentials over labels and negatives: LSEP, ZLPR and BP-MLL."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import exponential as _kernel
from lucid.arrays.checks import Reduction
from lucid.losses import docs
from lucid.losses.problem import Loss, Solver
from lucid.losses.solving import KernelSolver

Array = npt.NDArray[Any]


@docs.shared(docs.ARRAYS)
def lsep_loss(
    x: npt.ArrayLike,
    target: Any,
    reduction: Reduction = "mean",
    *,
    per_label: bool = False,
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the log-sum-exp pairwise loss of arrays, and its gradient.

    .. math::

        L(x, y) = \log \Bigl( 1 + \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}}
                  e^{x_j - x_i} \Bigr)

    All pairs count, none is sampled or formed: the sum is a product of two sums, one over the
    labels and one over the other classes. More is told at `lucid.nn.LSEPLoss`.

    Parameters
    ----------
    {x}
    {target}
    {reduction}
    per_label : bool, default False
        Take the mean over the labels of the loss that each has alone,
        :math:`\log(1 + \sum_j e^{x_j - x_i})`: no label is outweighed by one with a lower score.
    {sample_weight}

    Returns
    -------
    {returns}

    Raises
    ------
    {raises}

    See Also
    --------
    lucid.nn.LSEPLoss : The loss as a module.
    lucid.nn.functional.lsep_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.losses import lsep_loss
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = lsep_loss(x, [[0, 3]])
    >>> print(loss.round(4))
    1.9043
    >>> print(gradient.round(4))
    [[-0.5687  0.3325  0.2722 -0.2824  0.2463]]
    """
    return LSEP.of_arrays(x, target, reduction, sample_weight, per_label=per_label)


@docs.shared(docs.ARRAYS)
def zlpr_loss(
    x: npt.ArrayLike,
    target: Any,
    reduction: Reduction = "mean",
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the zero-bounded log-sum-exp pairwise loss of arrays, and its gradient.

    .. math::

        L(x, y) = \log \Bigl( 1 + \sum_{i \in \mathrm{pos}} e^{-x_i} \Bigr)
                + \log \Bigl( 1 + \sum_{j \notin \mathrm{pos}} e^{x_j} \Bigr)

    It ranks the labels above 0 and the other classes below, so that the sign of a score says which
    it is. More is told at `lucid.nn.ZLPRLoss`.

    Parameters
    ----------
    {x}
    {target}
    {reduction}
    {sample_weight}

    Returns
    -------
    {returns}

    Raises
    ------
    {raises}

    See Also
    --------
    lucid.nn.ZLPRLoss : The loss as a module.
    lucid.nn.functional.zlpr_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.losses import zlpr_loss
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = zlpr_loss(x, [[0, 3]])
    >>> print(loss.round(4))
    2.5087
    >>> print(gradient.round(4))
    [[-0.3844  0.3158  0.2586 -0.1909  0.234 ]]
    """
    return ZLPR.of_arrays(x, target, reduction, sample_weight)


@docs.shared(docs.ARRAYS)
def bpmll_loss(
    x: npt.ArrayLike,
    target: Any,
    reduction: Reduction = "mean",
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the exponential pairwise loss of arrays, and its gradient.

    .. math::

        L(x, y) = \frac{1}{|\mathrm{pos}|\,|\mathrm{neg}|}
                  \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}} e^{x_j - x_i}

    It is infinite where that number is too large for the dtype. More is told at
    `lucid.nn.BPMLLLoss`.

    Parameters
    ----------
    {x}
    {target}
    {reduction}
    {sample_weight}

    Returns
    -------
    {returns}

    Raises
    ------
    {raises}

    See Also
    --------
    lucid.nn.BPMLLLoss : The loss as a module.
    lucid.nn.functional.bpmll_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.losses import bpmll_loss
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = bpmll_loss(x, [[0, 3]])
    >>> print(loss.round(4))
    0.9524
    >>> print(gradient.round(4))
    [[-0.6364  0.3721  0.3047 -0.316   0.2757]]
    """
    return BPMLL.of_arrays(x, target, reduction, sample_weight)


#: By name and `dtype.char`.
_KERNELS: dict[str, dict[str, Any]] = {
    name: {"f": getattr(_kernel, f"{name}_float32"), "d": getattr(_kernel, f"{name}_float64")}
    for name in ("lsep", "lsep_per_label", "zlpr", "bpmll")
}


def _lsep_solver(dtype: str, num_classes: int, *, per_label: bool) -> Solver:
    return KernelSolver(_KERNELS["lsep_per_label" if per_label else "lsep"][dtype])


def _zlpr_solver(dtype: str, num_classes: int) -> Solver:
    return KernelSolver(_KERNELS["zlpr"][dtype])


def _bpmll_solver(dtype: str, num_classes: int) -> Solver:
    return KernelSolver(_KERNELS["bpmll"][dtype])


def _check_per_label(num_classes: int | None, per_label: Any) -> dict[str, Any]:
    if not isinstance(per_label, bool | np.bool_):
        raise TypeError(f"per_label must be True or False, got {per_label!r}")
    return {"per_label": bool(per_label)}


def _no_options(num_classes: int | None) -> dict[str, Any]:
    return {}


LSEP = Loss(lsep_loss, _lsep_solver, _check_per_label)
ZLPR = Loss(zlpr_loss, _zlpr_solver, _no_options)
BPMLL = Loss(bpmll_loss, _bpmll_solver, _no_options)

"""The multi-label margin loss of arrays, with all its options."""

from __future__ import annotations

from typing import Any, Literal

import numpy.typing as npt

from lucid.arrays.checks import Reduction
from lucid.losses import docs
from lucid.losses.options import as_class_weight, as_margin, as_power, check_normalize
from lucid.losses.pairs import Kernel, pairs_solver
from lucid.losses.problem import Loss, Solver

Array = npt.NDArray[Any]


@docs.shared(docs.ARRAYS)
def multilabel_margin_loss(
    x: npt.ArrayLike,
    target: Any,
    reduction: Reduction = "mean",
    *,
    p: Literal[1, 2] = 1,
    margin: npt.ArrayLike = 1.0,
    weight: npt.ArrayLike | None = None,
    normalize: Literal["classes", "pairs"] = "classes",
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the multi-label ranking margin loss of arrays, and its gradient.

    .. math::

        L(x, y) = \frac{1}{n} \sum_{i \in \mathrm{pos}} w_i \sum_{j \notin \mathrm{pos}}
                  \max(0,\; m_i - x_i + x_j)^p

    where :math:`n` is the number of known classes. Its edge cases and what differs from PyTorch
    are told at `lucid.nn.MultilabelMarginLoss`.

    Parameters
    ----------
    {x}
    {target}
    {reduction}
    p : {1, 2}, default 1
        The power of a pair: the hinge, or its square.
    margin : float or array_like, default 1
        The margin :math:`m`, or one for each class, shape ``(C,)``: that of a pair is its label's.
    weight : array_like, optional
        A weight :math:`w` for each class, shape ``(C,)``, not negative: a pair counts that of its
        label. A label of weight 0 is in no pair.
    normalize : {'classes', 'pairs'}, default 'classes'
        Divide the sum over the pairs of a row by the number of known classes, or by the sum of the
        weights of all pairs, active or not; a row without pairs has loss 0.
    {sample_weight}

    Returns
    -------
    {returns}

    Raises
    ------
    {raises}

    See Also
    --------
    lucid.nn.MultilabelMarginLoss : The loss as a module, with its edge cases.
    lucid.nn.functional.multilabel_margin_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> import lucid
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = lucid.multilabel_margin(x, [[0, 3]])
    >>> print(loss.round(4))
    1.06
    >>> print(gradient)
    [[-0.6  0.4  0.4 -0.6  0.4]]

    Squares, and a mean over the six pairs:

    >>> loss, gradient = lucid.multilabel_margin(x, [[0, 3]], p=2, normalize="pairs")
    >>> print(loss.round(4))
    0.9183
    """
    return MARGIN.of_arrays(
        x,
        target,
        reduction,
        sample_weight,
        p=p,
        margin=margin,
        weight=weight,
        normalize=normalize,
    )


def _check(
    num_classes: int | None, p: Any, margin: Any, weight: Any, normalize: Any
) -> dict[str, Any]:
    check_normalize(normalize)
    return {
        "p": as_power(p),
        "margin": as_margin(margin, num_classes),
        "weight": as_class_weight(weight, num_classes),
        "normalize": normalize,
    }


def _solver(
    dtype: str,
    num_classes: int,
    *,
    p: int,
    margin: float | Array,
    weight: Array | None,
    normalize: str,
) -> Solver:
    kernel: Kernel = "squared" if p == 2 else "margin" if weight is None else "weighted"
    return pairs_solver(kernel, dtype, margin, normalize, weight)


MARGIN = Loss(multilabel_margin_loss, _solver, _check, padded=True, hinges=True)

"""The multi-label soft margin loss of arrays: of labels, or of numbers in their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import soft_margin as _kernel
from lucid.arrays.checks import REDUCTIONS, Reduction, check_probabilities
from lucid.labels import Labels, as_labels, is_array_like, label_array
from lucid.losses import docs
from lucid.losses.options import as_class_weight
from lucid.losses.problem import Loss, Solver
from lucid.losses.solving import KernelSolver, Terms

Array = npt.NDArray[Any]

_PARTS = {
    "target": """
target : array_like, Labels, scipy.sparse matrix or array
    Numbers from 0 to 1 in the shape of `x`: 1 where the class is a label, NaN or masked where it
    is unknown.
    Or the labels alone: `lucid.Labels`, a sparse or bool matrix (nonzero is a label), or lists of
    class indices that differ in length, are sets or are all empty. These need no memory for the
    zeros. A label that is given twice counts once.""",
}


@docs.shared(docs.ARRAYS | _PARTS)
def multilabel_soft_margin_loss(
    x: npt.ArrayLike,
    target: Any,
    weight: npt.ArrayLike | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: npt.ArrayLike | None = None,
) -> tuple[Array, Array]:
    r"""Return the multi-label one-versus-all loss of arrays, and its gradient.

    .. math::

        L(x, y) = -\frac{1}{n} \sum_{c} w_c \bigl( y_c \log \sigma(x_c)
                  + (1 - y_c) \log(1 - \sigma(x_c)) \bigr)

    where :math:`n` is the number of known classes, over which the sum is. More is told at
    `lucid.nn.MultiLabelSoftMarginLoss`.

    Parameters
    ----------
    {x}
    {target}
    weight : array_like, optional
        A weight :math:`w` for each class, shape ``(C,)``, or one for all; not negative.
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
    lucid.nn.MultiLabelSoftMarginLoss : The loss as a module.
    lucid.nn.functional.multilabel_soft_margin_loss : The same of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.losses import multilabel_soft_margin_loss
    >>> x = np.array([[2.0, -1.0, 0.0]])
    >>> loss, gradient = multilabel_soft_margin_loss(x, [[1, 0, 0]])
    >>> print(loss.round(4))
    0.3778
    >>> print(gradient.round(4))
    [[-0.0397  0.0896  0.1667]]
    """
    return SOFT_MARGIN.of_arrays(x, target, reduction, sample_weight, weight=weight)


def _read_target(target: Any, x: Array) -> Array | Labels:
    """Return numbers from 0 to 1 for all classes, or the labels where only these were given."""
    if not is_array_like(target):
        return as_labels(target, x.shape, "target")
    numbers = label_array("target", _with_nan(target, x.shape))
    check_probabilities(numbers, x)
    if numbers.dtype == bool:
        return Labels.from_multi_hot(np.atleast_2d(numbers))
    # A copy, for the user may write into the other.
    dtype = np.float64 if x.dtype.itemsize == 8 else np.float32
    return np.array(np.atleast_2d(numbers), dtype, order="C")


def _with_nan(target: Any, shape: tuple[int, ...]) -> Any:
    """Return numbers with NaN for what is masked, which says the same: nobody knows."""
    if not isinstance(target, np.ma.MaskedArray) or target.dtype.kind not in "iuf":
        return target
    if target.shape != shape:
        return target  # padded class indices, for one: of these nothing is unknown
    return np.ma.filled(target.astype(np.result_type(target.dtype, np.float16)), np.nan)


def _check(num_classes: int | None, weight: Any) -> dict[str, Any]:
    if isinstance(weight, str) and weight in REDUCTIONS:
        raise TypeError(
            f"weight must hold real numbers, got {weight!r}: weight comes before reduction here, "
            f"as in PyTorch; pass reduction={weight!r}"
        )
    values = as_class_weight(weight, num_classes, one_for_all=True)
    if values is None or num_classes is None:
        return {"weight": values}
    # Of its own, for the user may write into the other.
    return {"weight": np.full(num_classes, values)}


_KERNELS = {"f": _kernel.soft_margin_float32, "d": _kernel.soft_margin_float64}


def _solver(dtype: str, num_classes: int, *, weight: Array | None) -> Solver:
    return KernelSolver(_KERNELS[dtype], None if weight is None else Terms(weights=weight))


SOFT_MARGIN = Loss(multilabel_soft_margin_loss, _solver, _check, _read_target)

"""The losses as functions of tensors."""

from __future__ import annotations

from typing import Any

import numpy as np

from lucid._checks import (
    Reduction,
    check_probabilities,
    check_reduction,
    check_scores,
    check_weight,
)
from lucid._ops import losses
from lucid._tensor import Array, Tensor, TensorLike, as_tensor
from lucid.labels import Labels, as_labels, is_array_like

__all__ = ["multilabel_margin_loss", "multilabel_soft_margin_loss"]


def multilabel_margin_loss(x: TensorLike, target: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Return the multi-label ranking margin loss.

    The formula, its edge cases and what differs from PyTorch stand at
    `lucid.nn.MultilabelMarginLoss`, which calls this function.

    Parameters
    ----------
    x : Tensor or array_like
        Scores, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16.
    target : Tensor, array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, any ``K``: class indices, ended by a -1 or
        by the end of the row. Any other form that `lucid.Labels` is made from is taken too.
    reduction : {'none', 'mean', 'sum'}
        Return the loss of each row, their mean or their sum.

    Returns
    -------
    Tensor
        Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype of `x`.

    Raises
    ------
    TypeError
        If `x` or `target` has a dtype that cannot be meant.
    ValueError
        If shapes do not fit, a label is out of range or `reduction` is none of the three.

    See Also
    --------
    lucid.nn.MultilabelMarginLoss : The same as a module.
    lucid.multilabel_margin : Loss and gradient of arrays, without tensors.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> x = lucid.tensor([[1.0, 0.5, -0.3, 0.2]], requires_grad=True)
    >>> loss = F.multilabel_margin_loss(x, [[0, 1, -1, -1]])
    >>> print(round(loss.item(), 4))
    0.275
    >>> loss.backward()
    >>> x.grad
    tensor([[-0.25, -0.5 ,  0.25,  0.5 ]])
    """
    check_reduction(reduction)
    if isinstance(target, Tensor):
        target = target._data
    return losses.multilabel_margin_loss(x, target=target, reduction=reduction)


def multilabel_soft_margin_loss(
    x: TensorLike,
    target: Any,
    weight: TensorLike | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Return the multi-label one-versus-all loss, the mean of C logistic losses.

    The formula stands at `lucid.nn.MultiLabelSoftMarginLoss`, which calls this function.

    Parameters
    ----------
    x : Tensor or array_like
        Logits, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16.
    target : Tensor or array_like, Labels, scipy.sparse matrix or array
        Numbers from 0 to 1 in the shape of `x`: 1 where the class is a label. Or the labels alone:
        `lucid.Labels`, a sparse or bool matrix (nonzero is a label), or lists of class indices
        that differ in length or are sets. These need no memory for the zeros. A label that is
        given twice counts once.
    weight : Tensor or array_like, optional
        A weight for each class, shape ``(C,)``.
    reduction : {'none', 'mean', 'sum'}
        Return the loss of each row, their mean or their sum.

    Returns
    -------
    Tensor
        Shape ``(N,)`` for ``'none'`` and logits ``(N, C)``, otherwise ``()``; the dtype of `x`.

    Raises
    ------
    TypeError
        If `x` is not floating-point.
    ValueError
        If shapes do not fit, a target is outside 0 to 1, a label is out of range or `reduction` is
        none of the three.

    See Also
    --------
    lucid.nn.MultiLabelSoftMarginLoss : The same as a module.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.multilabel_soft_margin_loss([[2.0, -1.0, 0.0]], [[1, 0, 0]])
    >>> print(round(loss.item(), 4))
    0.3778
    >>> labels = lucid.Labels.from_lists([[0]], num_classes=3)
    >>> loss = F.multilabel_soft_margin_loss([[2.0, -1.0, 0.0]], labels)
    >>> print(round(loss.item(), 4))
    0.3778
    """
    check_reduction(reduction)
    x = as_tensor(x)
    check_scores(x._data)
    weights = _values(1.0 if weight is None else weight)
    check_weight(weights, x._data)
    return losses.multilabel_soft_margin_loss(
        x, target=_soft_target(target, x._data), weight=weights, reduction=reduction
    )


def _soft_target(target: Any, x: Array) -> Array | Labels:
    """Return numbers from 0 to 1 for all classes, or the labels where only these were given."""
    if isinstance(target, Tensor) or is_array_like(target):
        numbers = _values(target)
        check_probabilities(numbers, x)
        return Labels.from_multi_hot(np.atleast_2d(numbers)) if numbers.dtype == bool else numbers
    shape = np.atleast_2d(x).shape
    return as_labels(target, (shape[0], shape[1])).drop_duplicates()


def _values(x: TensorLike) -> Array:
    return x._data if isinstance(x, Tensor) else np.asarray(x)

"""The losses as functions of tensors."""

from __future__ import annotations

from typing import Any, SupportsIndex

import numpy as np

from lucid.arrays.checks import (
    Reduction,
    as_array,
    as_int,
    check_layer,
    check_probabilities,
    check_reduction,
    check_scores,
    check_weight,
)
from lucid.arrays.features import as_csr
from lucid.autograd.grad_mode import is_grad_enabled
from lucid.autograd.ops import linear_margin, losses
from lucid.autograd.tensor import Array, Tensor, TensorLike
from lucid.labels import Labels, as_labels, is_array_like
from lucid.losses.margin import labels_for
from lucid.system.optional import is_sparse

__all__ = [
    "linear_multilabel_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
]


def multilabel_margin_loss(x: TensorLike, target: Any, reduction: Reduction = "mean") -> Tensor:
    r"""Return the multi-label ranking margin loss.

    The formula, its edge cases and what differs from PyTorch stand at
    `lucid.nn.MultilabelMarginLoss`, which calls this function.

    Parameters
    ----------
    x : Tensor or array_like
        Scores, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16; lists, of ints too, are
        taken as float32.
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
    return losses.multilabel_margin_loss(_real("x", x), target=target, reduction=reduction)


def _real(name: str, x: TensorLike) -> Tensor:
    """Return an argument as a tensor, float32 for lists, also for those of ints."""
    if isinstance(x, Tensor):
        return x
    array = as_array(name, x)
    if array.dtype.kind in "iuf" and not hasattr(x, "dtype"):
        array = array.astype(np.float32, copy=False)
    return Tensor(array)


def linear_multilabel_margin_loss(
    features: Any,
    weight: TensorLike,
    bias: TensorLike | None,
    target: Any,
    reduction: Reduction = "mean",
    *,
    chunk: SupportsIndex = 1 << 22,
) -> Tensor:
    r"""Return the margin loss of the outputs of a linear layer, without holding all of them.

    .. math:: L(x W^T + b, \, y)

    with the loss :math:`L` of `lucid.nn.MultilabelMarginLoss`. For millions of classes: the scores
    of a batch and their gradient, each ``(N, C)``, are made and used up a few classes at a time.

    Parameters
    ----------
    features : Tensor or array_like, scipy.sparse matrix or array
        The layer's inputs :math:`x`, shape ``(N, D)`` or ``(D,)``. A sparse matrix ``(N, D)`` is a
        constant, takes the dtype of `weight`, and is never made dense.
    weight : Tensor or array_like
        Shape ``(C, D)``, float32, float64 or float16.
    bias : Tensor or array_like or None
        Shape ``(C,)``.
    target : Tensor, array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, in any form that
        `multilabel_margin_loss` takes.
    reduction : {'none', 'mean', 'sum'}
        Return the loss of each row, their mean or their sum.
    chunk : int, default 2**22
        How many scores may be held at once: those of all rows and as many classes as fit, but at
        least of one row and 4,096 classes. In float32 that many scores and their gradient take
        ``8 * chunk`` bytes: 32 MiB by default. The labels of the rows come on top.

    Returns
    -------
    Tensor
        Shape ``(N,)`` for ``'none'`` and features ``(N, D)``, otherwise ``()``.

    Raises
    ------
    TypeError
        If an argument has a dtype that cannot be meant, or `chunk` is not an integer.
    ValueError
        If shapes do not fit, a label or an index of sparse features is out of range, `reduction` is
        none of the three or `chunk` is not positive.

    See Also
    --------
    multilabel_margin_loss : The loss of scores that are there already.

    Notes
    -----
    * The result and its gradients are those of the two steps
      ``multilabel_margin_loss(lucid.linear(features, weight, bias), target, reduction)``, to
      rounding. What is computed does not depend on `chunk` otherwise. A loss of NaN makes the whole
      gradient NaN, also where no feature is stored.
    * Other memory: the gradients themselves, those of `features`, `weight` and `bias` that require
      one, and some 16 MiB.
    * For ``'mean'`` and ``'sum'`` the gradients are computed along with the loss, and only scaled
      in the backward pass. For ``'none'`` the backward pass computes the scores a second time.
    * With ``create_graph=True`` the backward pass goes through the two separate steps, and holds
      all scores.
    * The weight's gradient is dense. Until a model is trained, nearly every class is within the
      margin of some label of a batch: there is no row of the weight that a step could leave out.

    References
    ----------
    .. [1] P.-L. Hsu et al., "Liger kernel: efficient Triton kernels for LLM training", 2024,
       :arxiv:`2410.10989`: the fused linear cross entropy, whose scheme this is.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> weight = lucid.tensor([[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]], requires_grad=True)
    >>> loss = F.linear_multilabel_margin_loss([[1.0, 0.5]], weight, None, [[0]])
    >>> print(round(loss.item(), 4))
    0.6667
    >>> loss.backward()
    >>> print(weight.grad.numpy().round(4))
    [[-0.6667 -0.3333]
     [ 0.3333  0.1667]
     [ 0.3333  0.1667]]
    """
    check_reduction(reduction)
    weight = _real("weight", weight)
    if is_sparse(features):
        features = as_csr("features", features, weight.dtype)
    else:
        features = _real("features", features)
    bias = Tensor(np.zeros(weight.shape[:1], weight.dtype)) if bias is None else _real("bias", bias)
    check_layer(features, weight, bias)
    labels = labels_for(
        (*features.shape[:-1], len(weight)), target._data if isinstance(target, Tensor) else target
    )
    chunk = as_int("chunk", chunk)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    if is_sparse(features):
        return linear_margin.sparse_linear_multilabel_margin_loss(
            weight, bias, features=features, labels=labels, reduction=reduction, chunk=chunk
        )
    rows = features.reshape(1, -1) if features.ndim == 1 else features
    loss = linear_margin.linear_multilabel_margin_loss(
        weight, bias, rows, labels=labels, reduction=reduction, chunk=chunk
    )
    return loss.reshape(()) if features.ndim == 1 else loss


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
        Logits, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16; lists, of ints too, are
        taken as float32.
    target : Tensor or array_like, Labels, scipy.sparse matrix or array
        Numbers from 0 to 1 in the shape of `x`: 1 where the class is a label. Or the labels alone:
        `lucid.Labels`, a sparse or bool matrix (nonzero is a label), or lists of class indices
        that differ in length, are sets or are all empty. These need no memory for the zeros. A
        label that is given twice counts once.
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
        If shapes do not fit, a target is outside 0 to 1, a label is out of range, a target or
        weight requires a gradient, or `reduction` is none of the three.

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
    x = _real("x", x)
    check_scores(x._data)
    weights = _values("weight", 1.0 if weight is None else weight)
    check_weight(weights, x._data)
    return losses.multilabel_soft_margin_loss(
        x, target=_soft_target(target, x._data), weight=weights, reduction=reduction
    )


def _soft_target(target: Any, x: Array) -> Array | Labels:
    """Return numbers from 0 to 1 for all classes, or the labels where only these were given."""
    if isinstance(target, Tensor) or is_array_like(target):
        numbers = _values("target", target)
        check_probabilities(numbers, x)
        return Labels.from_multi_hot(np.atleast_2d(numbers)) if numbers.dtype == bool else numbers
    return as_labels(target, x.shape, "target").drop_duplicates()


def _values(name: str, x: TensorLike) -> Array:
    """Return a constant argument as an array."""
    if not isinstance(x, Tensor):
        return as_array(name, x)
    if x.requires_grad and is_grad_enabled():
        raise ValueError(f"{name} must not require a gradient, which would be lost: detach() it")
    return x._data

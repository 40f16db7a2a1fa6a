"""The losses as modules: they hold their options and call the function."""

from __future__ import annotations

from typing import Any

from lucid.arrays.checks import Reduction, check_reduction
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.nn import functional as F
from lucid.nn.module import Module

__all__ = ["MultiLabelMarginLoss", "MultiLabelSoftMarginLoss", "MultilabelMarginLoss"]


class MultilabelMarginLoss(Module):
    r"""Multi-label ranking margin loss.

    Computes a pairwise ranking loss for multi-label classification, where each sample can belong
    to several classes at once. Given the scores :math:`x` of shape ``(C,)`` and a target
    :math:`y` that lists the indices of the true classes (padded with -1), the loss penalises every
    pair in which a class that is not a label comes within a margin of 1 of one that is:

    .. math::

        L(x, y) = \frac{1}{n} \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}}
                  \max\bigl(0,\; 1 - x[y_i] + x[j]\bigr)

    where :math:`n` is the number of classes :math:`C`.

    Parameters
    ----------
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each sample, their mean or their sum.

    Attributes
    ----------
    reduction : str
        The reduction mode.

    Raises
    ------
    ValueError
        If `reduction` is none of the three.

    See Also
    --------
    MultiLabelSoftMarginLoss : One logistic loss for each class, without comparing classes.
    lucid.nn.functional.multilabel_margin_loss : The same as a function.
    lucid.multilabel_margin : Loss and gradient of arrays, without tensors.

    Notes
    -----
    * Input `x`: ``(N, C)`` or ``(C,)``, float32, float64 or float16 (computed in float32).
    * Target `y`: ``(N, K)`` or ``(K,)`` of any width ``K``; ``K = C`` is PyTorch's form. Integer
      class indices of the labels; -1 entries pad the list. `lucid.Labels` lists the other forms.
    * Output: a scalar for ``'mean'`` and ``'sum'``; ``(N,)`` for ``'none'`` and ``x`` ``(N, C)``.
    * Unlike `MultiLabelSoftMarginLoss`, this loss compares classes in pairs and does not need
      probabilities.
    * The padding: fill a row of the target with the labels from the left, and the rest with -1.
      What follows the first -1 is ignored.
    * The gradient with respect to ``x[j]`` is the number of active pairs of ``j`` over ``C``, with
      a minus for labels. A pair exactly at the margin is not active.
    * The result has the same bits for every number of threads, every CPU level, and with or without
      a gradient. Loss and gradient are within 1 ulp of the exact values over the rounded
      thresholds ``x[y_i] - 1``. (float64 scores so large that ``C`` times their loss comes near
      1.8e308 have a loss of inf.)
    * Time is :math:`O(C + P)` for a row with :math:`P` labels, at the very worst
      :math:`O((C + P) \log P)`; going through the pairs takes :math:`P (C - P)` steps. No array
      of pairs is made.

    .. rubric:: Edge cases

    ====================================  ====================================================
    A label below -1, or at least ``C``   `ValueError`
    The same label twice                  counts twice over :math:`i`; is no negative
    ``C`` columns of signs or grades      `ValueError`, with the form that was probably meant
    No label, or no class without one     loss 0, gradient 0
    No rows (``N = 0``)                   ``'sum'`` 0, ``'mean'`` nan, ``'none'`` shape ``(0,)``
    A NaN in a pair                       the row's loss and gradient are NaN
    inf                                   follows IEEE arithmetic
    ====================================  ====================================================

    .. rubric:: Differences from PyTorch

    * The target need not be as wide as the scores, and has any integer dtype: what a row of five
      labels takes does not grow with the number of classes.
    * A NaN is not dropped: a model that is broken should not look well.
    * A label out of range is an error that says where it stands.
    * All threads are used, and the bits do not depend on how many there are.

    References
    ----------
    .. [1] M.-L. Zhang and Z.-H. Zhou, "Multilabel neural networks with applications to functional
       genomics and text categorization", IEEE TKDE 18(10), 2006, :doi:`10.1109/TKDE.2006.162`:
       the pairwise ranking loss over the labels and non-labels of a sample.
    .. [2] T. Joachims, "A support vector method for multivariate performance measures", ICML 2005,
       :doi:`10.1145/1102351.1102399`: counting, after sorting, in place of going through pairs.

    Examples
    --------
    One sample with 5 classes, two positive labels (0 and 3):

    >>> import lucid
    >>> import lucid.nn as nn
    >>> criterion = nn.MultilabelMarginLoss()
    >>> scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> target = lucid.tensor([[0, 3, -1, -1, -1]])
    >>> loss = criterion(scores, target)
    >>> loss
    tensor(1.06)

    Batch of two samples:

    >>> criterion = nn.MultilabelMarginLoss(reduction="sum")
    >>> scores = lucid.tensor([[1.0, 0.5, 0.2], [0.3, 0.9, 0.4]])
    >>> target = lucid.tensor([[0, -1, -1], [1, 2, -1]])
    >>> loss = criterion(scores, target)
    >>> print(round(loss.item(), 4))
    0.6667
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__()
        check_reduction(reduction)
        self.reduction: Reduction = reduction

    def forward(self, x: TensorLike, target: Any) -> Tensor:
        """Compute the loss between predictions and targets.

        Parameters
        ----------
        x : Tensor or array_like
            The scores.
        target : Tensor, array_like of int, or Labels
            The labels.

        Returns
        -------
        Tensor
            Scalar loss, or the loss of each row, as `reduction` says.
        """
        return F.multilabel_margin_loss(x, target, self.reduction)

    def extra_repr(self) -> str:
        """Return a string representation of the layer's configuration.

        Returns
        -------
        str
        """
        return f"reduction={self.reduction!r}"


#: PyTorch's spelling of the same class.
MultiLabelMarginLoss = MultilabelMarginLoss


class MultiLabelSoftMarginLoss(Module):
    r"""Multi-label one-versus-all loss, the mean of C logistic losses.

    For each class on its own, the negative log-likelihood of the target under the probability
    :math:`\sigma(x_j)`; with weights :math:`w`,

    .. math::

        L(x, y) = -\frac{1}{C} \sum_j w_j \bigl( y_j \log \sigma(x_j)
                  + (1 - y_j) \log(1 - \sigma(x_j)) \bigr)

    computed as :math:`\max(x, 0) - y x + \log(1 + e^{-|x|})`, which overflows nowhere.

    Parameters
    ----------
    weight : Tensor or array_like, optional
        A weight :math:`w_j` for each class, shape ``(C,)``.
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each sample, their mean or their sum.

    Attributes
    ----------
    weight : Tensor or array_like or None
        The weights.
    reduction : str
        The reduction mode.

    Raises
    ------
    ValueError
        If `reduction` is none of the three.

    See Also
    --------
    MultilabelMarginLoss : Compares classes in pairs; ranks better where the order matters.

    Notes
    -----
    * Input `x`: logits, ``(N, C)`` or ``(C,)``.
    * Target `y`: the shape of `x`, values from 0 to 1. A -1 is refused: it is the sign of a padded
      list of indices, which `MultilabelMarginLoss` takes.
    * Or the labels alone: `lucid.Labels`, a sparse or bool matrix (nonzero is a label), or lists of
      class indices that differ in length or are sets. No target of the shape of `x` is made; a
      label that is given twice counts once.
    * An infinite logit costs 0 on the side of a target of 0 or 1, otherwise inf: the limit, where
      PyTorch has nan.
    * Output: a scalar for ``'mean'`` and ``'sum'``; ``(N,)`` for ``'none'`` and ``x`` ``(N, C)``.

    References
    ----------
    PyTorch's class of the same name, whose results these are.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn as nn
    >>> criterion = nn.MultiLabelSoftMarginLoss()
    >>> logits = lucid.tensor([[2.0, -1.0, 0.0]])
    >>> print(round(criterion(logits, lucid.tensor([[1, 0, 0]])).item(), 4))
    0.3778
    """

    def __init__(self, weight: TensorLike | None = None, reduction: Reduction = "mean") -> None:
        super().__init__()
        check_reduction(reduction)
        self.weight = weight
        self.reduction: Reduction = reduction

    def forward(self, x: TensorLike, target: Any) -> Tensor:
        """Compute the loss between logits and targets.

        Parameters
        ----------
        x : Tensor or array_like
            The logits.
        target : Tensor or array_like, Labels, scipy.sparse matrix or array
            The targets, of the same shape, or the labels.

        Returns
        -------
        Tensor
            Scalar loss, or the loss of each row, as `reduction` says.
        """
        return F.multilabel_soft_margin_loss(x, target, self.weight, self.reduction)

    def extra_repr(self) -> str:
        """Return a string representation of the layer's configuration.

        Returns
        -------
        str
        """
        return f"reduction={self.reduction!r}"

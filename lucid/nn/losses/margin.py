"""The multi-label margin loss as a module."""

from __future__ import annotations

from typing import Literal

from lucid.arrays.checks import Reduction
from lucid.autograd.tensor import TensorLike
from lucid.losses import docs
from lucid.losses.margin import MARGIN
from lucid.nn.losses.criterion import Criterion


@docs.shared(docs.MODULES)
class MultilabelMarginLoss(Criterion):
    r"""Multi-label ranking margin loss.

    Computes a pairwise ranking loss for multi-label classification, where each sample can belong
    to several classes at once. Given the scores :math:`x` of shape ``(C,)`` and a target
    :math:`y` that lists the indices of the true classes (padded with -1), the loss penalises every
    pair in which a class that is not a label comes within a margin of 1 of one that is:

    .. math::

        L(x, y) = \frac{1}{n} \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}}
                  \max\bigl(0,\; 1 - x[y_i] + x[j]\bigr)

    where :math:`n` is the number of classes :math:`C`. With all options, a pair counts
    :math:`w_i \max(0,\; m_i - x[y_i] + x[j])^p`.

    Parameters
    ----------
    {reduction}
    p : {1, 2}, default 1
        The power of a pair: the hinge, or its square.
    margin : float or array_like, default 1
        The margin, or one for each class, shape ``(C,)``: that of a pair is its label's.
    weight : Tensor or array_like, optional
        A weight for each class, shape ``(C,)``, not negative: a pair counts that of its label,
        which stands outside of the power. A label of weight 0 is in no pair.
    normalize : {'classes', 'pairs'}, default 'classes'
        Divide the sum over the pairs of a row by the number of known classes, or by the sum of the
        weights of all its pairs, active or not: rows with different numbers of labels are
        comparable then.

    Attributes
    ----------
    reduction, p, margin, weight, normalize
        As above; they may be changed.

    Raises
    ------
    TypeError
        If an option is of another type than it takes.
    ValueError
        If an option has a value that it does not take.

    See Also
    --------
    MultiLabelSoftMarginLoss : One logistic loss for each class, without comparing classes.
    lucid.nn.functional.multilabel_margin_loss : The same as a function.
    lucid.multilabel_margin : Loss and gradient of arrays, without tensors.

    Notes
    -----
    {shapes}
    * Unlike `MultiLabelSoftMarginLoss`, this loss compares classes in pairs and does not need
      probabilities.
    * The padding: fill a row of the target with the labels from the left, and the rest with -1.
      What follows the first -1 is ignored.
    * The gradient with respect to ``x[j]`` is the number of active pairs of ``j`` over ``C``, with
      a minus for labels. A pair exactly at the margin is not active.
    * The result has the same bits for every number of threads, every CPU level, and with or without
      a gradient. Loss and gradient are within 1 ulp of the exact values over the rounded
      thresholds ``x[y_i] - 1``. (float64 scores so large that ``C`` times their loss comes near
      1.8e308 have a loss of inf.) With weights or squares, they are within 4 ulp.
    * Squares have a second derivative, which autograd computes; that of the hinge is 0.
    * ``'pairs'`` is the normalisation of the ranking loss as a metric, of BP-MLL [1]_, and of the
      error bound of Wu et al. [3]_.
    * Time is :math:`O(C + P)` for a row with :math:`P` labels, at the very worst
      :math:`O((C + P) \log P)`; going through the pairs takes :math:`P (C - P)` steps. No array
      of pairs is made.

    .. rubric:: Edge cases

    ====================================  ====================================================
    A label below -1, or at least ``C``   `ValueError`
    The same label twice                  counts twice over :math:`i`; is no negative
    ``C`` columns of signs or grades      `ValueError`, with the form that was probably meant
    No label, or no class without one     loss 0, gradient 0
    A class that is unknown               in no pair, and not counted in :math:`n`; gradient 0
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
    .. [3] G. Wu, C. Li, K. Xu and J. Zhu, "Rethinking and reweighting the univariate losses for
       multi-label ranking: consistency and generalization", NeurIPS 2021, :arxiv:`2105.05026`.

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

    Squares, a margin of 0.5, and a mean over the pairs of each sample:

    >>> criterion = nn.MultilabelMarginLoss(p=2, margin=0.5, normalize="pairs")
    >>> criterion
    MultilabelMarginLoss(reduction='mean', p=2, margin=0.5, normalize='pairs')
    >>> print(round(criterion(scores, target).item(), 4))
    0.04
    """

    _loss = MARGIN

    def __init__(
        self,
        reduction: Reduction = "mean",
        *,
        p: Literal[1, 2] = 1,
        margin: float | TensorLike = 1.0,
        weight: TensorLike | None = None,
        normalize: Literal["classes", "pairs"] = "classes",
    ) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, p=p, margin=margin, weight=weight, normalize=normalize)


#: PyTorch's spelling of the same class.
MultiLabelMarginLoss = MultilabelMarginLoss

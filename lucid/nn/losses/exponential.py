"""The losses of sums of exponentials as modules."""

from __future__ import annotations

from lucid.arrays.checks import Reduction
from lucid.losses import docs
from lucid.losses.exponential import BPMLL, LSEP, ZLPR
from lucid.nn.losses.criterion import Criterion

_NOTES = {
    "exponential": """
* Time is :math:`O(C)` for a row, whatever its labels: the sum over pairs is the product of a sum
  over labels and one over the other classes. Labels are left out of the latter, not subtracted
  from it, so that no digits are lost.
* Within 8 ulp of the exact value; no score is so large that it overflows on the way. The same bits
  for every number of threads and every CPU level.
* Derivatives of all orders are those of the formula.
* A label that is given twice counts twice. A NaN in a sum makes the row's loss and gradient
  NaN.""",
}


@docs.shared(docs.MODULES | _NOTES)
class LSEPLoss(Criterion):
    r"""Log-sum-exp pairwise loss.

    A smooth bound of :math:`\log(1 + n)`, where :math:`n` pairs are in the wrong order:

    .. math::

        L(x, y) = \log \Bigl( 1 + \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}}
                  e^{x_j - x_i} \Bigr)

    Parameters
    ----------
    {reduction}
    per_label : bool, default False
        Take the mean over the labels of the loss that each has alone,
        :math:`\log(1 + \sum_j e^{x_j - x_i})`, as in [2]_: no label is outweighed by another one
        with a lower score.

    Attributes
    ----------
    reduction, per_label
        As above; they may be changed.

    Raises
    ------
    TypeError
        If `per_label` is not a bool.
    ValueError
        If `reduction` is none of the three.

    See Also
    --------
    MultilabelMarginLoss : Pairs that are far enough apart cost nothing.
    ZLPRLoss : Compares each class with 0 instead, which says where the labels end.
    lucid.nn.functional.lsep_loss : The same as a function.
    lucid.losses.lsep_loss : Loss and gradient of arrays, without tensors.

    Notes
    -----
    {shapes}
    {exponential}
    * The sum of all pairs is exact; the authors draw at most a thousand of them.
    * A row without a pair has loss 0.

    References
    ----------
    .. [1] Y. Li, Y. Song and J. Luo, "Improving pairwise ranking for multi-label image
       classification", CVPR 2017, :arxiv:`1704.03135`.
    .. [2] M. Monfort et al., "Multi-Moments in Time: learning and interpreting models for
       multi-action video understanding", 2019, :arxiv:`1911.00232`.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn as nn
    >>> scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(nn.LSEPLoss()(scores, [[0, 3]]).item(), 4))
    1.9043
    >>> print(round(nn.LSEPLoss(per_label=True)(scores, [[0, 3]]).item(), 4))
    1.3179
    """

    _loss = LSEP

    def __init__(self, reduction: Reduction = "mean", *, per_label: bool = False) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, per_label=per_label)


@docs.shared(docs.MODULES | _NOTES)
class ZLPRLoss(Criterion):
    r"""Zero-bounded log-sum-exp pairwise rank-based loss.

    Ranks labels above 0 and all other classes below:

    .. math::

        L(x, y) = \log \Bigl( 1 + \sum_{i \in \mathrm{pos}} e^{-x_i} \Bigr)
                + \log \Bigl( 1 + \sum_{j \notin \mathrm{pos}} e^{x_j} \Bigr)

    So a trained model also says which classes are labels: those with a score above 0.

    Parameters
    ----------
    {reduction}

    Attributes
    ----------
    reduction
        As above; it may be changed.

    Raises
    ------
    ValueError
        If `reduction` is none of the three.

    See Also
    --------
    LSEPLoss : Compares labels with the other classes, not with 0.
    MultiLabelSoftMarginLoss : One logistic loss for each class.
    lucid.nn.functional.zlpr_loss : The same as a function.
    lucid.losses.zlpr_loss : Loss and gradient of arrays, without tensors.

    Notes
    -----
    {shapes}
    {exponential}
    * A row without labels has the second term alone, one without other classes the first.

    References
    ----------
    .. [1] J. Su, M. Zhu, A. Murtadha, S. Pan, B. Wen and Y. Liu, "ZLPR: a novel loss for
       multi-label classification", 2022, :arxiv:`2208.02955`.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn as nn
    >>> scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(nn.ZLPRLoss()(scores, [[0, 3]]).item(), 4))
    2.5087
    """

    _loss = ZLPR

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction)


@docs.shared(docs.MODULES | _NOTES)
class BPMLLLoss(Criterion):
    r"""Exponential pairwise loss, of the network BP-MLL.

    .. math::

        L(x, y) = \frac{1}{|\mathrm{pos}|\,|\mathrm{neg}|}
                  \sum_{i \in \mathrm{pos}} \sum_{j \notin \mathrm{pos}} e^{x_j - x_i}

    A pair in the wrong order costs the more, without bound, the further apart it is. Its authors
    keep scores between -1 and 1; with others, `LSEPLoss` is easier to train.

    Parameters
    ----------
    {reduction}

    Attributes
    ----------
    reduction
        As above; it may be changed.

    Raises
    ------
    ValueError
        If `reduction` is none of the three.

    See Also
    --------
    LSEPLoss : The logarithm of the sum.
    lucid.nn.functional.bpmll_loss : The same as a function.
    lucid.losses.bpmll_loss : Loss and gradient of arrays, without tensors.

    Notes
    -----
    {shapes}
    {exponential}
    * The loss is inf where the number itself is too large for the dtype.
    * A row without a pair has loss 0.

    References
    ----------
    .. [1] M.-L. Zhang and Z.-H. Zhou, "Multilabel neural networks with applications to functional
       genomics and text categorization", IEEE TKDE 18(10), 2006, :doi:`10.1109/TKDE.2006.162`.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn as nn
    >>> scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(nn.BPMLLLoss()(scores, [[0, 3]]).item(), 4))
    0.9524
    """

    _loss = BPMLL

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction)

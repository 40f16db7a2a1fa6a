"""The soft margin loss as a module."""

from __future__ import annotations

from lucid.arrays.checks import Reduction
from lucid.autograd.tensor import TensorLike
from lucid.losses import docs
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.nn.losses.criterion import Criterion


@docs.shared(docs.MODULES)
class MultiLabelSoftMarginLoss(Criterion):
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
        A weight :math:`w_j` for each class, shape ``(C,)``, or one for all, not negative: what the
        loss of the class is multiplied by, as in PyTorch, whether it is a label or not.
    {reduction}

    Attributes
    ----------
    weight, reduction
        As above; they may be changed.

    Raises
    ------
    TypeError
        If `weight` does not hold numbers.
    ValueError
        If `reduction` is none of the three, or a weight is negative.

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
    * A class whose target is NaN or masked, or that the labels call unknown, is left out: it is not
      counted in :math:`C`, and has a gradient of 0.
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

    _loss = SOFT_MARGIN

    def __init__(self, weight: TensorLike | None = None, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, weight=weight)

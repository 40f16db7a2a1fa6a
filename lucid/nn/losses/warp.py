"""The WARP loss as a module."""

from __future__ import annotations

from lucid.arrays.checks import Reduction
from lucid.autograd.tensor import TensorLike
from lucid.losses import docs
from lucid.losses.warp import WARP
from lucid.nn.losses.criterion import Criterion


@docs.shared(docs.MODULES)
class WARPLoss(Criterion):
    r"""Weighted approximate-rank pairwise loss, exact.

    The margin loss in which a label counts the more, the more classes come too close to it:

    .. math::

        L(x, y) = \sum_{i \in \mathrm{pos}} \frac{H(n_i)}{n_i} \sum_{j \notin \mathrm{pos}}
                  \max\bigl(0,\; m_i - x[y_i] + x[j]\bigr)

    where :math:`n_i` of the pairs of label :math:`i` are active, and
    :math:`H(k) = 1 + 1/2 + \dots + 1/k`. A label costs :math:`H(n_i)` times its mean active hinge,
    and :math:`H` grows as the logarithm does: climbing from rank 2 to rank 1 is worth about as much
    as from 2000 to 1000 (0.5 and 0.69), as it is for who looks at the top of a list.

    Parameters
    ----------
    {reduction}
    margin : float or array_like, default 1
        The margin :math:`m`, or one for each class, shape ``(C,)``: that of a pair is its label's.

    Attributes
    ----------
    reduction, margin
        As above; they may be changed.

    Raises
    ------
    TypeError
        If an option is of another type than it takes.
    ValueError
        If an option has a value that it does not take.

    See Also
    --------
    MultilabelMarginLoss : Every pair counts the same.
    lucid.nn.functional.warp_loss : The same as a function.
    lucid.losses.warp_loss : Loss and gradient of arrays, without tensors.

    Notes
    -----
    {shapes}
    * The weights :math:`H(n_i) / n_i` are constants in the gradient, as in the sources: it is
      :math:`-H(n_i)` for a label, and the sum of the weights of its active pairs for another class.
      So the gradient is not that of the value, which jumps where a pair becomes active.
    * Other programs draw negatives until one is active, and guess :math:`n_i` from how long that
      took [1]_, or build a matrix of all pairs. Here :math:`n_i` is counted, for all labels at
      once, and the time is :math:`O(C + P)` for a row with :math:`P` labels.
    * A label that is given twice counts twice. A row without pairs has loss 0. A NaN in a pair
      makes the row's loss and gradient NaN.
    * The same bits for every number of threads and every CPU level; within 4 ulp of the exact
      values over the rounded thresholds ``x[y_i] - m_i``.

    References
    ----------
    .. [1] J. Weston, S. Bengio and N. Usunier, "WSABIE: scaling up to large vocabulary image
       annotation", IJCAI 2011.
    .. [2] Y. Gong, Y. Jia, T. Leung, A. Toshev and S. Ioffe, "Deep convolutional ranking for
       multilabel image annotation", 2013, :arxiv:`1312.4894`: the same for several labels.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn as nn
    >>> criterion = nn.WARPLoss()
    >>> scores = lucid.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]], requires_grad=True)
    >>> loss = criterion(scores, [[0, 3]])
    >>> print(round(loss.item(), 4))
    3.2389
    >>> loss.backward()
    >>> print(scores.grad.numpy().round(4))
    [[-1.8333  1.2222  1.2222 -1.8333  1.2222]]
    """

    _loss = WARP

    def __init__(self, reduction: Reduction = "mean", *, margin: float | TensorLike = 1.0) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__(reduction, margin=margin)

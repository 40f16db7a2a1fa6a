"""The losses as modules of PyTorch's."""

from typing import Any

import torch

from lucid.arrays.checks import Reduction, check_reduction
from lucid.torch.functions import multilabel_margin_loss


class MultilabelMarginLoss(torch.nn.Module):
    """Multi-label ranking margin loss, as a module of PyTorch's.

    In place of ``torch.nn.MultiLabelMarginLoss``, whose spelling is here too. The formula, its edge
    cases and what differs stand at `lucid.nn.MultilabelMarginLoss`.

    Parameters
    ----------
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each row, their mean or their sum.

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
    multilabel_margin_loss : The same as a function, with the forms of its arguments.

    Examples
    --------
    >>> import torch
    >>> from lucid.torch import MultilabelMarginLoss
    >>> criterion = MultilabelMarginLoss()
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]], requires_grad=True)
    >>> loss = criterion(scores, [[0, 3]])
    >>> print(round(loss.item(), 4))
    1.06
    >>> loss.backward()
    >>> scores.grad
    tensor([[-0.6000,  0.4000,  0.4000, -0.6000,  0.4000]])
    """

    def __init__(self, reduction: Reduction = "mean") -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        super().__init__()
        check_reduction(reduction)
        self.reduction: Reduction = reduction

    def forward(self, x: torch.Tensor, target: Any) -> torch.Tensor:
        """Compute the loss between predictions and targets.

        Parameters
        ----------
        x : torch.Tensor
            The scores.
        target : torch.Tensor, array_like of int, or Labels
            The labels.

        Returns
        -------
        torch.Tensor
            Scalar loss, or the loss of each row, as `reduction` says.
        """
        return multilabel_margin_loss(x, target, self.reduction)

    def extra_repr(self) -> str:
        """Return the options as PyTorch prints them.

        Returns
        -------
        str
        """
        return f"reduction={self.reduction!r}"


#: PyTorch's spelling of the same class.
MultiLabelMarginLoss = MultilabelMarginLoss

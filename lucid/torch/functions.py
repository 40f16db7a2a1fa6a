"""The losses as functions of PyTorch's tensors."""

from collections.abc import Callable
from typing import Any

import torch

from lucid.arrays.checks import Reduction, check_reduction
from lucid.losses.margin import MARGIN

_HALVES = (torch.float16, torch.bfloat16)


@torch.compiler.disable  # type: ignore[untyped-decorator]  # it would trace what is NumPy's
def multilabel_margin_loss(
    x: torch.Tensor, target: Any, reduction: Reduction = "mean"
) -> torch.Tensor:
    """Return the multi-label ranking margin loss of PyTorch's tensors.

    The formula, its edge cases and what differs from PyTorch's own loss stand at
    `lucid.nn.MultilabelMarginLoss`.

    Parameters
    ----------
    x : torch.Tensor
        Scores, shape ``(N, C)`` or ``(C,)``, float32, float64, float16 or bfloat16 (both computed
        in float32), on any device.
    target : torch.Tensor, array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, any ``K``: class indices, ended by a -1 or
        by the end of the row. Any other form that `lucid.Labels` is made from is taken too.
    reduction : {'none', 'mean', 'sum'}
        Return the loss of each row, their mean or their sum.

    Returns
    -------
    torch.Tensor
        Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype and the
        device of `x`, but float32 within ``torch.autocast``.

    Raises
    ------
    TypeError
        If `x` is no tensor, or `x` or `target` has a dtype that cannot be meant.
    ValueError
        If shapes do not fit, a label is out of range or `reduction` is none of the three.

    See Also
    --------
    lucid.nn.functional.multilabel_margin_loss : The same of lucid's tensors.

    Notes
    -----
    * The gradient is constant between the margins: PyTorch differentiates what is made of it with
      respect to all but `x`, where the second derivative is 0.
    * The gradient of half-precision scores is rounded once, behind the product with what comes from
      above, so that scaling the loss keeps small gradients.
    * ``torch.compile`` breaks its graph here. ``torch.func`` and ``torch.jit`` are not supported.

    Examples
    --------
    >>> import torch
    >>> from lucid.torch import multilabel_margin_loss
    >>> x = torch.tensor([[1.0, 0.5, -0.3, 0.2]], requires_grad=True)
    >>> loss = multilabel_margin_loss(x, torch.tensor([[0, 1]]))
    >>> print(round(loss.item(), 4))
    0.275
    >>> loss.backward()
    >>> x.grad
    tensor([[-0.2500, -0.5000,  0.2500,  0.5000]])
    """
    check_reduction(reduction)
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"x must be a torch.Tensor, got {type(x).__name__}")
    if isinstance(target, torch.Tensor):
        target = _as_array("target", target)
    if x.dtype in _HALVES and torch.is_autocast_enabled(x.device.type):
        x = x.float()  # a loss is float32 there, as PyTorch's own losses are
    loss: torch.Tensor = _Margin.apply(x, target, reduction)
    return loss


def _as_array(name: str, tensor: torch.Tensor) -> Any:
    try:
        return tensor.detach().cpu().resolve_neg().numpy()
    except (RuntimeError, TypeError) as error:  # PyTorch's, which names no argument
        raise TypeError(f"{name} cannot be read as an array: {error}") from None


#: Whether the backward pass that runs leaves the graph for another one. PyTorch asks the same where
#: its compiler reuses memory; where it is not to be had, every graph counts as kept.
_graph_is_kept: Callable[[], bool] = getattr(
    getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", lambda: True
)


class _Margin(torch.autograd.Function):
    """The loss as an op of PyTorch's: the gradient is computed along with the loss."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, target: Any, reduction: str) -> torch.Tensor:
        scores = _as_array("x", x.float() if x.dtype in _HALVES else x)
        want = ctx.needs_input_grad[0]
        loss, gradient = MARGIN.compute(scores, target, reduction, None, {}, want)
        if gradient is not None:
            ctx.save_for_backward(torch.from_numpy(gradient).to(x.device))
            ctx.dtype = x.dtype
        return torch.from_numpy(loss).to(x)

    @staticmethod
    def backward(ctx: Any, g: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        (gradient,) = ctx.saved_tensors
        if not torch.is_grad_enabled() and g.ndim == 0 and g.device.type == "cpu" and g.item() == 1:
            if _graph_is_kept():  # another backward needs it, whatever becomes of the one returned
                gradient = gradient.clone()
            return gradient.to(ctx.dtype), None, None
        # The gradient is constant between the margins, so that this product has all derivatives.
        return (gradient * g.unsqueeze(-1)).to(ctx.dtype), None, None

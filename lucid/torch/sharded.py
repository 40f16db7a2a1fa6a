"""Losses of pairs whose classes are divided among processes: each has the scores of some.

The pairs that a score is in depend on the thresholds of the row alone. These every process gets, as
the scores of the labels are summed over the processes, of which one has each. It then knows the
gradient of its own negatives. How many of them are above each threshold is summed again: the
gradient of the labels. No score of a class that is not a label goes anywhere.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import Tensor

from lucid.arrays.checks import Reduction, check_reduction
from lucid.losses.margin import MARGIN
from lucid.losses.options import as_sample_weight
from lucid.losses.problem import Loss
from lucid.losses.warp import WARP
from lucid.torch.anywhere import checked_options, reduced
from lucid.torch.eager import transform_levels
from lucid.torch.pairs import Asked, Rows, Shard, solve_pairs, tiles_of
from lucid.torch.solving import FLOATS, HALVES, not_floats
from lucid.torch.targets import Parts, array_of, constant, parts_of


def sharded_multilabel_margin_loss(
    local_scores: Tensor,
    target: Any,
    *,
    group: Any = None,
    reduction: Reduction = "mean",
    p: Literal[1, 2] = 1,
    margin: Any = 1.0,
    weight: Any = None,
    normalize: Literal["classes", "pairs"] = "classes",
    sample_weight: Any = None,
) -> Tensor:
    r"""Return the multi-label margin loss of scores whose classes are divided among processes.

    Process ``r`` of a group has the scores of its classes, and the classes of all processes, in the
    order of their ranks, are the columns of the matrix whose loss this is: exactly the loss and the
    gradient of `multilabel_margin_loss`, which are those without shards to rounding.

    Parameters
    ----------
    local_scores : torch.Tensor
        The scores of this process's classes, shape ``(N, C_r)``, float32, float64, float16 or
        bfloat16 (both computed in float32), on any device that the group's backend serves.
    target : torch.Tensor, array_like of int, or Labels
        Labels of each row among the classes of all processes, in any form that
        `multilabel_margin_loss` takes. The same in every process.
    group : torch.distributed.ProcessGroup, optional
        The processes; by default all. Without `torch.distributed`, this process alone.
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each row, their mean or their sum.
    p : {1, 2}, default 1
        The power of a pair: the hinge, or its square.
    margin : float, torch.Tensor or array_like, default 1
        The margin, or one for each class of all processes.
    weight : torch.Tensor or array_like, optional
        A weight for each class of all processes, not negative: a pair counts that of its label.
    normalize : {'classes', 'pairs'}, default 'classes'
        Divide the sum over the pairs of a row by the number of known classes, or by the sum of the
        weights of all its pairs.
    sample_weight : torch.Tensor or array_like, optional
        A weight for each row, shape ``(N,)``, not negative. The same in every process.

    Returns
    -------
    torch.Tensor
        The same in every process: shape ``(N,)`` for ``'none'``, otherwise ``()``; the dtype of
        `local_scores`.

    Raises
    ------
    TypeError
        If an argument has a dtype that cannot be meant.
    ValueError
        If processes have different numbers of rows, shapes do not fit, a label is out of range, or
        an option has a value that it does not take.

    See Also
    --------
    multilabel_margin_loss : All classes in one process.
    sharded_warp_loss : The WARP loss so.

    Notes
    -----
    * Every process of the group must call it, with labels, options and weights alike, and go
      backward from the same function of the result.
    * What is exchanged, for a row with P labels in float32: their scores and as many int32 counts,
      8 P bytes, and 8 for the loss; with ``p=2`` a float64 sum in place of each count, 12 P + 8;
      and 16 bytes a process and call for the numbers of classes and rows. Nothing of it grows with
      the number of classes, and the backward pass exchanges nothing.
    * The gradient is that of this process's scores. What a layer makes of it is this process's part
      of the gradient of its input, which the processes have to add up: see
      ``examples/torch_sharded_classes.py``.
    * Counts are integers, so that the gradient for ``p=1`` without weights has the same bits for
      every number of processes.
    * float16 and bfloat16 are computed in float32. A second derivative is refused, and so is
      `torch.func.vmap`; `grad` and `jacrev` of `torch.func` work, where every process calls them.

    Examples
    --------
    One process has all classes:

    >>> import torch
    >>> from lucid.torch import sharded_multilabel_margin_loss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]], requires_grad=True)
    >>> loss = sharded_multilabel_margin_loss(scores, [[0, 3]])
    >>> print(round(loss.item(), 4))
    1.06
    >>> loss.backward()
    >>> scores.grad
    tensor([[-0.6000,  0.4000,  0.4000, -0.6000,  0.4000]])
    """
    options = {"p": p, "margin": margin, "weight": weight, "normalize": normalize}
    return _sharded(MARGIN, local_scores, target, group, reduction, options, sample_weight)


def sharded_warp_loss(
    local_scores: Tensor,
    target: Any,
    *,
    group: Any = None,
    reduction: Reduction = "mean",
    margin: Any = 1.0,
    sample_weight: Any = None,
) -> Tensor:
    """Return the WARP loss of scores whose classes are divided among processes.

    The counts that are exchanged for the gradient are what the loss weighs labels by, so that it
    takes no more than `sharded_multilabel_margin_loss`, where all is told.

    Parameters
    ----------
    local_scores : torch.Tensor
        The scores of this process's classes, shape ``(N, C_r)``.
    target : torch.Tensor, array_like of int, or Labels
        Labels of each row among the classes of all processes; the same in every process.
    group : torch.distributed.ProcessGroup, optional
        The processes; by default all.
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each row, their mean or their sum.
    margin : float, torch.Tensor or array_like, default 1
        The margin, or one for each class of all processes.
    sample_weight : torch.Tensor or array_like, optional
        A weight for each row, shape ``(N,)``, not negative.

    Returns
    -------
    torch.Tensor
        Shape ``(N,)`` for ``'none'``, otherwise ``()``; the same in every process.

    Raises
    ------
    TypeError, ValueError
        As `sharded_multilabel_margin_loss`.

    See Also
    --------
    warp_loss : All classes in one process.

    Examples
    --------
    >>> import torch
    >>> from lucid.torch import sharded_warp_loss
    >>> scores = torch.tensor([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> print(round(sharded_warp_loss(scores, [[0, 3]]).item(), 4))
    3.2389
    """
    options = {"margin": margin}
    return _sharded(WARP, local_scores, target, group, reduction, options, sample_weight)


@torch.compiler.disable  # it waits for other processes
def _sharded(
    loss: Loss,
    x: Any,
    target: Any,
    group: Any,
    reduction: Reduction,
    options: dict[str, Any],
    sample_weight: Any,
) -> Tensor:
    check_reduction(reduction)
    if not isinstance(x, Tensor):
        raise TypeError(f"local_scores must be a torch.Tensor, got {type(x).__name__}")
    if x.dtype not in FLOATS:
        raise not_floats("local_scores", x)
    if x.ndim != 2:
        raise ValueError(f"local_scores must have shape (N, C), got {tuple(x.shape)}")
    if transform_levels() > 1:
        raise NotImplementedError(
            "a sharded loss has no second derivative, and takes one transform of torch.func"
        )
    shard, classes = _divided(x, group)
    n = len(x)
    exact = x.float() if x.dtype in HALVES else x
    scores = exact.new_empty(n, 1).expand(n, classes)  # of their shape, on their device
    asked = Asked.of(loss, checked_options(loss, options, scores))
    parts = parts_of(loss, target, scores)
    losses: Tensor = _Sharded.apply(exact, asked, parts, shard, classes, group)[0]
    scale = None
    if sample_weight is not None:
        checked = as_sample_weight(constant("sample_weight", sample_weight), (n, classes))
        scale = torch.from_numpy(checked).to(losses)
    return reduced(losses, scale, reduction).to(x.dtype)


def _divided(x: Tensor, group: Any) -> tuple[slice, int]:
    """Return which classes the scores here are of, and how many there are in all."""
    n, mine = x.shape
    if not dist.is_initialized():
        return slice(0, mine), mine
    shapes = torch.zeros(dist.get_world_size(group), 2, dtype=torch.int64, device=x.device)
    rank = dist.get_rank(group)
    shapes[rank] = torch.tensor([n, mine])
    _sum_over(shapes, group)
    rows, widths = array_of("local_scores", shapes).T.tolist()
    if len(set(rows)) > 1:
        raise ValueError(f"local_scores must have the same rows in every process, got {rows} rows")
    start = sum(widths[:rank])
    return slice(start, start + mine), sum(widths)


def _sum_over(values: Tensor, group: Any) -> Tensor:
    """Add up what the processes have, in place: all that they ever exchange goes through here."""
    if dist.is_initialized():
        dist.all_reduce(values, group=group)
    return values


class _Sharded(torch.autograd.Function):
    """The loss of each row, and the gradient of this process's scores along with it."""

    @staticmethod
    def forward(
        x: Tensor, asked: Asked, parts: Parts, shard: slice, classes: int, group: Any
    ) -> tuple[Tensor, Tensor]:
        rows = Rows.read(parts, (len(x), classes))
        labels = rows.labels

        def total(values: Tensor) -> Tensor:
            if values.ndim == 1:
                return _sum_over(values, group)
            values[labels.there] = _sum_over(values[labels.there], group)
            return values

        here = labels.inside(shard)
        column = (labels.classes - shard.start).masked_fill(~here, 0)
        label_scores = x.new_zeros(labels.classes.shape)
        if x.shape[1]:
            label_scores = x.gather(1, column).masked_fill(~here, 0)
        gradient = torch.empty_like(x, memory_format=torch.contiguous_format)

        def keep(tile: slice, g: Tensor) -> None:
            gradient[:, tile.start - shard.start : tile.stop - shard.start] = g

        losses, of_labels = solve_pairs(
            asked,
            rows,
            total(label_scores),
            tiles_of(x, rows, shard.start),
            1.0,
            keep,
            shard=Shard(shard, total),
        )
        assert of_labels is not None
        if x.shape[1]:
            gradient.scatter_add_(1, column, of_labels.masked_fill(~here, 0))
        gradient.masked_fill_(losses.isnan()[:, None], torch.nan)
        return losses.to(x.dtype), gradient

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        gradient = output[1]
        ctx.mark_non_differentiable(gradient)
        ctx.save_for_backward(gradient)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor, _: Any) -> tuple[Tensor, None, None, None, None, None]:
        (gradient,) = ctx.saved_tensors
        result = (gradient * g[:, None]).masked_fill_(g[:, None] == 0, 0)  # not 0 times NaN
        return result, None, None, None, None, None

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        raise NotImplementedError(
            "torch.func.vmap cannot be used with a sharded loss: give it the rows of all in one "
            "call, with reduction='none'"
        )

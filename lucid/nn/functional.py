"""The losses as functions of tensors."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal, SupportsIndex

import numpy as np

from lucid import losses
from lucid.arrays.checks import Reduction, as_int, check_layer, check_reduction
from lucid.arrays.features import as_csr
from lucid.autograd.arguments import constant, real
from lucid.autograd.ops import formulas, fused
from lucid.autograd.ops.losses import Curved, Smooth
from lucid.autograd.tensor import Tensor, TensorLike
from lucid.losses.curvature import squared_curvature
from lucid.losses.exponential import BPMLL, LSEP, ZLPR
from lucid.losses.margin import MARGIN
from lucid.losses.options import as_sample_weight, is_squared
from lucid.losses.problem import Loss, labels_for
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.losses.warp import WARP
from lucid.nn.module import Module
from lucid.nn.of_tensors import of_tensors
from lucid.optim.optimizer import Optimizer
from lucid.optim.row_steps import LayerStep
from lucid.system.listing import lists
from lucid.system.optional import is_sparse

__all__ = [
    "bpmll_loss",
    "linear_multilabel_margin_loss",
    "linear_multilabel_margin_step",
    "lsep_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "warp_loss",
    "zlpr_loss",
]

__dir__ = lists(__all__)


def _second_derivative(options: Mapping[str, Any]) -> Curved | None:
    """Return how the margin loss is differentiated twice: the hinge is constant in steps."""
    return Curved(squared_curvature) if is_squared(options) else None


multilabel_margin_loss = of_tensors(
    MARGIN,
    losses.multilabel_margin_loss,
    _second_derivative,
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> x = lucid.tensor([[1.0, 0.5, -0.3, 0.2]], requires_grad=True)
    >>> loss = F.multilabel_margin_loss(x, [[0, 1, -1, -1]])
    >>> print(round(loss.item(), 4))
    0.275
    >>> loss.backward()
    >>> x.grad
    tensor([[-0.25, -0.5 ,  0.25,  0.5 ]])
    """,
)
warp_loss = of_tensors(
    WARP,
    losses.warp_loss,
    lambda options: None,
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.warp_loss([[1.0, 0.5, -0.3, 0.2]], [[0, 1]])
    >>> print(round(loss.item(), 4))
    0.875
    """,
)


lsep_loss = of_tensors(
    LSEP,
    losses.lsep_loss,
    lambda options: Smooth(formulas.lsep),
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.lsep_loss([[1.0, 0.5, -0.3, 0.2]], [[0, 1]])
    >>> print(round(loss.item(), 4))
    1.0688
    """,
)
zlpr_loss = of_tensors(
    ZLPR,
    losses.zlpr_loss,
    lambda options: Smooth(formulas.zlpr),
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.zlpr_loss([[1.0, 0.5, -0.3, 0.2]], [[0, 1]])
    >>> print(round(loss.item(), 4))
    1.7662
    """,
)
bpmll_loss = of_tensors(
    BPMLL,
    losses.bpmll_loss,
    lambda options: Smooth(formulas.bpmll),
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.bpmll_loss([[1.0, 0.5, -0.3, 0.2]], [[0, 1]])
    >>> print(round(loss.item(), 4))
    0.478
    """,
)
_soft_margin = of_tensors(
    SOFT_MARGIN,
    losses.multilabel_soft_margin_loss,
    lambda options: Smooth(formulas.soft_margin),
    """
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> loss = F.multilabel_soft_margin_loss([[2.0, -1.0, 0.0]], [[1, 0, 0]])
    >>> print(round(loss.item(), 4))
    0.3778
    >>> labels = lucid.Labels.from_lists([[0]], num_classes=3)
    >>> loss = F.multilabel_soft_margin_loss([[2.0, -1.0, 0.0]], labels)
    >>> print(round(loss.item(), 4))
    0.3778
    """,
)


def multilabel_soft_margin_loss(  # the weight comes first, as in PyTorch
    x: TensorLike,
    target: Any,
    weight: TensorLike | None = None,
    reduction: Reduction = "mean",
    *,
    sample_weight: TensorLike | None = None,
) -> Tensor:
    options = {} if weight is None else {"weight": weight}
    return _soft_margin(x, target, reduction=reduction, sample_weight=sample_weight, **options)


multilabel_soft_margin_loss.__doc__ = _soft_margin.__doc__


def linear_multilabel_margin_loss(
    features: Any,
    weight: TensorLike,
    bias: TensorLike | None,
    target: Any,
    reduction: Reduction = "mean",
    *,
    loss: Module | None = None,
    sample_weight: Any = None,
    chunk: SupportsIndex = 1 << 22,
) -> Tensor:
    r"""Return a margin loss of the outputs of a linear layer, without holding all of them.

    .. math:: L(x W^T + b, \, y)

    with the loss :math:`L` of `lucid.nn.MultilabelMarginLoss`, or another one of its family. For
    millions of classes: the scores of a batch and their gradient, each ``(N, C)``, are made and
    used up a few classes at a time.

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
    loss : MultilabelMarginLoss or WARPLoss, optional
        The loss, with its options; its own `reduction` has no say.
    sample_weight : Tensor or array_like, optional
        A weight for each row, shape ``(N,)``, not negative.
    chunk : int, default 2**22
        How many scores may be held at once, by all threads together, but at least those of one row
        and 4,096 classes. In float32 that many scores and their gradient take ``8 * chunk`` bytes:
        32 MiB by default. The labels of the rows come on top.

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
    linear_multilabel_margin_step : The same with the optimiser's step of the layer inside.
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
    * `nn.WARPLoss` computes the scores a second time: only when all of them have been seen is it
      known how much a label weighs.
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
    if reduction == "none":  # arrays are read again in the backward pass: their owner may write
        features, bias = (x.copy() if isinstance(x, np.ndarray) else x for x in (features, bias))
    weight, bias, features, asked = _read_layer(
        features, weight, bias, target, reduction, loss, sample_weight
    )
    chunk = _as_chunk(chunk)
    if is_sparse(features):
        return fused.sparse_linear_loss(weight, bias, features=features, asked=asked, chunk=chunk)
    rows = features.reshape(1, -1) if features.ndim == 1 else features
    result = fused.linear_loss(weight, bias, rows, asked=asked, chunk=chunk)
    return result.reshape(()) if features.ndim == 1 else result


def linear_multilabel_margin_step(
    optimizer: Optimizer,
    features: Any,
    weight: Tensor,
    bias: Tensor | None,
    target: Any,
    reduction: Literal["mean", "sum"] = "mean",
    *,
    loss: Module | None = None,
    sample_weight: Any = None,
    chunk: SupportsIndex = 1 << 19,
) -> Tensor:
    r"""Compute a margin loss of a linear layer, and take the optimiser's step of this layer.

    For the last layer of models with very many classes. It does what these lines do, but the
    gradient of the weight is used up a few classes at a time, and never exists as a whole:

    .. code-block:: python

        loss = F.linear_multilabel_margin_loss(features, weight, bias, target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()        # of weight and bias; other parameters take theirs as always

    Parameters
    ----------
    optimizer : SGD, Adam, AdamW, or another Optimizer that is elementwise
        That of `weight` and `bias`. Its options, such as the learning rate, and its state are those
        that its own step would use.
    features : Tensor or array_like, scipy.sparse matrix or array
        The layer's inputs :math:`x`, shape ``(N, D)`` or ``(D,)``, brought to the dtype of
        `weight`. A sparse matrix ``(N, D)`` is never made dense.
    weight : Tensor
        Shape ``(C, D)``, float32 or float64, one of the optimiser's parameters.
    bias : Tensor or None
        Shape ``(C,)``, another one, or one that requires no gradient and stays as it is.
    target : Tensor, array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, in any form that
        `multilabel_margin_loss` takes.
    reduction : {'mean', 'sum'}
        Whether the step is that of the mean or the sum of the losses of the rows.
    loss : MultilabelMarginLoss or WARPLoss, optional
        The loss, with its options; its own `reduction` has no say.
    sample_weight : Tensor or array_like, optional
        A weight for each row, shape ``(N,)``, not negative.
    chunk : int, default 2**19
        How many numbers a part of the layer may have: scores of all rows, or elements of the
        weight. A few such parts should fit the cache of a core. It has at least 64 classes.

    Returns
    -------
    Tensor
        Shape ``()``, the loss before the step. Where `features` require a gradient, its backward
        pass hands it on to them: that is how the layers below are trained.

    Raises
    ------
    TypeError
        If an argument has a dtype that cannot be meant, or the optimiser is none that treats each
        element for itself.
    ValueError
        As `linear_multilabel_margin_loss`; if `weight`, or a `bias` that requires a gradient, is no
        parameter of the optimiser. Nothing has changed then.

    See Also
    --------
    linear_multilabel_margin_loss : The loss alone, without a step.

    Notes
    -----
    * Loss, parameters and state are those of the lines above, to rounding; to the bit where both go
      through the layer in parts of the same width, and BLAS has one thread.
    * Where threadpoolctl is installed, which ``pip install '.[cli]'`` does, threads share out the
      parts, and the bits do not depend on how many there are. Without it the parts come one after
      the other, and BLAS uses its own threads within each.
    * Memory beyond weight and state: a few parts for each thread, and for each class that is a
      label of the batch a row of the weight.
    * The gradients that `weight` and `bias` may have already, in ``grad``, are left alone.
    * An interruption with Ctrl-C leaves some of the classes with their step taken and others not.

    References
    ----------
    .. [1] K. Lv et al., "Full parameter fine-tuning for large language models with limited
       resources", ACL 2024, :arxiv:`2306.09782`: LOMO, which takes the step of a layer as soon as
       its gradient is known.

    Examples
    --------
    >>> import lucid
    >>> import lucid.nn.functional as F
    >>> from lucid import nn, optim
    >>> _ = lucid.manual_seed(0)
    >>> layer = nn.Linear(2, 1000)
    >>> optimizer = optim.SGD(layer.parameters(), lr=0.5, momentum=0.9)
    >>> x, labels = [[1.0, 0.5], [0.0, 1.0]], [[3], [7, 20]]
    >>> losses = []
    >>> for _ in range(30):
    ...     loss = F.linear_multilabel_margin_step(
    ...         optimizer, x, layer.weight, layer.bias, labels
    ...     )
    ...     losses.append(loss.item())
    >>> losses[-1] < losses[0] / 10
    True
    >>> layer.weight.grad is None
    True
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f"reduction must be 'mean' or 'sum', got {reduction!r}")
    chunk = _as_chunk(chunk)
    layer = {"weight": weight} if bias is None else {"weight": weight, "bias": bias}
    for name, parameter in layer.items():
        if not isinstance(parameter, Tensor):
            raise TypeError(f"{name} must be a Tensor, got {type(parameter).__name__}")
    if weight.dtype not in (np.float32, np.float64):
        raise TypeError(f"weight must be float32 or float64, got {weight.dtype}")
    weight, bias, features, asked = _read_layer(
        features, weight, bias, target, reduction, loss, sample_weight
    )
    if isinstance(features, Tensor):
        rows: Any = features.reshape(1, -1) if features.ndim == 1 else features
    else:
        rows = features.astype(weight.dtype, copy=False)
    step = LayerStep(optimizer, layer)
    constant_bias = bias.to(weight.dtype)
    value = fused.linear_step(weight, constant_bias, rows, asked=asked, chunk=chunk, step=step)
    step.finish()
    return value


def _as_chunk(chunk: SupportsIndex) -> int:
    numbers = as_int("chunk", chunk)
    if numbers < 1:
        raise ValueError(f"chunk must be at least 1, got {numbers}")
    return numbers


def _read_layer(
    features: Any,
    weight: TensorLike,
    bias: TensorLike | None,
    target: Any,
    reduction: str,
    loss: Module | None,
    sample_weight: Any,
) -> tuple[Tensor, Tensor, Any, fused.Asked]:
    """Return weight, bias and features of a layer, and what is wanted of its outputs."""
    weight = real("weight", weight)
    if is_sparse(features):
        features = as_csr("features", features, weight.dtype)
    else:
        features = real("features", features)
    bias = Tensor(np.zeros(weight.shape[:1], weight.dtype)) if bias is None else real("bias", bias)
    check_layer(features, weight, bias)
    of, options = (MARGIN, {}) if loss is None else _options_of(loss)
    shape = (*features.shape[:-1], len(weight))
    asked = fused.Asked(
        of,
        of.checked(len(weight), deepcopy(options)),
        _second_derivative,
        labels_for(shape, constant("target", target)),
        reduction,
        None
        if sample_weight is None
        else as_sample_weight(constant("sample_weight", sample_weight), shape),
    )
    return weight, bias, features, asked


def _options_of(loss: Any) -> tuple[Loss, dict[str, Any]]:
    """Return what a criterion of the margin family is, and its options."""
    of = getattr(loss, "_loss", None)
    if not (isinstance(of, Loss) and of.hinges) or isinstance(loss, type):
        raise TypeError(
            "loss must be an nn.MultilabelMarginLoss or nn.WARPLoss, "
            f"got {getattr(loss, '__name__', type(loss).__name__)}"
        )
    return of, {name: constant(name, value) for name, value in loss._changed().items()}

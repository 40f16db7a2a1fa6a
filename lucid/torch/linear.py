"""A linear layer and a margin loss of its outputs in one, a few classes at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, SupportsIndex

import torch
from torch import Tensor

from lucid.arrays.checks import Reduction, as_int, check_reduction
from lucid.losses.margin import MARGIN
from lucid.losses.options import as_sample_weight
from lucid.torch.eager import handed_on, is_one, transform_levels
from lucid.torch.functions import CALLS, LOSSES
from lucid.torch.operators import define
from lucid.torch.pairs import Asked, Rows, options_of, solver_for
from lucid.torch.solving import FLOATS, HALVES, not_floats
from lucid.torch.targets import TensorLabels, constant, parts_of
from lucid.torch.versions import in_autocast

#: Tiles are not made narrower than so many classes.
_NARROWEST = 1024

#: Numbers in a cache line, of float32.
_LINE = 16


def linear_multilabel_margin_loss(
    input: Tensor,
    weight: Tensor,
    target: Any,
    bias: Tensor | None = None,
    reduction: Reduction = "mean",
    *,
    loss: torch.nn.Module | None = None,
    sample_weight: Any = None,
    chunk: SupportsIndex = 1 << 22,
) -> Tensor:
    r"""Return a margin loss of the outputs of a linear layer, without holding all of them.

    .. math:: L(x W^T + b, \, y)

    with the loss :math:`L` of `MultilabelMarginLoss`, or another one of its family. For millions of
    classes: the scores of a batch and their gradient, each ``(N, C)``, are made and used up a few
    classes at a time.

    Parameters
    ----------
    input : torch.Tensor
        The layer's inputs :math:`x`, shape ``(N, D)`` or ``(D,)``, on any device.
    weight : torch.Tensor
        That of the layer, shape ``(C, D)``, with the dtype of `input`.
    target : torch.Tensor, array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, in any form that `multilabel_margin_loss`
        takes.
    bias : torch.Tensor, optional
        That of the layer, shape ``(C,)``.
    reduction : {'none', 'mean', 'sum'}, default 'mean'
        Return the loss of each row, their mean or their sum.
    loss : MultilabelMarginLoss or WARPLoss, optional
        The loss, with its options; its own `reduction` has no say.
    sample_weight : torch.Tensor or array_like, optional
        A weight for each row, shape ``(N,)``, not negative.
    chunk : int, default 2**22
        How many scores may be held at once: those of all rows and as many classes as fit, but at
        least 1,024. In float32 that many scores and their gradient take ``8 * chunk`` bytes on the
        CPU, 32 MiB by default, and some ``40 * chunk`` on other devices.

    Returns
    -------
    torch.Tensor
        Shape ``(N,)`` for ``'none'`` and an input ``(N, D)``, otherwise ``()``; the dtype of
        `input`, but float32 within ``torch.autocast``.

    Raises
    ------
    TypeError
        If an argument has a type or a dtype that cannot be meant.
    ValueError
        If shapes do not fit, a label is out of range, `reduction` is none of the three or `chunk`
        is not positive.

    See Also
    --------
    multilabel_margin_loss : The loss of scores that are there already.
    lucid.nn.functional.linear_multilabel_margin_loss : The same of lucid's tensors.

    Notes
    -----
    * The result and its gradients are those of the two steps
      ``multilabel_margin_loss(torch.nn.functional.linear(input, weight, bias), target)``, to
      rounding.
    * For ``'mean'`` and ``'sum'`` the gradients are computed along with the loss, and only scaled
      in the backward pass. For ``'none'`` the backward pass computes the scores a second time, when
      it is known what each row counts.
    * `WARPLoss` computes the scores a second time, too: only when all of them have been seen is it
      known what a label weighs.
    * Under ``torch.compile`` it is one operator of the graph.
    * float16 and bfloat16: the scores are rounded as those of a layer are, the loss and its sums
      are in float32.
    * A loss of NaN makes the whole gradient NaN.
    * With ``create_graph=True`` the backward pass goes through the two separate steps, and holds
      all scores. So does everything within the transforms of `torch.func`.

    Examples
    --------
    >>> import torch
    >>> from lucid.torch import linear_multilabel_margin_loss
    >>> weight = torch.tensor([[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]], requires_grad=True)
    >>> loss = linear_multilabel_margin_loss(torch.tensor([[1.0, 0.5]]), weight, [[0]])
    >>> print(round(loss.item(), 4))
    0.6667
    >>> loss.backward()
    >>> weight.grad
    tensor([[-0.6667, -0.3333],
            [ 0.3333,  0.1667],
            [ 0.3333,  0.1667]])
    """
    check_reduction(reduction)
    chunk = as_int("chunk", chunk)
    if chunk < 1:
        raise ValueError(f"chunk must be at least 1, got {chunk}")
    dtype = _check_layer(input, weight, bias)
    of, options = options_of(loss)
    if not torch.compiler.is_compiling() and transform_levels():
        scores = torch.nn.functional.linear(input, weight, bias)
        return CALLS[of.name](scores, target, reduction, sample_weight, options)
    asked = Asked.of(of, options)
    rows = input.unsqueeze(0) if input.ndim == 1 else input
    n, classes = len(rows), len(weight)
    scores = rows.detach().new_empty(n, 1).expand(n, classes)  # of their shape, on their device
    of_rows = None if sample_weight is None else _sample_weight(sample_weight, input)
    margins = asked.margin if isinstance(asked.margin, Tensor) else None
    if margins is not None and margins.ndim == 0:  # one for all
        margins = margins.expand(classes)
    arguments = (
        *parts_of(MARGIN, target, scores if input.ndim == 2 else scores[0]),
        1.0 if margins is not None else asked.margin,
        margins,
        asked.weight,
        asked.p,
        asked.normalize,
        asked.loss,
        chunk,
    )
    exact = _exact(dtype)
    result_dtype = torch.float32 if in_autocast(input.device.type) else input.dtype
    layer = [rows.to(dtype), weight.to(dtype), None if bias is None else bias.to(dtype)]
    if not torch.is_grad_enabled():  # which functions of autograd are not told
        layer = [None if part is None else part.detach() for part in layer]
    if reduction == "none":
        losses: Tensor = _Rows.apply(*layer, None, *arguments)
        if of_rows is not None:
            losses = (losses * of_rows).masked_fill(of_rows == 0, 0)
        return (losses[0] if input.ndim == 1 else losses).to(result_dtype)
    scale = torch.ones(n, dtype=exact, device=input.device) if of_rows is None else of_rows
    if reduction == "mean":
        divisor = scale.sum()
        scale = (scale / divisor).masked_fill(scale == 0, 0)
    total: Tensor = _Total.apply(*layer, scale.to(exact), *arguments)
    if reduction == "mean":
        total = total.masked_fill(divisor == 0, torch.nan)
    return total.to(result_dtype)


def _check_layer(input: Any, weight: Any, bias: Any) -> torch.dtype:
    """Check a layer, and return the dtype in which it is computed."""
    for name, part in (("input", input), ("weight", weight), ("bias", bias)):
        if name == "bias" and part is None:
            continue
        if not isinstance(part, Tensor):
            raise TypeError(f"{name} must be a torch.Tensor, got {type(part).__name__}")
        if part.dtype not in FLOATS:
            raise not_floats(name, part)
        if part.device != input.device:
            raise ValueError(f"{name} must be on {input.device}, as input is, got {part.device}")
    if weight.ndim != 2 or len(weight) == 0:
        raise ValueError(f"weight must have shape (C, D), C >= 1, got {tuple(weight.shape)}")
    if input.ndim not in (1, 2) or input.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"input must have shape (N, D) or (D,), D = {weight.shape[1]} as in weight "
            f"{tuple(weight.shape)}, got {tuple(input.shape)}"
        )
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias must have shape (C,), C = {len(weight)} as in weight {tuple(weight.shape)}, "
            f"got {tuple(bias.shape)}"
        )
    if in_autocast(input.device.type) and input.dtype != torch.float64:
        return torch.get_autocast_dtype(input.device.type)
    for name, part in (("weight", weight), ("bias", bias)):
        if part is not None and part.dtype != input.dtype:
            raise TypeError(f"{name} must be {input.dtype}, as input is, got {part.dtype}")
    return input.dtype


def _sample_weight(sample_weight: Any, input: Tensor) -> Tensor:
    if torch.compiler.is_compiling() and isinstance(sample_weight, Tensor):
        weights = sample_weight.reshape(1) if input.ndim == 1 else sample_weight
    else:
        given = constant("sample_weight", sample_weight)
        weights = torch.from_numpy(as_sample_weight(given, tuple(input.shape)))
    return weights.to(
        input.device, torch.float64 if input.dtype == torch.float64 else torch.float32
    )


def _linear_pairs(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    target: Tensor,
    indptr: Tensor | None,
    unknown_indices: Tensor | None,
    unknown_indptr: Tensor | None,
    margin: float,
    margins: Tensor | None,
    class_weight: Tensor | None,
    p: int,
    normalize: str | None,
    loss: str,
    chunk: int,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of each row, and the gradients of the sum over rows of scale * loss.

    Gradients of input, weight and bias, as ``wanted``; an empty tensor for one that is not. The
    target is in the four parts that `targets.parts_of` makes of it.
    """
    for name, values in (("margin", margins), ("weight", class_weight)):
        if values is not None and values.shape != (len(weight),):
            raise ValueError(
                f"{name} must be one number for each class, shape ({len(weight)},), "
                f"got shape {tuple(values.shape)}"
            )
    asked = Asked(margin if margins is None else margins, class_weight, p, normalize, loss)
    parts = (target, indptr, unknown_indices, unknown_indptr)
    rows = Rows.read(parts, (len(input), len(weight)))
    return _Layer(input, weight, bias, rows, chunk, wanted).solve(asked, scale)


def _fake(input: Tensor, weight: Tensor, *arguments: Any) -> tuple[Tensor, ...]:
    bias, wanted = arguments[0], arguments[-1]
    losses = input.new_empty(input.shape[0], dtype=_exact(input.dtype))
    gradients = [
        torch.empty_like(part, memory_format=torch.contiguous_format)
        if want
        else input.new_empty(0)
        for part, want in zip((input, weight, bias), wanted, strict=True)
    ]
    return losses, *gradients


linear_pairs = define(
    "linear_pairs(Tensor input, Tensor weight, Tensor? bias, Tensor? scale, Tensor target, "
    "Tensor? indptr, Tensor? unknown_indices, Tensor? unknown_indptr, float margin, "
    "Tensor? margins, Tensor? class_weight, int p, str? normalize, str loss, int chunk, "
    "bool[] wanted) -> (Tensor, Tensor, Tensor, Tensor)",
    _linear_pairs,
    _fake,
)


class _Layer:
    """The layer, and what its inputs get of the gradient so far."""

    def __init__(
        self,
        input: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        rows: Rows,
        chunk: int,
        wanted: Sequence[bool],
    ) -> None:
        self.input, self.weight, self.bias, self.rows = input, weight, bias, rows
        self.chunk = chunk
        self.dtype = _exact(weight.dtype)
        self.of_input = input.new_zeros(input.shape, dtype=self.dtype) if wanted[0] else None
        self.of_weight = weight.new_empty(weight.shape) if wanted[1] else None
        self.of_bias = bias.new_empty(bias.shape) if bias is not None and wanted[2] else None
        self.wanted = any(wanted)

    def solve(self, asked: Asked, scale: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        losses, of_labels = solver_for(self.input)(
            asked,
            self.rows,
            self._label_logits(),
            self._tiles,
            1.0 if scale is None else scale,
            self._add_tile if self.wanted else None,
        )
        if of_labels is not None:
            self._add_labels(of_labels)
            self._spoil(losses.isnan() if scale is None else losses.isnan() & (scale != 0))
        gradients = (
            self.input.new_empty(0) if g is None else g
            for g in (self.of_input, self.of_weight, self.of_bias)
        )
        of_input, of_weight, of_bias = gradients
        return losses.to(self.dtype), of_input.to(self.input.dtype), of_weight, of_bias

    def _tiles(self, more: int) -> Iterator[tuple[slice, Tensor]]:
        n, classes = len(self.input), len(self.weight)
        width = min(classes, max(_NARROWEST, self.chunk // max(n, 1)))
        buffer = self.input.new_empty(n * _padded(width + more), dtype=self.dtype)
        for start in range(0, classes, width):
            tile = slice(start, min(start + width, classes))
            m = tile.stop - start
            columns = _padded(m + more)
            logits = buffer[: n * columns].view(n, columns)
            if self.dtype == self.weight.dtype:
                torch.mm(self.input, self.weight[tile].t(), out=logits[:, :m])
            else:
                logits[:, :m] = self.input @ self.weight[tile].t()
            if self.bias is not None:
                logits[:, :m] += self.bias[tile]
            self.rows.hide(logits, tile)
            yield tile, logits

    def _add_tile(self, tile: slice, g: Tensor) -> None:
        if self.of_bias is not None:
            self.of_bias[tile] = g.sum(0)
        g = g.to(self.weight.dtype)
        if self.of_weight is not None:
            torch.mm(g.t(), self.input, out=self.of_weight[tile])
        if self.of_input is not None:
            self.of_input += g @ self.weight[tile]

    def _parts(self) -> Iterator[slice]:
        """Go through the rows, as many at a time as memory allows for the weights of labels."""
        n, k = self.rows.labels.classes.shape
        step = max(1, self.chunk // max(1, k * self.weight.shape[1]))
        for start in range(0, n, step):
            yield slice(start, min(start + step, n))

    def _label_logits(self) -> Tensor:
        classes = self.rows.labels.classes
        logits = self.input.new_empty(classes.shape, dtype=self.dtype)
        for part in self._parts():
            weights = self.weight[classes[part]]
            logits[part] = torch.bmm(weights, self.input[part, :, None])[:, :, 0]
        if self.bias is not None:
            logits += self.bias[classes]
        return logits

    def _add_labels(self, of_labels: Tensor) -> None:
        classes = self.rows.labels.classes
        g = of_labels.to(self.weight.dtype)
        for part in self._parts():
            if self.of_input is not None:
                of_input = torch.bmm(g[part, None], self.weight[classes[part]])
                self.of_input[part] += of_input[:, 0]
            if self.of_weight is not None:
                of_weights = g[part, :, None] * self.input[part, None]
                self.of_weight.index_add_(0, classes[part].flatten(), of_weights.flatten(0, 1))
        if self.of_bias is not None:
            self.of_bias.index_add_(0, classes.flatten(), g.flatten())

    def _spoil(self, nan: Tensor) -> None:
        """Let a loss that is NaN have a gradient of NaN, for all classes."""
        if not nan.any():
            return
        for gradient in (self.of_weight, self.of_bias):
            if gradient is not None:
                gradient.fill_(torch.nan)
        if self.of_input is not None:
            self.of_input[nan] = torch.nan


def _padded(columns: int) -> int:
    """Return the width of rows that begin at cache lines: products take a quarter less time."""
    return -(-columns // _LINE) * _LINE


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in HALVES else dtype


class _Total(torch.autograd.Function):
    """The sum over rows of scale * loss; the gradients are computed along with it."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        scale = arguments[3]
        losses, *gradients = linear_pairs(*arguments, ctx.needs_input_grad[:3])
        _save(ctx, arguments, gradients)
        return (losses * scale).masked_fill(scale == 0, 0).sum()

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        arguments, gradients = _saved(ctx)
        if torch.is_grad_enabled():
            return _by_two_steps(ctx, arguments, g * arguments[3])
        return _for_inputs(ctx, [_times(gradient, g) for gradient in gradients])


class _Rows(torch.autograd.Function):
    """The loss of each row; its gradients are computed when it is known what rows count."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        _save(ctx, arguments, [])
        return linear_pairs(*arguments, [False] * 3)[0]

    @staticmethod
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        arguments, _ = _saved(ctx)
        if torch.is_grad_enabled():
            return _by_two_steps(ctx, arguments, g)
        arguments[3] = g.contiguous()
        _, *gradients = linear_pairs(*arguments, ctx.needs_input_grad[:3])
        return _for_inputs(ctx, gradients)


def _save(ctx: Any, arguments: Sequence[Any], gradients: Sequence[Tensor]) -> None:
    tensors = [a for a in arguments if isinstance(a, Tensor)]
    ctx.save_for_backward(*tensors, *gradients)
    ctx.others = [None if isinstance(a, Tensor) else (a,) for a in arguments]


def _saved(ctx: Any) -> tuple[list[Any], list[Tensor]]:
    """Return the arguments, and the gradients that were computed along with the loss."""
    tensors = list(ctx.saved_tensors)
    arguments = [tensors.pop(0) if other is None else other[0] for other in ctx.others]
    return arguments, tensors


def _for_inputs(ctx: Any, gradients: Sequence[Tensor | None]) -> tuple[Any, ...]:
    needed = ctx.needs_input_grad
    pairs = zip(gradients, needed[:3], strict=True)
    return *(gradient if need else None for gradient, need in pairs), *(None,) * (len(needed) - 3)


def _by_two_steps(ctx: Any, arguments: Sequence[Any], g: Tensor) -> tuple[Any, ...]:
    """Return gradients that can be differentiated again: all scores are held."""
    input, weight, bias, _, target, indptr, *rest = arguments
    unknown_indices, unknown_indptr, margin, margins, class_weight, p, normalize, loss, _ = rest
    margin = margin if margins is None else margins
    given = {"margin": margin, "weight": class_weight, "p": p, "normalize": normalize}
    of = LOSSES[loss]
    options = of.changed({name: given[name] for name in of.defaults})
    if indptr is not None:
        target = TensorLabels(target, indptr, unknown_indices, unknown_indptr)
    scores = torch.nn.functional.linear(input, weight, bias).to(_exact(weight.dtype))
    losses = CALLS[loss](scores, target, "none", None, options)
    inputs = [part for part, need in zip(arguments, ctx.needs_input_grad, strict=True) if need]
    found = iter(torch.autograd.grad(losses, inputs, g.to(losses.dtype), create_graph=True))
    return tuple(next(found) if need else None for need in ctx.needs_input_grad)


def _times(gradient: Tensor, g: Tensor) -> Tensor:
    """Return the product, in the place of the gradient where nobody reads that again.

    The gradient of a large layer is as large as its weight, and a pass over it takes as long.
    """
    if torch.compiler.is_compiling():
        return gradient * g.to(gradient.dtype)
    gradient = handed_on(gradient)
    return gradient if is_one(g) else gradient.mul_(g.to(gradient.dtype))

"""A linear layer and a margin loss of its outputs in one, a few classes at a time."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from lucid.arrays.checks import Reduction, as_int, check_reduction
from lucid.torch.pairs import Asked, Rows, solve_pairs

_HALVES = (torch.float16, torch.bfloat16)

#: Tiles are not made narrower than so many classes.
_NARROWEST = 1024


@torch.library.custom_op("lucid::linear_pairs", mutates_args=())
def linear_pairs(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    scale: Tensor | None,
    indices: Tensor,
    indptr: Tensor,
    unknown_indices: Tensor | None,
    unknown_indptr: Tensor | None,
    margin: float,
    margins: Tensor | None,
    class_weight: Tensor | None,
    p: int,
    normalize: str | None,
    by_rank: bool,
    chunk: int,
    wanted: Sequence[bool],
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the loss of each row, and the gradients of the sum over rows of scale * loss.

    Gradients of input, weight and bias, as ``wanted``; an empty tensor for one that is not.
    """
    asked = Asked(margin if margins is None else margins, class_weight, p, normalize, by_rank)
    rows = Rows.of(indices, indptr, unknown_indices, unknown_indptr)
    return _Layer(input, weight, bias, rows, chunk, wanted).solve(asked, scale)


@linear_pairs.register_fake
def _(input: Tensor, weight: Tensor, *arguments: Any) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    bias, wanted = arguments[0], arguments[-1]
    losses = input.new_empty(input.shape[0], dtype=_exact(input.dtype))
    gradients = [
        torch.empty_like(part, memory_format=torch.contiguous_format) if want else input.new_empty(0)
        for part, want in zip((input, weight, bias), wanted, strict=True)
    ]
    return losses, gradients[0], gradients[1], gradients[2]


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
        self.of_input = torch.zeros_like(input, dtype=self.dtype) if wanted[0] else None
        self.of_weight = (
            torch.empty_like(weight, memory_format=torch.contiguous_format) if wanted[1] else None
        )
        self.of_bias = torch.empty_like(bias) if bias is not None and wanted[2] else None
        self.wanted = any(wanted)

    def solve(self, asked: Asked, scale: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        losses, of_labels = solve_pairs(
            asked,
            self.rows,
            self._label_logits(),
            len(self.weight),
            self._tiles,
            scale,
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

    def _tiles(self) -> Iterator[tuple[slice, Tensor]]:
        n, classes = len(self.input), len(self.weight)
        width = min(classes, max(_NARROWEST, self.chunk // max(n, 1)))
        buffer = self.input.new_empty(n * (width + 1), dtype=self.dtype)
        for start in range(0, classes, width):
            tile = slice(start, min(start + width, classes))
            m = tile.stop - start
            logits = buffer[: n * (m + 1)].view(n, m + 1)
            if self.dtype == self.weight.dtype:
                torch.mm(self.input, self.weight[tile].t(), out=logits[:, :m])
            else:
                logits[:, :m] = self.input @ self.weight[tile].t()
            if self.bias is not None:
                logits[:, :m] += self.bias[tile]
            self.rows.hide(logits, tile)
            yield tile, logits

    def _add_tile(self, tile: slice, g: Tensor) -> None:
        g = g[:, :-1]
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


def _exact(dtype: torch.dtype) -> torch.dtype:
    return torch.float32 if dtype in _HALVES else dtype


class _Total(torch.autograd.Function):
    """The sum over rows of scale * loss; the gradients are computed along with it."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        scale = arguments[3]
        losses, *gradients = linear_pairs(*arguments, ctx.needs_input_grad[:3])
        ctx.save_for_backward(*gradients)
        return (losses * scale).masked_fill(scale == 0, 0).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        gradients = [
            gradient * g.to(gradient.dtype) if needed else None
            for gradient, needed in zip(ctx.saved_tensors, ctx.needs_input_grad, strict=False)
        ]
        return *gradients, *(None,) * (len(ctx.needs_input_grad) - 3)


class _Rows(torch.autograd.Function):
    """The loss of each row; its gradients are computed when it is known what rows count."""

    @staticmethod
    def forward(ctx: Any, *arguments: Any) -> Tensor:
        tensors = [a for a in arguments if isinstance(a, Tensor)]
        ctx.save_for_backward(*tensors)
        ctx.others = [None if isinstance(a, Tensor) else (a,) for a in arguments]
        return linear_pairs(*arguments, [False] * 3)[0]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Any, ...]:
        tensors = iter(ctx.saved_tensors)
        arguments = [next(tensors) if other is None else other[0] for other in ctx.others]
        arguments[3] = g.contiguous()
        _, *gradients = linear_pairs(*arguments, ctx.needs_input_grad[:3])
        wanted = zip(gradients, ctx.needs_input_grad, strict=False)
        return (
            *(gradient if needed else None for gradient, needed in wanted),
            *(None,) * (len(ctx.needs_input_grad) - 3),
        )

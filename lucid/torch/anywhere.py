"""The losses in PyTorch's own operations, for scores on a device for which there is no kernel.

Nothing is copied to the CPU, and no pair is formed. Sums over classes are made in float64 where the
device has it.
"""

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from lucid.torch.pairs import Asked, Padded, Rows, solve_pairs
from lucid.torch.ranks import sum_dtype

#: So many scores are worked on at once; each takes some 40 bytes more for that time.
_CHUNK = 1 << 22

#: An exponent beside which others do not count, as for that of an infinite score.
_LARGE = 80.0


def solve(
    name: str, x: Tensor, labels: Any, options: Mapping[str, Any], want_gradient: bool
) -> tuple[Tensor, Tensor | None]:
    """Return the loss of each row, and unless unwanted the gradient of each row's own loss.

    Parameters
    ----------
    name : str
        That of the function of arrays.
    x : Tensor
        Scores (N, C), float32 or float64.
    labels : TensorLabels
        On the device of `x`; for the soft margin loss also numbers from 0 to 1 for all classes, NaN
        where unknown.
    options : mapping
        All options of the loss, checked.
    want_gradient : bool

    Returns
    -------
    losses : Tensor
        Shape ``(N,)``, the dtype of `x`.
    gradient : Tensor or None
        Shape ``(N, C)``, newly made.
    """
    if name in ("multilabel_margin_loss", "warp_loss"):
        return _pairs(Asked.of(name, options), x, Rows.of(*labels), want_gradient)
    if name == "multilabel_soft_margin_loss":
        return _soft_margin(x, labels, want_gradient, **options)
    exponential = _Exponential(x, Rows.of(*labels), want_gradient)
    losses, gradient = getattr(exponential, name)(**options)
    return losses.to(x.dtype), gradient


def _pairs(asked: Asked, x: Tensor, rows: Rows, want: bool) -> tuple[Tensor, Tensor | None]:
    n, classes = x.shape
    width = max(1, min(classes, _CHUNK // max(n, 1)))

    def tiles(more: int) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, classes, width):
            tile = slice(start, min(start + width, classes))
            m = tile.stop - start
            scores = x.new_empty(n, m + more)
            scores[:, :m] = x[:, tile]
            rows.hide(scores, tile)
            yield tile, scores

    gradient = x.new_empty(n, classes) if want else None

    def keep(tile: slice, g: Tensor) -> None:
        assert gradient is not None
        gradient[:, tile] = g

    label_scores = x.gather(1, rows.labels.classes)
    use = keep if want else None
    losses, of_labels = solve_pairs(asked, rows, label_scores, classes, tiles, None, use)
    if gradient is not None and of_labels is not None:
        gradient.scatter_add_(1, rows.labels.classes, of_labels)
        gradient.masked_fill_(losses.isnan()[:, None], math.nan)
    return losses.to(x.dtype), gradient


class _Exponential:
    """The losses of A, the sum of e**-x_i over the labels, and B, that of e**x_j over negatives.

    Each is relative to its highest term, so that none overflows: what losses need are logarithms of
    A and B, and the shares of the terms.
    """

    def __init__(self, x: Tensor, rows: Rows, want_gradient: bool) -> None:
        self.x, self.labels, self.want = x, rows.labels, want_gradient
        n, classes = x.shape
        everything = slice(0, classes)
        self.of_labels = -x.gather(1, rows.labels.classes).to(sum_dtype(x))
        self.of_labels.masked_fill_(~rows.labels.there, -math.inf)
        self.log_a, self.label_shares = _log_sum_exp(self.of_labels.clone())
        negatives = x.new_empty(n, classes + 1)
        negatives[:, :-1] = x
        rows.hide(negatives, everything)
        hidden = rows.hidden(everything)[:, None]
        self.low = (negatives == -math.inf).sum(1, keepdim=True) > hidden + 1
        self.log_b, self.shares = _log_sum_exp(negatives)
        self.count = rows.labels.there.sum(1, keepdim=True)
        self.negatives = classes - hidden

    def lsep_loss(self, per_label: bool) -> tuple[Tensor, Tensor | None]:
        if per_label:
            t = self.log_b + self.of_labels
            each = 1 / self.count.clamp(min=1).to(t.dtype)
            slopes = t.sigmoid() * each
            losses = (_softplus(t) * each).masked_fill_(~self.labels.there, 0).sum(1, keepdim=True)
            slopes.masked_fill_(~self.labels.there, 0)
            return self._pairs_only(losses, slopes.sum(1, keepdim=True), slopes)
        t = self.log_a + self.log_b
        slope = t.sigmoid()
        return self._pairs_only(_softplus(t), slope, slope * self.label_shares)

    def bpmll_loss(self) -> tuple[Tensor, Tensor | None]:
        losses = (self.log_a + self.log_b).exp() / (self.count * self.negatives).clamp(min=1)
        return self._pairs_only(losses, losses, losses * self.label_shares)

    def zlpr_loss(self) -> tuple[Tensor, Tensor | None]:
        losses = _softplus(self.log_a) + _softplus(self.log_b)
        of_labels = self.log_a.sigmoid() * self.label_shares
        return self._solved(losses, self.log_b.sigmoid(), of_labels)

    def _pairs_only(
        self, losses: Tensor, slope: Tensor, of_labels: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Let a row without a pair have loss and gradient 0, and -inf against -inf be NaN."""
        losses = losses.masked_fill(self.low & (self.log_a == math.inf), math.nan)
        none = (self.count == 0) | (self.negatives == 0)
        self.shares.masked_fill_(none, 0)
        parts = (part.masked_fill(none, 0) for part in (losses, slope, of_labels))
        return self._solved(*parts)

    def _solved(
        self, losses: Tensor, slope: Tensor, of_labels: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        losses = losses[:, 0]
        if not self.want:
            return losses, None
        gradient = self.shares[:, :-1] * slope.to(self.x.dtype)
        of_labels = (-of_labels).masked_fill_(~self.labels.there, 0).to(self.x.dtype)
        gradient.scatter_add_(1, self.labels.classes, of_labels)
        return losses, gradient.masked_fill_(losses.isnan()[:, None], math.nan)


def _log_sum_exp(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the logarithm of the sum of e**x of each row, (N, 1), and the terms over the sum.

    ``x`` is written over. An empty sum is one of -inf alone, and its terms are 0.
    """
    top = x.amax(1, keepdim=True)
    shift = top.masked_fill(~top.isfinite(), 0)
    terms = x.sub_(shift).clamp_(max=_LARGE).exp_()
    total = terms.sum(1, keepdim=True, dtype=sum_dtype(x))
    logarithm = (total.log() + shift).masked_fill_(top == math.inf, math.inf)
    return logarithm, terms.div_(total.masked_fill(total == 0, 1).to(x.dtype))


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, x.new_zeros(()))


def _soft_margin(
    x: Tensor, labels: Any, want_gradient: bool, weight: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    if isinstance(labels, Tensor):
        known = ~labels.isnan()
        y = labels.to(x.dtype).masked_fill(~known, 0)
    else:
        rows = Rows.of(*labels)
        y = _indicator(x, rows.labels)
        known = _indicator(x, rows.unknown) == 0 if rows.unknown else torch.ones_like(y) > 0
    factor = known.to(sum_dtype(x)) / known.sum(1, keepdim=True).clamp(min=1)
    if weight is not None:
        factor = factor * weight.to(factor)
    factor = factor.to(x.dtype)
    yes, no = factor * y, factor * (1 - y)
    # What counts 0 is left out, and not multiplied: it may be infinite.
    terms = (yes * _softplus(-x)).masked_fill_(yes == 0, 0)
    terms += (no * _softplus(x)).masked_fill_(no == 0, 0)
    losses = terms.sum(1, dtype=sum_dtype(x)).to(x.dtype)
    if not want_gradient:
        return losses, None
    gradient = no.mul_(x.sigmoid()).sub_(yes.mul_((-x).sigmoid()))
    return losses, gradient.masked_fill_(losses.isnan()[:, None], math.nan)


def _indicator(x: Tensor, classes: Padded) -> Tensor:
    """Return 1 for these classes and 0 for the others, (N, C)."""
    indicator = x.new_zeros(len(x), x.shape[1] + 1)
    column = classes.classes.masked_fill(~classes.there, x.shape[1])
    return indicator.scatter_(1, column, 1)[:, :-1]

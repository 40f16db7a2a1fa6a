"""The losses in PyTorch's own operations, for scores on a device for which there is no kernel.

Nothing is copied to the CPU, and no pair is formed. Sums over classes are made in float64 where the
device has it.
"""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lucid.arrays.checks import check_probabilities, check_reduction
from lucid.losses.margin import MARGIN
from lucid.losses.options import as_sample_weight, check_margin_fits
from lucid.losses.problem import Loss
from lucid.losses.soft_margin import SOFT_MARGIN
from lucid.torch.pairs import Asked, Padded, Rows, factor_of, solve_pairs, tiles_of
from lucid.torch.ranks import Ranks, from_the_top, sum_dtype, up_to
from lucid.torch.targets import Parts, array_of, constant

#: An exponent beside which others do not count, as for that of an infinite score.
_LARGE = 80.0

#: The largest number that a term's share, which may be subnormal beside it, is multiplied with.
_LARGEST_FACTOR = 2.0**64


def solve(
    loss: Loss,
    x: Tensor,
    parts: Parts,
    sample_weight: Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
    want_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return a loss of scores (N, C), float32 or float64, and its gradient if it is wanted."""
    check_reduction(reduction)
    options = checked_options(loss, options, x)
    alike = reduction == "mean" and sample_weight is None
    share = 1 / max(len(x), 1) if alike else 1.0
    losses, gradient = _rows(loss, x, parts, options, share, want_gradient)
    scale = _scale(sample_weight, losses)
    if gradient is not None and scale is not None:
        gradient = weighted(gradient, scale, reduction)
    return reduced(losses, scale, reduction).to(x.dtype), gradient


def reduced(losses: Tensor, scale: Tensor | None, reduction: str) -> Tensor:
    """Return the losses of rows (N,), of which each counts as its weight, or their sum or mean."""
    if scale is not None:
        losses = torch.where(scale > 0, losses * scale, 0)
    if reduction == "none":
        return losses
    if reduction == "sum":
        return losses.sum()
    return losses.sum() / (losses.shape[0] if scale is None else scale.sum())


def weighted(gradient: Tensor, scale: Tensor | None, reduction: str) -> Tensor:
    """Multiply the gradients of the rows' own losses (N, C) by what these count in the result."""
    mean = reduction == "mean"
    if scale is None:
        return gradient / gradient.shape[0] if mean else gradient
    scale = scale.to(sum_dtype(gradient)).unsqueeze(-1)
    factors = (scale / scale.sum() if mean else scale).to(gradient.dtype)
    # A row of weight 0 has a gradient of 0, also where all weights are, and their mean is NaN.
    return torch.where(scale > 0, gradient * factors, 0)


def curvature(
    v: Tensor,
    x: Tensor,
    parts: Parts,
    sample_weight: Tensor | None,
    reduction: str,
    options: Mapping[str, Any],
) -> Tensor:
    """Return the second derivative of the squared margin loss times ``v``, (N, C).

    The formula is that of `lucid.losses.curvature.squared_curvature`.
    """
    n, classes = x.shape
    asked = Asked.of(MARGIN, checked_options(MARGIN, options, x))
    rows = Rows.read(parts, (n, classes))
    labels = rows.labels
    weights = asked.weights(labels, x)
    ranks = Ranks(asked.taus(x.gather(1, labels.classes), labels), weights > 0, 2)
    scores = x.new_empty(n, classes + 1)
    scores[:, :-1] = x
    rows.hide(scores, slice(0, classes))
    bins = ranks.show(scores)[:, :-1]
    d = v.to(weights.dtype)
    of_labels = d.gather(1, labels.classes)
    result = up_to(ranks.sorted(weights)).gather(1, bins) * d
    result -= up_to(ranks.sorted(weights * of_labels)).gather(1, bins)
    above = from_the_top(torch.zeros_like(ranks.heights[0]).scatter_add_(1, bins, d)[:, 2:])
    counts, above = ranks.unsorted(ranks.counts()), ranks.unsorted(above)
    result.scatter_add_(1, labels.classes, weights * (counts * of_labels - above))
    result *= factor_of(2, asked.bases(rows, weights))
    return weighted(result, _scale(sample_weight, weights[:, 0]), reduction).to(x.dtype)


def _rows(
    loss: Loss,
    x: Tensor,
    parts: Parts,
    options: Mapping[str, Any],
    share: float,
    want_gradient: bool,
) -> tuple[Tensor, Tensor | None]:
    """Return the loss of each row, in the dtype for sums, and the gradient of its share of it."""
    if loss.hinges:
        rows = Rows.read(parts, (x.shape[0], x.shape[1]))
        return _pairs(Asked.of(loss, options), x, rows, share, want_gradient)
    if loss is SOFT_MARGIN:
        return _soft_margin(x, parts, share, want_gradient, **options)
    formula = getattr(_Exponential, loss.name, None)
    if formula is None:
        raise NotImplementedError(
            f"{loss.name} has no formula in PyTorch's operations, which scores on "
            f"{x.device.type} need, where there is no kernel: it goes into lucid/torch/anywhere.py"
        )
    rows = Rows.read(parts, (x.shape[0], x.shape[1]))
    found: tuple[Tensor, Tensor | None] = formula(
        _Exponential(x, rows, share, want_gradient), **options
    )
    return found


def checked_options(loss: Loss, options: Mapping[str, Any], x: Tensor) -> dict[str, Any]:
    """Return all options for scores (N, C); numbers for classes as tensors, on their device.

    Tensors are checked where they are.
    """
    tensors = {k: value for k, value in options.items() if isinstance(value, Tensor) and value.ndim}
    for name, value in tensors.items():
        wrong = _are_no_weights(value) if name == "weight" else ~value.isfinite()
        if value.shape != x.shape[1:] or wrong.any():
            loss.checked(x.shape[1], {name: constant(name, value)})  # which says what is wrong
    others = {k: constant(k, value) for k, value in options.items() if k not in tensors}
    checked = {**loss.checked(x.shape[1], others), **tensors}
    if isinstance(checked.get("margin"), float):
        check_margin_fits(checked["margin"], str(x.dtype).partition(".")[2])
    return {
        name: torch.as_tensor(value).detach().to(x.device)
        if isinstance(value, Tensor | np.ndarray)
        else value
        for name, value in checked.items()
    }


def _are_no_weights(values: Tensor) -> Tensor:
    """Return which values are not from 0 to the largest float32, as kernels ask for."""
    largest = torch.finfo(torch.float32).max  # which is compared as inf with half precision
    return ~((values >= 0) & (values <= largest) & values.isfinite())


def _scale(sample_weight: Tensor | None, losses: Tensor) -> Tensor | None:
    if sample_weight is None:
        return None
    if sample_weight.shape != losses.shape or _are_no_weights(sample_weight).any():
        as_sample_weight(constant("sample_weight", sample_weight), (len(losses), 1))
    return sample_weight.detach().to(losses)


def _pairs(
    asked: Asked, x: Tensor, rows: Rows, share: float, want: bool
) -> tuple[Tensor, Tensor | None]:
    gradient: Tensor | None = None

    def keep(tile: slice, g: Tensor) -> None:
        nonlocal gradient
        if g.shape == x.shape:
            gradient = g.contiguous()
            return
        if gradient is None:
            gradient = x.new_empty(x.shape)
        gradient[:, tile] = g

    label_scores = x.gather(1, rows.labels.classes)
    tiles, use = tiles_of(x, rows), keep if want else None
    finite = _are_finite(x, asked.margin)
    losses, of_labels = solve_pairs(asked, rows, label_scores, tiles, share, use, finite=finite)
    if gradient is not None and of_labels is not None:
        gradient.scatter_add_(1, rows.labels.classes, of_labels)
        if not finite:
            gradient.masked_fill_(losses.isnan()[:, None], math.nan)
    return losses, gradient


def _are_finite(x: Tensor, margin: float | Tensor = 0.0) -> bool:
    """Return whether all scores and all thresholds are, as they are as a rule."""
    if x.numel() == 0:
        return False
    low, high = torch.stack(x.aminmax()).tolist()
    far = float(margin.abs().max()) if isinstance(margin, Tensor) else abs(margin)
    return bool(max(high, -low) + far <= torch.finfo(x.dtype).max)


class _Exponential:
    """The losses of A, the sum of e**-x_i over the labels, and B, that of e**x_j over negatives.

    Each is relative to its highest term, so that none overflows: what losses need are logarithms of
    A and B, and the shares of the terms. The exponents of the highest terms are kept apart from the
    logarithms of what is relative to them, for beside large exponents digits of these were lost.
    """

    def __init__(self, x: Tensor, rows: Rows, share: float, want_gradient: bool) -> None:
        self.x, self.rows, self.labels = x, rows, rows.labels
        self.share, self.want = share, want_gradient
        there = rows.labels.there
        self.of_labels = -x.gather(1, rows.labels.classes).to(sum_dtype(x))
        self.of_labels.masked_fill_(~there, -math.inf)
        self.top_a, self.log_a, self.label_shares = _sum_exp(self.of_labels.clone())
        negatives = self._negatives(x.dtype)
        hidden = rows.hidden(slice(0, x.shape[1]))[:, None]
        self.finite = _are_finite(x)
        if not self.finite:
            self.high = (there & (self.of_labels == -math.inf)).any(1, keepdim=True)
            self.low = (negatives == -math.inf).sum(1, keepdim=True) > hidden + 1
        self.top_b, self.log_b, self.shares = _sum_exp(negatives)
        self.count = there.sum(1, keepdim=True)
        self.negatives = x.shape[1] - hidden

    def lsep_loss(self, per_label: bool) -> tuple[Tensor, Tensor | None]:
        if per_label:
            t = (self.top_b + self.of_labels) + self.log_b
            each = 1 / self.count.clamp(min=1).to(t.dtype)
            slopes = t.sigmoid() * each
            losses = (_softplus(t) * each).masked_fill_(~self.labels.there, 0).sum(1, keepdim=True)
            slopes.masked_fill_(~self.labels.there, 0)
            return self._pairs_only(losses, slopes.sum(1, keepdim=True), slopes)
        t = self._log_of_pairs()
        slope = t.sigmoid()
        return self._pairs_only(_softplus(t), slope, slope * self.label_shares)

    def bpmll_loss(self) -> tuple[Tensor, Tensor | None]:
        log_of_number = (self.count * self.negatives).clamp(min=1).to(self.log_a.dtype).log()
        losses = (self._log_of_pairs() - log_of_number).exp()
        found, gradient = self._pairs_only(losses, losses, losses * self.label_shares)
        if gradient is not None and (large := found > _LARGEST_FACTOR).any():
            gradient = torch.where(large[:, None], self._of_large(log_of_number), gradient)
        return found, gradient

    def zlpr_loss(self) -> tuple[Tensor, Tensor | None]:
        log_a, log_b = self.top_a + self.log_a, self.top_b + self.log_b
        losses = _softplus(log_a) + _softplus(log_b)
        return self._solved(losses, log_b.sigmoid(), log_a.sigmoid() * self.label_shares)

    def _log_of_pairs(self) -> Tensor:
        """Return the logarithm of A B, the sum of e**(x_j - x_i) over the pairs of each row."""
        return (self.top_a + self.top_b) + (self.log_a + self.log_b)

    def _negatives(self, dtype: torch.dtype) -> Tensor:
        """Return the scores of negatives, and -inf elsewhere, (N, C + 1)."""
        negatives = self.x.new_empty(len(self.x), self.x.shape[1] + 1, dtype=dtype)
        negatives[:, :-1] = self.x
        self.rows.hide(negatives, slice(0, self.x.shape[1]))
        return negatives

    def _of_large(self, log_of_number: Tensor) -> Tensor:
        """Return BP-MLL's gradient from the exponents of its terms.

        In a row whose loss is very large, or infinite, that is no product of a share and the loss:
        a term may be small beside the highest one and a large number by itself.
        """
        negatives = self._negatives(self.top_a.dtype)
        terms = _power(negatives, -self.top_a, self.log_a - log_of_number)
        terms.masked_fill_(negatives == -math.inf, 0)
        of_labels = _power(self.top_b, -self.of_labels, self.log_b - log_of_number)
        return self._gradient((terms[:, :-1] * self.share).to(self.x.dtype), of_labels)

    def _pairs_only(
        self, losses: Tensor, slope: Tensor, of_labels: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Let a row without a pair have loss and gradient 0, and inf against inf be NaN."""
        if not self.finite:
            equal = self.low & (self.top_a == math.inf) | self.high & (self.top_b == math.inf)
            losses = losses.masked_fill(equal, math.nan)
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
        of_negatives = self.shares[:, :-1] * (self.share * slope).to(self.x.dtype)
        gradient = self._gradient(of_negatives, of_labels)
        if not self.finite:
            gradient.masked_fill_(losses.isnan()[:, None], math.nan)
        return losses, gradient

    def _gradient(self, of_negatives: Tensor, of_labels: Tensor) -> Tensor:
        """Return the gradient of both, that of the labels with the sign turned; it is the first."""
        of_labels = (-self.share * of_labels).masked_fill_(~self.labels.there, 0).to(self.x.dtype)
        return of_negatives.scatter_add_(1, self.labels.classes, of_labels)


def _sum_exp(x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the highest x of each row, the logarithm of the sum of e**(x - highest), both (N, 1)
    and in the dtype for sums, and the terms over the sum.

    ``x`` is written over. Of nothing but -inf the terms are 0, and the logarithm is -inf; beside
    inf other terms do not count.
    """
    top = x.amax(1, keepdim=True)
    largest = torch.finfo(x.dtype).max
    terms = x.sub_(top.clamp(-largest, largest)).clamp_(max=_LARGE).exp_()
    total = terms.sum(1, keepdim=True, dtype=sum_dtype(x))
    logarithm = total.log() - _LARGE * (top == math.inf)
    return top.to(total.dtype), logarithm, terms.div_(total.clamp(min=1).to(x.dtype))


def _power(a: Tensor, b: Tensor, more: Tensor) -> Tensor:
    """Return e**(a - b + more), where infinities that are alike have a difference of 0."""
    return ((a - b).masked_fill_(a == b, 0) + more).exp_()


def _softplus(x: Tensor) -> Tensor:
    return torch.logaddexp(x, x.new_zeros(()))


def _soft_margin(
    x: Tensor, parts: Parts, share: float, want_gradient: bool, weight: Tensor | None
) -> tuple[Tensor, Tensor | None]:
    target = parts[0]
    assert target is not None
    if parts[1] is None and target.dtype != torch.bool:
        known = ~target.isnan()
        y = target.to(x.dtype).masked_fill(~known, 0)
        if target.shape != x.shape or ((y < 0) | (y > 1)).any():
            check_probabilities(array_of("target", target), np.empty(x.shape))
    else:
        rows = Rows.read(parts, (x.shape[0], x.shape[1]))
        y = _indicator(x, rows.labels)
        known = _indicator(x, rows.unknown) == 0 if rows.unknown else torch.ones_like(y) > 0
    factor = 1 / known.sum(1, keepdim=True).clamp(min=1).to(sum_dtype(x))
    if weight is not None:
        factor = factor * weight.to(factor)
    factor = factor.to(x.dtype)
    no = 1 - y
    # What a target leaves out, or does not know, is not multiplied by 0: it may be infinite. What a
    # weight leaves out is, as in the kernels, and in PyTorch's own loss.
    terms = (y * _softplus(-x)).masked_fill_(y == 0, 0)
    terms += (no * _softplus(x)).masked_fill_(no == 0, 0)
    losses = terms.mul_(factor).masked_fill_(~known, 0).sum(1, dtype=sum_dtype(x))
    if not want_gradient:
        return losses, None
    gradient = no.mul_(x.sigmoid()).sub_(y.mul_((-x).sigmoid()))
    gradient = gradient.mul_(factor * share).masked_fill_(~known, 0)
    return losses, gradient.masked_fill_(losses.isnan()[:, None], math.nan)


def _indicator(x: Tensor, classes: Padded) -> Tensor:
    """Return 1 for these classes and 0 for the others, (N, C)."""
    indicator = x.new_zeros(len(x), x.shape[1] + 1)
    column = classes.classes.masked_fill(~classes.there, x.shape[1])
    return indicator.scatter_(1, column, 1)[:, :-1]

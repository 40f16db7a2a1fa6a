"""The second derivatives of the smooth losses, in PyTorch's operations, so that it knows the third.

With A the sum of e**-x_i over the labels and B that of e**x_j over the negatives, ``a`` and ``b``
are the shares of the classes in them. All follows from d log A = -a.v, d log B = b.v and from how
shares change: db = b (v - b.v). No pair is formed.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lucid.torch.targets import Parts


class Places(NamedTuple):
    """Of each class (N, C), in the dtype of the scores."""

    times: Tensor
    """How often it is a label."""
    negatives: Tensor
    """1 where it is known not to be one."""


def lsep(v: Tensor, x: Tensor, parts: Parts, *, per_label: bool) -> Tensor:
    """Return the second derivative of the LSEP loss of each row times v."""
    places = places_of(parts, x)
    b, top_b, log_b = _shares(x, places.negatives)
    if per_label:
        weights = places.times / _total(places.times).clamp(min=1)
        s = torch.sigmoid(_log(top_b - torch.where(places.times > 0, x, 0), log_b))
        ds = weights * s * (1 - s) * (_dot(b, v) - v)
        return b * _total(ds) - ds + _spread(b, v) * _total(weights * s)
    a, top_a, log_a = _shares(-x, places.times)
    s = torch.sigmoid(_log(top_a + top_b, log_a + log_b))
    return s * ((1 - s) * _dot(b - a, v) * (b - a) + _spread(b, v) + _spread(a, v))


def zlpr(v: Tensor, x: Tensor, parts: Parts) -> Tensor:
    """Return the second derivative of the ZLPR loss of each row times v."""
    places = places_of(parts, x)
    total = torch.zeros_like(x)
    for share, top, log in (_shares(-x, places.times), _shares(x, places.negatives)):
        s = torch.sigmoid(_log(top, log))
        total = total + s * ((1 - s) * _dot(share, v) * share + _spread(share, v))
    return total


def bpmll(v: Tensor, x: Tensor, parts: Parts) -> Tensor:
    """Return the second derivative of the BP-MLL loss of each row times v."""
    places = places_of(parts, x)
    a, top_a, log_a = _shares(-x, places.times)
    b, top_b, log_b = _shares(x, places.negatives)
    pairs = _total(places.times).clamp(min=1) * _total(places.negatives).clamp(min=1)
    loss = torch.exp(_log(top_a + top_b, log_a + log_b)) / pairs
    return loss * (_dot(b - a, v) * (b - a) + _spread(b, v) + _spread(a, v))


def soft_margin(v: Tensor, x: Tensor, parts: Parts, *, weight: Tensor | None) -> Tensor:
    """Return the second derivative of the soft margin loss of each row times v."""
    target, indptr = parts[:2]
    if indptr is None and target is not None and target.dtype is not torch.bool:
        known = (target == target).to(x.dtype)
    else:
        places = places_of(parts, x)
        known = ((places.times > 0) | (places.negatives > 0)).to(x.dtype)
    factor = known / _total(known).clamp(min=1)
    if weight is not None:
        factor = factor * weight.to(x.dtype)
    s = torch.sigmoid(torch.where(known > 0, x, 0))
    return factor * s * (1 - s) * v


def places_of(parts: Parts, x: Tensor) -> Places:
    """Return where labels and negatives are."""
    target, indptr, unknown, unknown_indptr = parts
    assert target is not None
    rows, classes = x.shape
    if indptr is not None:
        times = _counted(target, indptr, x)
    elif target.dtype is torch.bool:
        times = target.to(x.dtype)
    else:
        target = target.long()
        columns = torch.where((target != -1).cumprod(-1) > 0, target, classes)
        there = x.new_ones(()).expand(columns.shape)
        times = x.new_zeros(rows, classes + 1).scatter_add(1, columns, there)[:, :classes]
    negatives = times == 0
    if unknown is not None and unknown_indptr is not None:
        negatives = negatives & (_counted(unknown, unknown_indptr, x) == 0)
    return Places(times, negatives.to(x.dtype))


def _counted(indices: Tensor, indptr: Tensor, x: Tensor) -> Tensor:
    """Return how often each class is in each of the rows of a CSR form."""
    rows, classes = x.shape
    row = torch.arange(rows, device=x.device).repeat_interleave(
        indptr.diff(), output_size=indices.shape[0]
    )
    there = x.new_ones(()).expand(indices.shape)
    flat = x.new_zeros(rows * classes).scatter_add(0, row * classes + indices, there)
    return flat.reshape(rows, classes)


def _shares(x: Tensor, times: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return the share of each class in the sum of e**x over some places, and of what it is made.

    These are the highest x, 0 for -inf, and the log of the sum of e**(x - highest), -inf of none.
    """
    there = times > 0
    top = torch.where(there, x, -torch.inf).amax(-1, keepdim=True).detach()
    top = torch.where(top == -torch.inf, 0, top)
    relative = torch.where((x == top) & top.isinf(), 0, x - top)
    terms = torch.where(there, relative, -torch.inf).exp() * times
    total = _total(terms)
    some = total > 0
    total = torch.where(some, total, 1)
    return terms / total, top, torch.where(some, total.log(), -torch.inf)


def _log(top: Tensor, log: Tensor) -> Tensor:
    """Return the log of a sum from its highest exponent and the log of what is relative to it."""
    return torch.where(log == -torch.inf, log, top + log)


def _spread(shares: Tensor, v: Tensor) -> Tensor:
    return shares * (v - _dot(shares, v))


def _dot(a: Tensor, v: Tensor) -> Tensor:
    return _total(a * v)


def _total(x: Tensor) -> Tensor:
    return x.sum(-1, keepdim=True)

"""The losses of pairs by ranks, in PyTorch's own operations: on any device, and no pair is formed.

A score is in a pair with the labels whose thresholds are below it; its rank is how many these are.
A binary search in the row's sorted thresholds finds it. All that a loss needs to know of a row's
scores is, for each rank, how many have it and how far they are above the next threshold below
them: from these, sums from the top give the active pairs of each label. They add up over classes,
so that scores are shown a few classes at a time, wherever these come from: a tensor, a layer that
computes them, or another process.
"""

import math

import torch
from torch import Tensor

#: Most scores of a row are in the same few bins. Threads of a GPU that add to one number wait for
#: each other, and less so where neighbours add to copies of it: so many at most, and together no
#: longer than so small a part of the row.
_COPIES, _COPIED = 32, 64


class Ranks:
    """The thresholds of rows, and what is known of the scores that were shown.

    Parameters
    ----------
    taus : Tensor
        The thresholds (N, K) in any order, float32 or float64; K is at least 1.
    there : Tensor
        Which of them count, bool (N, K).
    power : int
        The power of a pair, 1 or 2.
    finite : bool
        Whether it is known that no threshold that counts, and no score of a class, is NaN or
        infinite: then nothing is looked for that `spoiled` would need.
    """

    def __init__(self, taus: Tensor, there: Tensor, power: int, finite: bool = False) -> None:
        self.power, self.finite = power, finite
        absent = ~there
        if not finite:
            nan = taus.isnan()
            self.any_nan = (nan & there).any(1)
            absent |= nan
        # No score is above one that does not count.
        self.taus, self.order = taus.masked_fill(absent, math.inf).sort(dim=1)
        self.there = there.gather(1, self.order)
        # Bin 0 is for scores of -inf, the next for others that are above no threshold.
        n, k = taus.shape
        lowest = taus.new_full((n, 2), -math.inf)
        edges = torch.cat([lowest, self.taus], 1)
        self.floor = edges[:, 1:].contiguous()
        self.edges = edges.to(sum_dtype(taus))
        self.counted = torch.zeros((n, k + 2), dtype=torch.int32, device=taus.device)
        self.heights = [torch.zeros_like(self.edges) for _ in range(power)]
        self.highest = lowest[:, 0]

    def bins(self, x: Tensor) -> Tensor:
        """Return 1 more than the ranks of scores (N, M), but 0 for those of -inf."""
        return torch.searchsorted(self.floor, x)

    def show(self, x: Tensor) -> Tensor:
        """Add scores (N, M) to what is known, and return their bins."""
        bins = self.bins(x)
        copies = max(1, min(_COPIES, x.shape[1] // (_COPIED * self.edges.shape[1])))
        place = bins
        if copies > 1:
            column = torch.arange(x.shape[1], device=x.device)
            place = bins + column.remainder_(copies).mul_(self.edges.shape[1])
        _add(self.counted, place, self.counted.new_ones(()).expand_as(bins), copies)
        height = x - self.edges.gather(1, bins)  # NaN and inf in the first two bins: not read
        _add(self.heights[0], place, height, copies)
        if self.power == 2:
            _add(self.heights[1], place, height.square_(), copies)
        if not self.finite:
            self.highest = torch.maximum(self.highest, x.amax(1))
        return bins

    def counts(self) -> Tensor:
        """Return how many scores are above each threshold, int64 (N, K), lowest threshold first."""
        return from_the_top(self.counted[:, 2:])

    def sums(self, counts: Tensor) -> list[Tensor]:
        """Return how far those above, so many, are in all; for a power of 2 also squares' sums.

        No term of the sums is negative, so that no digits are lost.
        """
        taus = self.edges[:, 2:]
        step = _next(taus) - taus
        # Those above the next threshold are higher by the step than they are there. NaN is that
        # of nobody above, or of two thresholds of -inf.
        growth = _nan_to_zero(_next(counts) * step)
        first = from_the_top(self.heights[0][:, 2:] + growth)
        if self.power == 1:
            return [first]
        growth = _nan_to_zero((2 * _next(first) + growth) * step)
        return [first, from_the_top(self.heights[1][:, 2:] + growth)]

    def losses(self, weights: Tensor, sums: Tensor) -> Tensor:
        """Return the sum over the pairs of each row, (N,), given weights and sums by threshold."""
        losses = weights * sums
        return (losses if self.finite else losses.masked_fill_(~self.there, 0)).sum(1)

    def spoiled(self, hidden: Tensor, classes: int) -> Tensor:
        """Return the rows in which a NaN is in a pair, or an infinity with its like.

        ``hidden`` (N,) says how many of the ``classes`` that were shown are in no pair. They, and
        whatever was shown beside the classes, were scores of -inf.
        """
        infinite = self.there & self.taus.isinf()  # a threshold of NaN was taken for inf: no matter
        pads = self.counted.sum(1) - classes
        return (
            (self.any_nan & (hidden < classes))
            | (self.there.any(1) & self.highest.isnan())
            | ((infinite & (self.taus > 0)).any(1) & (self.highest == math.inf))
            | ((infinite & (self.taus < 0)).any(1) & (self.counted[:, 0] > hidden + pads))
        )

    def sorted(self, of_labels: Tensor) -> Tensor:
        """Bring what belongs to the labels (N, K) into the order of their thresholds."""
        return of_labels.gather(1, self.order)

    def unsorted(self, of_thresholds: Tensor) -> Tensor:
        """Bring it back into the order of the labels."""
        return torch.empty_like(of_thresholds).scatter_(1, self.order, of_thresholds)


def _add(sums: Tensor, place: Tensor, values: Tensor, copies: int) -> None:
    """Add values (N, M) to sums (N, B), at their place in one of some copies of these."""
    if copies == 1:
        sums.scatter_add_(1, place, values)
        return
    n, b = sums.shape
    each = sums.new_zeros(n, copies * b).scatter_add_(1, place, values)
    sums += each.view(n, copies, b).sum(1, dtype=sums.dtype)


class Slopes:
    """The gradients of a row's scores, once it is known what its labels weigh.

    Parameters
    ----------
    ranks : Ranks
    weights : Tensor
        Those of the labels (N, K), lowest threshold first; 0 for those not there.
    """

    def __init__(self, ranks: Ranks, weights: Tensor) -> None:
        self.power = ranks.power
        self.weights = up_to(weights)
        if self.power == 2:
            finite = ranks.taus.isfinite()
            low = ranks.taus.masked_fill(~finite, math.inf).amin(1, keepdim=True)
            self.low = low.masked_fill(low.isinf(), 0)
            self.products = up_to((weights * (ranks.taus - self.low)).masked_fill(weights == 0, 0))

    def of(self, x: Tensor, bins: Tensor) -> Tensor:
        """Return the gradient of scores (N, M) that are in these bins."""
        if self.power == 1:
            return self.weights.to(x.dtype).gather(1, bins)
        weights = self.weights.gather(1, bins)
        slopes = 2 * (weights * (x - self.low) - self.products.gather(1, bins))
        return slopes.masked_fill_(weights == 0, 0).to(x.dtype)


def sum_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype for sums over classes: float64 where the device has it."""
    return torch.float32 if x.device.type == "mps" else torch.float64


def harmonic(n: Tensor) -> Tensor:
    """Return 1 + 1/2 + .. + 1/n."""
    return torch.digamma(n + 1) + 0.5772156649015329


def from_the_top(values: Tensor) -> Tensor:
    """Return the sums of each value and all after it in the row."""
    return values.flip(1).cumsum(1).flip(1)


def up_to(values: Tensor) -> Tensor:
    """Return the sums of a row's first values, (N, K + 2): 0 for the first two bins."""
    none = values.new_zeros(len(values), 2)
    return torch.cat([none, values.cumsum(1)], 1)


def _nan_to_zero(values: Tensor) -> Tensor:
    return values.nan_to_num_(nan=0.0, posinf=math.inf, neginf=-math.inf)


def _next(values: Tensor) -> Tensor:
    """Return the value after each in the row; 0 after the last."""
    return torch.cat([values[:, 1:], torch.zeros_like(values[:, :1])], 1)

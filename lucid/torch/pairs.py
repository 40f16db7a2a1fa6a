"""The losses of pairs of rows whose scores come a few classes at a time."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lucid.losses.hinges import PLAIN
from lucid.losses.margin import MARGIN
from lucid.losses.pairs import BASES, KERNELS, Kernel
from lucid.losses.problem import Loss, labels_for
from lucid.losses.solving import Terms
from lucid.losses.warp import WARP
from lucid.system import threads
from lucid.torch.ranks import Ranks, Slopes, harmonic, sum_dtype
from lucid.torch.targets import Parts, known_of, of_labels

#: So many scores that are there are worked on at once; each takes some 40 bytes for that time.
_CHUNK = 1 << 22

#: `Loss.worth_of_count` in PyTorch's operations, by the name of the loss: from counts, which come
#: in the dtype for sums, to what so many hinges count in all.
_WORTH_OF_COUNT = {WARP.name: harmonic}

_INTEGERS = (torch.int8, torch.uint8, torch.int16, torch.int32, torch.int64)


class Padded(NamedTuple):
    """Classes of rows, as many columns as the longest row has, and at least one."""

    classes: Tensor
    """int64 (N, K); 0 where a row has ended."""
    there: Tensor
    """bool (N, K)"""
    num_classes: int

    @classmethod
    def of(cls, indices: Tensor, indptr: Tensor, num_classes: int) -> "Padded":
        """Fill up rows of a CSR form."""
        lengths = indptr.diff()
        width = max(int(lengths.max()), 1) if len(lengths) else 1
        column = torch.arange(width, device=indptr.device)
        there = column < lengths[:, None]
        if indices.numel() == 0:
            return cls(torch.zeros_like(there, dtype=torch.int64), there, num_classes)
        place = (indptr[:-1, None] + column).clamp_(max=indices.numel() - 1)
        return cls(indices[place].masked_fill_(~there, 0), there, num_classes)

    def inside(self, classes: slice) -> Tensor:
        """Return which are some of these classes, bool (N, K)."""
        if classes == slice(0, self.num_classes):
            return self.there
        return self.there & (self.classes >= classes.start) & (self.classes < classes.stop)

    def distinct(self, classes: slice) -> Tensor:
        """Return how many different ones of some classes each row has, (N,)."""
        ascending = self.classes.masked_fill(~self.inside(classes), -1).sort(1).values
        before = torch.cat([ascending.new_full((len(ascending), 1), -1), ascending[:, :-1]], 1)
        return (ascending != before).sum(1)

    def hide(self, x: Tensor, classes: slice) -> None:
        """Write -inf over the scores of these classes; the column after them is written to, too."""
        column = (self.classes - classes.start).masked_fill_(
            ~self.inside(classes), classes.stop - classes.start
        )
        x.scatter_(1, column, -math.inf)


def _is_on_cpu(target: Tensor) -> bool:
    return bool(target.is_cpu)


def _of_padded(target: Tensor, shape: tuple[int, int]) -> Padded | None:
    """Read class indices padded with -1; None where they need a closer look."""
    n, classes = shape
    if target.dtype not in _INTEGERS or target.ndim != 2 or len(target) != n:
        return None
    if target.numel() == 0:
        none = target.new_zeros(n, 1, dtype=torch.int64)
        return Padded(none, none > 0, classes)
    target = target.long()
    there = (target == -1).cumsum(1) == 0
    labels = torch.where(there, target, 0)
    # The device is waited for once.
    width, lowest, highest, any_highest = torch.stack(
        [there.any(0).sum(), *labels.aminmax(), target.max()]
    ).tolist()
    if lowest < 0 or highest >= classes:
        return None
    if target.shape[1] == classes and (width == classes or any_highest <= 1):
        return None  # another form may have got here
    width = max(width, 1)
    return Padded(labels[:, :width], there[:, :width], classes)


def _of_multi_hot(target: Tensor, shape: tuple[int, int]) -> Padded | None:
    if target.dtype != torch.bool or target.shape != shape:
        return None
    ends = target.sum(1).cumsum(0)
    return Padded.of(target.nonzero()[:, 1], torch.cat([ends.new_zeros(1), ends]), shape[1])


def _of_csr(indices: Tensor, indptr: Tensor, shape: tuple[int, int]) -> Padded | None:
    """Read rows of classes; None where they are not that."""
    n, classes = shape
    if not indices.dtype == indptr.dtype == torch.int64 or indptr.shape != (n + 1,):
        return None
    wrong = ((indices < 0) | (indices >= classes)).any() | (indptr.diff() < 0).any()
    wrong |= (indptr[0] != 0) | (indptr[-1] != len(indices))
    return None if wrong else Padded.of(indices, indptr, classes)


class Rows(NamedTuple):
    """The labels of rows, and the classes of which nothing is known."""

    labels: Padded
    unknown: Padded | None

    @classmethod
    def read(cls, parts: Parts, shape: tuple[int, int]) -> "Rows":
        """Check a target as `parts_of` has brought it here, for scores of this shape (N, C).

        It is read where it is. One that is wrong, or may be another form than it looks like, is
        read once more on the CPU, where there are words for what is wrong.
        """
        target, indptr, unknown_indices, unknown_indptr = parts
        assert target is not None
        if _is_on_cpu(target):
            return cls.of_labels(known_of(parts, shape[1]), shape, target.device)
        unknown = None
        if indptr is None:
            labels = _of_multi_hot(target, shape)
            labels = _of_padded(target, shape) if labels is None else labels
        else:
            labels = _of_csr(target, indptr, shape)
            if unknown_indices is not None and unknown_indptr is not None:
                unknown = _of_csr(unknown_indices, unknown_indptr, shape)
                labels = None if unknown is None else labels
        if labels is None:
            return cls.of_labels(known_of(parts, shape[1]), shape, target.device)
        return cls(labels, unknown)

    @classmethod
    def of_labels(cls, known: Any, shape: tuple[int, int], device: torch.device) -> "Rows":
        """Take what there are `Labels` of to a device."""
        indices, indptr, unknown_indices, unknown_indptr = of_labels(
            labels_for(shape, known), device
        )[:4]
        unknown = None
        if unknown_indices is not None and unknown_indptr is not None:
            unknown = Padded.of(unknown_indices, unknown_indptr, shape[1])
        return cls(Padded.of(indices, indptr, shape[1]), unknown)

    def hide(self, x: Tensor, classes: slice) -> None:
        """Let all but the negatives be in no pair; columns beyond these classes are no class's."""
        x[:, classes.stop - classes.start :] = -math.inf
        for part in self:
            if part is not None:
                part.hide(x, classes)

    def hidden(self, classes: slice) -> Tensor:
        """Return how many of some classes are no negatives, (N,)."""
        labels = self.labels.distinct(classes)
        return labels if self.unknown is None else labels + self.unknown.distinct(classes)

    @property
    def known(self) -> Tensor | int:
        """The number of known classes of each row, (N,), or of all rows."""
        classes = self.labels.num_classes
        return classes if self.unknown is None else classes - self.unknown.there.sum(1)


class Asked(NamedTuple):
    """A loss of pairs with its options, which are checked."""

    margin: float | Tensor
    weight: Tensor | None
    """One for each class."""
    p: int
    normalize: str | None
    """By what the sum over the pairs of a row is divided."""
    loss: str

    @classmethod
    def of(cls, loss: Loss, options: Mapping[str, Any]) -> "Asked":
        """Return what a loss of hinges is asked with these options."""
        if loss.worth_of_count is not None and loss.name not in _WORTH_OF_COUNT:
            raise NotImplementedError(f"{loss.name} has no worth_of_count in PyTorch's operations")
        return cls(**{**PLAIN, **options}, loss=loss.name)

    @property
    def worth_of_count(self) -> Callable[[Tensor], Tensor] | None:
        """What the hinges of a label count in all, from how many are active, or None."""
        return _WORTH_OF_COUNT.get(self.loss)

    def taus(self, scores: Tensor, labels: Padded) -> Tensor:
        """Return the thresholds of labels that have these scores (N, K)."""
        margin = self.margin
        if isinstance(margin, Tensor):
            margin = margin.to(scores.device, scores.dtype)[labels.classes]
        return scores - margin

    def weights(self, labels: Padded, like: Tensor) -> Tensor:
        """Return the weights of labels (N, K), in the dtype for sums; 0 for those not there."""
        weights = labels.there.to(sum_dtype(like))
        if self.weight is None:
            return weights
        return weights * self.weight.to(weights)[labels.classes]

    def bases(self, rows: Rows, weights: Tensor) -> Tensor | int:
        """Return what the sum over the pairs of each row is divided by, (N,), or of all rows."""
        if self.normalize is None:
            return 1
        base = rows.known
        if self.normalize == "pairs":
            classes = slice(0, rows.labels.num_classes)
            base = weights.sum(1) * (base - rows.labels.distinct(classes))
        return base if isinstance(base, int) else torch.where(base > 0, base, 1).to(weights)


def options_of(loss: Any) -> tuple[Loss, dict[str, Any]]:
    """Return which loss a module of the margin family is, and its options."""
    if loss is None:
        return MARGIN, dict(MARGIN.defaults)
    of = getattr(type(loss), "_loss", None)
    if not (isinstance(of, Loss) and of.hinges):
        raise TypeError(
            "loss must be a MultilabelMarginLoss or WARPLoss, "
            f"got {getattr(loss, '__name__', type(loss).__name__)}"
        )
    return of, {name: getattr(loss, name) for name in of.defaults}


class Shard(NamedTuple):
    """Some of the classes, where others are elsewhere."""

    classes: slice
    total: Callable[[Tensor], Tensor] = lambda values: values
    """The sum over all shards of what is known of labels (N, K) or of rows (N,)."""


#: Goes through the classes: some of them, and the scores of all rows for these, with at least so
#: many more columns as asked for, one or more; contiguous, and all but the negatives hidden.
Tiles = Callable[[int], Iterator[tuple[slice, Tensor]]]

#: What is done with the gradient of the scores of some classes, which may be written to.
Use = Callable[[slice, Tensor], None]


def tiles_of(x: Tensor, rows: Rows, first: int = 0) -> Tiles:
    """Return how to go through scores (N, M) that are there: those of the classes from ``first``.

    So many at once that a few of their size do not matter, or one class.
    """
    n, m = x.shape
    width = max(1, min(m, _CHUNK // max(n, 1)))

    def tiles(more: int) -> Iterator[tuple[slice, Tensor]]:
        for start in range(0, m, width):
            stop = min(start + width, m)
            scores = x.new_empty(n, stop - start + more)
            scores[:, : stop - start] = x[:, start:stop]
            tile = slice(first + start, first + stop)
            rows.hide(scores, tile)
            yield tile, scores

    return tiles


def solve_pairs(
    asked: Asked,
    rows: Rows,
    label_scores: Tensor,
    tiles: Tiles,
    scale: Tensor | float,
    use: Use | None,
    *,
    shard: Shard | None = None,
    finite: bool = False,
) -> tuple[Tensor, Tensor | None]:
    """Return the loss of each row (N,), and the gradients of its labels (N, K) unless unwanted.

    Gradients are those of the sum over rows of scale * loss; the gradient of the negatives is given
    to ``use``, a tile at a time. Where ``tiles`` has a ``shard`` of the classes, the sums over
    these become those over all. Where it is known that all scores and thresholds are ``finite``,
    NaN and infinities are not looked for.
    """
    shard = shard or Shard(slice(0, rows.labels.num_classes))
    taus = asked.taus(label_scores, rows.labels)
    weights = asked.weights(rows.labels, taus)
    there = rows.labels.there if asked.weight is None else weights > 0
    ranks = Ranks(taus, there, asked.p, finite)
    bases = asked.bases(rows, weights)
    factor = factor_of(scale, bases)
    weights = ranks.sorted(weights)
    of_count = asked.worth_of_count
    slopes = Slopes(ranks, weights * factor) if of_count is None else None
    for tile, x in tiles(1):
        bins = ranks.show(x)
        if slopes is not None and use is not None:
            _use_slopes(use, tile, slopes, x, bins)
    counts = ranks.counts()
    sums = ranks.sums(counts)
    above = shard.total(ranks.unsorted(counts.int() if asked.p == 1 else sums[0]))
    if of_count is not None:
        weights = _weights_by_count(of_count, ranks.sorted(above)) * ranks.there
        slopes = Slopes(ranks, weights * factor)
        if use is not None:
            for tile, x in tiles(1):
                _use_slopes(use, tile, slopes, x, ranks.bins(x))
    seen = shard.classes.stop - shard.classes.start
    losses = ranks.losses(weights, sums[-1])
    if not finite:
        losses.masked_fill_(ranks.spoiled(rows.hidden(shard.classes), seen), math.nan)
    losses = shard.total(losses) / bases
    if use is None:
        return losses, None
    factor = ranks.unsorted(weights) * factor
    of_labels = (-asked.p * factor) * above
    if not finite:
        of_labels.masked_fill_(factor == 0, 0)
    return losses, of_labels.to(taus.dtype)


def factor_of(scale: Tensor | float, bases: Tensor | int) -> Tensor | float:
    """Return what the sum over the pairs of each row counts, (N, 1), or that of all rows."""
    factor = scale / bases
    return factor[:, None] if isinstance(factor, Tensor) else factor


def _use_slopes(use: Use, tile: slice, slopes: Slopes, x: Tensor, bins: Tensor) -> None:
    m = tile.stop - tile.start
    use(tile, slopes.of(x[:, :m], bins[:, :m]))


def _weights_by_count(worth_of_count: Callable[[Tensor], Tensor], counts: Tensor) -> Tensor:
    """Return what a label weighs from how many negatives are above its threshold."""
    n = counts.to(sum_dtype(counts))
    return worth_of_count(n) / n.clamp(min=1)


def solve_by_kernels(
    asked: Asked,
    rows: Rows,
    label_scores: Tensor,
    tiles: Tiles,
    scale: Tensor | float,
    use: Use | None,
) -> tuple[Tensor, Tensor | None]:
    """Return the same as `solve_pairs`, for scores on the CPU: each tile goes to a kernel.

    The thresholds are put beside the scores of a tile, which makes it a problem of its own.
    """
    taus = asked.taus(label_scores, rows.labels)
    there = rows.labels.there
    if not taus[there].isfinite().all():  # beside a threshold of -inf, what is hidden is in a pair
        return solve_pairs(asked, rows, label_scores, tiles, scale, use)
    taus = taus.masked_fill(~there, -math.inf)
    weights = asked.weights(rows.labels, taus)
    of_labels = torch.zeros_like(weights)
    losses = of_labels.new_zeros(len(taus))
    if asked.worth_of_count is not None:
        for _, _, g, _ in _by_kernel("margin", taus, there, None, tiles, True):
            of_labels -= g
        # A NaN among the negatives leaves no count. Weights of 0 leave it out, so that it is said.
        losses.masked_fill_(of_labels.isnan().any(1), math.nan)
        of_labels.nan_to_num_(0)
        weights = _weights_by_count(asked.worth_of_count, of_labels.round_()) * there
        of_labels.zero_()
    plain = asked.weight is None and asked.worth_of_count is None
    kernel: Kernel = "squared" if asked.p == 2 else "margin" if plain else "weighted"
    bases = asked.bases(rows, weights)
    factor = torch.as_tensor(factor_of(scale, bases), dtype=weights.dtype).expand(len(taus), 1)
    nothing = factor[:, 0] == 0
    given = None if kernel == "margin" else weights[there]
    for tile, loss, g, x in _by_kernel(kernel, taus, there, given, tiles, use is not None):
        losses += loss
        if use is not None:
            of_labels += g
            x.mul_(factor.to(x.dtype))
            if not loss[nothing].isfinite().all():
                x[nothing] = 0  # not 0 times NaN or inf
            use(tile, x)
    losses /= bases
    if use is None:
        return losses, None
    return losses, (of_labels * factor).masked_fill_(nothing[:, None], 0).to(taus.dtype)


def _by_kernel(
    kernel: Kernel,
    taus: Tensor,
    there: Tensor,
    weights: Tensor | None,
    tiles: Tiles,
    want: bool,
) -> Iterator[tuple[slice, Tensor, Tensor, Tensor]]:
    """Go through the tiles: the losses of these, and the gradients of labels and scores."""
    n, k = taus.shape
    place = there.nonzero()[:, 1].numpy()
    indptr = torch.cat([torch.zeros(1, dtype=torch.int64), there.sum(1).cumsum(0)]).numpy()
    of_entries = None if weights is None else weights.numpy()
    terms = Terms(margin=0.0, weights=of_entries, by_entry=True, base=BASES[None])
    solve = KERNELS[kernel][str(taus.numpy().dtype.char)]
    losses = torch.empty(n, dtype=torch.float64)
    memory = taus.new_empty(0)
    for tile, x in tiles(k):
        m = tile.stop - tile.start
        x[:, m : m + k] = taus
        gradient, g = x, None
        if want:
            if memory.numel() < x.numel():
                memory = x.new_empty(x.numel())
            gradient = memory[: x.numel()].view(x.shape)
            g = gradient.numpy()
        entries = (m + place)[None]
        with threads.using(torch.get_num_threads()):
            number = threads.get_num_threads()
            solve(x.numpy(), entries, indptr, 1.0, losses.numpy(), g, number, terms)
        yield tile, losses, gradient[:, m : m + k], gradient[:, :m]


def solver_for(x: Tensor) -> Callable[..., tuple[Tensor, Tensor | None]]:
    """Return what solves the pairs of scores on the device of ``x``."""
    return solve_by_kernels if x.is_cpu else solve_pairs

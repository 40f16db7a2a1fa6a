"""A linear layer and the margin loss of its outputs in one, a few classes at a time.

The logits of N rows and C classes, and their gradient, are the largest arrays of a step: 64 rows
of a million classes take 256 MB each in float32. But what pairs a row's classes are in depends on
its thresholds alone, and these on the logits of its few labels, which are computed first. With
these beside it, a tile of classes is a loss of its own: the row's loss is the sum over tiles, and
a tile's gradient is used up at once, in those of the features and of the layer. So each part of
the weight is read once for all rows. Threads share out the tiles, and each has a buffer for one,
which stays in the cache of its core; together they hold no more scores than the caller allows.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid.arrays.features import add_transposed_times, times_transposed
from lucid.arrays.reduction import pairwise_sum
from lucid.labels import Labels
from lucid.losses.hinges import PLAIN
from lucid.losses.options import check_margin_fits
from lucid.losses.pairs import BASES, KERNELS, Kernel, bases
from lucid.losses.problem import Loss
from lucid.losses.solving import Problem, Terms, call
from lucid.losses.tiles import Solve, share_out, tiles

Array = npt.NDArray[Any]


#: Tiles are not made narrower than so many classes.
_NARROWEST = 4096

#: So many logits of a tile, and their gradient, stay in a cache until they are used up.
_NEAR = 1 << 18


class Gradients(NamedTuple):
    """What is computed for each input; None for those without a gradient."""

    weight: Array | None
    bias: Array | None
    features: Array | None


class Wanted(NamedTuple):
    """Which of the `Gradients` to compute."""

    weight: bool = False
    bias: bool = False
    features: bool = False


def linear_loss_of(
    features: Any,
    weight: Array,
    bias: Array,
    labels: Labels,
    *,
    loss: Loss,
    options: Mapping[str, Any],
    chunk: int,
    scale: Array | float = 1.0,
    wanted: Wanted,
) -> tuple[Array, Gradients]:
    """Return the loss of each row, and the gradients of the sum over rows of scale * loss.

    ``features`` (N, D), an array or a CSR matrix; ``weight`` (C, D); ``bias`` (C,); ``scale`` for
    all rows or for each (N,); ``loss`` is one of pairs, and ``options`` are checked ones of it.
    """
    # float16 is computed in float32.
    dtype = np.result_type(features.dtype, weight.dtype, bias.dtype, np.float32)
    features, weight, bias = (a.astype(dtype, copy=False) for a in (features, weight, bias))
    asked = Asked(loss, options)
    check_margin_fits(asked.option("margin"), dtype)
    n, c = len(labels), len(weight)
    labels = without_full_rows(labels)
    gradients = Gradients(
        np.zeros_like(weight, order="C") if wanted.weight else None,
        np.zeros_like(bias) if wanted.bias else None,
        np.zeros(features.shape, dtype) if wanted.features else None,
    )
    losses = np.zeros(n)
    scales = np.full(n, scale, np.float64)
    width = min(c, max(_NARROWEST, min(chunk, _NEAR) // max(n, 1)))
    step = max(1, chunk // width)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        part = (features[rows], weight, bias, labels[rows])
        into = _of_rows(gradients, rows)
        if width == c:
            losses[rows] = _solve_at_once(*part, asked, scales[rows], into)
        else:
            losses[rows] = Rows(*part, asked, chunk).solve(width, scales[rows], into)
    counted = np.where(scales == 0, 0, losses)  # a row of weight 0 is not there
    if np.isnan(counted).any():  # a loss that is NaN has a gradient of NaN, for all classes
        for array in (gradients.weight, gradients.bias):
            if array is not None:
                array.fill(np.nan)
        if gradients.features is not None:
            gradients.features[np.isnan(counted)] = np.nan
    return losses, gradients


class Asked(NamedTuple):
    """A loss of pairs with its options, and what its tiles need to know of it."""

    loss: Loss
    options: Mapping[str, Any]

    def option(self, name: str) -> Any:
        """Return an option, the plain one where the loss has no such option."""
        return self.options.get(name, PLAIN[name])

    def margins(self, classes: Array, dtype: Any) -> Any:
        """Return the margins of these classes."""
        margin = np.asarray(self.option("margin"), dtype)
        return margin[classes] if margin.ndim else margin

    def weights(self, labels: Labels) -> Array | None:
        """Return the weight of each label, where there are any."""
        weights = self.option("weight")
        return None if weights is None else weights[labels.indices]

    def kernel(self) -> Kernel:
        """Return what computes a tile, once the weights of the labels are known."""
        if self.option("p") == 2:
            return "squared"
        plain = self.option("weight") is None and self.loss.worth_of_count is None
        return "margin" if plain else "weighted"

    def bases(self, labels: Labels, weights: Array | None) -> Array:
        """Return what the sum over the pairs of each row is divided by, (N,)."""
        return bases(labels, weights, self.option("normalize"))


def without_full_rows(labels: Labels) -> Labels:
    """Take the labels from rows without a negative: they have no pairs, as without labels.

    A tile could not tell: what stands for no negative in it would be one beside a label of NaN.
    """
    unknown = labels.unknown_indptr
    others = np.zeros(len(labels), np.int64) if unknown is None else np.diff(unknown)
    full = labels.lengths() + others >= labels.num_classes
    for n in np.flatnonzero(full):
        full[n] = np.unique(labels[n]).size + others[n] == labels.num_classes
    if not full.any():
        return labels
    lengths = np.where(full, 0, labels.lengths())
    return Labels(
        labels.indices[~np.repeat(full, labels.lengths())],
        np.concatenate([[0], np.cumsum(lengths)]),
        labels.num_classes,
        labels.unknown_indices,
        labels.unknown_indptr,
    )


def _of_rows(gradients: Gradients, rows: slice) -> Gradients:
    if gradients.features is None:
        return gradients
    return gradients._replace(features=gradients.features[rows])


def _solve_at_once(
    x: Any,
    weight: Array,
    bias: Array,
    labels: Labels,
    asked: Asked,
    scale: Array,
    gradients: Gradients,
) -> Array:
    """In two steps, where all classes make one tile: the loss of each row.

    ``scale`` times its gradient is added to ``gradients``.
    """
    logits = np.empty((len(labels), len(weight)), weight.dtype)
    times_transposed(x, weight, out=logits)
    logits += bias
    problem = Problem(logits, labels, np.abs(scale), "none")
    wanted = any(g is not None for g in gradients)
    solve = asked.loss.solver(logits.dtype.char, len(weight), **asked.options)
    losses, g = solve(problem, wanted)
    if g is not None:
        turn(g, scale)
        _add_to_layer(x, slice(0, len(weight)), g, gradients)
        if gradients.features is not None:
            gradients.features[...] += of_features(g, weight)
    return unscaled(losses, scale)


def unscaled(losses: Array, scale: Array) -> Array:
    """Return the losses of rows from what they count; 0 for a row that counts nothing."""
    return np.divide(losses, np.abs(scale), np.zeros_like(losses), where=scale != 0)


def turn(g: Array, scale: Array) -> None:
    """Give the gradients of rows the sign of their scale, of which kernels take the size."""
    if (negative := scale < 0).any():
        g[negative] *= -1


def _add_to_layer(x: Any, tile: slice, g: Array, gradients: Gradients) -> None:
    """Add what the gradient ``g`` of a tile's logits makes of the layer."""
    if gradients.weight is not None:
        add_transposed_times(g, x, out=gradients.weight[tile])
    if gradients.bias is not None:
        gradients.bias[tile] += pairwise_sum(g, axis=0)


def of_features(g: Array, weight: Array) -> Array:
    """Return what the gradient ``g`` of a tile's logits makes of the features."""
    product: Array = (weight.T @ g.T).T  # in this order OpenBLAS's threads wait less
    return product


class Rows:
    """Rows that go through the tiles together, and what is known of them from their labels."""

    def __init__(
        self, x: Any, weight: Array, bias: Array, labels: Labels, asked: Asked, chunk: int
    ) -> None:
        self.x, self.weight, self.bias, self.labels = x, weight, bias, labels
        self.asked, self.chunk = asked, chunk
        lengths = labels.lengths()
        self.row = np.repeat(np.arange(len(labels)), lengths)  # of each label
        self.place = np.arange(self.row.size) - labels.indptr[:-1][self.row]  # within its row
        self.classes, self.number = np.unique(labels.indices, return_inverse=True)
        self.taus = np.full((len(labels), int(lengths.max(initial=0))), np.inf, weight.dtype)
        for classes, row, column, inside in self._classes_of_labels():
            logits = np.empty((len(labels), classes.size), weight.dtype)
            times_transposed(x, weight[classes], out=logits)
            logits += bias[classes]
            self.taus[row, self.place[inside]] = logits[row, column] - asked.margins(
                labels.indices[inside], weight.dtype
            )
        # A score equal to the lowest threshold is in no pair: it stands for no negative.
        self.low = np.fmin.reduce(self.taus, axis=1, initial=np.inf)
        self.low[lengths == 0] = 0
        none = np.arange(self.taus.shape[1]) >= lengths[:, np.newaxis]
        np.copyto(self.taus, self.low[:, np.newaxis], where=none)
        # What is in no pair of a tile: labels and unknown classes, in ascending order.
        row, hidden = self.row, labels.indices
        if labels.unknown_indices is not None and labels.unknown_indptr is not None:
            of_unknown = np.repeat(np.arange(len(labels)), np.diff(labels.unknown_indptr))
            row = np.concatenate([row, of_unknown])
            hidden = np.concatenate([hidden, labels.unknown_indices])
        order = np.argsort(hidden, kind="stable")
        self.row_of_hidden, self.hidden = row[order], hidden[order]

    def _classes_of_labels(self) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Go through the classes that occur as labels, as many at a time as memory allows.

        Yields these classes; for each label among them its row and the place of its class; and
        which labels they are.
        """
        step = max(1, self.chunk // max(1, *self.x.shape))
        for first in range(0, self.classes.size, step):
            inside = np.flatnonzero((self.number >= first) & (self.number < first + step))
            column = self.number[inside] - first
            yield self.classes[first : first + step], self.row[inside], column, inside

    def solve(self, width: int, scale: Array, gradients: Gradients) -> Array:
        """Return the loss of each row, and add ``scale`` times its gradient to ``gradients``."""
        if np.isfinite(self.low).all():
            return self._solve_tiles(width, scale, gradients)
        losses = np.zeros(len(self.labels))
        for n in range(len(self.labels)):
            row = slice(n, n + 1)
            part = (self.x[row], self.weight, self.bias, self.labels[row], self.asked)
            into = _of_rows(gradients, row)
            if np.isfinite(self.low[n]):
                losses[row] = Rows(*part, self.chunk).solve(width, scale[row], into)
            else:  # no score stands for no negative beside an infinite lowest threshold
                losses[row] = _solve_at_once(*part, scale[row], into)
        return losses

    def _share_out(
        self, width: int, totals: list[Array], solve: Callable[[slice, Array], list[Array]]
    ) -> None:
        """Have threads go through the tiles, of which all together hold no more than a chunk.

        ``solve`` gets a tile, and memory for its logits.
        """

        def worker() -> Solve:
            buffer = self.buffer(width)
            return lambda tile: solve(tile, buffer)

        most_threads = max(1, self.chunk // max(1, len(self.labels) * width))
        share_out(tiles(len(self.weight), width), totals, worker, most_threads)

    def buffer(self, width: int) -> Array:
        """Return memory for the logits of a tile."""
        n, p = self.taus.shape
        return np.empty(n * (width + p), self.taus.dtype)

    def solve_tile(
        self,
        tile: slice,
        kernel: Kernel,
        weights: Array | None,
        scale: Array | None,
        wanted: bool,
        buffer: Array,
    ) -> tuple[Array, Array | None]:
        """Return ``scale`` times the sums over the pairs of a tile for each row, and the gradient.

        The gradient has the classes of the tile first, then the labels of the row.
        """
        n, p = self.taus.shape
        m = tile.stop - tile.start
        logits = buffer[: n * (m + p)].reshape(n, m + p)
        times_transposed(self.x, self.weight[tile], logits[:, :m])
        logits[:, :m] += self.bias[tile]
        first, last = np.searchsorted(self.hidden, [tile.start, tile.stop])
        row = self.row_of_hidden[first:last]
        logits[row, self.hidden[first:last] - tile.start] = self.low[row]
        logits[:, m:] = self.taus
        entries = (m + self.place)[np.newaxis]
        terms = Terms(margin=0.0, weights=weights, by_entry=True, base=BASES[None], scale=scale)
        of_dtype = KERNELS[kernel][logits.dtype.char]
        indptr = self.labels.indptr
        return call(of_dtype, logits, entries, indptr, 1.0, True, wanted, terms)

    def _solve_tiles(self, width: int, scale: Array, gradients: Gradients) -> Array:
        wanted = any(g is not None for g in gradients)
        weights = self.weights(width)
        factors = np.abs(scale) / self.asked.bases(self.labels, weights)
        losses, of_labels = np.zeros(len(self.taus)), np.zeros_like(self.taus)
        totals = [losses, of_labels]
        if gradients.features is not None:
            totals.append(gradients.features)

        def solve(tile: slice, buffer: Array) -> list[Array]:
            loss, g = self.solve_tile(tile, self.asked.kernel(), weights, factors, wanted, buffer)
            if g is None:
                return [loss, np.zeros_like(self.taus)]
            m = tile.stop - tile.start
            turn(g, scale)
            parts = [loss, g[:, m:]]
            _add_to_layer(self.x, tile, g[:, :m], gradients)
            if gradients.features is not None:
                parts.append(of_features(g[:, :m], self.weight[tile]))
            return parts

        self._share_out(width, totals, solve)
        if wanted:
            self._add_labels(of_labels, gradients)
        return unscaled(losses, scale)

    def weights(self, width: int) -> Array | None:
        """Return the weight of each label, where there are any.

        Those of WARP depend on how many negatives are above the label's threshold.
        """
        worth_of_count = self.asked.loss.worth_of_count
        if worth_of_count is None:
            return self.asked.weights(self.labels)
        counts = np.zeros(self.taus.shape)

        def count(tile: slice, buffer: Array) -> list[Array]:
            _, g = self.solve_tile(tile, "margin", None, None, True, buffer)
            assert g is not None
            return [-g[:, tile.stop - tile.start :]]

        self._share_out(width, [counts], count)
        # A NaN is in the pairs of a tile: with any weight, that tile's loss tells.
        n = np.nan_to_num(counts[self.row, self.place], nan=1).astype(np.int64)
        weights: Array = worth_of_count(len(self.weight))[n] / np.maximum(n, 1)
        return weights

    def gradients_of_labels(self, of_labels: Array) -> Iterator[tuple[Array, Array]]:
        """Go through the classes of the labels: some of them, and the gradient of their logits."""
        for classes, row, column, inside in self._classes_of_labels():
            g = np.zeros((len(self.labels), classes.size), of_labels.dtype)
            np.add.at(g, (row, column), of_labels[row, self.place[inside]])
            yield classes, g

    def _add_labels(self, of_labels: Array, gradients: Gradients) -> None:
        for classes, g in self.gradients_of_labels(of_labels):
            if gradients.weight is not None:
                of_weight = np.zeros((classes.size, self.weight.shape[1]), g.dtype)
                add_transposed_times(g, self.x, out=of_weight)
                gradients.weight[classes] += of_weight
            if gradients.bias is not None:
                gradients.bias[classes] += pairwise_sum(g, axis=0)
            if gradients.features is not None:
                gradients.features[...] += g @ self.weight[classes]

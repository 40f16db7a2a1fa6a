"""A linear layer and the margin loss of its outputs in one, a few classes at a time.

The logits of N rows and C classes, and their gradient, are the largest arrays of a step: 64 rows
of a million classes take 256 MB each in float32. But what pairs a row's classes are in depends on
its thresholds alone, and these on the logits of its few labels, which are computed first. With
these beside it, a tile of classes is a loss of its own: the row's loss is the sum over tiles, and
a tile's gradient is used up at once, in those of the features and of the layer. So each part of
the weight is read once for all rows, and a buffer of as many scores as the caller allows serves
all tiles.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from lucid.arrays.features import add_transposed_times, times_transposed
from lucid.arrays.reduction import pairwise_sum
from lucid.labels import Labels
from lucid.losses.margin import margin_of

Array = npt.NDArray[Any]


#: Tiles are not made narrower than so many classes.
_NARROWEST = 4096


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


def linear_margin_of(
    features: Any,
    weight: Array,
    bias: Array,
    labels: Labels,
    *,
    chunk: int,
    scale: Array | float = 1.0,
    wanted: Wanted,
) -> tuple[Array, Gradients]:
    """Return the loss of each row, and the gradients of the sum over rows of scale * loss.

    ``features`` (N, D), an array or a CSR matrix; ``weight`` (C, D); ``bias`` (C,); ``scale`` for
    all rows or for each (N,).
    """
    # float16 is computed in float32.
    dtype = np.result_type(features.dtype, weight.dtype, bias.dtype, np.float32)
    features, weight, bias = (a.astype(dtype, copy=False) for a in (features, weight, bias))
    n, c = len(labels), len(weight)
    labels = _without_full_rows(labels)
    gradients = Gradients(
        np.zeros_like(weight, order="C") if wanted.weight else None,
        np.zeros_like(bias) if wanted.bias else None,
        np.zeros(features.shape, dtype) if wanted.features else None,
    )
    losses = np.zeros(n)
    scales = np.broadcast_to(np.asarray(scale, dtype), n)
    width = min(c, max(_NARROWEST, chunk // max(n, 1)))
    step = max(1, chunk // width)
    for start in range(0, n, step):
        rows = slice(start, min(start + step, n))
        part = (features[rows], weight, bias, labels[rows])
        into = _of_rows(gradients, rows)
        if width == c:
            losses[rows] = _solve_at_once(*part, scales[rows, np.newaxis], into)
        else:
            losses[rows] = _Rows(*part, chunk).solve(width, scales[rows, np.newaxis], into)
    if np.isnan(losses).any():  # a loss that is NaN has a gradient of NaN, for all classes
        for array in (gradients.weight, gradients.bias):
            if array is not None:
                array.fill(np.nan)
        if gradients.features is not None:
            gradients.features[np.isnan(losses)] = np.nan
    with np.errstate(over="ignore"):
        return losses.astype(dtype), gradients


def _without_full_rows(labels: Labels) -> Labels:
    """Take the labels from rows in which every class is one: they have no pairs, as without labels.

    A tile could not tell: what stands for no negative in it would be one beside a label of NaN.
    """
    full = labels.lengths() >= labels.num_classes
    for n in np.flatnonzero(full):
        full[n] = np.unique(labels[n]).size == labels.num_classes
    if not full.any():
        return labels
    lengths = np.where(full, 0, labels.lengths())
    kept = labels.indices[~np.repeat(full, labels.lengths())]
    return Labels(kept, np.concatenate([[0], np.cumsum(lengths)]), labels.num_classes)


def _of_rows(gradients: Gradients, rows: slice) -> Gradients:
    if gradients.features is None:
        return gradients
    return gradients._replace(features=gradients.features[rows])


def _solve_at_once(
    x: Any, weight: Array, bias: Array, labels: Labels, scale: Array, gradients: Gradients
) -> Array:
    """In two steps, where all classes make one tile: the loss of each row.

    ``scale`` times its gradient is added to ``gradients``.
    """
    logits = np.empty((len(labels), len(weight)), weight.dtype)
    times_transposed(x, weight, out=logits)
    logits += bias
    loss, g = margin_of(logits, labels, "none", any(g is not None for g in gradients))
    if g is not None:
        g *= scale
        _add_tile(x, weight, slice(0, len(weight)), g, gradients)
    return loss


def _add_tile(x: Any, weight: Array, tile: slice, g: Array, gradients: Gradients) -> None:
    """Add what the gradient ``g`` of a tile's logits makes of features and layer."""
    if gradients.weight is not None:
        add_transposed_times(g, x, out=gradients.weight[tile])
    if gradients.bias is not None:
        gradients.bias[tile] += pairwise_sum(g, axis=0)
    if gradients.features is not None:
        # g @ weight; in this order OpenBLAS's threads wait less for each other.
        gradients.features[...] += (weight[tile].T @ g.T).T


class _Rows:
    """Rows that go through the tiles together, and what is known of them from their labels."""

    def __init__(self, x: Any, weight: Array, bias: Array, labels: Labels, chunk: int) -> None:
        self.x, self.weight, self.bias, self.labels = x, weight, bias, labels
        self.chunk = chunk
        lengths = labels.lengths()
        self.row = np.repeat(np.arange(len(labels)), lengths)  # of each label
        self.place = np.arange(self.row.size) - labels.indptr[:-1][self.row]  # within its row
        self.classes, self.number = np.unique(labels.indices, return_inverse=True)
        self.scores = np.full((len(labels), int(lengths.max(initial=0))), np.inf, weight.dtype)
        for classes, row, column, inside in self._classes_of_labels():
            logits = np.empty((len(labels), classes.size), weight.dtype)
            times_transposed(x, weight[classes], out=logits)
            logits += bias[classes]
            self.scores[row, self.place[inside]] = logits[row, column]
        # A score equal to the lowest threshold is in no pair: it stands for no negative.
        self.low = np.fmin.reduce(self.scores, axis=1, initial=np.inf) - 1
        self.low[lengths == 0] = 0
        none = np.arange(self.scores.shape[1]) >= lengths[:, np.newaxis]
        np.copyto(self.scores, self.low[:, np.newaxis], where=none)

    def _classes_of_labels(self) -> Iterator[tuple[Array, Array, Array, Array]]:
        """Go through the classes that occur as labels, as many at a time as memory allows.

        Yields these classes; for each label among them its row and the place of its class; and
        which labels they are.
        """
        step = max(1, self.chunk // max(self.x.shape))
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
            part = (self.x[row], self.weight, self.bias, self.labels[row])
            into = _of_rows(gradients, row)
            if np.isfinite(self.low[n]):
                losses[row] = _Rows(*part, self.chunk).solve(width, scale[row], into)
            else:  # no score stands for no negative beside an infinite lowest threshold
                losses[row] = _solve_at_once(*part, scale[row], into)
        return losses

    def _solve_tiles(self, width: int, scale: Array, gradients: Gradients) -> Array:
        (n, p), c = self.scores.shape, len(self.weight)
        wanted = any(g is not None for g in gradients)
        losses = np.zeros(n)
        of_labels = np.zeros((n, p), self.scores.dtype)
        buffer = np.empty(n * (width + p), self.scores.dtype)
        for first in range(0, c, width):
            tile = slice(first, min(first + width, c))
            m = tile.stop - first
            logits = buffer[: n * (m + p)].reshape(n, m + p)
            times_transposed(self.x, self.weight[tile], out=logits[:, :m])
            logits[:, :m] += self.bias[tile]
            inside = (self.labels.indices >= first) & (self.labels.indices < tile.stop)
            row = self.row[inside]
            logits[row, self.labels.indices[inside] - first] = self.low[row]
            logits[:, m:] = self.scores
            labels = Labels._checked(m + self.place, self.labels.indptr, m + p)
            loss, g = margin_of(logits, labels, "none", wanted)
            losses += loss * ((m + p) / c)  # the kernel divides by the classes that it sees
            if g is not None:
                g *= scale * ((m + p) / c)
                of_labels += g[:, m:]
                _add_tile(self.x, self.weight, tile, g[:, :m], gradients)
        if wanted:
            self._add_labels(of_labels, gradients)
        return losses

    def _add_labels(self, of_labels: Array, gradients: Gradients) -> None:
        for classes, row, column, inside in self._classes_of_labels():
            g = np.zeros((len(self.labels), classes.size), of_labels.dtype)
            np.add.at(g, (row, column), of_labels[row, self.place[inside]])
            if gradients.weight is not None:
                of_weight = np.zeros((classes.size, self.weight.shape[1]), g.dtype)
                add_transposed_times(g, self.x, out=of_weight)
                gradients.weight[classes] += of_weight
            if gradients.bias is not None:
                gradients.bias[classes] += pairwise_sum(g, axis=0)
            if gradients.features is not None:
                gradients.features[...] += g @ self.weight[classes]

"""The fused last layer with the optimiser's step inside: no gradient is as large as the weight.

`fused.py` uses up the gradient of a tile's logits at once, but adds what it makes of the weight's
gradient to an array as large as the weight, which the optimiser then reads again. Here each tile of
the weight takes its step as soon as its gradient is known, while both are in the cache: the weight
and the optimiser's state are read and written once for a batch.

Two things have to wait until all tiles are through: the rows of the classes that are labels, whose
gradient depends on the scores of all classes; they are few, and left as they are until the end. And
what the tiles bring to the gradient of the features is added up in the order of the tiles, so that
it does not depend on which thread was faster.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from lucid.arrays.features import transposed_times
from lucid.arrays.reduction import pairwise_sum
from lucid.labels import Labels
from lucid.losses.fused import (
    Asked,
    Rows,
    Wanted,
    linear_loss_of,
    of_features,
    unscaled,
    without_full_rows,
)
from lucid.losses.options import check_margin_fits
from lucid.losses.problem import Loss
from lucid.losses.tiles import Solve, share_out, tiles

Array = npt.NDArray[Any]

#: Tiles are not made narrower than so many classes: each takes some twenty calls from Python.
_NARROWEST = 64


class Step(Protocol):
    """Takes the step of an optimiser, some classes at a time."""

    def __call__(
        self, classes: slice | Array, weight: Array, bias: Array, but: Array | None = None
    ) -> None:
        """Step these classes by the gradients ``weight`` and ``bias``, but some of them.

        ``but`` are places among the classes.
        """


def linear_step_of(
    features: Any,
    weight: Array,
    bias: Array,
    labels: Labels,
    *,
    loss: Loss,
    options: Mapping[str, Any],
    chunk: int,
    scale: Array | float,
    step: Step,
    wanted: bool,
) -> tuple[Array, Array | None]:
    """Return the loss of each row; have ``step`` take the step of the sum of scale * loss.

    As `linear_loss_of`, all arrays in one dtype. If ``wanted``, return the gradient of the features
    as well, that of the weight before the step.
    """
    asked = Asked(loss, options)
    check_margin_fits(asked.option("margin"), weight.dtype)
    known = without_full_rows(labels)
    rows = Rows(features, weight, bias, known, asked, chunk)
    scales = np.full(len(labels), scale, np.float64)
    of_features = np.zeros(features.shape, weight.dtype) if wanted else None
    if np.isfinite(rows.low).all():
        losses = _Tiles(rows, scales, step, of_features, chunk).solve()
        counted = np.where(scales == 0, 0, losses)  # a row of weight 0 is not there
        if not np.isnan(counted).any():
            return losses, of_features
        nothing = np.full(weight.shape[1], np.nan, weight.dtype)
        for tile in tiles(len(weight), max(1, chunk // max(1, weight.shape[1]))):
            g = np.broadcast_to(nothing, (tile.stop - tile.start, nothing.size))
            step(tile, g, np.full(len(g), np.nan, bias.dtype))
        if of_features is not None:
            of_features[np.isnan(counted)] = np.nan
        return losses, of_features
    # Scores that are infinite, which a tile could not tell from those that stand for nothing.
    losses, gradients = linear_loss_of(
        features,
        weight,
        bias,
        labels,
        loss=loss,
        options=options,
        chunk=chunk,
        scale=scale,
        wanted=Wanted(True, True, wanted),
    )
    assert gradients.weight is not None
    assert gradients.bias is not None
    step(slice(0, len(weight)), gradients.weight, gradients.bias)
    return losses, gradients.features


class _Tiles:
    """The tiles of a batch, which threads share out, and what is added up over them."""

    def __init__(
        self, rows: Rows, scales: Array, step: Step, of_features: Array | None, chunk: int
    ) -> None:
        self.rows, self.step = rows, step
        self.width = min(len(rows.weight), max(_NARROWEST, chunk // max(1, *rows.x.shape)))
        self.weights = rows.weights(self.width)
        self.scales = scales
        self.factors = scales / rows.asked.bases(rows.labels, self.weights)
        self.losses = np.zeros(len(rows.labels))
        self.of_labels = np.zeros(rows.taus.shape, rows.taus.dtype)
        self.of_features = of_features
        # The gradients of the classes that are labels, which wait for the end.
        self.waiting = np.zeros((rows.classes.size, rows.weight.shape[1]), rows.weight.dtype)
        self.waiting_bias = np.zeros(rows.classes.size, rows.weight.dtype)

    def solve(self) -> Array:
        """Go through all tiles, and return the loss of each row."""
        totals = [self.losses, self.of_labels]
        if self.of_features is not None:
            totals.append(self.of_features)
        share_out(tiles(len(self.rows.weight), self.width), totals, self._worker)
        self._step_labels()
        return unscaled(self.losses, self.scales)

    def _worker(self) -> Solve:
        buffer = self.rows.buffer(self.width)
        of_weight = np.empty((self.width, self.rows.weight.shape[1]), self.rows.weight.dtype)
        return lambda tile: self._solve_tile(tile, buffer, of_weight)

    def _solve_tile(self, tile: slice, buffer: Array, of_weight: Array) -> list[Array]:
        rows, m = self.rows, tile.stop - tile.start
        kernel = rows.asked.kernel()
        loss, g = rows.solve_tile(tile, kernel, self.weights, self.factors, True, buffer)
        assert g is not None
        parts = [loss, g[:, m:].copy()]
        g = g[:, :m]
        if self.of_features is not None:  # of the weight as it is before its step
            parts.append(of_features(g, rows.weight[tile]))
        transposed_times(g, rows.x, of_weight[:m])
        of_bias = pairwise_sum(g, axis=0)
        first, last = np.searchsorted(rows.classes, [tile.start, tile.stop])
        but = rows.classes[first:last] - tile.start
        self.waiting[first:last], self.waiting_bias[first:last] = of_weight[but], of_bias[but]
        self.step(tile, of_weight[:m], of_bias, but)
        return parts

    def _step_labels(self) -> None:
        rows = self.rows
        for classes, g in rows.gradients_of_labels(self.of_labels):
            own = slice(*np.searchsorted(rows.classes, [classes[0], classes[-1] + 1]))
            of_weight = np.empty((classes.size, rows.weight.shape[1]), g.dtype)
            transposed_times(g, rows.x, of_weight)
            self.waiting[own] += of_weight
            self.waiting_bias[own] += pairwise_sum(g, axis=0)
            if self.of_features is not None:
                self.of_features += g @ rows.weight[classes]
        if rows.classes.size:
            self.step(rows.classes, self.waiting, self.waiting_bias)

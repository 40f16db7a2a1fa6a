"""Scores that are finite, or an error: those of a model that has diverged are no ranking."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.autograd.grad_mode import no_grad
from lucid.nn import Module


class Diverged(FloatingPointError):
    """A training whose numbers are no longer finite: most often the learning rate is too large."""


class RowDiverged(Diverged):
    """A row whose scores are not finite."""

    def __init__(self, row: int) -> None:
        super().__init__(row)
        self.row = row

    def __str__(self) -> str:
        return (
            f"the model scores row {self.row} with NaN or infinity: it has diverged, or the row is "
            "too large"
        )


def finite_scores(model: Module, features: Any, first_row: int = 0) -> npt.NDArray[Any]:
    """Return the scores of a model in evaluation mode, without a graph.

    Raises
    ------
    RowDiverged
        If a score is not finite: of which row, where the first one has the number ``first_row``.
    """
    training = model.training
    model.eval()
    try:
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):
            scores: npt.NDArray[Any] = model(features).numpy()
    finally:
        model.train(training)
    finite = np.isfinite(scores)
    if not finite.all():
        raise RowDiverged(first_row + int(np.argmin(finite.all(axis=1))))
    return scores

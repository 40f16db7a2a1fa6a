"""Scores that are finite, or an error: those of a model that has diverged are no ranking."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.autograd.grad_mode import no_grad
from lucid.nn import Module


class Diverged(FloatingPointError):
    """A training whose numbers are no longer finite: most often the learning rate is too large."""


def finite_scores(model: Module, features: Any) -> npt.NDArray[Any]:
    """Return the scores of a model in evaluation mode, without a graph.

    Raises
    ------
    Diverged
        If a score is not finite.
    """
    training = model.training
    model.eval()
    try:
        with no_grad(), np.errstate(over="ignore", invalid="ignore"):
            scores: npt.NDArray[Any] = model(features).numpy()
    finally:
        model.train(training)
    if not np.isfinite(scores).all():
        raise Diverged(
            "the model scores a row with NaN or infinity: it has diverged, or the row is too large"
        )
    return scores

"""Training on all rows at once, by L-BFGS: no order of rows, no learning rate."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import NoConvergence, minimize, newton_krylov
from sklearn.exceptions import ConvergenceWarning

from lucid.io import Dataset
from lucid.nn import Module
from lucid.system.threads import blas_threads_limited

Vector = npt.NDArray[np.float64]

#: Newton's method takes one or two steps where it helps.
_POLISHING = 6


def train(
    model: Module,
    criterion: Callable[..., Any],
    data: Dataset,
    *,
    weight_decay: float,
    max_iter: int,
    tol: float,
) -> int:
    """Minimise the loss of all rows, plus half the weight decay times the squares of the weights.

    The parameters must be float64. Returns the number of iterations.
    """
    parameters = [p for p in model.parameters() if p.requires_grad]
    arrays = [p.detach().numpy() for p in parameters]  # they share memory
    ends = np.cumsum([x.size for x in arrays])
    decay = np.concatenate([np.full(x.size, weight_decay if x.ndim > 1 else 0.0) for x in arrays])

    def objective(flat: Vector) -> tuple[float, Vector]:
        for x, values in zip(arrays, np.split(flat, ends[:-1]), strict=True):
            x[...] = values.reshape(x.shape)
        model.zero_grad()
        loss = criterion(model(data.features), data.labels, sample_weight=data.sample_weight)
        loss.backward()
        gradient = np.concatenate([p.grad.numpy().ravel() for p in parameters])
        return loss.item() + 0.5 * (decay * flat) @ flat, gradient + decay * flat

    start = np.concatenate([x.ravel() for x in arrays])
    with blas_threads_limited():
        found = minimize(
            objective,
            start,
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": max_iter, "maxfun": 2 * max_iter, "gtol": tol, "ftol": 0.0},
        )
        x = found.x if found.nit >= max_iter else _polished(found, lambda x: objective(x)[1], tol)
    objective(x)  # which leaves them in the model
    model.zero_grad()
    if found.nit >= max_iter:
        warnings.warn(
            f"L-BFGS has not converged in max_iter={max_iter} iterations",
            ConvergenceWarning,
            stacklevel=4,
        )
    return int(found.nit)


def _polished(found: Any, gradient: Callable[[Vector], Vector], tol: float) -> Vector:
    """Go on by gradients alone, where the objective no longer tells two points apart.

    Near the minimum it changes with the square of the distance: by its values, no point is known to
    more than half of the digits.
    """
    if np.abs(found.jac).max() <= tol:
        return np.asarray(found.x)
    try:
        return np.asarray(newton_krylov(gradient, found.x, f_tol=tol, maxiter=_POLISHING))
    except NoConvergence:  # as where the loss has edges
        return np.asarray(found.x)

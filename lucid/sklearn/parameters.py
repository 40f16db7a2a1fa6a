"""The estimator's parameters, checked: errors name the parameter, what came and what is wanted."""

from __future__ import annotations

import math
from typing import Any

from lucid.arrays.checks import as_int, as_number
from lucid.nn.losses.criterion import Criterion
from lucid.system.threads import checked_threads
from lucid.training import LOSSES, OPTIMIZERS, make_loss


def checked_loss(estimator: Any) -> Criterion:
    """Check the parameters of an estimator, and return its loss."""
    solvers = (*OPTIMIZERS, "lbfgs")
    if estimator.solver not in solvers:
        raise ValueError(f"solver must be one of {', '.join(solvers)}, got {estimator.solver!r}")
    for name in ("batch_size", "n_iter_no_change", "max_iter"):
        value = getattr(estimator, name)
        if value is not None and as_int(name, value) < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if as_int("hidden", estimator.hidden) < 0:
        raise ValueError(f"hidden must not be negative, got {estimator.hidden}")
    for name in ("weight_decay", "tol"):
        if not as_number(name, getattr(estimator, name)) >= 0:
            raise ValueError(f"{name} must not be negative, got {getattr(estimator, name)}")
    rate = estimator.learning_rate
    if rate is not None and not 0 < as_number("learning_rate", rate) < float("inf"):
        raise ValueError(f"learning_rate must be a positive number, got {rate}")
    if not 0 < as_number("validation_fraction", estimator.validation_fraction) < 1:
        raise ValueError(
            "validation_fraction must be between 0 and 1, both excluded, "
            f"got {estimator.validation_fraction}"
        )
    if estimator.early_stopping not in (True, False):
        raise ValueError(f"early_stopping must be True or False, got {estimator.early_stopping!r}")
    if estimator.threads is not None:
        checked_threads(estimator.threads)
    checked_threshold(estimator.threshold)
    return _checked_loss(estimator.loss, estimator.solver)


def checked_threshold(threshold: Any) -> float | None:
    """Return a threshold, which may be set after the training too, as a float, or None."""
    if threshold is None:
        return None
    value = as_number("threshold", threshold)
    if not math.isfinite(value):
        raise ValueError(f"threshold must be a finite number, got {threshold}")
    return value


def _checked_loss(loss: Any, solver: str) -> Criterion:
    criterion = make_loss(loss) if isinstance(loss, str) else loss
    if not isinstance(criterion, Criterion) or criterion.reduction != "mean":
        of_torch = " of lucid.torch" * type(loss).__module__.startswith("lucid.torch")
        raise ValueError(
            f"loss must be one of {', '.join(LOSSES)}, or a loss of lucid.nn with "
            f"reduction='mean', got {loss!r}{of_torch}"
        )
    if solver == "lbfgs" and criterion._loss.worth_of_count is not None:
        raise ValueError(
            f"solver must not be 'lbfgs' with {type(criterion).__name__}, whose gradient is not "
            "that of its value; take loss='squared-margin' or 'lsep'"
        )
    return criterion

"""When a training has learnt what it can: the best weights are kept."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.nn import Module
from lucid.system.warnings import warn_user
from lucid.training.history import Epoch

#: What `EarlyStopping` looks at unless told otherwise.
RANKING_LOSS = "ranking loss"

#: Whether a larger value is better, of the loss and the metrics that have a name in this library;
#: those of the best k are there without their k.
_LARGER_IS_BETTER = {
    "loss": False,
    RANKING_LOSS: False,
    "coverage": False,
    "one-error": False,
    "label ranking average precision": True,
    "P@": True,
    "nDCG@": True,
    "PSP@": True,
}


class EarlyStopping:
    """Ends a training that no longer becomes better, and keeps the weights of its best epoch.

    Parameters
    ----------
    patience : int
        The training ends when so many epochs in a row were not better than the best one.
    metric : str, default 'ranking loss'
        Which metric of the `Validation` decides; ``'loss'`` is the training loss.
    larger_is_better : bool, optional
        Whether a larger value is better, as of precision. Of ``'loss'``, the `ranking_metrics`,
        and P@k, nDCG@k and PSP@k of any k this is known by their names; of another metric it must
        be said.

    Attributes
    ----------
    best : float
        The best value so far.
    best_epoch : int
        The number of its epoch; 0 before the first.

    Raises
    ------
    TypeError
        If `patience` is not an integer.
    ValueError
        If `patience` is not at least 1; if `larger_is_better` is not what it is for a metric that
        is known, or is not given for one that is not.

    Examples
    --------
    >>> from lucid import nn
    >>> from lucid.training import EarlyStopping, Epoch
    >>> stopping, model = EarlyStopping(patience=2, metric="loss"), nn.Linear(2, 2)
    >>> [stopping.update(Epoch(n, loss), model) for n, loss in enumerate([0.5, 0.4, 0.6, 0.4], 1)]
    [False, False, False, True]
    >>> stopping.best, stopping.best_epoch
    (0.4, 2)
    """

    def __init__(
        self, patience: int, metric: str = RANKING_LOSS, larger_is_better: bool | None = None
    ) -> None:
        if as_int("patience", patience) < 1:
            raise ValueError(f"patience must be at least 1, got {patience}")
        self.patience = patience
        self.metric = metric
        self.larger_is_better = _checked_direction(metric, larger_is_better)
        self.best = -math.inf if self.larger_is_better else math.inf
        self.best_epoch = 0
        self._weights: dict[str, npt.NDArray[Any]] = {}

    def update(self, epoch: Epoch, model: Module) -> bool:
        """Take in an epoch, and keep the weights if it is the best so far.

        Parameters
        ----------
        epoch : Epoch
            The one that has just ended.
        model : Module
            The model as it is now.

        Returns
        -------
        bool
            Whether the training should end.

        Raises
        ------
        ValueError
            If the epoch lacks the metric.

        Warns
        -----
        UserWarning
            If the training should end, and the metric was not finite after any epoch.
        """
        values = {**epoch.metrics, "loss": epoch.loss}
        self._check_metric(values)
        value = values[self.metric]
        if value > self.best if self.larger_is_better else value < self.best:
            self.best, self.best_epoch = value, epoch.number
            self._weights = {
                name: np.array(each.numpy()) for name, each in model.state_dict().items()
            }
        ends = epoch.number - self.best_epoch >= self.patience
        if ends and not self.best_epoch:
            warn_user(
                f"early stopping ends the training after epoch {epoch.number}, but "
                f"{self.metric!r} was not finite after any epoch (now {value}): there are no best "
                "weights, and the last ones stay"
            )
        return ends

    def _check_metric(self, names: Collection[str]) -> None:
        if self.metric not in names:
            raise ValueError(
                f"early_stopping: metric must be one of {', '.join(names)}, got {self.metric!r}"
            )

    def restore(self, model: Module) -> None:
        """Give a model the weights of the best epoch, if there was one.

        Parameters
        ----------
        model : Module
        """
        if self._weights:
            model.load_state_dict(self._weights)

    def _is_best(self, model: Module) -> bool:
        """Whether a model has the weights of the best epoch, to the last bit."""
        found = model.state_dict()
        return found.keys() == self._weights.keys() and all(
            np.array_equal(found[name].numpy(), each) for name, each in self._weights.items()
        )

    def _check_fits(self, model: Module) -> None:
        shapes = {name: each.shape for name, each in model.state_dict().items()}
        if self._weights and shapes != {name: each.shape for name, each in self._weights.items()}:
            raise ValueError("the best weights are those of another model")

    def state_dict(self) -> dict[str, Any]:
        """Return what it remembers, the weights not copied.

        Returns
        -------
        dict
        """
        return {"best": self.best, "best_epoch": self.best_epoch, "weights": dict(self._weights)}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Take over what `state_dict` has returned.

        Parameters
        ----------
        state : mapping
        """
        best, best_epoch = float(state["best"]), int(state["best_epoch"])
        self._weights = {name: np.array(each) for name, each in state["weights"].items()}
        self.best, self.best_epoch = best, best_epoch


def _checked_direction(metric: str, larger_is_better: bool | None) -> bool:
    """Return whether a larger value of a metric is better, as it is known or as it is given."""
    known = _LARGER_IS_BETTER.get(re.sub(r"@[0-9]+$", "@", metric))
    if known is None and larger_is_better is None:
        names = ", ".join(name + "k" * name.endswith("@") for name in _LARGER_IS_BETTER)
        raise ValueError(
            f"larger_is_better must be True or False for the metric {metric!r}; it is known for "
            f"{names}"
        )
    if None not in (known, larger_is_better) and bool(larger_is_better) is not known:
        raise ValueError(
            f"larger_is_better must be {known} for {metric!r}, or left out, got {larger_is_better}"
        )
    return bool(larger_is_better) if known is None else known

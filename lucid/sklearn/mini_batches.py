"""Training by mini-batches: a trainer as the estimator's parameters want it."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split

from lucid import metrics, nn
from lucid.io import Dataset
from lucid.nn import functional
from lucid.nn.losses.criterion import Criterion
from lucid.training import (
    LOSSES,
    Diverged,
    EarlyStopping,
    History,
    Step,
    Trainer,
    Validation,
    linear_decay,
    make_optimizer,
)
from lucid.training.named import rate_of_lengths
from lucid.training.scaling import lengths_of_rows, warn_if_short

#: From so many weights of the last layer on, 1 GiB of them, their gradient is not held as a whole.
#: The step is not faster so, but a third of the memory is saved.
FUSED_FROM = 1 << 28

_LRAP = "label ranking average precision"


def new_trainer(
    estimator: Any,
    net: nn.Module,
    criterion: Criterion,
    features: Any,
    random: np.random.RandomState,
    **options: Any,
) -> Trainer:
    """Return what trains a net by mini-batches of such features."""
    layers = [m for m in net.modules() if isinstance(m, nn.Linear)]
    shape = layers[-1].weight.shape
    rate = estimator.learning_rate
    if rate is None:
        lengths = lengths_of_rows(features)
        warn_if_short(lengths[0])
        name, hidden = _name_of(estimator.loss), estimator.hidden > 0
        rate = rate_of_lengths(name, estimator.solver, lengths, shape[0], hidden=hidden)
    fused = math.prod(shape) >= FUSED_FROM and criterion._loss.hinges
    return (_FusedTrainer if fused else _PerRowTrainer)(
        net,
        _PerRow(criterion),
        make_optimizer(estimator.solver, net, rate, estimator.weight_decay),
        batch_size=estimator.batch_size,
        seed=random.randint(1 << 31),
        **options,
    )


def fit(
    estimator: Any,
    net: nn.Module,
    criterion: Criterion,
    data: Dataset,
    random: np.random.RandomState,
    epochs: int,
) -> History:
    """Train a net from its first step to its last, with rates that fall."""
    options: dict[str, Any] = {}
    if estimator.early_stopping:
        number, share = len(data), estimator.validation_fraction
        if math.ceil(number * share) >= number:
            raise ValueError(
                f"early_stopping holds out validation_fraction={share} of the rows, at least one, "
                f"which is all {number} row{'s' * (number != 1)} of X: none is left to train on"
            )
        rows, held = train_test_split(
            np.arange(len(data)), test_size=estimator.validation_fraction, random_state=random
        )
        metric = {_LRAP: metrics.label_ranking_average_precision_score}
        options["validation"] = Validation(_in_float32(data[np.sort(held)]), metric)
        options["early_stopping"] = EarlyStopping(estimator.n_iter_no_change, metric=_LRAP)
        data = data[np.sort(rows)]
    trainer = new_trainer(
        estimator, net, criterion, data.features, random, schedule=linear_decay, **options
    )
    return run(trainer, data, epochs, verbose=estimator.verbose)


def run(trainer: Trainer, data: Dataset, epochs: int, *, verbose: bool) -> History:
    """Train until so many epochs are done."""
    data = _in_float32(data)
    if data.sample_weight is not None:
        data = replace(data, sample_weight=data.sample_weight / data.sample_weight.mean())
    try:
        return trainer.fit(data, epochs, [_print_epoch] if verbose else [])
    except Diverged as error:
        raise Diverged(f"{error}; a smaller learning_rate, or scaled features, may help") from None


class _PerRow(nn.Module):
    """A loss that each row has a share in by its weight, whatever rows it shares a batch with."""

    def __init__(self, criterion: Criterion) -> None:
        self.criterion = copy.copy(criterion)
        self.criterion.reduction = "sum"

    def forward(self, x: Any, target: Any, sample_weight: Any = None) -> Any:
        return self.criterion(x, target, sample_weight=sample_weight) / len(target)


class _PerRowTrainer(Trainer):
    """A trainer by such a loss: that of a mini-batch counts by its rows, whatever they weigh."""

    def _share(self, batch: Dataset) -> float:
        return len(batch)


class _FusedTrainer(_PerRowTrainer):
    """A trainer whose last layer takes its step with the loss, a few classes at a time."""

    def step(self, batch: Dataset) -> float:
        """Take a step on one mini-batch, whose rows all have a weight."""
        net: Any = self.model
        criterion: Any = self.criterion
        layers: list[Any] = list(net) if isinstance(net, nn.Sequential) else [net]
        *body, last = layers
        features = batch.features
        for layer in body:
            features = layer(features)
        weight = np.ones(len(batch)) if batch.sample_weight is None else batch.sample_weight
        self.optimizer.zero_grad()
        with np.errstate(over="ignore", invalid="ignore"):  # the loss tells
            loss = functional.linear_multilabel_margin_step(
                self.optimizer,
                features,
                last.weight,
                last.bias,
                batch.labels,
                "sum",
                loss=criterion.criterion,
                sample_weight=weight / len(batch),
            )
            value = self._finite(loss.item(), batch)
            if body:
                loss.backward()
                self.optimizer.step()  # of the layers that have a gradient
        return value


def _name_of(loss: str | nn.Module) -> str:
    """Return the name of a loss that is given with its options."""
    if isinstance(loss, str):
        return loss
    if getattr(loss, "p", 1) == 2:
        return "squared-margin"
    for name, kind in LOSSES.items():
        if isinstance(kind, type) and isinstance(loss, kind):
            return name
    raise ValueError(
        f"learning_rate must be given with a loss that has no name: {type(loss).__name__} is none "
        f"of {', '.join(LOSSES)}"
    )


def _in_float32(data: Dataset) -> Dataset:
    return replace(data, features=data.features.astype(np.float32, copy=False))


def _print_epoch(step: Step) -> None:
    if step.result is not None:
        measured = {"loss": step.result.loss, **step.result.metrics}
        values = ", ".join(f"{name} {value:.4f}" for name, value in measured.items())
        print(f"epoch {step.epoch}: {values}")

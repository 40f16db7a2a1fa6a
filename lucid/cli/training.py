"""The training loop, and the metrics of a trained ranker."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from lucid import metrics, optim
from lucid.cli.model import Ranker
from lucid.io import Dataset
from lucid.nn import functional as F
from lucid.system.optional import require

#: Rows that are scored at once in a test.
EVALUATION_ROWS = 1024


@dataclass(frozen=True)
class Settings:
    """What to train with.

    The defaults train well on data sets from 6 to 1,000 classes. Without `lr`, the rate is that of
    `LEARNING_RATES`.
    """

    loss: str = "margin"
    optimizer: str = "sgd"
    lr: float | None = None
    epochs: int = 15
    batch_size: int = 32
    seed: int = 0


#: By loss and optimiser. Soft margin averages over the classes, so its gradients are smaller, which
#: Adam evens out and SGD does not.
LEARNING_RATES = {
    "margin": {"sgd": 0.1, "adam": 0.01, "adamw": 0.01},
    "squared-margin": {"sgd": 0.05, "adam": 0.01, "adamw": 0.01},
    "warp": {"sgd": 0.03, "adam": 0.01, "adamw": 0.01},
    "lsep": {"sgd": 0.1, "adam": 0.01, "adamw": 0.01},
    "zlpr": {"sgd": 0.1, "adam": 0.01, "adamw": 0.01},
    "bpmll": {"sgd": 0.1, "adam": 0.01, "adamw": 0.01},
    "soft-margin": {"sgd": 2.0, "adam": 0.01, "adamw": 0.01},
}
MOMENTUM = 0.9


@dataclass(frozen=True)
class Step:
    """What one mini-batch brought."""

    epoch: int
    rows: int
    loss: float


LOSSES: dict[str, Callable[..., Any]] = {
    "margin": F.multilabel_margin_loss,
    "squared-margin": partial(F.multilabel_margin_loss, p=2),
    "warp": F.warp_loss,
    "lsep": F.lsep_loss,
    "zlpr": F.zlpr_loss,
    "bpmll": F.bpmll_loss,
    "soft-margin": F.multilabel_soft_margin_loss,
}


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep NumPy's matrix products on one thread.

    Their bits depend on the number of threads; the products of a mini-batch are too small to gain
    from more; and threads of two libraries that wait for work slow each other down.
    """
    threadpoolctl = require("threadpoolctl", extra="cli", purpose="lucid")
    limits: AbstractContextManager[Any] = threadpoolctl.threadpool_limits(1, user_api="blas")
    return limits


def make_optimizer(model: Ranker, settings: Settings) -> optim.Optimizer:
    """Make the optimiser of the parameters that are trained."""
    lr = LEARNING_RATES[settings.loss][settings.optimizer] if settings.lr is None else settings.lr
    parameters = [p for p in model.parameters() if p.requires_grad]
    if settings.optimizer == "sgd":
        return optim.SGD(parameters, lr=lr, momentum=MOMENTUM)
    if settings.optimizer == "adamw":
        return optim.AdamW(parameters, lr=lr)
    return optim.Adam(parameters, lr=lr)


def train(model: Ranker, data: Dataset, settings: Settings) -> Iterator[Step]:
    """Train the model in place; between two steps the caller may look at it, or stop.

    Raises
    ------
    FloatingPointError
        If the loss is no longer finite.
    """
    optimizer = make_optimizer(model, settings)
    loss_of = LOSSES[settings.loss]
    features = model.scaled(data.features)
    rng = np.random.default_rng(settings.seed)
    for epoch in range(settings.epochs):
        order = rng.permutation(len(data))
        for start in range(0, len(data), settings.batch_size):
            rows = order[start : start + settings.batch_size]
            loss = loss_of(model.net(features[rows]), data.labels[rows])
            value = loss.item()
            if not np.isfinite(value):
                raise FloatingPointError(
                    f"the loss became {value} in epoch {epoch + 1}; a smaller --lr may help"
                )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            yield Step(epoch, rows.size, value)


def check_finite(model: Ranker, data: Dataset) -> None:
    """Find out whether the last step, which no loss has followed, broke the model.

    Raises
    ------
    FloatingPointError
        If a parameter, or a score of the first rows, is no longer finite.
    """
    values = [parameter.detach().numpy() for parameter in model.net.parameters()]
    values.append(model.scores(data.features[:EVALUATION_ROWS]))
    if not all(np.isfinite(value).all() for value in values):
        raise FloatingPointError("the last step broke the model; a smaller --lr may help")


Metrics = Mapping[str, Callable[..., float]]
RANKING_LOSS: Metrics = {"ranking loss": metrics.label_ranking_loss}
METRICS: Metrics = {
    **RANKING_LOSS,
    "coverage": metrics.coverage_error,
    "label ranking average precision": metrics.label_ranking_average_precision_score,
    "one-error": metrics.one_error,
}


def all_metrics(num_classes: int) -> Metrics:
    """Return the ranking metrics by name, P@k for those k = 1, 3, 5 that there are classes for."""
    ks = [k for k in (1, 3, 5) if k <= num_classes]
    return {**METRICS, **{f"P@{k}": partial(metrics.precision_at_k, k=k) for k in ks}}


def evaluate(model: Ranker, data: Dataset, wanted: Metrics | None = None) -> dict[str, float]:
    """Return metrics by name: all of them, or those that are wanted.

    Raises
    ------
    FloatingPointError
        If a score is not finite.
    """
    wanted = all_metrics(data.labels.num_classes) if wanted is None else wanted
    # Each is a mean over rows, so the mean over parts is weighted by their rows.
    totals = dict.fromkeys(wanted, 0.0)
    for start in range(0, len(data), EVALUATION_ROWS):
        rows = slice(start, start + EVALUATION_ROWS)
        scores, labels = model.scores(data.features[rows]), data.labels[rows]
        if not np.isfinite(scores).all():
            raise FloatingPointError(
                "the model scores a test row with NaN or infinity: "
                "it has diverged, or the row is too large"
            )
        for name, metric in wanted.items():
            totals[name] += metric(scores, labels) * len(labels)
    return {name: total / len(data) for name, total in totals.items()}

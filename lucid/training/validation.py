"""How well a model ranks rows that it is not trained on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from lucid import metrics
from lucid.io import Dataset
from lucid.metrics.propensity import psp_sums, ratio
from lucid.metrics.rows import rows_of_best
from lucid.nn import Module
from lucid.training.best import top_k
from lucid.training.early_stopping import RANKING_LOSS
from lucid.training.finite import finite_scores
from lucid.training.pieces import (
    Pieces,
    check_classes,
    check_rows,
    check_weights,
    pieces_of,
    weight_of,
    weightless,
    weights_of,
)

#: A metric is the mean over rows of something of the scores and labels of each; where these have
#: weights, it gets them as ``sample_weight``, and is the mean by them.
Metrics: TypeAlias = Mapping[str, Callable[..., float]]

#: About so many scores are held at once, of at most so many rows.
_SCORES_AT_ONCE, _ROWS = 1 << 24, 1024


def ranking_metrics(num_classes: int) -> dict[str, Callable[..., float]]:
    """Return the ranking metrics by name.

    Parameters
    ----------
    num_classes : int
        P@k is among them for those k of 1, 3 and 5 that there are classes for, nDCG@k for 3 and 5.

    Returns
    -------
    dict of str to callable
        Each takes scores ``(N, C)``, labels and, if wanted, ``sample_weight``, and returns a mean
        over the rows.

    Examples
    --------
    >>> from lucid.training import ranking_metrics
    >>> for name in ranking_metrics(num_classes=3):
    ...     print(name)
    ranking loss
    coverage
    label ranking average precision
    one-error
    P@1
    P@3
    nDCG@3
    """
    ks = _places(num_classes)
    return {
        RANKING_LOSS: metrics.label_ranking_loss,
        "coverage": metrics.coverage_error,
        "label ranking average precision": metrics.label_ranking_average_precision_score,
        "one-error": metrics.one_error,
        **{f"P@{k}": partial(metrics.precision_at_k, k=k) for k in ks},
        **{f"nDCG@{k}": partial(metrics.ndcg_at_k, k=k) for k in ks if k > 1},
    }


def _places(num_classes: int) -> list[int]:
    return [k for k in (1, 3, 5) if k <= num_classes]


def evaluate(
    model: Module,
    data: Dataset | Iterable[Dataset],
    wanted: Metrics | None = None,
    propensities: npt.ArrayLike | None = None,
) -> dict[str, float]:
    """Return metrics of a model on data, without ever holding all scores.

    Parameters
    ----------
    model : Module
        What takes rows of the features and returns scores ``(N, C)``.
    data : Dataset, or iterable of these
        At least one row. Of pieces, only one is in memory at a time. Where they have sample
        weights, the means are by these: a row of weight 3 is three rows.
    wanted : mapping of str to callable, optional
        Each takes scores and labels, and returns a mean over the rows; where the data have sample
        weights, it gets ``sample_weight`` as well. By default the `ranking_metrics`.
    propensities : array_like, optional
        Shape ``(C,)``, as `lucid.metrics.propensities` returns them: with them, PSP@k is returned
        as well.

    Returns
    -------
    dict of str to float

    Raises
    ------
    Diverged
        If a score is not finite.
    TypeError
        If the data have sample weights, and a metric does not take them.
    ValueError
        If there is no row, or none with a weight, or both the data and the model have names of
        classes, and these are others or in another order.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels, nn
    >>> from lucid.io import Dataset
    >>> from lucid.training import evaluate
    >>> data = Dataset(np.eye(2, dtype=np.float32), Labels.from_lists([[0], [1]], num_classes=2))
    >>> model = nn.Linear(2, 2, bias=False)
    >>> _ = model.load_state_dict({"weight": np.eye(2)})
    >>> evaluate(model, data)["P@1"]
    1.0
    """
    rows, weight = 0, 0.0
    totals: dict[str, float] = {}  # means over rows, times the weight of these
    gains: dict[str, list[tuple[float, float]]] = {}  # of PSP@k, with the best that there could be
    for part in _parts(model, data):
        scores = finite_scores(model, part.features, first_row=rows)
        rows += len(part)
        if not (share := weight_of(part)):
            continue  # the mean over no rows is NaN
        weight += share
        named = ranking_metrics(part.num_classes) if wanted is None else wanted
        for name, metric in named.items():
            value = float(metric(scores, part.labels, **weights_of(part)))
            totals[name] = totals.get(name, 0.0) + value * share
        if propensities is not None:
            places = _places(part.num_classes)
            reach = min(places[-1] + _most_unknown(part), part.num_classes)
            top = metrics.TopK(top_k(scores, reach)[0])
            best = rows_of_best(top, part.labels, part.sample_weight)
            for k in places:
                gains.setdefault(f"PSP@{k}", []).append(psp_sums(best, propensities, k))
    if rows == 0:
        raise ValueError("data must have at least one row to evaluate on")
    if weight == 0:
        raise weightless("to evaluate on")
    values = {name: total / weight for name, total in totals.items()}
    for name, sums in gains.items():
        gain, most = map(sum, zip(*sums, strict=True))
        values[name] = ratio(gain, most)
    return values


def _most_unknown(part: Dataset) -> int:
    """Return how many entries of a row are unknown at most: none of these is among its best."""
    indptr = part.labels.unknown_indptr
    return 0 if indptr is None else int(np.diff(indptr).max(initial=0))


def _parts(model: Module, data: Dataset | Iterable[Dataset]) -> Iterator[Dataset]:
    """Go through data in parts that are small enough to be scored at once."""
    for piece in pieces_of(data):
        check_classes(model, piece)
        rows = max(1, min(_ROWS, _SCORES_AT_ONCE // piece.num_classes))
        for start in range(0, len(piece), rows):
            yield piece[start : start + rows]


class Validation:
    """Metrics of a model on rows held out: what a `Trainer` asks for after each epoch.

    Parameters
    ----------
    data : Dataset or Pieces
        Features as the model takes them, and labels; at least one row. Pieces are read again each
        time, such as `Ranker.prepared` makes them. Where they have sample weights, the means are by
        these.
    metrics : mapping of str to callable, optional
        As `evaluate` takes them; by default the `ranking_metrics`.

    Raises
    ------
    TypeError
        If the data are neither.
    ValueError
        If there is no row, or none with a weight.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels, nn
    >>> from lucid.io import Dataset
    >>> from lucid.training import Validation
    >>> data = Dataset(np.eye(2, dtype=np.float32), Labels.from_lists([[0], [1]], num_classes=2))
    >>> sorted(Validation(data)(nn.Linear(2, 2)))[:3]
    ['P@1', 'coverage', 'label ranking average precision']
    """

    def __init__(self, data: Dataset | Pieces, metrics: Metrics | None = None) -> None:
        check_rows(data, "to validate on")
        check_weights(data, "to validate on")
        self.data = data
        self.metrics = metrics

    @property
    def names(self) -> list[str]:
        """The names of the metrics, known before there is a model."""
        if self.metrics is None:
            return list(ranking_metrics(next(iter(pieces_of(self.data))).num_classes))
        return list(self.metrics)

    def __call__(self, model: Module) -> dict[str, float]:
        """Return the metrics of a model as it is now.

        Parameters
        ----------
        model : Module

        Returns
        -------
        dict of str to float
        """
        return evaluate(model, self.data, self.metrics)

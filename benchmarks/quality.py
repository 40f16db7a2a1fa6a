"""How well a linear model ranks, by the loss it is trained with: python benchmarks/quality.py DIR

The folder holds NAME-train.txt.gz and NAME-test.txt.gz of the data sets below, in the text form of
the Extreme Classification Repository. (They are Mulan's; their licence is not stated, so there is
no copy here.)

The same linear model is trained with every loss: zeros at first, SGD with momentum, a learning rate
that falls to 0 in a straight line. Dense features are standardised, sparse ones, which are 0 and 1,
are taken as they are. The learning rate and the weight decay are chosen on rows held out of the
training set, and the strength of one-versus-rest logistic regression, scikit-learn's, is chosen on
the same rows; then the whole training set is trained on, with three seeds for the order of the
batches, and tested.

One number decides among settings, and among losses: the product of the three errors ranking loss,
1 - LRAP and 1 - nDCG@5, averaged over what is held out. It weighs them alike, however small one is.
Settings are chosen on as many folds as the table below says, losses on all five.
"""

import argparse
import json
import math
import os
import statistics
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import lucid
import machine
from contenders import environment
from lucid import Labels, metrics, nn, optim
from lucid.io import Dataset, read_xmc
from lucid.training import Diverged, Trainer, linear_decay

RESULTS = Path(__file__).with_name("quality.json")
SEEDS = (0, 1, 2)
MOMENTUM = 0.9
STEP = math.sqrt(10)  # between one setting and the next

LOSSES: dict[str, nn.Module] = {
    "margin": nn.MultilabelMarginLoss(),
    "margin, over pairs": nn.MultilabelMarginLoss(normalize="pairs"),
    "squared margin": nn.MultilabelMarginLoss(p=2),
    "squared margin, over pairs": nn.MultilabelMarginLoss(p=2, normalize="pairs"),
    "WARP": nn.WARPLoss(),
    "LSEP": nn.LSEPLoss(),
    "LSEP per label": nn.LSEPLoss(per_label=True),
    "ZLPR": nn.ZLPRLoss(),
    "BP-MLL": nn.BPMLLLoss(),
    "soft margin": nn.MultiLabelSoftMarginLoss(),
}
LOGISTIC = "one-versus-rest logistic regression"

METRICS: dict[str, Callable[[Any, Labels, Any], float]] = {
    "ranking loss": lambda x, y, _: metrics.label_ranking_loss(x, y),
    "LRAP": lambda x, y, _: metrics.label_ranking_average_precision_score(x, y),
    "nDCG@5": lambda x, y, _: metrics.ndcg_at_k(x, y, k=5),
    "P@1": lambda x, y, _: metrics.precision_at_k(x, y, k=1),
    "P@5": lambda x, y, _: metrics.precision_at_k(x, y, k=5),
    "PSP@5": lambda x, y, p: metrics.psp_at_k(x, y, p, k=5),
}
#: Those that the choice looks at, and that are compared row by row with logistic regression.
JUDGES = ("ranking loss", "LRAP", "nDCG@5")

Setting = tuple[float, ...]


@dataclass(frozen=True)
class DataSet:
    """How a data set is trained on, and where the search for a setting begins."""

    name: str
    dense: bool
    folds: int  # of five, to be held out in turns: more where there are few rows
    batch: int
    epochs: int
    learning_rate: float
    weight_decay: float
    c: float


DATA_SETS = {
    data.name: data
    for data in (
        DataSet("emotions", True, 5, 32, 60, 1e-2, 1e-1, 1e-1),
        DataSet("yeast", True, 5, 32, 20, 1e-2, 1e-1, 1e-2),
        DataSet("bibtex", False, 1, 128, 10, 1.0, 1e-4, 1e-1),
        DataSet("delicious", False, 1, 128, 5, 1.0, 1e-4, 1e-1),
    )
}


@cache
def load(folder: Path, name: str) -> tuple[Dataset, Dataset]:
    """Return the training and the test set, ready for a linear model."""
    train, test = (
        read_xmc(folder / f"{name}-{part}.txt.gz", dtype=np.float64) for part in ("train", "test")
    )
    features: list[Any] = [train.features, test.features]
    if DATA_SETS[name].dense:
        features = [each.toarray() for each in features]
        mean, deviation = features[0].mean(0), features[0].std(0)
        deviation[deviation == 0] = 1.0
        features = [(each - mean) / deviation for each in features]
    first, second = (each.astype(np.float32) for each in features)
    return Dataset(first, train.labels), Dataset(second, test.labels)


def fit(data: DataSet, loss: nn.Module, rows: Dataset, setting: Setting, seed: int) -> nn.Linear:
    """Train a linear model: ``setting`` is the learning rate and the weight decay."""
    rate, weight_decay = setting
    # The soft margin is a mean over the classes; their sum is what logistic regression minimises.
    scale = rows.labels.num_classes if isinstance(loss, nn.MultiLabelSoftMarginLoss) else 1
    shape = (rows.labels.num_classes, rows.features.shape[1])
    model = nn.Linear(shape[1], shape[0])
    model.load_state_dict(
        {"weight": np.zeros(shape, np.float32), "bias": np.zeros(shape[0], np.float32)}
    )
    groups = [{"params": model.weight, "weight_decay": weight_decay}, {"params": model.bias}]
    optimizer = optim.SGD(groups, lr=rate, momentum=MOMENTUM)
    trainer = Trainer(
        model,
        lambda scores, labels: scale * loss(scores, labels),
        optimizer,
        batch_size=data.batch,
        seed=seed,
        schedule=linear_decay,
    )
    trainer.fit(rows, data.epochs)
    return model


def scores_of(
    name: str, data: DataSet, train: Dataset, test: Any, setting: Setting, seed: int
) -> Any:
    """Train on some rows, and return the scores of others."""
    if name == LOGISTIC:
        return logistic_scores(train, test, *setting)
    try:
        model = fit(data, LOSSES[name], train, setting, seed)
    except Diverged:  # a learning rate may be too large
        return np.full((test.shape[0], train.labels.num_classes), np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        weight, bias = (p.detach().numpy() for p in model.parameters())
        return np.asarray(test @ weight.T + bias)


def logistic_scores(train: Dataset, test: Any, c: float) -> Any:
    """Return the probabilities of one logistic regression for each class."""
    return logistic_model(train, c)(test)


def logistic_model(train: Dataset, c: float) -> Callable[[Any], Any]:
    """Train one logistic regression for each class; return what gives the probabilities of rows."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    model = OneVsRestClassifier(LogisticRegression(C=c, max_iter=1000))
    seen = np.bincount(train.labels.indices, minlength=train.labels.num_classes) > 0
    targets = train.labels.to_csr()[:, seen].astype(np.int64)
    model.fit(train.features, targets)

    def probabilities(features: Any) -> Any:
        scores = np.zeros((features.shape[0], seen.size))  # a class never seen has no chance
        scores[:, seen] = model.predict_proba(features)
        return scores

    return probabilities


def error(scores: Any, labels: Labels) -> float:
    """Return the one number that decides: the smaller, the better."""
    if not np.isfinite(scores).all():
        return math.inf
    loss, precision, gain = (METRICS[name](scores, labels, None) for name in JUDGES)
    return loss * (1 - precision) * (1 - gain)


def choose(error_at: Callable[[Setting], float], start: Setting) -> tuple[Setting, float]:
    """Walk from setting to setting, one number at a time, for as long as the error falls."""
    known = {start: error_at(start)}
    here, moved = start, True
    while moved:
        moved = False
        for which in range(len(start)):
            for factor in (STEP, 1 / STEP):
                while True:
                    there = tuple(
                        float(f"{value * factor:.2g}") if i == which else value
                        for i, value in enumerate(here)
                    )
                    if there not in known:
                        known[there] = error_at(there)
                    if not known[there] < known[here]:
                        break
                    here, moved = there, True
    return here, known[here]


def measure(folder: Path, data: DataSet, name: str) -> dict[str, Any]:
    """Choose the setting for one loss, train with it, and test."""
    lucid.set_num_threads(1)
    train, test = load(folder, data.name)
    parts = np.array_split(np.random.default_rng(0).permutation(len(train.labels)), 5)

    def error_at(setting: Setting, folds: int = data.folds) -> float:
        errors = []
        for held in parts[:folds]:
            kept = np.setdiff1d(np.arange(len(train.labels)), held)
            scores = scores_of(name, data, train[kept], train.features[held], setting, seed=0)
            errors.append(error(scores, train.labels[held]))
        return statistics.fmean(errors)

    start = (data.c,) if name == LOGISTIC else (data.learning_rate, data.weight_decay)
    setting = choose(error_at, start)[0]
    held_out = error_at(setting, len(parts))  # losses are near to each other: all folds decide
    propensities = metrics.propensities(train.labels)
    values: dict[str, list[float]] = {metric: [] for metric in METRICS}
    of_rows: dict[str, Any] = dict.fromkeys(JUDGES, 0.0)
    seeds = SEEDS[:1] if name == LOGISTIC else SEEDS  # nothing is drawn by logistic regression
    for seed in seeds:
        scores = scores_of(name, data, train, test.features, setting, seed)
        for metric, function in METRICS.items():
            values[metric].append(function(scores, test.labels, propensities))
        for metric in JUDGES:
            of_rows[metric] += by_row(metric, scores, test.labels) / len(seeds)
    names = ("C",) if name == LOGISTIC else ("learning rate", "weight decay")
    return {
        "setting": dict(zip(names, setting, strict=True)),
        "held out": round(held_out, 7),
        "test": {metric: [round(v, 5) for v in each] for metric, each in values.items()},
        "rows": of_rows,
    }


def by_row(metric: str, scores: Any, labels: Labels) -> Any:
    """Return a metric of each row."""
    one = METRICS[metric]
    return np.array([one(scores[n : n + 1], labels[n : n + 1], None) for n in range(len(labels))])


def compare(results: dict[str, Any]) -> dict[str, Any]:
    """Compare the loss that was chosen, on what was held out, with logistic regression.

    The standard error is that of the mean difference over the rows of the test set: what another
    test set would have changed.
    """
    losses = {name: each for name, each in results.items() if name != LOGISTIC}
    chosen = min(losses, key=lambda name: losses[name]["held out"])
    differences = {
        metric: results[chosen]["rows"][metric] - results[LOGISTIC]["rows"][metric]
        for metric in JUDGES
    }
    return {
        "chosen": chosen,
        "difference": {
            metric: {
                "mean": round(float(each.mean()), 5),
                "standard error": round(float(each.std(ddof=1) / math.sqrt(each.size)), 5),
            }
            for metric, each in differences.items()
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="How well a linear model ranks, by its loss.")
    parser.add_argument("folder", type=Path, help="where the data sets are")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--quick", action="store_true", help="emotions alone")
    parser.add_argument("--jobs", type=int, default=2, help="processes, one thread each")
    parser.add_argument("--output", type=Path, help=f"write JSON, such as {RESULTS.name}")
    arguments = parser.parse_args()
    names = ["emotions"] if arguments.quick else arguments.data
    os.environ.update(environment(threads=1))
    with ProcessPoolExecutor(arguments.jobs, get_context("spawn")) as workers:
        tasks = {
            data: {
                loss: workers.submit(measure, arguments.folder, DATA_SETS[data], loss)
                for loss in (LOGISTIC, *LOSSES)
            }
            for data in reversed(names)  # the longest first
        }
        data_sets = {}
        for data in names:
            results = {loss: tasks[data][loss].result() for loss in (*LOSSES, LOGISTIC)}
            summary = compare(results)
            for each in results.values():
                del each["rows"]
            data_sets[data] = {"losses": results, **summary}
            print(data, json.dumps(summary), flush=True)
            for loss, each in results.items():
                print(f"  {loss}: {each['setting']}")
                means = {m: round(statistics.fmean(v), 4) for m, v in each["test"].items()}
                print(f"    {means}", flush=True)
    output = {
        "command": "python benchmarks/quality.py DIR --output benchmarks/quality.json",
        "machine": machine.machine(),
        "versions": {name: version(name) for name in ("lucid-losses", "numpy", "scikit-learn")},
        "seeds": list(SEEDS),
        "data": data_sets,
    }
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(output, indent=1) + "\n")


if __name__ == "__main__":
    main()

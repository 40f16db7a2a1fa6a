"""A trained ranker against other programs: python benchmarks/ranker.py DIR

The folder holds the data sets that quality.py names, and the features are those that it makes.
Contenders: `lucid.sklearn.MultilabelRanker`, as it is and with the loss and setting that quality.py
chose; one-versus-rest logistic regression, scikit-learn's; and the extreme classifiers napkinXC and
Omikuji, where they are installed. Every setting was chosen on rows held out of the training set:
that of the ranker and of logistic regression by quality.py, that of the other two here.

Each contender trains in a fresh process, on one thread. Seconds are those of the processor, which a
busy machine changes little; memory is the highest that the process ever held, the data included.
Micro and macro F1 are those of the labels that it predicts; of logistic regression also with one
threshold for all classes that is tuned on the training set.
"""

import argparse
import json
import os
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

import lucid
import machine
import quality
from contenders import environment
from lucid import Labels, metrics
from lucid.io import Dataset
from quality import DATA_SETS, LOGISTIC, LOSSES

RESULTS = Path(__file__).with_name("ranker.json")
CHOSEN = json.loads(quality.RESULTS.read_text())["data"]
#: What is searched for the extreme classifiers: how weakly the classifiers of a tree are held back.
STRENGTHS = (0.1, 1.0, 10.0)

#: From scores (N, C) and labels.
METRICS: dict[str, Callable[[Any, Labels, Any], float]] = {
    "P@1": lambda x, y, _: metrics.precision_at_k(x, y, k=1),
    "P@3": lambda x, y, _: metrics.precision_at_k(x, y, k=3),
    "P@5": lambda x, y, _: metrics.precision_at_k(x, y, k=5),
    "nDCG@5": lambda x, y, _: metrics.ndcg_at_k(x, y, k=5),
    "PSP@5": lambda x, y, p: metrics.psp_at_k(x, y, p, k=5),
    "ranking loss": lambda x, y, _: metrics.label_ranking_loss(x, y),
}

#: Scores and, where it predicts any, labels, of other rows.
Predictions = tuple[Any, Any]
Predict = Callable[[Any], Predictions]


def ranker(data: str, train: Dataset, chosen: bool) -> Predict:
    """Train the estimator."""
    from lucid.sklearn import MultilabelRanker

    options: dict[str, Any] = {}
    if chosen:
        name = CHOSEN[data]["chosen"]
        rate, weight_decay = CHOSEN[data]["losses"][name]["setting"].values()
        if name == "soft margin":  # quality.py sums over the classes, the loss takes their mean
            rate *= train.labels.num_classes
            weight_decay /= train.labels.num_classes
        settings = DATA_SETS[data]
        options = {
            "loss": LOSSES[name],
            "learning_rate": rate,
            "weight_decay": weight_decay,
            "max_iter": settings.epochs,
            "batch_size": settings.batch,
        }
    model = MultilabelRanker(**options, random_state=0).fit(train.features, train.labels)

    def predict(features: Any) -> Predictions:
        scores = model.decision_function(features)
        return scores, scores > 0

    return predict


def logistic(data: str, train: Dataset, tuned: bool) -> Predict:
    """Train one logistic regression for each class."""
    (c,) = CHOSEN[data]["losses"][LOGISTIC]["setting"].values()
    model = quality.logistic_model(train, c)
    threshold = best_threshold(model(train.features), train.labels) if tuned else 0.5

    def predict(features: Any) -> Predictions:
        scores = model(features)
        return scores, scores > threshold

    return predict


def best_threshold(scores: Any, labels: Labels) -> float:
    """Return the one threshold that has the best micro F1."""
    order = np.argsort(-scores, axis=None)
    hits = np.cumsum(labels.to_multi_hot().ravel()[order])
    f1 = 2 * hits / (np.arange(1, hits.size + 1) + hits[-1])
    return float(scores.ravel()[order[f1.argmax() + 1]])


def napkinxc(train: Dataset, strength: float, folder: str) -> Predict:
    """Train a probabilistic label tree of napkinXC's."""
    from napkinxc.models import PLT

    model = PLT(folder, liblinear_c=strength, threads=1, seed=0)
    model.fit(as_csr(train.features), [row.tolist() for row in train.labels])
    return lambda features: (
        sparse_scores(
            model.predict_proba(as_csr(features), top_k=train.labels.num_classes),
            train.labels.num_classes,
        ),
        None,
    )


def omikuji(train: Dataset, strength: float, folder: str) -> Predict:
    """Train the label trees of Omikuji, three as it has it."""
    from omikuji import Model

    path = Path(folder, "train.txt")
    classes = train.labels.num_classes
    with path.open("w") as file:
        print(*train.features.shape, classes, file=file)
        for row, labels in zip(pairs_of(train.features), train.labels, strict=True):
            print(",".join(map(str, labels)), *(f"{i}:{v:.9g}" for i, v in row), file=file)
    options = Model.default_hyper_param()
    options.linear_c = strength
    model = Model.train_on_data(str(path), options, n_threads=1)

    def predict(features: Any) -> Predictions:
        rows = pairs_of(features)
        found = [model.predict(row, beam_size=10, top_k=min(classes, 100)) for row in rows]
        return sparse_scores(found, classes), None

    return predict


def as_csr(features: Any) -> Any:
    from scipy.sparse import csr_matrix  # what napkinXC takes

    return csr_matrix(features, dtype=np.float32)


def pairs_of(features: Any) -> Iterator[list[tuple[int, float]]]:
    """Yield the numbers and values of the features of each row."""
    x = as_csr(features)
    for start, stop in pairwise(x.indptr):
        row = slice(start, stop)
        yield list(zip(x.indices[row].tolist(), x.data[row].tolist(), strict=True))


def sparse_scores(rows: list[list[tuple[int, float]]], num_classes: int) -> Any:
    """Return the scores of the classes that a program predicts, as a sparse matrix."""
    from scipy.sparse import csr_array

    indptr = np.cumsum([0, *map(len, rows)])
    indices = np.array([label for row in rows for label, _ in row], np.int64)
    values = np.array([score for row in rows for _, score in row])
    return csr_array((values, indices, indptr), shape=(len(rows), num_classes))


EXTREME: dict[str, Callable[[Dataset, float, str], Predict]] = {
    "napkinXC, label tree": napkinxc,
    "Omikuji, three label trees": omikuji,
}
#: Imported before the clock starts.
MODULES = ("lucid.sklearn", "sklearn.linear_model", "sklearn.multiclass")
CONTENDERS: dict[str, Callable[[str, Dataset], Predict]] = {
    "MultilabelRanker, as it is": lambda data, train: ranker(data, train, chosen=False),
    "MultilabelRanker, chosen setting": lambda data, train: ranker(data, train, chosen=True),
    LOGISTIC: lambda data, train: logistic(data, train, tuned=False),
    f"{LOGISTIC}, tuned threshold": lambda data, train: logistic(data, train, tuned=True),
}


def choose_strength(folder: Path, data: str, name: str) -> float:
    """Return the best of `STRENGTHS` on a fifth of the training set, held out."""
    train, _ = quality.load(folder, data)
    order = np.random.default_rng(0).permutation(len(train.labels))
    held, kept = np.split(order, [len(order) // 5])

    def gain(strength: float) -> float:
        with tempfile.TemporaryDirectory() as place:
            scores, _ = EXTREME[name](train[kept], strength, place)(train.features[held])
        return metrics.ndcg_at_k(scores, train.labels[held], k=5)

    return max(STRENGTHS, key=gain)


def measure(folder: Path, data: str, name: str, strength: float | None) -> dict[str, Any]:
    """Train and test one contender."""
    lucid.set_num_threads(1)
    train, test = quality.load(folder, data)
    if strength is None:
        for module in MODULES:
            import_module(module)
    with tempfile.TemporaryDirectory() as place:
        began = time.process_time()
        if strength is None:
            predict = CONTENDERS[name](data, train)
        else:
            predict = EXTREME[name](train, strength, place)
        seconds = time.process_time() - began
        scores, decided = predict(test.features)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    propensities = metrics.propensities(train.labels)
    skipped = {"ranking loss"} if decided is None else set()  # it does not score every class
    values = {
        m: f(scores, test.labels, propensities) for m, f in METRICS.items() if m not in skipped
    }
    if decided is not None:
        values["micro F1"], values["macro F1"] = f1(decided, test.labels.to_multi_hot())
    return {
        "metrics": {metric: round(float(value), 4) for metric, value in values.items()},
        "seconds": round(seconds, 3),
        "MB": round(memory / 1024),
        **({} if strength is None else {"strength": strength}),
    }


def f1(predicted: Any, labels: Any) -> tuple[float, float]:
    """Return micro F1, and macro F1 over the classes that the test set has labels of."""
    hits = (predicted & labels).sum(0)
    of_both = predicted.sum(0) + labels.sum(0)
    present = labels.any(0)
    return 2 * hits.sum() / of_both.sum(), float(np.mean(2 * hits[present] / of_both[present]))


def main() -> None:
    parser = argparse.ArgumentParser(description="A trained ranker against other programs.")
    parser.add_argument("folder", type=Path, help="where the data sets are")
    parser.add_argument("--data", nargs="+", choices=DATA_SETS, default=list(DATA_SETS))
    parser.add_argument("--output", type=Path, help=f"write JSON, such as {RESULTS.name}")
    arguments = parser.parse_args()
    os.environ.update(environment(threads=1))
    found = {}
    for data in arguments.data:
        found[data] = {}
        for name in (*CONTENDERS, *(n for n in EXTREME if find_spec(n.split(",")[0].lower()))):
            strength = None
            if name in EXTREME:
                strength = alone(choose_strength, arguments.folder, data, name)
            result = alone(measure, arguments.folder, data, name, strength)
            found[data][name] = result
            print(data, name, json.dumps(result), flush=True)
    output = {
        "command": "python benchmarks/ranker.py DIR --output benchmarks/ranker.json",
        "machine": machine.machine(),
        "versions": versions("lucid-losses", "numpy", "scikit-learn", "napkinxc", "omikuji"),
        "data": found,
    }
    if arguments.output is not None:
        arguments.output.write_text(json.dumps(output, indent=1) + "\n")


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call it in a fresh process."""
    with ProcessPoolExecutor(1, get_context("spawn")) as worker:
        return worker.submit(function, *arguments).result()


def versions(*names: str) -> dict[str, str]:
    known = {}
    for name in names:
        try:
            known[name] = version(name)
        except PackageNotFoundError:
            continue
    return known


if __name__ == "__main__":
    main()

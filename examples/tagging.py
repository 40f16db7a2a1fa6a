"""Suggest tags for documents: from a data file to metrics and a picture of the precision.

    python examples/tagging.py                              # on drawn documents, in seconds
    python examples/tagging.py bibtex-train.txt.gz --test bibtex-test.txt.gz

The file is in the text form of the Extreme Classification Repository: a line is a document, with
its tags and its words. Words and tags stay sparse all the way: the features are a SciPy matrix of
which `nn.Linear` reads the rows of a mini-batch, and the tags are `Labels`.

Needs SciPy and Matplotlib: pip install scipy matplotlib
"""

import argparse
import tempfile
from pathlib import Path

import matplotlib
import numpy as np

import lucid
from lucid import metrics, nn, optim
from lucid.io import Dataset, read_xmc
from lucid.training import Step, Trainer

matplotlib.use("svg")  # no screen is needed
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

TOP = 10


def scaled(data: Dataset, largest: np.ndarray) -> Dataset:
    """Divide each feature by its largest value, so that all have a say; words of 0 and 1 stay."""
    return Dataset(data.features.multiply(1 / largest).tocsr(), data.labels)


def train(data: Dataset, epochs: int, seed: int) -> nn.Linear:
    """Fit a linear ranker: the score of a tag is a weighted sum over the document's words."""
    lucid.manual_seed(seed)
    model = nn.Linear(data.features.shape[1], data.labels.num_classes)
    optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    trainer = Trainer(model, nn.MultilabelMarginLoss(), optimizer, seed=seed)
    trainer.fit(data, epochs, listeners=[tell])
    return model


def tell(step: Step) -> None:
    """Print the loss after each epoch."""
    if step.result is not None:
        print(f"epoch {step.epoch:2d}  loss {step.result.loss:.4f}")


def scores_of(model: nn.Linear, data: Dataset) -> np.ndarray:
    with lucid.no_grad():
        return model(data.features).numpy()


def popularity(data: Dataset, rows: int) -> np.ndarray:
    """Score each tag by how often it occurs: what a ranker must beat that reads no words."""
    counts = np.bincount(data.labels.indices, minlength=data.labels.num_classes)
    return np.broadcast_to(counts.astype(float), (rows, counts.size))


def precisions(scores: np.ndarray, test: Dataset) -> list[float]:
    """Return the precision of the k best tags, for k = 1 .. TOP."""
    most = min(TOP, test.labels.num_classes)
    return [metrics.precision_at_k(scores, test.labels, k) for k in range(1, most + 1)]


def report(scores: np.ndarray, test: Dataset) -> None:
    for name, metric in (
        ("ranking loss", metrics.label_ranking_loss),
        ("average precision", metrics.label_ranking_average_precision_score),
        ("one-error", metrics.one_error),
    ):
        print(f"{name:20s}{metric(scores, test.labels):.4f}")


def compare(data: Dataset, test: Dataset, epochs: int, seed: int) -> dict[str, list[float]]:
    """Train on some documents, and return the precision on others, with what it must beat."""
    largest = abs(data.features).max(axis=0).toarray().ravel()
    largest[largest == 0] = 1
    data, test = scaled(data, largest), scaled(test, largest)
    print(f"{data}, tested on {len(test)} rows")
    scores = scores_of(train(data, epochs, seed), test)
    report(scores, test)
    return {
        "linear ranker": precisions(scores, test),
        "most popular tags": precisions(popularity(data, len(test)), test),
    }


def plot(curves: dict[str, list[float]]) -> Figure:
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    for name, values in curves.items():
        k = range(1, len(values) + 1)
        (line,) = axes.plot(k, values, marker="o")
        axes.annotate(
            name, (1, values[0]), (8, 6), textcoords="offset points", color=line.get_color()
        )
    axes.set(xlabel="k", ylabel="precision at k", ylim=(0, 1.1), title="Tags suggested rightly")
    axes.spines[["top", "right"]].set_visible(False)
    plt.close(figure)
    return figure


def write_documents(file: Path, rows: int, seed: int) -> None:
    """Write documents of 300 words and 40 tags, in which each tag brings words of its own."""
    rng = np.random.default_rng(0)
    words_of_tag = rng.integers(0, 300, (40, 12))
    popular = rng.dirichlet(np.full(40, 0.5))
    rng = np.random.default_rng(seed)
    lines = [f"{rows} 300 40"]
    for _ in range(rows):
        tags = np.unique(rng.choice(40, rng.integers(1, 5), p=popular))
        words = np.unique(
            np.append(rng.choice(words_of_tag[tags].ravel(), 15), rng.integers(0, 300, 15))
        )
        lines.append(",".join(map(str, tags)) + " " + " ".join(f"{word}:1" for word in words))
    file.write_text("\n".join(lines) + "\n")


def drawn(rows: int, seed: int) -> Dataset:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "documents.txt"
        write_documents(file, rows, seed)
        return read_xmc(file)


def apart(data: Dataset) -> tuple[Dataset, Dataset]:
    """Hold out a fifth of the documents to test on."""
    cut = len(data) * 4 // 5
    return data[:cut], data[cut:]


def main() -> None:
    parser = argparse.ArgumentParser(description="Suggest tags for documents.")
    parser.add_argument("file", nargs="?", type=Path, help="training data; drawn if left out")
    parser.add_argument("--test", type=Path, help="test data; default: a fifth of the training")
    parser.add_argument("--epochs", type=int, default=15)
    parser.add_argument("--rows", type=int, default=2000, help="rows to draw without a file")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path, default=Path("precision.svg"))
    arguments = parser.parse_args()

    data = (
        drawn(arguments.rows, arguments.seed)
        if arguments.file is None
        else read_xmc(arguments.file)
    )
    data, test = apart(data) if arguments.test is None else (data, read_xmc(arguments.test))
    plot(compare(data, test, arguments.epochs, arguments.seed)).savefig(arguments.plot)
    print(f"the precision is drawn in {arguments.plot}")


if __name__ == "__main__":
    main()

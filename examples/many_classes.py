"""Train on a file in pieces, with a last layer of very many classes, and write the best five.

    python examples/many_classes.py                                   # 50,000 classes, drawn
    python examples/many_classes.py train.txt --test test.txt --epochs 5

Memory grows neither with the file, which is read a piece at a time (`stream_xmc`), nor with three
arrays as large as the last layer: its gradient is used up a few classes at a time
(`linear_multilabel_margin_step`), and its weight and the optimiser's state are all that there is.
The predictions go to a file row by row; precision and nDCG are those of the five best classes
(`TopK`), so that nothing here has the shape (rows, classes) but the scores of one batch.

Files are in the text form of the Extreme Classification Repository. The rows of a piece are
shuffled; a file that is sorted should be shuffled once before (``shuf``).

Needs SciPy and threadpoolctl: pip install scipy threadpoolctl
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
from scipy.sparse import csr_array

import lucid
import lucid.nn.functional as F
from lucid import Labels, metrics, nn, optim
from lucid.io import Dataset, DataStream, PredictionWriter, stream_xmc, write_xmc
from lucid.training import Step, Trainer, top_k

BATCH = 32
PIECE = 2048  # rows that are in memory at a time
BEST = 5


class Ranker(nn.Module):
    """Sparse features, a narrow hidden layer, and a wide last one."""

    def __init__(self, num_features: int, num_classes: int, hidden: int) -> None:
        self.hidden = nn.Linear(num_features, hidden)
        self.last = nn.Linear(hidden, num_classes)

    def below(self, features: csr_array) -> lucid.Tensor:
        return self.hidden(features).relu()

    def forward(self, features: csr_array) -> lucid.Tensor:
        return self.last(self.below(features))


class FusedTrainer(Trainer):
    """Trains such a ranker: the last layer takes its step with the loss."""

    def step(self, batch: Dataset) -> float:
        model, last = self.model, self.model.last
        loss = F.linear_multilabel_margin_step(  # the last layer has taken its step then
            self.optimizer,
            model.below(batch.features),
            last.weight,
            last.bias,
            batch.labels,
            loss=self.criterion,
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()  # the hidden layer takes its own
        return loss.item()


def train(model: Ranker, pieces: DataStream, epochs: int, lr: float, seed: int) -> None:
    optimizer = optim.Adam(model.parameters(), lr=lr)
    loss = nn.MultilabelMarginLoss()
    trainer = FusedTrainer(model, loss, optimizer, batch_size=BATCH, seed=seed)
    begin = time.perf_counter()

    def tell(step: Step) -> None:
        if step.result is not None:
            speed = step.epoch * len(pieces) / (time.perf_counter() - begin)
            print(f"epoch {step.epoch}  loss {step.mean_loss:.4f}  {speed:.0f} rows a second")

    trainer.fit(pieces, epochs, [tell])


def predict(model: Ranker, pieces: DataStream, file: Path) -> None:
    """Write the best classes of each row, and print how good they are."""
    sums, rows = np.zeros(2), 0
    with PredictionWriter(file) as writer, lucid.no_grad():
        for piece in pieces:
            for start in range(0, len(piece), BATCH):
                part = slice(start, start + BATCH)
                scores = model(piece.features[part]).numpy()
                best, values = top_k(scores, BEST)
                writer.write(best, values)
                top, labels = metrics.TopK(best, values), piece.labels[part]
                found = metrics.precision_at_k(top, labels, 1), metrics.ndcg_at_k(top, labels, 5)
                sums += len(labels) * np.array(found)
                rows += len(labels)
    print(f"precision at 1  {sums[0] / rows:.4f}\nnDCG at 5  {sums[1] / rows:.4f}")
    print(f"the best {BEST} of {rows} rows are in {file}")


def draw(rows: int, classes: int, seed: int) -> Dataset:
    """Draw rows of 2,000 features, of which each class brings eight of its own."""
    features_of_class = np.random.default_rng(0).integers(0, 2000, (classes, 8))
    rng = np.random.default_rng(seed)
    labels = np.sort(rng.integers(0, min(classes, 1000), (rows, 3)), axis=1)
    columns = features_of_class[labels].reshape(rows, -1)
    shape = (rows, 2000)
    entries = (
        np.ones(columns.size),
        (np.repeat(np.arange(rows), columns.shape[1]), columns.ravel()),
    )
    return Dataset(csr_array(entries, shape=shape), Labels.from_padded(labels, classes))


def main() -> None:
    parser = argparse.ArgumentParser(description="Train with very many classes, in pieces.")
    parser.add_argument("file", nargs="?", type=Path, help="training data; drawn if left out")
    parser.add_argument("--test", type=Path, help="test data; by default the training data")
    parser.add_argument("--rows", type=int, default=4096, help="rows to draw without a file")
    parser.add_argument("--classes", type=int, default=50_000, help="classes of drawn rows")
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--lr", type=float, default=0.01)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, default=Path("best.txt"))
    arguments = parser.parse_args()

    with tempfile.TemporaryDirectory() as folder:
        file, test = arguments.file, arguments.test or arguments.file
        if file is None:
            file, test = Path(folder) / "train.txt.gz", Path(folder) / "test.txt.gz"
            for path, rows, seed in ((file, arguments.rows, 1), (test, arguments.rows // 4, 2)):
                data = draw(rows, arguments.classes, seed)
                write_xmc(path, data.features, data.labels)
        pieces = stream_xmc(file, rows=PIECE)
        print(pieces)
        lucid.manual_seed(arguments.seed)
        model = Ranker(pieces.num_features, pieces.num_classes, arguments.hidden)
        train(model, pieces, arguments.epochs, arguments.lr, arguments.seed)
        predict(model, stream_xmc(test, rows=PIECE), arguments.output)


if __name__ == "__main__":
    main()

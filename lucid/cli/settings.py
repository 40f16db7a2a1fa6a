"""What a ranker is trained with, as the options say it and as its file keeps it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from lucid import nn, training
from lucid.cli.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """What to train with. The defaults train well on data sets from 6 to 1,000 classes.

    Where no learning rate is given, it is the one that suits the features: see `completed`.
    """

    loss: str = "margin"
    optimizer: str = "sgd"
    lr: float | None = None
    weight_decay: float = 0.0
    epochs: int = 15
    batch_size: int = 32
    hidden: int = 0
    seed: int = 0
    validation: str | None = None
    patience: int | None = None
    stream: int | None = None
    named_labels: bool = False

    @classmethod
    def of_options(cls, given: Mapping[str, Any]) -> Settings:
        """Take what was given, and defaults for the rest."""
        decay = {"weight_decay": 0.01} if given.get("optimizer") == "adamw" else {}
        return cls(**{**decay, **given})

    def completed(self, features: Iterator[Any], num_classes: int) -> Settings:
        """Return the same with a learning rate, for those features, piece by piece, and classes."""
        if self.lr is not None:
            return self
        rate = training.learning_rate(
            self.loss, self.optimizer, features, num_classes, hidden=self.hidden > 0
        )
        return replace(self, lr=rate)

    @classmethod
    def of_checkpoint(cls, saved: Any, given: Mapping[str, Any], origin: str) -> Settings:
        """Go on with what was saved; of what is given, only the number of epochs may differ.

        Raises
        ------
        UsageError
            If an option says something else.
        """
        if not isinstance(saved, dict) or set(saved) != {field.name for field in fields(cls)}:
            raise UsageError(f"{origin}: not a checkpoint that `lucid train` wrote")
        for name, value in given.items():
            if name != "epochs" and saved[name] != value:
                option = "--" + name.replace("_", "-")
                given_as = option if value is True else f"{option} {value}"
                raise UsageError(
                    f"{given_as}: the training of {origin} was begun with {saved[name]}, "
                    "and goes on with that"
                )
        return cls(**{**saved, "epochs": given.get("epochs", saved["epochs"])})

    def trainer(self, net: nn.Module, validation: Any) -> training.Trainer:
        """Make what trains a net so."""
        assert self.lr is not None
        patience = self.patience
        return training.Trainer(
            net,
            training.make_loss(self.loss),
            training.make_optimizer(self.optimizer, net, self.lr, self.weight_decay),
            batch_size=self.batch_size,
            seed=self.seed,
            schedule=training.linear_decay,
            validation=validation,
            early_stopping=None if patience is None else training.EarlyStopping(patience),
        )

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        decay = f", weight decay {self.weight_decay:g}" if self.weight_decay else ""
        hidden = f", hidden layer of {self.hidden}" if self.hidden else ""
        stream = f", in pieces of {self.stream} rows" if self.stream else ""
        return (
            f"{self.loss} loss, {self.optimizer}, learning rate {self.lr:g} falling to 0{decay}, "
            f"{self.epochs} epochs, batches of {self.batch_size}{hidden}, seed {self.seed}{stream}"
        )

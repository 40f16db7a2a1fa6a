"""What a ranker is trained with, as the options say it and as its file keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from lucid import nn, training
from lucid.cli.errors import UsageError


@dataclass(frozen=True)
class Settings:
    """What to train with. The defaults train well on data sets from 6 to 1,000 classes."""

    loss: str = "margin"
    optimizer: str = "sgd"
    lr: float = 0.0  # see `complete`
    weight_decay: float = 0.0
    epochs: int = 15
    batch_size: int = 32
    hidden: int = 0
    seed: int = 0
    validation: str | None = None
    patience: int | None = None

    @classmethod
    def complete(cls, given: Mapping[str, Any]) -> Settings:
        """Fill in what was not given: a rate, and a weight decay, that suit loss and optimiser."""
        chosen = cls(**given)
        missing = {}
        if "lr" not in given:
            missing["lr"] = training.learning_rate(chosen.loss, chosen.optimizer)
        if "weight_decay" not in given and chosen.optimizer == "adamw":
            missing["weight_decay"] = 0.01
        return cls(**{**given, **missing})

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
                raise UsageError(
                    f"{option} {value}: the training of {origin} was begun with {saved[name]}, "
                    "and goes on with that"
                )
        return cls(**{**saved, "epochs": given.get("epochs", saved["epochs"])})

    def trainer(self, net: nn.Module, validation: Any) -> training.Trainer:
        """Make what trains a net so."""
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
        return (
            f"{self.loss} loss, {self.optimizer}, learning rate {self.lr:g} falling to 0{decay}, "
            f"{self.epochs} epochs, batches of {self.batch_size}{hidden}, seed {self.seed}"
        )

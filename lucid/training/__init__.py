"""Training a multi-label ranker: the model, the loop, and what is around it.

`Ranker` is a model with the scaling of its features and a file; `Trainer` is the loop, with all
that it must remember to go on where it was. Neither knows of a terminal or of a command: whoever
wants to show, draw or save something listens to the steps.
"""

from lucid.system.listing import lists
from lucid.training.baseline import MostFrequent
from lucid.training.best import top_k
from lucid.training.checkpoints import Checkpoints, load_training, save_training
from lucid.training.early_stopping import RANKING_LOSS, EarlyStopping
from lucid.training.finite import Diverged
from lucid.training.history import Epoch, History
from lucid.training.named import (
    LOSSES,
    MOMENTUM,
    OPTIMIZERS,
    learning_rate,
    make_loss,
    make_optimizer,
)
from lucid.training.pieces import Pieces
from lucid.training.ranker import Ranker
from lucid.training.step import Step, linear_decay
from lucid.training.trainer import Trainer
from lucid.training.validation import Validation, evaluate, ranking_metrics

__all__ = [
    "LOSSES",
    "MOMENTUM",
    "OPTIMIZERS",
    "RANKING_LOSS",
    "Checkpoints",
    "Diverged",
    "EarlyStopping",
    "Epoch",
    "History",
    "MostFrequent",
    "Pieces",
    "Ranker",
    "Step",
    "Trainer",
    "Validation",
    "evaluate",
    "learning_rate",
    "linear_decay",
    "load_training",
    "make_loss",
    "make_optimizer",
    "ranking_metrics",
    "save_training",
    "top_k",
]

__dir__ = lists(__all__)

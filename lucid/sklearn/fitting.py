"""Fitting: the order of what is done; how each thing is done, other files tell."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from lucid.autograd.random import seeded
from lucid.io import Dataset
from lucid.sklearn import full_batch, mini_batches
from lucid.sklearn.docs import PARTS
from lucid.sklearn.inputs import first_data, further_data
from lucid.sklearn.parameters import checked_loss
from lucid.sklearn.predicting import Predicting
from lucid.sklearn.targets import Form
from lucid.sklearn.threshold import Cuts
from lucid.system.docstrings import shared
from lucid.training import History, Ranker, Trainer
from lucid.training.scaling import warn_if_unscaled

#: The parameters that a trainer is made by.
_OF_TRAINER = ("loss", "solver", "learning_rate", "weight_decay", "batch_size")

#: Where the user does not say: epochs, and iterations of L-BFGS, which are cheaper than they need.
_EPOCHS, _ITERATIONS = 15, 1000


def _has_mini_batches(estimator: Any) -> bool:
    return bool(estimator.solver != "lbfgs")


@contextmanager
def _as_before_if_it_fails(estimator: Any) -> Iterator[None]:
    before = dict(vars(estimator))
    try:
        yield
    except Exception:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise


class Fitting(Predicting):
    """The methods that fit, and what they leave."""

    history_: History
    n_iter_: int
    _cuts: Cuts
    _trainer: Trainer | None
    _made_by: list[Any]
    _hidden: int

    @shared(PARTS)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model; where that fails, an earlier one is kept.

        Parameters
        ----------
        {X}
        {y}
        {sample_weight}

        Returns
        -------
        {self}

        Raises
        ------
        ValueError
            If a parameter is out of range, or X and y cannot be read, or do not fit each other.
        lucid.training.Diverged
            If a loss is not finite; most often the learning rate is too large, or the features are.
        """
        with _as_before_if_it_fails(self):
            criterion = checked_loss(self)
            form, data = first_data(self, X, y, None, sample_weight, partial=False)
            warn_if_unscaled(data.features, getattr(self, "feature_names_in_", None))
            random = check_random_state(self.random_state)
            self._begin(form, random)
            with self._own_threads():
                net = self.model_.net
                if self.solver == "lbfgs":
                    iterations = self.max_iter or _ITERATIONS
                    self.n_iter_ = full_batch.fit(self, net, criterion, data, iterations)
                else:
                    epochs = self.max_iter or _EPOCHS
                    self.history_ = mini_batches.fit(self, net, criterion, data, random, epochs)
                    self.n_iter_ = len(self.history_)
                self._learn_cut(data)
        return self

    @available_if(_has_mini_batches)
    @shared(PARTS)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train on, for one epoch over these rows: for data that come piece by piece.

        The learning rate does not fall and nothing is held out. The threshold is learnt from the
        rows of all calls, each as it was scored then; only sums of them are kept. A parameter that
        was set since the last call, such as a lower ``learning_rate``, holds from this one on, and
        momentum begins anew. With ``solver='lbfgs'``, which wants all rows at once, there is no
        such method.

        Parameters
        ----------
        {X}
        {y}
        classes : array_like, optional
            All classes that there will be, in any order. The first call needs it where a row's
            label or labels are named; a table tells it by its columns, a matrix without names and
            `Labels` by their width: there the classes are 0 to C - 1.
        {sample_weight}

        Returns
        -------
        {self}

        Raises
        ------
        ValueError
            As of `fit`; if `classes` are missing, or others than before or than the columns of `y`;
            if a label is of no known class; if ``hidden`` was set since the model was made.
        """
        criterion = checked_loss(self)
        if not hasattr(self, "model_"):
            form, data = first_data(self, X, y, classes, sample_weight, partial=True)
            self._begin(form, check_random_state(self.random_state))
            self.n_iter_ = 0
        else:
            if self.hidden != self._hidden:
                raise ValueError(
                    f"hidden must stay {self._hidden} in partial_fit, got {self.hidden}: "
                    "fit makes a new model"
                )
            if classes is not None:
                self._form.check_classes(classes)
            data = further_data(self, self._form, X, y, sample_weight)
        made_by = [getattr(self, name) for name in _OF_TRAINER]
        if self._trainer is None or made_by != self._made_by:
            self._made_by = made_by
            random = check_random_state(self.random_state)
            net = self.model_.net
            self._trainer = mini_batches.new_trainer(self, net, criterion, data.features, random)
        with self._own_threads():
            epochs = self._trainer.epoch + 1
            self.history_ = mini_batches.run(self._trainer, data, epochs, verbose=self.verbose)
            self._learn_cut(data)
        self.n_iter_ += 1
        return self

    def _begin(self, form: Form, random: np.random.RandomState) -> None:
        """Make a new model for classes of this form, of which nothing is learnt yet."""
        names = form.names()
        self._form = form
        self.classes_ = form.classes
        self._hidden = self.hidden
        sizes = self.n_features_in_, len(self.classes_), self.hidden
        with seeded(random.randint(1 << 31)):
            self.model_ = Ranker(*sizes, class_names=names)
        if not self.hidden:  # the loss is convex: nothing is gained from a random start
            for p in self.model_.net.parameters():
                p.detach().numpy()[...] = 0.0
        self.cut_ = None
        self._cuts = Cuts()
        self._trainer = None

    def _learn_cut(self, data: Dataset) -> None:
        """Learn the thresholds from these rows, and those of earlier calls, if they are wanted."""
        if self._form.kind != "one" and self.threshold is None:
            self.cut_ = self._cuts.learn(self.model_.net, data)

"""The loop of a training, and all that it must remember to go on where it was."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int, as_number
from lucid.autograd.random import generator
from lucid.io import Dataset
from lucid.nn import Linear, Module, Sequential
from lucid.optim import Optimizer
from lucid.system.blas import one_thread_each
from lucid.training.early_stopping import EarlyStopping
from lucid.training.finite import Diverged
from lucid.training.history import Epoch, History, history_of
from lucid.training.pieces import (
    Pieces,
    check_classes,
    check_rows,
    check_weights,
    pieces_of,
    weight_of,
    weights_of,
)
from lucid.training.place import Place, check_settings, in_words, place_of, reading
from lucid.training.scaling import check_finite, warn_if_unscaled
from lucid.training.step import Listener, Schedule, Step
from lucid.training.validation import Validation


class Trainer:
    r"""Trains a model: mini-batches in random order, one step of the optimiser for each.

    It holds all that a training is made of, so that it can be left at any step and taken up again,
    in this process or, by `state_dict`, in another: what follows has the same bits.

    Parameters
    ----------
    model : Module
        What returns scores ``(N, C)`` from rows of the features.
    criterion : callable
        What returns the loss from scores and labels, such as `lucid.nn.MultilabelMarginLoss`. Where
        the data have sample weights, it gets ``sample_weight`` as well.
    optimizer : Optimizer
        That of the model's parameters.
    batch_size : int, default 32
        Rows of a mini-batch.
    seed : int or numpy.random.Generator, default 0
        Of the order of the rows.
    shuffle : bool, default True
        Whether each epoch has an order of its own.
    schedule : callable, optional
        What returns the factor of the learning rates from the share of the training that is done,
        such as `linear_decay`. By default they stay as they are.
    validation : callable, optional
        What returns metrics of the model after an epoch: a `Validation`.
    early_stopping : EarlyStopping, optional
        Whether to end before the last epoch.

    Attributes
    ----------
    epoch : int
        The number of whole epochs that are done.
    history : History
        What came of them.
    model, criterion, optimizer, batch_size, shuffle, schedule, validation, early_stopping
        As given.

    Raises
    ------
    TypeError
        If `batch_size` is not an integer.
    ValueError
        If `batch_size` is not at least 1; if the early stopping looks at the metric of a
        validation, and there is none, or it is a `Validation` without that metric.

    Warns
    -----
    UserWarning
        If the model begins with a linear layer and a feature of the first piece of data is over 100
        times larger than the median one: what is learnt is learnt from that one.

    Notes
    -----
    While it runs, NumPy's matrix products have one thread (`lucid.one_blas_thread`), where
    threadpoolctl is installed: their bits depend on the number of threads, the products of a
    mini-batch are too small to gain from more, and threads of two libraries that wait for work slow
    each other down.

    Examples
    --------
    >>> import numpy as np
    >>> import lucid
    >>> from lucid import nn, optim
    >>> from lucid.io import Dataset
    >>> from lucid.training import Trainer
    >>> labels = lucid.Labels.from_lists([[0], [1], [2], [3]], num_classes=4)
    >>> data = Dataset(np.eye(4, dtype=np.float32), labels)
    >>> lucid.manual_seed(0)
    >>> model = nn.Linear(4, 4)
    >>> optimizer = optim.SGD(model.parameters(), lr=0.5)
    >>> trainer = Trainer(model, nn.MultilabelMarginLoss(), optimizer, batch_size=2)
    >>> history = trainer.fit(data, epochs=20)
    >>> history.losses[-1] < history.losses[0] / 10
    True

    The loop is open to whoever wants to look at each step, and may be left at any:

    >>> for step in trainer.steps(data, epochs=22):
    ...     print(step.epoch, step.rows, step.result is not None)
    21 2 False
    21 2 True
    22 2 False
    22 2 True
    """

    def __init__(
        self,
        model: Module,
        criterion: Callable[..., Any],
        optimizer: Optimizer,
        *,
        batch_size: int = 32,
        seed: int | np.random.Generator = 0,
        shuffle: bool = True,
        schedule: Schedule | None = None,
        validation: Callable[[Module], Mapping[str, float]] | None = None,
        early_stopping: EarlyStopping | None = None,
    ) -> None:
        if as_int("batch_size", batch_size) < 1:
            raise ValueError(f"batch_size must be at least 1, got {batch_size}")
        if early_stopping is not None and validation is None and early_stopping.metric != "loss":
            raise ValueError(
                f"early_stopping looks at the {early_stopping.metric!r} of a validation, so "
                "validation must be given; EarlyStopping(metric='loss') looks at the training loss"
            )
        if early_stopping is not None and isinstance(validation, Validation):
            early_stopping._check_metric([*validation.names, "loss"])
        self.model = model
        self.criterion = criterion
        self.optimizer = optimizer
        self.batch_size = batch_size
        self.shuffle = shuffle
        self.schedule = schedule
        self.validation = validation
        self.early_stopping = early_stopping
        self.history = History()
        self._rng = np.random.default_rng(seed)
        self._rates = [float(group["lr"]) for group in optimizer.param_groups]
        self._place = Place()
        self._last: dict[str, npt.NDArray[Any]] = {}  # weights, while the model has the best
        self._stopped_early = False
        self._stop_asked = False

    @property
    def epoch(self) -> int:
        """The number of whole epochs that are done."""
        return len(self.history)

    @property
    def stopped_early(self) -> bool:
        """Whether the early stopping has ended the training."""
        return self._stopped_early

    @property
    def done(self) -> float:
        """The epochs that are done, with the share of the one that was begun."""
        return self.epoch + self._place.share

    def fit(
        self, data: Dataset | Pieces, epochs: int, listeners: Iterable[Listener] = ()
    ) -> History:
        """Train, and end with the weights of the best epoch where there is early stopping.

        Then the trainer keeps the last weights as well, and from these the training goes on; unless
        the model was given others since.

        Parameters
        ----------
        data : Dataset or Pieces
            Features as the model takes them, and labels.
        epochs : int
            How many there are to be in all, those included that are done.
        listeners : iterable of callable
            Each is called with each `Step`, one after the other.

        Returns
        -------
        History
            That of all epochs so far.

        Raises
        ------
        Diverged
            If a loss is no longer finite.
        TypeError
            If `data` are neither, or `epochs` is not an integer.
        ValueError
            If there is no row, or none with a weight, a loss is not finite because the features are
            not, `epochs` is negative, or the classes have other names than those of the model, or
            another order.
        """
        heard = list(listeners)
        self._stop_asked = False
        for step in self.steps(data, epochs):
            stopping = self._stop_asked  # a wish that comes later waits for the next step
            for listener in heard:
                listener(replace(step, last=True) if stopping else step)
            if stopping:
                break
        if self.early_stopping is not None:
            self._last = {name: np.array(each) for name, each in self._weights().items()}
            self.early_stopping.restore(self.model)
        return self.history

    def stop(self) -> None:
        """End `fit` with the next step, or the one it is at: for listeners and signal handlers."""
        self._stop_asked = True

    def steps(self, data: Dataset | Pieces, epochs: int) -> Iterator[Step]:
        """Train step by step; between two the caller may look at the model, or leave.

        Parameters
        ----------
        data : Dataset or Pieces
            Features as the model takes them, and labels.
        epochs : int
            How many there are to be in all, those included that are done.

        Yields
        ------
        Step

        Raises
        ------
        Diverged
            If a loss is no longer finite.
        TypeError
            If `data` are neither, or `epochs` is not an integer.
        ValueError
            If there is no row, or none with a weight, a loss is not finite because the features are
            not, `epochs` is negative, or the classes have other names than those of the model, or
            another order.
        """
        check_rows(data, "to train on")
        check_weights(data, "to train on")
        epochs = as_int("epochs", epochs)
        if epochs < 0:
            raise ValueError(f"epochs must not be negative, got {epochs}")
        with one_thread_each():
            while self.epoch < epochs and not self._stopped_early:
                if self._last:
                    self.model.load_state_dict(self._weights())
                    self._last = {}
                yield from self._rest_of_epoch(data, epochs)

    def step(self, batch: Dataset) -> float:
        """Take a step on one mini-batch; a subclass may take another.

        Parameters
        ----------
        batch : Dataset

        Returns
        -------
        float
            The loss before the step.

        Raises
        ------
        Diverged
            If it is not finite.
        ValueError
            If that is because the features are not.

        Examples
        --------
        A step of one's own has the batch, and `model`, `criterion` and `optimizer`; the order, the
        place in the file and the end stay those of `fit`:

        >>> import numpy as np
        >>> from lucid import Labels, nn, optim
        >>> from lucid.io import Dataset
        >>> from lucid.training import Trainer
        >>> class Clipped(Trainer):
        ...     def step(self, batch):
        ...         loss = self.criterion(self.model(batch.features), batch.labels)
        ...         self.optimizer.zero_grad()
        ...         loss.backward()
        ...         for p in self.model.parameters():
        ...             p.grad = p.grad.clip(-0.1, 0.1)
        ...         self.optimizer.step()
        ...         return loss.item()
        >>> model = nn.Linear(2, 2)
        >>> trainer = Clipped(model, nn.ZLPRLoss(), optim.SGD(model.parameters(), lr=0.1))
        >>> data = Dataset(np.eye(2), Labels.from_lists([[0], [1]], num_classes=2))
        >>> len(trainer.fit(data, epochs=3))
        3
        """
        if weight_of(batch) == 0:
            return 0.0  # none of these rows is there
        with np.errstate(over="ignore", invalid="ignore"):  # the loss tells
            loss = self.criterion(self.model(batch.features), batch.labels, **weights_of(batch))
            value = self._finite(loss.item(), batch)
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()
        return value

    def _share(self, batch: Dataset) -> float:
        """Return how much the loss of a mini-batch counts in the mean of its epoch."""
        return weight_of(batch)

    def _finite(self, loss: float, batch: Dataset) -> float:
        value = float(loss)
        if not math.isfinite(value):
            check_finite(batch.features)
            raise Diverged(f"the loss became {value} in epoch {self.epoch + 1}")
        return value

    def _rest_of_epoch(self, data: Dataset | Pieces, epochs: int) -> Iterator[Step]:
        place, epoch = self._place, self.epoch
        if place.rows == len(data):  # left in its validation
            yield self._last_step(0, place.mean_loss, epochs)
            return
        batches = math.ceil(len(data) / self.batch_size)
        for number, piece in enumerate(pieces_of(data)):
            check_classes(self.model, piece)
            if number < place.piece:
                continue
            if epoch == number == place.row == 0 and _begins_linear(self.model):
                warn_if_unscaled(piece.features)
            order = self._order(len(piece))
            while place.row < len(piece):
                rows = order[place.row : place.row + self.batch_size]
                self._set_rates((epoch + place.rows // self.batch_size / batches) / epochs)
                batch = piece[rows]
                loss = self._finite(self.step(batch), batch)
                place.take(len(rows), self._share(batch), loss, len(data))
                if place.rows == len(data):  # what ends the epoch is done before the caller looks
                    yield self._last_step(len(rows), loss, epochs)
                    return
                yield Step(epoch + 1, len(rows), loss, place.mean_loss)
            place.next_piece()
        raise ValueError(f"data has a length of {len(data)}, but its pieces have {place.rows} rows")

    def _order(self, rows: int) -> npt.NDArray[np.int64]:
        """Return the order of a piece's rows: the same again where it was left in the middle."""
        if not self.shuffle:
            return np.arange(rows)
        bits = self._rng.bit_generator
        if self._place.row:
            bits.state = self._place.before
        else:
            self._place.before = bits.state
        return self._rng.permutation(rows)

    def _set_rates(self, done: float) -> None:
        if self.schedule is not None:
            for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
                group["lr"] = rate * self.schedule(done)

    def _last_step(self, rows: int, loss: float, epochs: int) -> Step:
        result = self._end_epoch()
        last = self._stopped_early or result.number >= epochs
        return Step(result.number, rows, loss, result.loss, result, last)

    def _end_epoch(self) -> Epoch:
        metrics = {} if self.validation is None else self.validation(self.model)
        metrics = {name: _number(f"validation: {name!r}", each) for name, each in metrics.items()}
        result = Epoch(self.epoch + 1, self._place.mean_loss, metrics)
        if self.early_stopping is not None:
            self._stopped_early = self.early_stopping.update(result, self.model)
        self.history.append(result)  # nothing can fail from here on: the epoch is over, or is not
        self._place = Place()
        return result

    def state_dict(self) -> dict[str, Any]:
        """Return all that the training must remember, arrays not copied.

        Returns
        -------
        dict
            The model and the optimiser, the order of the rows and the place among them, the
            history, what the early stopping remembers, and the settings of the trainer.
        """
        stopping = self.early_stopping
        return {
            "model": self._weights(),
            "optimizer": self.optimizer.state_dict(),
            "rates": list(self._rates),
            "place": copy.copy(vars(self._place)),
            "generator": self._rng.bit_generator.state,
            "generator of lucid": generator().bit_generator.state,  # that of dropout
            "history": self.history.state(),
            "stopped_early": self._stopped_early,
            "early_stopping": None if stopping is None else stopping.state_dict(),
            "settings": self._settings(),
        }

    def _settings(self) -> dict[str, Any]:
        """Return what else the steps depend on, so that a state of other settings is refused."""
        stopping = self.early_stopping
        settings = {
            "criterion": in_words(self.criterion),
            "batch_size": self.batch_size,
            "shuffle": bool(self.shuffle),
            "schedule": in_words(self.schedule),
        }
        if stopping is not None:
            settings["early_stopping.metric"] = stopping.metric
            settings["early_stopping.larger_is_better"] = stopping.larger_is_better
        return settings

    def _weights(self) -> dict[str, npt.NDArray[Any]]:
        """Return the weights from which the training goes on, not copied."""
        stopping = self.early_stopping
        if self._last and stopping is not None and stopping._is_best(self.model):
            return self._last
        return {name: value.numpy() for name, value in self.model.state_dict().items()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another training was, whose state this is.

        The generator that `lucid.manual_seed` sets, from which `lucid.nn.Dropout` draws, goes on
        where it was as well.

        Parameters
        ----------
        state : mapping
            What `state_dict` has returned, of a trainer of the same model and optimiser that was
            made with the same options, but for the seed, as the order goes on where it was. Losses
            and schedules are told apart by their names, losses of ``lucid.nn`` by their options as
            well. States that were saved when they had no settings are taken up without that.

        Raises
        ------
        ValueError
            If it is the state of another model or optimiser, or of another loss, batch size,
            schedule, order or metric of the early stopping, or none of a trainer; nothing is
            changed then.
        """
        found = state if isinstance(state, Mapping) else ()
        missing = [name for name in self.state_dict() if name not in {*found, "settings"}]
        if missing:
            raise ValueError(f"state must be what state_dict() returns, but lacks {missing}")
        stopping = self.early_stopping
        if (stopping is None) != (state["early_stopping"] is None):
            raise ValueError("state: one training has early stopping, the other has none")
        # All is read before anything is changed. Copies need not be deep: what is loaded takes the
        # place of what was there.
        with reading("settings"):
            check_settings(self._settings(), state.get("settings", {}))
        optimizer, stopping = copy.copy(self.optimizer), copy.copy(stopping)
        order, dropout = self._rng.bit_generator, generator().bit_generator
        with reading("model"):
            self.model._fitting(state["model"], strict=True)
        with reading("optimizer"):
            optimizer.load_state_dict(state["optimizer"])
        with reading("rates"):
            rates = [as_number("a rate", rate) for rate in state["rates"]]
            if len(rates) != len(self._rates):
                raise ValueError(f"expected {len(self._rates)} rates, got {len(rates)}")
        with reading("place"):
            place = place_of(state["place"])
            if place.row and self.shuffle:
                copy.deepcopy(order).state = place.before
        with reading("generator"):
            copy.deepcopy(order).state = state["generator"]
        with reading("generator of lucid"):
            copy.deepcopy(dropout).state = state["generator of lucid"]
        with reading("history"):
            history = history_of(state["history"])
        with reading("stopped_early"):
            if not isinstance(stopped_early := state["stopped_early"], bool):
                raise TypeError(f"expected True or False, got {stopped_early!r}")
        with reading("early_stopping"):
            if stopping is not None:
                stopping.load_state_dict(state["early_stopping"])
                stopping._check_fits(self.model)
        self.model.load_state_dict(state["model"])
        vars(self.optimizer).update(vars(optimizer))
        self._rates, self._place, self._last = rates, place, {}
        order.state, dropout.state = state["generator"], state["generator of lucid"]
        self.history, self._stopped_early = history, stopped_early
        if self.early_stopping is not None:
            vars(self.early_stopping).update(vars(stopping))


def _number(name: str, value: Any) -> float:
    """Return a number, also one of NumPy's or a tensor of one, as Python's."""
    return as_number(name, value.item() if hasattr(value, "item") else value)


def _begins_linear(model: Module) -> bool:
    """Whether the features go into a linear layer as they are."""
    while isinstance(model, Sequential) and len(model):
        model = next(iter(model))
    return isinstance(model, Linear)

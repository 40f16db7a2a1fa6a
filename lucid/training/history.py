"""The course of a training, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from lucid.arrays.checks import as_int, as_number


@dataclass(frozen=True)
class Epoch:
    """What came of one epoch.

    Parameters
    ----------
    number : int
        From 1.
    loss : float
        The mean loss of its rows, by their weights, each when its mini-batch came.
    metrics : mapping of str to float
        Those of the validation after it; empty without one.

    Examples
    --------
    >>> from lucid.training import Epoch
    >>> Epoch(1, 0.5, {"ranking loss": 0.1})
    Epoch(number=1, loss=0.5, metrics={'ranking loss': 0.1})
    """

    number: int
    loss: float
    metrics: Mapping[str, float] = field(default_factory=dict)


class History:
    """The epochs of a training so far: a sequence of `Epoch`.

    Parameters
    ----------
    epochs : list of Epoch, optional
        By default none.

    Examples
    --------
    >>> from lucid.training import Epoch, History
    >>> history = History([Epoch(1, 0.5, {"P@1": 0.25}), Epoch(2, 0.375, {"P@1": 0.5})])
    >>> history.losses, history.values("P@1"), len(history)
    ([0.5, 0.375], [0.25, 0.5], 2)
    """

    def __init__(self, epochs: list[Epoch] | None = None) -> None:
        self._epochs = list(epochs or [])

    @property
    def losses(self) -> list[float]:
        """The mean training loss of each epoch."""
        return [epoch.loss for epoch in self._epochs]

    def values(self, metric: str) -> list[float]:
        """Return a metric of the validation after each epoch.

        Parameters
        ----------
        metric : str
            Its name.

        Returns
        -------
        list of float
            Of those epochs that have it.
        """
        return [epoch.metrics[metric] for epoch in self._epochs if metric in epoch.metrics]

    def append(self, epoch: Epoch) -> None:
        """Add what came of an epoch.

        Parameters
        ----------
        epoch : Epoch
        """
        self._epochs.append(epoch)

    def state(self) -> list[dict[str, Any]]:
        """Return the epochs as JSON has them.

        Returns
        -------
        list of dict
        """
        return [asdict(epoch) for epoch in self._epochs]

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self._epochs)

    def __len__(self) -> int:
        return len(self._epochs)

    def __getitem__(self, index: int) -> Epoch:
        return self._epochs[index]

    def __repr__(self) -> str:
        return f"History({self._epochs!r})"


def history_of(state: Any) -> History:
    """Return the history whose state this is; the error of another says what is wrong."""
    epochs = [
        Epoch(
            as_int("number", each["number"]),
            as_number("loss", each["loss"]),
            {name: as_number(name, value) for name, value in each["metrics"].items()},
        )
        for each in state
    ]
    numbers = [epoch.number for epoch in epochs]
    if numbers != list(range(1, len(epochs) + 1)):
        raise ValueError(f"expected epochs that count from 1, got {numbers}")
    return History(epochs)

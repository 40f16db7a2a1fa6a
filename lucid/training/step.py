"""What those who watch a training get to see, and what steers the length of its steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from lucid.training.history import Epoch


@dataclass(frozen=True)
class Step:
    """What one mini-batch brought.

    Parameters
    ----------
    epoch : int
        The number of its epoch, from 1.
    rows : int
        Of the mini-batch; 0 where the step does again what followed the last one of an epoch, a
        validation that was interrupted.
    loss : float
        Their loss before the step; without rows, the mean loss.
    mean_loss : float
        The mean loss of the rows of the epoch so far, by their weights.
    result : Epoch, optional
        What came of the epoch, where this was its last step.
    last : bool
        Whether the training ends with it.

    Examples
    --------
    >>> from lucid.training import Step
    >>> Step(epoch=1, rows=32, loss=0.5, mean_loss=0.5).result is None
    True
    """

    epoch: int
    rows: int
    loss: float
    mean_loss: float
    result: Epoch | None = None
    last: bool = False


Listener: TypeAlias = Callable[[Step], object]
Schedule: TypeAlias = Callable[[float], float]


def linear_decay(done: float) -> float:
    """Return the factor of the learning rate when so much of the training is done, from 0 to 1.

    It falls in a straight line, from 1 at first to 0 after the last step.

    Parameters
    ----------
    done : float

    Returns
    -------
    float

    Examples
    --------
    >>> from lucid.training import linear_decay
    >>> linear_decay(0.25)
    0.75
    """
    return 1.0 - done

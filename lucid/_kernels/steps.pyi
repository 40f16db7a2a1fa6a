# The interface of steps_baseline and steps_x86_64_v3, which are compiled from steps.pyx.

import numpy as np
import numpy.typing as npt

_Real = npt.NDArray[np.float32] | npt.NDArray[np.float64]

def sgd(
    x: _Real,
    g: _Real,
    b: _Real,
    lr: float,
    weight_decay: float,
    momentum: float,
    new: float,
    nesterov: bool,
) -> None:
    """Change ``x`` and the momentum ``b`` in place, with the gradient ``g``.

    ``new`` is what the gradient counts in ``b``. All arrays of one type and size (n,), contiguous
    and aligned; ValueError, with no word for users, where the sizes differ.
    """

def plain_sgd(x: _Real, g: _Real, lr: float, weight_decay: float) -> None:
    """The same without a momentum."""

def adam(
    x: _Real,
    g: _Real,
    m: _Real,
    v: _Real,
    step: float,
    weight_decay: float,
    shrink: float,
    beta1: float,
    new1: float,
    beta2: float,
    new2: float,
    eps: float,
) -> None:
    """Change ``x`` and the averages ``m`` and ``v`` in place, with the gradient ``g``.

    ``x`` is multiplied by ``shrink`` first; ``new1`` and ``new2`` are what the gradient and its
    square count in the averages.
    """

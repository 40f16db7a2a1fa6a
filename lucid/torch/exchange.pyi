# The interface of exchange, which is compiled from exchange.pyx.

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lucid.losses.problem import Loss

def array_at(tensor: Any) -> npt.NDArray[Any] | None:
    """Return the memory of a tensor as an array, whether the tensor requires a gradient or not.

    None if it has none on the CPU that can be read as it is, and where PyTorch is too old to tell.
    """

def tensor_at(array: npt.NDArray[np.floating[Any]]) -> torch.Tensor:
    """Return a tensor in the memory of an array, as `torch.from_numpy` does."""

def is_unwatched(x: Any) -> bool:
    """Whether a tensor is on the CPU, and nobody watches what becomes of it but autograd.

    PyTorch's compiler, which watches calls of Python, is none of its business.
    """

def solved_fast(
    loss: Loss,
    x: Any,
    target: Any,
    reduction: str,
    options: Mapping[str, Any],
    curved: Callable[[Mapping[str, Any]], bool] | None,
) -> tuple[torch.Tensor, torch.Tensor | None] | None:
    """Return the loss of an unwatched tensor and, if it requires one, its gradient.

    None for both if the arguments take a closer look, and where a gradient would have to be
    differentiated again, which ``curved`` tells: that takes labels that nobody changes until then.
    """

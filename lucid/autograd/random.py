"""Tensors of random numbers, and the generator behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt

from lucid.autograd.creation import as_shape
from lucid.autograd.tensor import Tensor

__all__ = ["manual_seed", "rand", "randn"]

_generator = np.random.default_rng()


def manual_seed(seed: int) -> None:
    """Start the random generator of this library anew: what follows is the same each time.

    It is behind `randn` and `rand`, the initial weights of layers, and `lucid.nn.Dropout`.

    Parameters
    ----------
    seed : int
        Not negative.

    Examples
    --------
    >>> import lucid
    >>> lucid.manual_seed(0)
    >>> x = lucid.rand(3)
    >>> lucid.manual_seed(0)
    >>> (x == lucid.rand(3)).tolist()
    [True, True, True]
    """
    global _generator
    _generator = np.random.default_rng(seed)


def generator() -> np.random.Generator:
    """Return the generator that `manual_seed` has set."""
    return _generator


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let what is within find a generator of its own, and what follows the one of before."""
    global _generator
    before = _generator
    _generator = np.random.default_rng(seed)
    try:
        yield
    finally:
        _generator = before


def randn(
    *shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of random numbers from the standard normal distribution.

    Parameters
    ----------
    *shape : int or sequence of int
        The length of each axis; none for a 0-d tensor.
    dtype : numpy.dtype or str, default float32
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.randn(2, 3).shape
    (2, 3)
    """
    values = np.asarray(_generator.standard_normal(as_shape(shape)), dtype)
    return Tensor(values).requires_grad_(requires_grad)


def rand(
    *shape: int | Sequence[int], dtype: npt.DTypeLike = np.float32, requires_grad: bool = False
) -> Tensor:
    """Make a tensor of random numbers, uniform in the interval [0, 1).

    Parameters
    ----------
    *shape : int or sequence of int
        The length of each axis; none for a 0-d tensor.
    dtype : numpy.dtype or str, default float32
        Floating-point.
    requires_grad : bool, default False

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.rand(2, 3).shape
    (2, 3)
    """
    # Multiples of the spacing below 1, which the dtype holds exactly: rounding could give 1.
    steps = 2 ** (np.finfo(dtype).nmant + 1)
    values = np.asarray(_generator.integers(steps, size=as_shape(shape)) / steps, dtype)
    return Tensor(values).requires_grad_(requires_grad)

"""How many threads the kernels use."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from typing import Any, SupportsIndex

from lucid._kernels import machine
from lucid.system import blas
from lucid.system.integers import as_int
from lucid.system.warnings import warn_user

__all__ = ["get_num_threads", "one_blas_thread", "set_num_threads"]

# Far above any machine. Whether so many can be started, `machine.startable` finds out.
MOST_THREADS = 1024

# OpenMP's own default, so that OMP_NUM_THREADS holds.
machine.set_threads(min(machine.max_threads(), MOST_THREADS))

# OpenMP's threads do not survive a fork: a child that enters a parallel region would hang.
_forked = False


def get_num_threads() -> int:
    """Return the number of threads that the kernels may use.

    Returns
    -------
    int
        At first OpenMP's default: ``OMP_NUM_THREADS`` if it is set, otherwise the number of cores.
        1 in a build without OpenMP, and in a child process after a fork.

    See Also
    --------
    set_num_threads

    Examples
    --------
    >>> import lucid
    >>> lucid.set_num_threads(1)
    >>> lucid.get_num_threads()
    1
    """
    return machine.threads()


def set_num_threads(threads: SupportsIndex) -> None:
    """Set the number of threads that the kernels may use, in the whole process.

    Results do not depend on it: they have the same bits for every number of threads. Small
    problems run on one thread whatever is set.

    Parameters
    ----------
    threads : int
        From 1 to 1024.

    Raises
    ------
    TypeError
        If `threads` is not an integer.
    ValueError
        If `threads` is out of range.

    Warns
    -----
    UserWarning
        If `threads` is more than 1 in a child process after a fork, where it stays 1.

    See Also
    --------
    get_num_threads

    Notes
    -----
    * Threads that are done wait for the others and for the next call, in a loop for about 125
      microseconds, then asleep: where others use the machine, too, a thread that went on looping
      would keep those from running that it waits for. ``GOMP_SPINCOUNT`` or ``OMP_WAIT_POLICY``,
      set in the environment before Python starts, sets how long they loop; lucid sets the first,
      where neither is set, only while it loads GNU OpenMP.
    * Linux often wakes a thread on the processor of the one that woke it, where it waits for its
      turn although another is idle. It is then moved, at most once in 20 ms.
    * Where the system lets no more threads be created, because of a limit on processes or memory,
      a call runs on fewer.

    Examples
    --------
    >>> import lucid
    >>> lucid.set_num_threads(0)
    Traceback (most recent call last):
    ValueError: threads must be from 1 to 1024, got 0
    """
    number = checked_threads(threads)
    if _forked and number > 1:
        warn_user(
            "this process was forked, and OpenMP's threads do not survive that: the number is 1, "
            f"not {number}; processes started with 'spawn' or 'forkserver' can have more"
        )
        number = 1
    machine.set_threads(number)


def checked_threads(threads: SupportsIndex) -> int:
    """Return a number of threads, from 1 to 1024."""
    number = as_int("threads", threads)
    if not 1 <= number <= MOST_THREADS:
        raise ValueError(f"threads must be from 1 to {MOST_THREADS}, got {number}")
    return number


def one_blas_thread() -> AbstractContextManager[Any]:
    """Keep NumPy's matrix products on one thread, in the whole process, for a while.

    NumPy's BLAS library has threads of its own beside those of the kernels. In a training, where
    products and losses take turns, those of the one go on looping for work while those of the other
    want the processors; on a busy machine a step can take ten times longer. The products of a
    mini-batch are too small to gain from several threads; and their bits depend on the number.

    Returns
    -------
    context manager
        Within it there is one; afterwards there are as many as before.

    Raises
    ------
    ImportError
        If threadpoolctl, which sets it, is not installed.

    See Also
    --------
    set_num_threads : The threads of the kernels.
    lucid.training.Trainer : Which does it for you.

    Notes
    -----
    ``OPENBLAS_NUM_THREADS=1`` (or ``MKL_NUM_THREADS``), set in the environment before Python
    starts, does the same without threadpoolctl.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn, optim
    >>> model = nn.Sequential(nn.Linear(20, 64), nn.ReLU(), nn.Linear(64, 5))
    >>> optimizer = optim.SGD(model.parameters(), lr=0.1)
    >>> with lucid.one_blas_thread():
    ...     for _ in range(3):
    ...         loss = nn.MultilabelMarginLoss()(model(lucid.ones(4, 20)), [[0], [1], [2], [3]])
    ...         optimizer.zero_grad()
    ...         loss.backward()
    ...         optimizer.step()
    """
    return blas.one_thread()


class using:
    """Let what this thread calls meanwhile use another number of threads than the one that is set.

    For callers with a setting of their own. After a fork the number is 1 all the same.
    """

    __slots__ = ("_before", "_threads")

    def __init__(self, threads: int) -> None:
        self._threads = 1 if _forked else min(threads, MOST_THREADS)

    def __enter__(self) -> None:
        self._before = machine.set_threads(self._threads, here=True)

    def __exit__(self, *error: object) -> None:
        machine.set_threads(self._before, here=True)


def _after_fork() -> None:
    global _forked
    _forked = True
    machine.set_threads(1)
    machine.set_threads(0, here=True)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)

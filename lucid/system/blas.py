"""The threads of NumPy's BLAS library, beside those of the kernels and Python's own."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache
from typing import Any

from lucid.system.optional import require


def one_thread() -> AbstractContextManager[Any]:
    """Let each matrix product use the thread that it is called on, and no other."""
    limits: AbstractContextManager[Any] = _controller().limit(limits=1, user_api="blas")
    return limits


@contextmanager
def one_thread_each() -> Iterator[bool]:
    """Do the same where threadpoolctl is installed, and yield whether it is.

    Without it, products that are called on several threads at once wait for each other.
    """
    try:
        limits = one_thread()
    except ImportError:
        yield False
        return
    with limits:
        yield True


@lru_cache
def _controller() -> Any:
    """Return what knows the libraries that are loaded; to look for them takes a millisecond."""
    return require(
        "threadpoolctl", extra="cli", purpose="one thread for BLAS"
    ).ThreadpoolController()

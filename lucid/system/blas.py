"""The threads of NumPy's BLAS library, where threads of this library share out the work."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

from lucid.system.optional import require


@contextmanager
def one_thread_each() -> Iterator[bool]:
    """Let each matrix product use the thread that it is called on, and no other.

    Yields whether that holds. It needs threadpoolctl; without it, products that are called on
    several threads at once would wait for each other.
    """
    controller = _controller()
    if controller is None:
        yield False
    else:
        with controller.limit(limits=1, user_api="blas"):
            yield True


@lru_cache
def _controller() -> Any:
    try:
        return require("threadpoolctl", extra="cli", purpose="one thread").ThreadpoolController()
    except ImportError:
        return None

"""Tiles of classes that threads share out, so that what is added up over them has the same bits."""

from collections.abc import Callable
from contextvars import copy_context
from threading import Lock, Thread
from typing import Any, TypeAlias

import numpy.typing as npt

from lucid.system import threads
from lucid.system.blas import one_thread_each

Array = npt.NDArray[Any]

#: Solves a tile, and returns what it brings to each of the totals.
Solve: TypeAlias = Callable[[slice], list[Array]]


def tiles(num_classes: int, width: int) -> list[slice]:
    """Cut the classes into tiles."""
    return [slice(c, min(c + width, num_classes)) for c in range(0, num_classes, width)]


def share_out(
    all_tiles: list[slice],
    totals: list[Array],
    worker: Callable[[], Solve],
    most_threads: int | None = None,
) -> None:
    """Have threads go through the tiles; NumPy and the kernels let them run side by side.

    ``worker`` is called once by each, and returns what solves a tile, with memory of its own. What
    tiles bring is added to the ``totals`` in the order of the tiles, whichever comes first. Where
    there is memory for one worker only, all threads work on its tile instead.
    """
    numbered, in_order = _Numbered(all_tiles), _InOrder(totals)

    def run_alone() -> None:
        solve = worker()
        for number, tile in numbered:
            in_order.add(number, solve(tile))

    def run() -> None:
        try:
            with threads.using(1):
                run_alone()
        except BaseException as error:
            numbered.error = error

    if most_threads == 1:
        return run_alone()
    # Products by a library that cannot be told to use one thread would wait for each other.
    with one_thread_each() as several:
        wanted = min(threads.get_num_threads(), len(all_tiles), most_threads or len(all_tiles))
        if wanted == 1 or not several:
            return run_alone()
        others = [Thread(target=copy_context().run, args=(run,)) for _ in range(wanted - 1)]
        for other in others:
            other.start()
        run()
        for other in others:
            other.join()
    if numbered.error is not None:
        raise numbered.error


class _InOrder:
    """Adds up what tiles bring, in their order, whichever comes first."""

    def __init__(self, totals: list[Array]) -> None:
        self._totals = totals
        self._early: dict[int, list[Array]] = {}
        self._next = 0
        self._lock = Lock()

    def add(self, number: int, parts: list[Array]) -> None:
        with self._lock:
            self._early[number] = parts
            while self._next in self._early:
                for total, part in zip(self._totals, self._early.pop(self._next), strict=True):
                    total += part
                self._next += 1


class _Numbered:
    """Numbered tiles that several threads take from, one at a time; none after an error."""

    def __init__(self, all_tiles: list[slice]) -> None:
        self._left = iter(enumerate(all_tiles))
        self._lock = Lock()
        self.error: BaseException | None = None

    def __iter__(self) -> "_Numbered":
        return self

    def __next__(self) -> tuple[int, slice]:
        with self._lock:
            if self.error is not None:
                raise StopIteration
            return next(self._left)

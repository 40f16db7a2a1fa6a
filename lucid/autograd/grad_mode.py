"""Whether operations are recorded, and `no_grad`, under which they are not."""

from __future__ import annotations

import functools
import inspect
import threading
import types
from collections.abc import Callable, Generator
from typing import Any, TypeVar, cast, overload

__all__ = ["is_grad_enabled", "no_grad"]

F = TypeVar("F", bound=Callable[..., Any])


class _GradMode(threading.local):
    enabled: bool = True

    def __init__(self) -> None:
        #: What to come back to: one entry for each `no_grad` that this thread is in.
        self.outer: list[bool] = []


#: Whether ops record what they do: a flag for each thread.
grad_mode = _GradMode()


class NoGrad:
    """What `no_grad` returns. It holds no state, so one object serves any number of times."""

    def __enter__(self) -> None:
        grad_mode.outer.append(grad_mode.enabled)
        grad_mode.enabled = False

    def __exit__(self, *_: object) -> None:
        # There is none where a generator goes on in another thread than it entered in.
        if grad_mode.outer:
            grad_mode.enabled = grad_mode.outer.pop()

    def __call__(self, function: F) -> F:
        """Return the function, computing without recording."""
        if not callable(function) or inspect.isclass(function):
            raise TypeError(f"no_grad: expected a function or a method, got {function!r}")
        wrap = next((w for kind, w in _WRAPPERS.items() if kind(function)), _wrap_function)
        return cast("F", functools.wraps(function)(wrap(function)))


def _wrap_function(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        with NoGrad():
            return function(*args, **kwargs)

    return wrapped


def _wrap_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        return (yield from _step_through(function(*args, **kwargs)))

    return wrapped


def _wrap_coroutine(function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        return await _await(function(*args, **kwargs))

    return wrapped


def _wrap_async_generator(function: Callable[..., Any]) -> Callable[..., Any]:
    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        steps = function(*args, **kwargs)
        step = steps.asend(None)
        try:
            while True:
                y = await _await(step)
                try:
                    step = steps.asend((yield y))
                except GeneratorExit:
                    raise
                except BaseException as error:
                    step = steps.athrow(error)
        except StopAsyncIteration:
            return
        finally:
            await _await(steps.aclose())

    return wrapped


def _step_through(steps: Any) -> Generator[Any, Any, Any]:
    """Run a generator, or a coroutine, without recording: its own steps, not what is between."""
    resume, argument = steps.send, None
    while True:
        try:
            with NoGrad():
                y = resume(argument)
        except StopIteration as stop:
            return stop.value
        try:
            resume, argument = steps.send, (yield y)
        except GeneratorExit:
            with NoGrad():
                steps.close()
            raise
        except BaseException as error:
            resume, argument = steps.throw, error


@types.coroutine
def _await(steps: Any) -> Generator[Any, Any, Any]:
    return (yield from _step_through(steps))


_WRAPPERS = {
    inspect.isgeneratorfunction: _wrap_generator,
    inspect.iscoroutinefunction: _wrap_coroutine,
    inspect.isasyncgenfunction: _wrap_async_generator,
}


@overload
def no_grad() -> NoGrad: ...
@overload
def no_grad(function: F) -> F: ...
def no_grad(function: Any = None) -> Any:
    """Compute without recording: a context manager, and a decorator with or without parentheses.

    What is computed inside does not require a gradient and keeps no graph alive. The setting
    belongs to the thread that makes it.

    Parameters
    ----------
    function : callable, optional
        The function to decorate. The body of a generator or an ``async`` function is not recorded;
        what happens elsewhere between its steps is.

    Returns
    -------
    context manager, or callable
        For ``with``, which may be entered again and within itself; or the decorated function.

    Raises
    ------
    TypeError
        If `function` is not one.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor(3.0, requires_grad=True)
    >>> with lucid.no_grad():
    ...     y = x * 2
    >>> y.requires_grad
    False
    >>> @lucid.no_grad
    ... def double(x):
    ...     return x * 2
    >>> double(x).requires_grad
    False
    """
    return NoGrad() if function is None else NoGrad()(function)


def is_grad_enabled() -> bool:
    """Return whether ops in this thread record what a backward pass needs.

    Returns
    -------
    bool
        False inside `no_grad`, True elsewhere.

    Examples
    --------
    >>> import lucid
    >>> lucid.is_grad_enabled()
    True
    """
    return grad_mode.enabled

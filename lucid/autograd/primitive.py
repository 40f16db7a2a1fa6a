"""`primitive`: makes a differentiable op of a function that returns a value and its pullback."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, overload

import numpy as np

from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.graph import Node, Pullback
from lucid.autograd.tensor import Tensor, TensorLike, as_tensor

__all__ = ["primitive"]

P = ParamSpec("P")
Result = tuple[Any, Pullback | None]

_HALF, _SINGLE = np.dtype(np.float16), np.dtype(np.float32)


def rounded_once(forward: Callable[P, Result]) -> Callable[P, Result]:
    """Mark the function of an op whose value or gradients take more than one step of arithmetic.

    In half precision each step could overflow or lose digits: the op, and with it its pullback,
    is computed in float32, and its value and the gradients of its inputs are rounded once.
    """
    forward.rounded_once = True  # type: ignore[attr-defined]
    return forward


@overload
def primitive(
    forward: Callable[Concatenate[Tensor, Tensor, Tensor, P], Result],
) -> Callable[Concatenate[TensorLike, TensorLike, TensorLike, P], Tensor]: ...
@overload
def primitive(
    forward: Callable[Concatenate[Tensor, Tensor, P], Result],
) -> Callable[Concatenate[TensorLike, TensorLike, P], Tensor]: ...
@overload
def primitive(
    forward: Callable[Concatenate[Tensor, P], Result],
) -> Callable[Concatenate[TensorLike, P], Tensor]: ...
def primitive(forward: Callable[..., Result]) -> Callable[..., Tensor]:
    """Make a differentiable operation of a function that returns a value and its pullback.

    Parameters
    ----------
    forward : callable
        Takes Tensors as positional arguments, and options as keyword arguments. Returns the value,
        an array, and the pullback: a function of the gradient `g` of the final quantity with
        respect to the output, and of the output `y` itself, that returns the gradient with respect
        to each input, as a tuple of Tensors; None stands for no gradient. A pullback of None marks
        an op without a gradient, such as a comparison.

    Returns
    -------
    callable
        The same function for the user: it takes tensors, arrays and numbers, and returns a Tensor.
        It raises a TypeError where `forward` returns anything but such a pair.

    Notes
    -----
    * Write the pullback with operations on tensors: it can then be differentiated in turn. Take `y`
      from its argument rather than from around it, so that a graph is freed without the garbage
      collector.
    * Broadcasting needs no care: a gradient of the output's shape is summed to the input's shape.
      One of another shape, or what is no Tensor, is refused in the backward pass.
    * A pullback may return `g` or a view of it, but not its inputs, nor one array twice.

    Examples
    --------
    >>> import numpy as np
    >>> import lucid
    >>> @lucid.primitive
    ... def cube(x):
    ...     return x.detach().numpy() ** 3, lambda g, y: (g * 3 * x**2,)
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> cube(x).backward()
    >>> x.grad
    tensor(12.)
    """
    name = getattr(forward, "__name__", repr(forward))
    widens = getattr(forward, "rounded_once", False)

    @functools.wraps(forward)
    def op(*inputs: Any, **options: Any) -> Tensor:
        for x in inputs:
            if not isinstance(x, Tensor):
                inputs = as_operands(inputs)
                break
        if widens:
            for x in inputs:
                dtype = x._data.dtype
                if dtype is not _SINGLE and dtype.char == "e":  # the usual case first, and fast
                    return _in_float32(op, inputs, options)
        result = forward(*inputs, **options)
        if not isinstance(result, tuple) or len(result) != 2:
            raise TypeError(_not_a_pair(name, result))
        value, pullback = result
        output = Tensor(value)
        if output._data.base is not None:
            _share_version(output, inputs)
        if pullback is not None and grad_mode.enabled:
            for x in inputs:
                if x.requires_grad:
                    if not callable(pullback):
                        raise TypeError(_not_a_pair(name, result))
                    output.requires_grad = True
                    output._node = Node(inputs, pullback, output, name)
                    break
        return output

    signature = inspect.signature(forward).replace(return_annotation="Tensor")
    op.__signature__ = signature  # type: ignore[attr-defined]
    return op


def _in_float32(
    op: Callable[..., Tensor], inputs: tuple[Tensor, ...], options: dict[str, Any]
) -> Tensor:
    """Compute an op of half precision in single, and round its result."""
    output = op(*(x.to(_SINGLE) if x._data.dtype.char == "e" else x for x in inputs), **options)
    promoted = np.result_type(*(x._data.dtype for x in inputs))  # half if no operand is wider
    return output.to(_HALF) if promoted == _HALF and output._data.dtype == _SINGLE else output


def _not_a_pair(name: str, result: Any) -> str:
    got = type(result).__name__
    if isinstance(result, tuple):
        got = f"({', '.join(type(part).__name__ for part in result)})"
    return (
        f"{name}: a primitive must return a tuple of its value and its pullback, a function "
        f"(None for an op without a gradient), got {got}"
    )


_NUMBERS = (float, int, bool)  # the very types: a numpy.float64 is a float, but has a dtype


def as_operands(inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
    """Make tensors of an op's inputs; Python numbers take the dtype of what they meet.

    If the op will be recorded, it gets arrays of its own: the owner of an array may write into it
    before the backward pass, and no version would tell.
    """
    operands: list[Any] = []
    dtypes, arrays = [], []
    for x in inputs:
        if type(x) in _NUMBERS:
            operands.append(x)
            continue
        y = x if isinstance(x, Tensor) else as_tensor(x)
        if y is not x:
            arrays.append(len(operands))
        operands.append(y)
        dtypes.append(y._data.dtype)
    if len(dtypes) < len(operands):
        dtype = dtypes[0] if dtypes else None
        if dtype is not None and (dtype.kind != "f" or len(dtypes) > 1):  # else no number has a say
            dtype = np.result_type(*dtypes, *(x for x in operands if type(x) in _NUMBERS))
        for i, x in enumerate(operands):
            if type(x) in _NUMBERS:
                operands[i] = as_tensor(x) if dtype is None else Tensor(np.array(x, dtype))
    if arrays and grad_mode.enabled and any(y.requires_grad for y in operands):
        for i in arrays:
            data = operands[i]._data
            if data is inputs[i] or data.base is not None:
                operands[i] = Tensor(data.copy())
    return tuple(operands)


def _share_version(output: Tensor, inputs: Sequence[Tensor]) -> None:
    """A view of an input's memory is written to when the input is: they share the counter."""
    base = output._data.base
    for x in inputs:
        if base is x._data or base is x._data.base:
            output._version = x._version

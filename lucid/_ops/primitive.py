"""`primitive`: makes a differentiable op of a function that returns a value and its pullback."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, overload

import numpy as np

from lucid._graph import Node, Pullback, grad_mode
from lucid._tensor import Tensor, TensorLike, as_tensor

P = ParamSpec("P")
Result = tuple[Any, Pullback | None]


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

    Notes
    -----
    * Write the pullback with operations on tensors: it can then be differentiated in turn. Take `y`
      from its argument rather than from around it, so that a graph is freed without the garbage
      collector.
    * Broadcasting needs no care: a gradient of the output's shape is summed to the input's shape.
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

    @functools.wraps(forward)
    def op(*inputs: Any, **options: Any) -> Tensor:
        for x in inputs:
            if not isinstance(x, Tensor):
                inputs = as_operands(inputs)
                break
        value, pullback = forward(*inputs, **options)
        output = Tensor(value)
        if output._data.base is not None:
            _share_version(output, inputs)
        if pullback is not None and grad_mode.enabled:
            for x in inputs:
                if x.requires_grad:
                    output.requires_grad = True
                    output._node = Node(inputs, pullback, output)
                    break
        return output

    signature = inspect.signature(forward).replace(return_annotation="Tensor")
    op.__signature__ = signature  # type: ignore[attr-defined]
    return op


_NUMBERS = (float, int, bool)  # the very types: a numpy.float64 is a float, but has a dtype


def as_operands(inputs: Sequence[TensorLike]) -> tuple[Tensor, ...]:
    """Make tensors of an op's inputs; Python numbers take the dtype of what they meet."""
    tensors = [as_tensor(x) for x in inputs if type(x) not in _NUMBERS]
    numbers = [x for x in inputs if type(x) in _NUMBERS]
    if not (tensors and numbers):
        return tuple(as_tensor(x) for x in inputs)
    dtype = tensors[0]._data.dtype
    if dtype.kind != "f" or len(tensors) > 1:  # else the number has no say
        dtype = np.result_type(*(x._data.dtype for x in tensors), *numbers)
    return tuple(
        Tensor(np.array(x, dtype)) if type(x) in _NUMBERS else as_tensor(x) for x in inputs
    )


def _share_version(output: Tensor, inputs: Sequence[Tensor]) -> None:
    """A view of an input's memory is written to when the input is: they share the counter."""
    base = output._data.base
    for x in inputs:
        if base is x._data or base is x._data.base:
            output._version = x._version

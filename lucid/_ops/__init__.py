"""Every differentiable operation, its value and its pullback together.

`primitive` turns a function that returns both into an op. Tensor lies below this layer, so its
operators and methods are hung in here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lucid._ops.arithmetic import (
    add,
    divide,
    equal,
    greater,
    greater_equal,
    less,
    less_equal,
    multiply,
    negative,
    not_equal,
    power,
    subtract,
)
from lucid._ops.elementwise import (
    abs,
    clip,
    clone,
    exp,
    log,
    maximum,
    minimum,
    relu,
    sigmoid,
    sqrt,
    tanh,
    to,
    where,
)
from lucid._ops.primitive import primitive
from lucid._ops.products import linear, matmul
from lucid._ops.reductions import log_softmax, max, mean, min, softmax, sum
from lucid._ops.shaping import broadcast_to, concatenate, getitem, reshape, stack, transpose
from lucid._tensor import Tensor, TensorLike

__all__ = [
    "abs",
    "add",
    "broadcast_to",
    "clip",
    "concatenate",
    "divide",
    "exp",
    "linear",
    "log",
    "log_softmax",
    "matmul",
    "max",
    "maximum",
    "mean",
    "min",
    "minimum",
    "multiply",
    "negative",
    "power",
    "primitive",
    "relu",
    "reshape",
    "sigmoid",
    "softmax",
    "sqrt",
    "stack",
    "subtract",
    "sum",
    "tanh",
    "transpose",
    "where",
]


def _swapped(
    op: Callable[[TensorLike, TensorLike], Tensor],
) -> Callable[[TensorLike, TensorLike], Tensor]:
    return lambda x, y: op(y, x)


def _comparison(op: Callable[[TensorLike, TensorLike], Tensor]) -> Callable[..., Any]:
    """Leave ``x == None`` and the like to Python, which compares identities, as for any object."""

    def compare(x: TensorLike, y: TensorLike) -> Any:
        try:
            return op(x, y)
        except TypeError:
            return NotImplemented

    return compare


_METHODS = {
    "__add__": add,
    "__radd__": _swapped(add),
    "__sub__": subtract,
    "__rsub__": _swapped(subtract),
    "__mul__": multiply,
    "__rmul__": _swapped(multiply),
    "__truediv__": divide,
    "__rtruediv__": _swapped(divide),
    "__pow__": power,
    "__rpow__": _swapped(power),
    "__matmul__": matmul,
    "__rmatmul__": _swapped(matmul),
    "__neg__": negative,
    "__abs__": abs,
    "__lt__": less,
    "__le__": less_equal,
    "__gt__": greater,
    "__ge__": greater_equal,
    "__eq__": _comparison(equal),
    "__ne__": _comparison(not_equal),
    "__getitem__": getitem,
    "T": property(transpose, doc="The tensor with the order of its axes reversed."),
    "abs": abs,
    "exp": exp,
    "log": log,
    "sqrt": sqrt,
    "tanh": tanh,
    "sigmoid": sigmoid,
    "relu": relu,
    "clip": clip,
    "sum": sum,
    "mean": mean,
    "max": max,
    "min": min,
    "softmax": softmax,
    "log_softmax": log_softmax,
    "reshape": reshape,
    "transpose": transpose,
    "clone": clone,
    "to": to,
    "astype": to,
}

for _name, _method in _METHODS.items():
    setattr(Tensor, _name, _method)

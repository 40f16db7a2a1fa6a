"""What Tensor has under other names than its ops: operators, indexing, ``T``, ``astype``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lucid.autograd.grad_mode import grad_mode
from lucid.autograd.ops.arithmetic import (
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
from lucid.autograd.ops.elementwise import abs, to
from lucid.autograd.ops.products import matmul
from lucid.autograd.ops.shaping import getitem, transpose
from lucid.autograd.tensor import Tensor, TensorLike


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


def _in_place(
    op: Callable[[TensorLike, TensorLike], Tensor], ufunc: np.ufunc
) -> Callable[[Tensor, TensorLike], Tensor]:
    """Make ``x += y`` write into x where nothing is recorded, and name a new tensor where it is."""

    def update(x: Tensor, y: TensorLike) -> Tensor:
        recorded = x.requires_grad or (isinstance(y, Tensor) and y.requires_grad)
        if not (recorded and grad_mode.enabled):
            value = y._data if isinstance(y, Tensor) else y
            ufunc(x._data, value, out=x._data, casting="same_kind")
            x._count_write()
            return x
        if x.requires_grad and x.is_leaf:
            raise RuntimeError(
                "a tensor that requires a gradient is changed in place while it is recorded: "
                "do it under lucid.no_grad(), or give the result a name of its own"
            )
        return op(x, y)

    return update


_OPERATORS = {
    "__iadd__": _in_place(add, np.add),
    "__isub__": _in_place(subtract, np.subtract),
    "__imul__": _in_place(multiply, np.multiply),
    "__itruediv__": _in_place(divide, np.true_divide),
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
    "astype": to,
}

for _name, _operator in _OPERATORS.items():
    setattr(Tensor, _name, _operator)

"""Arithmetic between tensors, and comparison."""

from __future__ import annotations

import numpy as np

from lucid.autograd.docs import SECTIONS
from lucid.autograd.ops.choices import where
from lucid.autograd.ops.elementwise import log
from lucid.autograd.primitive import Result, primitive, rounded_once
from lucid.autograd.tensor import Tensor
from lucid.system.docstrings import shared

__all__ = ["add", "divide", "multiply", "negative", "power", "subtract"]


@primitive
@shared(SECTIONS)
def add(x: Tensor, y: Tensor) -> Result:
    """Return ``x + y`` for each element.

    {of_two}

    Examples
    --------
    >>> import lucid
    >>> lucid.add(lucid.tensor([1.0, 2.0]), 1)
    tensor([2., 3.])
    """
    return x._data + y._data, lambda g, _: (g, g)


@primitive
@shared(SECTIONS)
def subtract(x: Tensor, y: Tensor) -> Result:
    """Return ``x - y`` for each element.

    {of_two}

    Examples
    --------
    >>> import lucid
    >>> lucid.subtract(lucid.tensor([1.0, 2.0]), 1)
    tensor([0., 1.])
    """
    return x._data - y._data, lambda g, _: (g, -g)


# The gradients below cost as much as the op or more, so none is computed for a constant operand.


@primitive
@rounded_once
@shared(SECTIONS)
def multiply(x: Tensor, y: Tensor) -> Result:
    """Return ``x * y`` for each element.

    {of_two}

    Examples
    --------
    >>> import lucid
    >>> lucid.multiply(lucid.tensor([1.0, 2.0]), 3)
    tensor([3., 6.])
    """
    return x._data * y._data, lambda g, _: (
        g * y if x.requires_grad else None,
        g * x if y.requires_grad else None,
    )


@primitive
@rounded_once
@shared(SECTIONS)
def divide(x: Tensor, y: Tensor) -> Result:
    """Return ``x / y`` for each element.

    {of_two}

    Examples
    --------
    >>> import lucid
    >>> lucid.divide(lucid.tensor([1.0, 2.0]), 4)
    tensor([0.25, 0.5 ])
    """
    return x._data / y._data, lambda g, ratio: (
        g / y if x.requires_grad else None,
        -g * ratio / y if y.requires_grad else None,
    )


@primitive
@rounded_once
@shared(SECTIONS)
def power(x: Tensor, y: Tensor) -> Result:
    r"""Return :math:`x^y` for each element.

    {of_two}

    Notes
    -----
    :math:`x^0` is 1 for every `x`, so its slope in `x` is 0, for 0, infinity and NaN too. The slope
    in `y` of :math:`0^y` is 0 for ``y >= 0`` and :math:`-\infty` below; that of :math:`\infty^y` is
    0 for ``y < 0``.

    Examples
    --------
    >>> import lucid
    >>> lucid.power(lucid.tensor([1.0, 2.0, 3.0]), 2)
    tensor([1., 4., 9.])
    """
    return x._data**y._data, lambda g, z: (
        g * _monomial(y, x, y - 1) if x.requires_grad else None,
        g * _slope_in_exponent(z, x, y) if y.requires_grad else None,
    )


@primitive
@rounded_once
def _monomial(c: Tensor, x: Tensor, y: Tensor) -> Result:
    """c x^y, which is 0 for c = 0 whatever x^y is: derivatives of a power have this form."""
    return c._data * x._data ** np.where(c._data == 0, 0, y._data), lambda g, z: (
        g * x**y if c.requires_grad else None,
        g * _monomial(c * y, x, y - 1) if x.requires_grad else None,
        g * _slope_in_exponent(z, x, y) if y.requires_grad else None,
    )


def _slope_in_exponent(z: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Return z log(x), the slope of z = c x^y in y, and 0 where x^y goes to 0 faster."""
    at_end = (x._data == 0) | (x._data == np.inf)
    flat = at_end & ((z._data == 0) | ((x._data == 0) & (y._data == 0)))
    return z * log(where(flat, 1, x))


@primitive
@shared(SECTIONS)
def negative(x: Tensor) -> Result:
    """Return ``-x`` for each element.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> lucid.negative(lucid.tensor([1.0, -2.0]))
    tensor([-1.,  2.])
    """
    return -x._data, lambda g, _: (-g,)


@primitive
def less(x: Tensor, y: Tensor) -> Result:
    """``x < y``."""
    return x._data < y._data, None


@primitive
def less_equal(x: Tensor, y: Tensor) -> Result:
    """``x <= y``."""
    return x._data <= y._data, None


@primitive
def greater(x: Tensor, y: Tensor) -> Result:
    """``x > y``."""
    return x._data > y._data, None


@primitive
def greater_equal(x: Tensor, y: Tensor) -> Result:
    """``x >= y``."""
    return x._data >= y._data, None


@primitive
def equal(x: Tensor, y: Tensor) -> Result:
    """``x == y``."""
    return x._data == y._data, None


@primitive
def not_equal(x: Tensor, y: Tensor) -> Result:
    """``x != y``."""
    return x._data != y._data, None

"""Functions of each element."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from lucid.autograd.docs import SECTIONS
from lucid.autograd.ops.choices import where
from lucid.autograd.primitive import Result, primitive, rounded_once
from lucid.autograd.tensor import Tensor, TensorLike, as_tensor, method
from lucid.system.docstrings import shared

__all__ = ["abs", "exp", "log", "relu", "sigmoid", "sqrt", "tanh"]


@method
@primitive
@rounded_once
@shared(SECTIONS)
def exp(x: Tensor) -> Result:
    r"""Return :math:`e^x` for each element.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> lucid.exp(lucid.tensor([0.0, 1.0], dtype=lucid.float64))
    tensor([1.        , 2.71828183], dtype=float64)
    """
    return np.exp(x._data), lambda g, y: (g * y,)


@method
@primitive
@shared(SECTIONS)
def log(x: Tensor) -> Result:
    r"""Return the natural logarithm of each element.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> lucid.log(lucid.tensor([1.0, 10.0], dtype=lucid.float64))
    tensor([0.        , 2.30258509], dtype=float64)
    """
    return np.log(x._data), lambda g, _: (g / x,)


@method
@primitive
@rounded_once
@shared(SECTIONS)
def sqrt(x: Tensor) -> Result:
    r"""Return :math:`\sqrt{x}` for each element.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> lucid.sqrt(lucid.tensor([4.0, 9.0]))
    tensor([2., 3.])
    """
    return np.sqrt(x._data), lambda g, y: (g / (2 * y),)


@method
@primitive
@rounded_once
@shared(SECTIONS)
def tanh(x: Tensor) -> Result:
    r"""Return the hyperbolic tangent of each element.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> lucid.tanh(lucid.tensor([0.0, 1.0], dtype=lucid.float64))
    tensor([0.        , 0.76159416], dtype=float64)
    """
    return np.tanh(x._data), lambda g, y: (g * (1 - y * y),)


@method
@primitive
@rounded_once
@shared(SECTIONS)
def sigmoid(x: Tensor) -> Result:
    r"""Return :math:`1 / (1 + e^{-x})` for each element.

    {of_one}

    Notes
    -----
    Computed from :math:`e^{-|x|}`, which cannot overflow.

    Examples
    --------
    >>> import lucid
    >>> lucid.sigmoid(lucid.tensor([-1000.0, 0.0, 1000.0]))
    tensor([0. , 0.5, 1. ])
    """
    e = np.exp(-np.abs(x._data))
    return np.where(x._data < 0, e, 1) / (1 + e), lambda g, y: (g * y * (1 - y),)


@method
@primitive
@shared(SECTIONS)
def relu(x: Tensor) -> Result:
    r"""Return :math:`\max(0, x)` for each element.

    {of_one}

    Notes
    -----
    NaN stays NaN. The gradient at 0 is 0.

    Examples
    --------
    >>> import lucid
    >>> lucid.relu(lucid.tensor([-1.0, 2.0]))
    tensor([0., 2.])
    """
    return np.maximum(x._data, 0), lambda g, y: (where(y <= 0, 0, g),)


@method
@primitive
@shared(SECTIONS)
def abs(x: Tensor) -> Result:
    r"""Return :math:`|x|` for each element.

    {of_one}

    Notes
    -----
    The gradient at 0 is 0.

    Examples
    --------
    >>> import lucid
    >>> lucid.abs(lucid.tensor([-1.0, 2.0]))
    tensor([1., 2.])
    """
    return np.abs(x._data), lambda g, _: (g * np.sign(x._data),)


@method
@primitive
@shared(SECTIONS)
def clone(x: Tensor) -> Result:
    """Return a copy, through which gradients flow.

    {of_one}

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor([1.0, 2.0])
    >>> y = x.clone()
    >>> y[0] = 7.0
    >>> x
    tensor([1., 2.])
    """
    return x._data.copy(), lambda g, _: (g,)


@primitive
def _cast(x: Tensor, *, dtype: np.dtype[np.generic]) -> Result:
    # The walk casts every gradient to its input's dtype; integers have none.
    with np.errstate(over="ignore"):  # what is too large is inf, as in PyTorch
        return x._data.astype(dtype), (lambda g, _: (g,)) if dtype.kind == "f" else None


@method
def to(x: TensorLike, dtype: npt.DTypeLike) -> Tensor:
    """Return the tensor in another dtype: the tensor itself where it has that dtype already.

    Parameters
    ----------
    x : Tensor or array_like
    dtype : numpy.dtype or str
        Gradients flow between the floating-point dtypes.

    Returns
    -------
    Tensor

    Examples
    --------
    >>> import lucid
    >>> lucid.tensor([1.0, 2.7]).to(lucid.int64)
    tensor([1, 2])
    """
    x = as_tensor(x)
    dtype = np.dtype(dtype)
    return x if x.dtype == dtype else _cast(x, dtype=dtype)

"""The multi-label margin loss of arrays: from what the user has to the kernel and back."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels import margin as _kernel
from lucid.arrays.buffers import empty_like
from lucid.arrays.checks import Reduction, as_array, check_reduction, check_scores, check_target
from lucid.labels import Labels, as_labels, is_array_like
from lucid.system import threads

Array = npt.NDArray[Any]

# By `dtype.char`; a foreign byte order has the same character, and the kernel refuses it.
_LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
_KERNELS = {"f": _kernel.margin_float32, "d": _kernel.margin_float64}


def multilabel_margin(
    x: npt.ArrayLike, target: Any, reduction: Reduction = "mean"
) -> tuple[Array, Array]:
    r"""Return the multi-label margin loss of arrays, and its gradient.

    The same loss as `lucid.nn.MultilabelMarginLoss`, where the formula stands, without Tensors:
    for optimisers that want a value and a gradient, such as those of SciPy.

    Parameters
    ----------
    x : array_like
        Scores, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16; lists, of ints too, are
        taken as float64.
    target : array_like of int, or Labels
        Labels of each row, shape ``(N, K)`` or ``(K,)``, ended by a -1 or by the end of the row; or
        any other form that `lucid.Labels` is made from.
    reduction : {'none', 'mean', 'sum'}
        Return the loss of each row, their mean or their sum.

    Returns
    -------
    loss : numpy.ndarray
        Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype of `x`.
    gradient : numpy.ndarray
        The gradient of the loss with respect to `x`, of its shape and dtype; for ``'none'``, each
        row holds the gradient of that row's loss.

    Raises
    ------
    TypeError
        If `x` or `target` has a dtype that cannot be meant.
    ValueError
        If shapes do not fit, a label is out of range or `reduction` is none of the three.

    See Also
    --------
    lucid.nn.MultilabelMarginLoss : The loss as a module, with the formula and its edge cases.
    lucid.nn.functional.multilabel_margin_loss : The loss of tensors.

    Examples
    --------
    >>> import numpy as np
    >>> import lucid
    >>> x = np.array([[0.1, 0.5, 0.3, 0.8, 0.2]])
    >>> loss, gradient = lucid.multilabel_margin(x, [[0, 3]])
    >>> print(loss.round(4))
    1.06
    >>> print(gradient)
    [[-0.6  0.4  0.4 -0.6  0.4]]
    """
    check_reduction(reduction)
    scores = as_array("x", x)
    if scores.dtype.kind != "f" and not isinstance(x, np.ndarray):
        scores = np.asarray(x, np.float64) if scores.dtype.kind in "iu" else scores
    loss, gradient = margin_of(scores, target, reduction, True)
    assert gradient is not None
    return loss, gradient


def margin_of(
    x: Array, target: Any, reduction: str, want_gradient: bool
) -> tuple[Array, Array | None]:
    """Return the loss and, if wanted, its gradient; `reduction` is known to be right."""
    try:
        # The kernel itself refuses what it cannot read, so that good arguments pay for no checks.
        # But it would read what is under a mask, and a structure of one integer as that.
        if type(target) is np.ndarray and target.dtype.char in "lq":
            return _call(_KERNELS[x.dtype.char], x, target, None, reduction, want_gradient)
    except (KeyError, TypeError, ValueError):
        pass  # and leave the block: its error is not the one for the user
    return _prepare_and_call(x, target, reduction, want_gradient)


def _call(
    kernel: Any,
    x: Array,
    indices: Array,
    indptr: Array | None,
    reduction: str,
    want_gradient: bool,
) -> tuple[Array, Array | None]:
    n, _ = x.shape
    gradient = empty_like(x) if want_gradient else None
    if reduction == "none":
        rows = np.empty(n)
        kernel(x, indices, indptr, 1, rows, gradient, threads._num_threads)
        with np.errstate(over="ignore"):
            return rows.astype(x.dtype), gradient
    divisor = n if reduction == "mean" else 1
    total = kernel(x, indices, indptr, divisor, None, gradient, threads._num_threads)
    if abs(total) <= _LARGEST_FLOAT32:
        return np.array(total, x.dtype), gradient
    with np.errstate(over="ignore"):
        return np.array(total, x.dtype), gradient


def _prepare_and_call(
    x: Array, target: Any, reduction: str, want_gradient: bool
) -> tuple[Array, Array | None]:
    """Bring the arguments into the form that the kernel reads, or say what is wrong with them."""
    check_scores(x)
    # float16 is computed in float32; the rest is a copy only where the kernel could not read x.
    dtype = np.dtype(np.float64 if x.dtype.itemsize == 8 else np.float32)
    rows = np.require(np.atleast_2d(x), dtype, ["C", "ALIGNED"])
    labels = labels_for(x.shape, target)
    indices = labels.indices[np.newaxis]
    loss, gradient = _call(
        _KERNELS[dtype.char], rows, indices, labels.indptr, reduction, want_gradient
    )
    if x.ndim == 1:
        loss = loss.reshape(())
    with np.errstate(over="ignore"):
        loss = loss.astype(x.dtype.newbyteorder("="), copy=False)
        if gradient is not None:
            gradient = gradient.reshape(x.shape).astype(x.dtype.newbyteorder("="), copy=False)
    return loss, gradient


def labels_for(shape: tuple[int, ...], target: Any) -> Labels:
    """Return the labels of scores of the given shape, ``(N, C)`` or ``(C,)``."""
    if is_array_like(target):
        target = as_array("target", target)
        check_target(target, shape)
    return as_labels(target, shape, "target")

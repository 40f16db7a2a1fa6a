"""The options that losses share: what they accept, and the words for what they do not."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid._kernels.weights import are_weights
from lucid.arrays.checks import as_array, as_int, as_number, kind_of

Array = npt.NDArray[Any]

_LARGEST = float(np.finfo(np.float32).max)


def as_power(p: Any) -> int:
    """Return 1 or 2."""
    power = as_int("p", p)
    if power not in (1, 2):
        raise ValueError(f"p must be 1 or 2, got {power}")
    return power


def is_squared(options: Mapping[str, Any]) -> bool:
    """Whether the power among a loss's options is 2; there may be none."""
    p = options.get("p", 1)
    return bool(p == 2) if type(p) is int else as_power(p) == 2


def check_normalize(normalize: Any) -> None:
    """Refuse what is neither 'classes' nor 'pairs'."""
    if not isinstance(normalize, str) or normalize not in ("classes", "pairs"):
        raise ValueError(f"normalize must be 'classes' or 'pairs', got {normalize!r}")


def as_margin(margin: Any, num_classes: int | None) -> float | Array:
    """Return a finite number, or one for each class."""
    if type(margin) is float and math.isfinite(margin):
        return margin
    values = _finite("margin", _numbers("margin", margin))
    _check_shape("margin", values, num_classes, "a number, or one for each class")
    return float(values) if values.ndim == 0 else values


def check_margin_fits(margin: float | Array, dtype: Any) -> None:
    """Refuse a margin that is not finite in the dtype of the scores."""
    largest = abs(margin) if isinstance(margin, float) else np.max(np.abs(margin))
    if largest > float(np.finfo(dtype).max):
        raise ValueError(f"margin must fit {dtype}, the dtype of x, got {largest}")


def as_class_weight(
    weight: Any, num_classes: int | None, *, one_for_all: bool = False
) -> Array | None:
    """Return a weight for each class that is not negative, or None; or one, if it may be that."""
    if weight is None:
        return None
    values = _numbers("weight", weight)
    if values.ndim == 0 and not one_for_all:
        _finite("weight", values)
        raise ValueError(f"weight must be one number for each class, got the number {weight!r}")
    wanted = "a number, or one for each class" if one_for_all else "one number for each class"
    _check_shape("weight", values, num_classes, wanted)
    return _as_weights("weight", values)


def as_sample_weight(sample_weight: Any, shape: tuple[int, ...]) -> Array:
    """Return a weight for each row of scores of this shape, (N,), that is not negative."""
    values = _numbers("sample_weight", sample_weight).copy()
    if values.shape != shape[:-1]:
        wanted = "one number for each row of x" if len(shape) == 2 else "a number, as x is one row"
        raise ValueError(
            f"sample_weight must be {wanted}: shape {shape[:-1]}, got shape {values.shape}"
        )
    return _as_weights("sample_weight", values.reshape(-1))


def _as_weights(name: str, values: Array) -> Array:
    """Refuse weights that are negative or too large for sums; a kernel finds whether there are any.

    The largest is that of float32: float64 holds what any number of those add up to, and far more.
    """
    if not are_weights(values.reshape(-1)):
        _finite(name, values)
        if (negative := values[values < 0]).size:
            raise ValueError(f"{name} must not be negative, got {negative[0]}")
        raise ValueError(
            f"{name} must be at most {_LARGEST:.2g}, the largest float32, got {values.max():.2g}"
        )
    return values


def _check_shape(name: str, array: Array, num_classes: int | None, wanted: str) -> None:
    if array.ndim > 1 or (array.ndim == 1 and num_classes not in (None, array.size)):
        size = "C" if num_classes is None else num_classes
        raise ValueError(f"{name} must be {wanted}, shape ({size},), got shape {array.shape}")


def _numbers(name: str, values: Any) -> Array:
    """Return float64 numbers as kernels read them, in the array that was given if it is such."""
    if isinstance(values, int) and not isinstance(values, bool):
        values = as_number(name, values)  # of any size
    array = as_array(name, values)
    if array.dtype.kind not in "iuf":
        got = f"{values!r}" if array.ndim == 0 else kind_of(array)
        raise TypeError(f"{name} must hold real numbers, got {got}")
    return np.require(array, np.float64, ["C", "ALIGNED"])


def _finite(name: str, array: Array) -> Array:
    if not np.isfinite(array).all():
        raise ValueError(f"{name} must be finite, got {array[~np.isfinite(array)][0]}")
    return array

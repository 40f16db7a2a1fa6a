"""Saved state: what steps can have left behind is read, anything else refused."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from numbers import Integral
from typing import Any, TypeAlias

import numpy as np

from lucid.arrays.checks import as_int, refuse_masked
from lucid.autograd.tensor import Array, Tensor

#: Takes the words for a saved value, the value and its parameter; returns the value as the steps
#: want it, a copy if it is an array, or raises a ValueError.
StateReader: TypeAlias = Callable[[str, Any, Tensor], Any]


def dtype_of_steps(p: Tensor) -> np.dtype[Any]:
    return np.promote_types(p.dtype, np.float32)


@contextmanager
def flat(x: Array, g: Array, *state: Array) -> Iterator[list[Array]]:
    """Yield the arrays as the kernels of steps take them, one axis each; what is in place stays so.

    A parameter that does not lie in C order is worked on in a copy, which is written back.
    """
    for array in state:
        if array.shape != x.shape:
            raise ValueError(f"state: expected the parameter's shape {x.shape}, got {array.shape}")
    changing = [x, *state]
    plain = [np.require(array, x.dtype, ["C", "ALIGNED", "WRITEABLE"]) for array in changing]
    gradient = np.require(g, x.dtype, ["C", "ALIGNED"])
    yield [plain[0].reshape(-1), gradient.reshape(-1), *(each.reshape(-1) for each in plain[1:])]
    for array, copy in zip(changing, plain, strict=True):
        if copy is not array:
            array[...] = copy


def check_saved_groups(groups: Any) -> None:
    if not isinstance(groups, list | tuple):
        raise ValueError(
            f"state_dict: expected 'param_groups' to be a list, got {type(groups).__name__}"
        )
    for group in groups:
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise ValueError(f"state_dict: expected a group with a list of 'params', got {group!r}")


def read_state(
    saved: Any, parameters: list[Tensor], readers: Mapping[str, StateReader] | None
) -> dict[Tensor, dict[str, Any]]:
    if not isinstance(saved, Mapping):
        raise ValueError(f"state_dict: expected 'state' to be a dict, got {type(saved).__name__}")
    state: dict[Tensor, dict[str, Any]] = {}
    for i, own in saved.items():
        if not isinstance(i, Integral) or i not in range(len(parameters)):
            raise ValueError(f"state_dict: there is no parameter {i!r}")
        if not isinstance(own, Mapping):
            raise ValueError(f"state_dict: expected a dict for parameter {i}, got {own!r}")
        if readers is not None and own and set(own) != set(readers):
            raise ValueError(f"state_dict: expected the state {sorted(readers)}, got {sorted(own)}")
        p = parameters[i]
        state[p] = {
            key: (_read_anything if readers is None else readers[key])(
                f"state_dict: {key} of parameter {i}", value, p
            )
            for key, value in own.items()
        }
    return state


def _read_anything(what: str, value: Any, p: Tensor) -> Any:
    if not isinstance(value, np.ndarray):
        return value
    if value.shape != p.shape:
        raise ValueError(f"{what} has shape {value.shape}, expected {p.shape}")
    return value.copy()


def read_count(what: str, value: Any, p: Tensor) -> int:
    try:
        count = as_int(what, value)
    except TypeError:
        raise ValueError(f"{what}: expected an integer, got {value!r}") from None
    if not 0 <= count < 2**63:
        raise ValueError(f"{what}: expected a number from 0 to 2**63 - 1, got {value!r}")
    return count


def read_average(what: str, value: Any, p: Tensor) -> Array:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{what}: expected an array, got {value!r}")
    if value.dtype.kind not in "iuf":
        raise ValueError(f"{what}: expected real numbers, got {value.dtype}")
    refuse_masked(what, value)
    saved: Array = np.asarray(_read_anything(what, value, p))
    with np.errstate(over="ignore"):  # the new infinities tell
        average = saved.astype(dtype_of_steps(p), copy=False)
    if average is not saved and (np.isinf(average) & ~np.isinf(saved)).any():
        raise ValueError(f"{what}: a number is too large for {average.dtype}")
    return average


def read_average_of_squares(what: str, value: Any, p: Tensor) -> Array:
    average = read_average(what, value, p)
    if (average < 0).any():
        raise ValueError(f"{what}: expected no negative number, got {average.min()}")
    return average

"""The step of a parameter, some of its rows at a time."""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

import numpy as np

from lucid.autograd.tensor import Array, Tensor
from lucid.optim.optimizer import Optimizer
from lucid.optim.state import dtype_of_steps


class RowSteps:
    """One step of an optimiser on one parameter, whose rows come in any order, each once.

    The rows are updated as `Optimizer.update` updates a whole parameter, which makes no difference
    where it treats each element for itself. What the state holds beside arrays of the parameter's
    shape, such as the number of steps, counts on once, in `finish`. Threads may update different
    rows at the same time.

    Parameters
    ----------
    optimizer : Optimizer
        One that is ``elementwise``.
    parameter : Tensor
        One of its parameters.
    """

    def __init__(self, optimizer: Optimizer, parameter: Tensor) -> None:
        self._optimizer, self._parameter = optimizer, parameter
        (self._options,) = (
            group
            for group in optimizer.param_groups
            if any(parameter is p for p in group["params"])
        )
        optimizer.check(self._options)
        self._dtype = dtype_of_steps(parameter)
        self._state = optimizer._state_of(parameter)
        self._is_first = not self._state
        self._after: dict[str, Any] = {}  # what the state holds beside arrays
        self._lock = Lock()

    def update(self, rows: slice | Array, g: Array, but: Array | None = None) -> None:
        """Update rows by their gradient, but those at the places ``but`` among them."""
        data = self._parameter._data
        x = data[rows].astype(self._dtype, copy=False)
        state = {} if self._is_first else self._rows_of_state(rows)
        arrays = [x, *(value for value in state.values() if isinstance(value, np.ndarray))]
        kept = [] if but is None or but.size == 0 else [array[but] for array in arrays]
        self._optimizer.update(x, g, state, self._options)
        for array, values in zip(arrays, kept, strict=False):
            array[but] = values
        if not (isinstance(rows, slice) and x.dtype == data.dtype):  # else it is a view
            data[rows] = x
        self._put(rows, state, x.shape)

    def _rows_of_state(self, rows: slice | Array) -> dict[str, Any]:
        shape = self._parameter.shape
        return {
            key: value[rows] if isinstance(value, np.ndarray) and value.shape == shape else value
            for key, value in self._state.items()
        }

    def _put(self, rows: slice | Array, state: dict[str, Any], shape: tuple[int, ...]) -> None:
        """Keep what an update has left of the state of these rows."""
        for key, value in state.items():
            if not (isinstance(value, np.ndarray) and value.shape == shape):
                self._after[key] = value
                continue
            with self._lock:
                if key not in self._state:
                    self._state[key] = np.zeros(self._parameter.shape, value.dtype)
            whole = self._state[key]
            if not (isinstance(rows, slice) and value.base is whole):  # else it is a view
                whole[rows] = value

    def finish(self) -> None:
        """Let the rest of the state count on."""
        self._state.update(self._after)
        self._parameter._count_write()


class LayerStep:
    """One step of the weight and bias of a layer, some classes at a time.

    Parameters
    ----------
    optimizer : Optimizer
        That of both, or of the weight alone if the bias requires no gradient.
    layer : mapping of str to Tensor
        ``'weight'`` (C, D) and, if there is one, ``'bias'`` (C,).

    Raises
    ------
    TypeError
        If the optimiser is not elementwise.
    ValueError
        If one of the two is none of its parameters, or is read-only.
    """

    def __init__(self, optimizer: Optimizer, layer: Mapping[str, Tensor]) -> None:
        if not isinstance(optimizer, Optimizer):
            raise TypeError(f"optimizer must be an Optimizer, got {type(optimizer).__name__}")
        if not optimizer.elementwise:
            raise TypeError(
                "optimizer must treat each element for itself, to step some rows at a time: "
                f"{type(optimizer).__name__} does not say that it is elementwise"
            )
        self._steps: dict[str, RowSteps] = {}
        for name, parameter in layer.items():
            if name == "bias" and not parameter.requires_grad:
                continue
            if not any(parameter is p for p in optimizer._parameters()):
                raise ValueError(f"{name} must be one of the optimizer's parameters")
            if not parameter._data.flags.writeable:
                raise ValueError(f"{name} must not be read-only: make it of a copy")
        for name, parameter in layer.items():
            if name == "weight" or parameter.requires_grad:
                self._steps[name] = RowSteps(optimizer, parameter)

    def __call__(
        self, classes: slice | Array, weight: Array, bias: Array, but: Array | None = None
    ) -> None:
        """Step these classes by their gradients, but those at some places among them."""
        for name, g in (("weight", weight), ("bias", bias)):
            if name in self._steps:
                self._steps[name].update(classes, g, but)

    def finish(self) -> None:
        """Let the rest of the state count on."""
        for steps in self._steps.values():
            steps.finish()

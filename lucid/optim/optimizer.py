"""What all optimisers share: groups of parameters, their options, and the state of the steps."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import numpy as np

from lucid.arrays.checks import as_number
from lucid.autograd.tensor import Array, Tensor
from lucid.optim.state import StateReader, check_saved_groups, dtype_of_steps, read_state

#: What `Optimizer` takes: parameters, or groups of them with options of their own.
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]


class Optimizer:
    """Base class of the optimisers: keeps the parameters, their options and their state.

    A subclass defines `check`, for the options of a group, and `update`, the step of one parameter.

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimise. A dict is a group: its ``'params'``, and options of its own.
    defaults : dict
        The options of a group that does not set them.

    Attributes
    ----------
    param_groups : list of dict
        The groups. To change an option from the next step on, such as the learning rate, change it
        here.
    state : dict of Tensor to dict
        What the steps remember of each parameter.
    elementwise : bool
        Of the class: whether `update` treats each element for itself, so that rows of a parameter
        may take their steps apart, as `lucid.nn.functional.linear_multilabel_margin_step` wants it.

    Raises
    ------
    TypeError
        If `params` holds anything else.
    ValueError
        If there is no parameter, one comes twice, one is no leaf, or an option is out of range.

    Notes
    -----
    Half precision is computed in float32: a step of a float16 parameter begins with its values in
    float32, keeps its state in float32, and rounds the new values once.

    Examples
    --------
    An optimiser that steps by the sign of the gradient:

    >>> import numpy as np
    >>> import lucid
    >>> class SignSGD(lucid.optim.Optimizer):
    ...     def check(self, options):
    ...         if options["lr"] <= 0:
    ...             raise ValueError(f"lr must be positive, got {options['lr']}")
    ...     def update(self, x, g, state, options):
    ...         x -= options["lr"] * np.sign(g)
    >>> x = lucid.tensor([1.0, -3.0], requires_grad=True)
    >>> (x**2).sum().backward()
    >>> SignSGD([x], {"lr": 0.5}).step()
    >>> x
    tensor([ 0.5, -2.5], requires_grad=True)
    """

    elementwise: ClassVar[bool] = False

    #: What the state of a parameter holds after a step, arrays in the dtype of the steps, and how a
    #: saved one is read. None: anything, a subclass's own affair.
    _state_readers: ClassVar[Mapping[str, StateReader] | None] = None

    def __init__(self, params: Parameters, defaults: dict[str, Any]) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params: expected an iterable of Tensors, got a single Tensor")
        if not isinstance(params, Iterable):
            hint = "; call the method: model.parameters()" if callable(params) else ""
            raise TypeError(
                f"params: expected an iterable of Tensors, got {type(params).__name__}{hint}"
            )
        entries: list[Any] = list(params)
        if not entries:
            raise ValueError("params: expected at least one parameter, got none")
        groups = entries if isinstance(entries[0], dict) else [{"params": entries}]
        self.param_groups: list[dict[str, Any]] = []
        self.state: dict[Tensor, dict[str, Any]] = {}
        for group in groups:
            _check_group(group, defaults)
            own = group["params"]
            tensors = [own] if isinstance(own, Tensor) else list(own)
            self.param_groups.append({**defaults, **group, "params": tensors})
            self.check(self.param_groups[-1])
        _check_parameters(self._parameters())

    def __repr__(self) -> str:
        groups = [_in_words(group) for group in self.param_groups]
        if len(groups) > 1:
            groups = [f"\n  ({i}): {words}" for i, words in enumerate(groups)] + ["\n"]
        return f"{type(self).__name__}({''.join(groups)})"

    def _parameters(self) -> list[Tensor]:
        return [p for group in self.param_groups for p in group["params"]]

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise a ValueError if an option of a group is out of range.

        Parameters
        ----------
        options : dict
            The options of one group.
        """
        raise NotImplementedError

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Change one parameter in place.

        Parameters
        ----------
        x : numpy.ndarray
            The parameter's values, to be changed; float32 for a float16 parameter.
        g : numpy.ndarray
            Its gradient in the dtype of `x`, to be left alone.
        state : dict
            What earlier steps have kept for this parameter; empty at first.
        options : dict
            The options of its group.
        """
        raise NotImplementedError

    def step(self) -> None:
        """Change every parameter that has a gradient.

        Raises
        ------
        TypeError
            If a gradient is not floating-point.
        ValueError
            If a gradient has another shape than its parameter, a parameter is read-only, or an
            option was set that is out of range. No parameter has changed then.
        """
        changes = [
            (p, p.grad._data, group)
            for group in self.param_groups
            for p in group["params"]
            if p.grad is not None
        ]
        # Nothing is changed before all is known to fit.
        for group in self.param_groups:
            self.check(group)
        for p, g, _ in changes:
            _check_gradient(g, p._data)
        for p, g, group in changes:
            self._change(p, g, group)

    def _change(self, p: Tensor, g: Array, options: Mapping[str, Any]) -> None:
        dtype = dtype_of_steps(p)
        state = self._state_of(p)
        x = p._data.astype(dtype, copy=False)
        self.update(x, g.astype(dtype, copy=False), state, options)
        if x is not p._data:
            p._data[...] = x
        p._count_write()

    def _state_of(self, p: Tensor) -> dict[str, Any]:
        """Return the state of a parameter, its arrays in the dtype of the steps."""
        state = self.state.setdefault(p, {})
        if self._state_readers is not None:  # the parameter may have been converted since
            for key, value in state.items():
                if isinstance(value, np.ndarray):
                    state[key] = value.astype(dtype_of_steps(p), copy=False)
        return state

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters: set their ``grad`` to None."""
        for p in self._parameters():
            p.grad = None

    def state_dict(self) -> dict[str, Any]:
        """Return options and state, with parameters replaced by their numbers.

        Returns
        -------
        dict
            ``'state'`` and ``'param_groups'``, as in PyTorch. Arrays are shared, not copied: use
            ``copy.deepcopy`` for a snapshot.
        """
        numbers = {p: i for i, p in enumerate(self._parameters())}
        return {
            "state": {numbers[p]: dict(state) for p, state in self.state.items()},
            "param_groups": [
                {**group, "params": [numbers[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Take over saved options and a copy of the saved state, in the parameters' precision.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` has returned, of an optimiser of parameters in the same order.

        Raises
        ------
        ValueError
            If the groups, their options, or the names or shapes of what the steps remember are
            those of another optimiser or of other parameters, or if a value is none that steps
            leave behind, such as a negative number of steps; nothing is changed then.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise ValueError("state_dict: expected 'state' and 'param_groups', as state_dict gives")
        saved = state_dict["param_groups"]
        check_saved_groups(saved)
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved]
        if sizes != saved_sizes:
            raise ValueError(
                f"state_dict: expected groups of {sizes} parameters, got groups of {saved_sizes}"
            )
        numbers = [number for group in saved for number in group["params"]]
        if numbers != list(range(len(numbers))):
            raise ValueError(f"state_dict: expected 'params' to count from 0, got {numbers}")
        for old, new in zip(self.param_groups, saved, strict=True):
            if set(old) != set(new):
                raise ValueError(
                    f"state_dict: expected the options {sorted(old)}, got {sorted(new)}"
                )
            self.check(new)
        parameters = self._parameters()
        state = read_state(state_dict["state"], parameters, self._state_readers)
        # Nothing is written before all is known to fit.
        self.param_groups = [
            {**new, "params": old["params"]}
            for old, new in zip(self.param_groups, saved, strict=True)
        ]
        self.state = state


def _in_words(group: Mapping[str, Any]) -> str:
    count = len(group["params"])
    options = [f"{name}={value!r}" for name, value in group.items() if name != "params"]
    return ", ".join([f"{count} parameter{'s' * (count != 1)}", *options])


def _check_gradient(g: Array, x: Array) -> None:
    if g.shape != x.shape:
        raise ValueError(f"grad: expected the parameter's shape {x.shape}, got {g.shape}")
    if g.dtype.kind != "f":
        raise TypeError(f"grad: expected floating-point numbers, got {g.dtype}")
    if not x.flags.writeable:
        raise ValueError(f"params: a parameter of shape {x.shape} is read-only: make it of a copy")


def _check_parameters(parameters: list[Any]) -> None:
    for p in parameters:
        if not isinstance(p, Tensor):
            raise TypeError(f"params: expected Tensors, got {type(p).__name__}")
        if not p.is_leaf:
            raise ValueError("params: expected leaves, got the result of an operation")
    if len(set(parameters)) != len(parameters):
        raise ValueError("params: a parameter comes twice")


def _check_group(group: Any, defaults: Mapping[str, Any]) -> None:
    if not isinstance(group, dict):
        raise TypeError(f"params: expected only groups (dicts), got {type(group).__name__}")
    if "params" not in group:
        raise ValueError(f"params: a group needs a 'params', got only {sorted(group)}")
    unknown = sorted(set(group) - set(defaults) - {"params"})
    if unknown:
        raise ValueError(f"params: unknown options {unknown}, expected some of {sorted(defaults)}")


def check_number(options: Mapping[str, Any], name: str) -> None:
    if not math.isfinite(as_number(name, options[name])):
        raise ValueError(f"{name}: expected a finite number, got {options[name]}")


def check_not_negative(options: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not 0 <= as_number(name, options[name]) < math.inf:
            check_number(options, name)
            raise ValueError(f"{name}: expected a number >= 0, got {options[name]}")

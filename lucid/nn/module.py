"""Module and Parameter: a model is a plain object whose attributes hold its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt

from lucid.autograd.tensor import Array, Tensor, TensorLike, as_tensor

__all__ = ["Module", "Parameter"]


class Parameter(Tensor):
    """A tensor that a model learns: a `Module` finds it among its attributes.

    Parameters
    ----------
    data : Tensor or array_like
        The initial values; arrays and tensors are shared, not copied, except read-only ones that
        are to be trained.
    requires_grad : bool, default True
        Whether it is trained; switch it off to freeze it.

    Raises
    ------
    TypeError
        If it should be trained and is not floating-point.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> nn.Parameter(lucid.zeros(2))
    Parameter containing:
    tensor([0., 0.], requires_grad=True)
    """

    __slots__ = ()

    def __init__(self, data: TensorLike, requires_grad: bool = True) -> None:
        source = as_tensor(data)
        if requires_grad and not source._data.flags.writeable:  # an optimiser writes into it
            source = Tensor(source._data.copy())
        super().__init__(source._data)
        self._version = source._version
        self.requires_grad_(requires_grad)

    def __repr__(self) -> str:
        return f"Parameter containing:\n{super().__repr__()}"


class IncompatibleKeys(NamedTuple):
    """Names that only the model has, and names that only the loaded state has."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """Base class of layers, losses and models.

    A subclass makes its parts in ``__init__`` and computes in ``forward``. Attributes that are a
    `Parameter` or a `Module`, or lists, tuples or dicts of them, are part of the model: they are
    found when they are asked for, so an attribute may be replaced at any time.

    Attributes
    ----------
    training : bool
        Whether the module is in training mode, see `train`.

    Notes
    -----
    What is reached by several attributes counts once, under the name found first. Two parameters of
    one name, such as those under the keys 1 and ``"1"`` of a dict, are refused: each must have its
    place in the state.

    Examples
    --------
    >>> import lucid
    >>> from lucid import nn
    >>> class Ranker(nn.Module):
    ...     def __init__(self):
    ...         self.hidden = nn.Linear(4, 8)
    ...         self.scores = nn.Linear(8, 3, bias=False)
    ...
    ...     def forward(self, x):
    ...         return self.scores(self.hidden(x).relu())
    >>> model = Ranker()
    >>> model
    Ranker(
      (hidden): Linear(in_features=4, out_features=8, bias=True)
      (scores): Linear(in_features=8, out_features=3, bias=False)
    )
    >>> model(lucid.ones(2, 4)).shape
    (2, 3)
    >>> [name for name, _ in model.named_parameters()]
    ['hidden.weight', 'hidden.bias', 'scores.weight']
    """

    training: bool = True

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.forward(*args, **kwargs)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the module's output: each subclass defines it.

        Parameters
        ----------
        *args, **kwargs
            What the module was called with.

        Raises
        ------
        NotImplementedError
            If the subclass does not.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define forward()")

    def extra_repr(self) -> str:
        """Return what stands between the parentheses of the module's repr.

        Returns
        -------
        str
            The module's options; empty by default.
        """
        return ""

    def __repr__(self) -> str:
        options = self.extra_repr()
        parts = [
            f"({name}): {part!r}".replace("\n", "\n  ")
            for name, part in _entries(vars(self).items())
            if isinstance(part, Module)
        ]
        if not parts and "\n" not in options:
            return f"{type(self).__name__}({options})"
        lines = "".join(f"\n  {line}" for line in [*options.splitlines(), *parts])
        return f"{type(self).__name__}({lines}\n)"

    # The parts

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the name and the module of each direct part.

        Yields
        ------
        tuple of str and Module
        """
        seen: set[Module] = set()
        for name, part in _entries(vars(self).items()):
            if isinstance(part, Module) and part not in seen:
                seen.add(part)
                yield name, part

    def children(self) -> Iterator[Module]:
        """Return each direct part that is a module.

        Returns
        -------
        iterator of Module
        """
        return (module for _, module in self.named_children())

    def named_modules(self) -> Iterator[tuple[str, Module]]:
        """Yield the dotted name and the module of each part at every depth, this one first.

        Yields
        ------
        tuple of str and Module
            The module itself has the empty name.

        Examples
        --------
        >>> from lucid import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        >>> [name for name, _ in model.named_modules()]
        ['', '0', '1']
        """
        yield from _walk("", self, set())

    def modules(self) -> Iterator[Module]:
        """Return each part that is a module, at every depth, this one first.

        Returns
        -------
        iterator of Module
        """
        return (module for _, module in self.named_modules())

    def named_parameters(self) -> Iterator[tuple[str, Parameter]]:
        """Yield the dotted name and the value of each parameter, at every depth.

        Yields
        ------
        tuple of str and Parameter

        Raises
        ------
        ValueError
            If two parameters have the same name.
        """
        seen: set[Parameter] = set()
        names: set[str] = set()
        for prefix, module in self.named_modules():
            for own_name, part in _entries(vars(module).items()):
                if isinstance(part, Parameter) and part not in seen:
                    name = f"{prefix}.{own_name}" if prefix else own_name
                    if name in names:
                        raise ValueError(
                            f"two parameters of this {type(self).__name__} have the name {name!r}: "
                            f"rename an attribute or a key of a dict"
                        )
                    names.add(name)
                    seen.add(part)
                    yield name, part

    def parameters(self) -> Iterator[Parameter]:
        """Return each parameter, at every depth: what an optimiser takes.

        Returns
        -------
        iterator of Parameter
        """
        return (parameter for _, parameter in self.named_parameters())

    # Their state

    def state_dict(self) -> dict[str, Tensor]:
        """Return the parameters by name, without gradients.

        Returns
        -------
        dict of str to Tensor
            They share memory with the parameters, as in PyTorch: later training changes them. Keep
            a snapshot with ``copy.deepcopy``.

        See Also
        --------
        load_state_dict : The way back.
        """
        return {name: parameter.detach() for name, parameter in self.named_parameters()}

    def load_state_dict(
        self, state_dict: Mapping[str, TensorLike], strict: bool = True
    ) -> IncompatibleKeys:
        """Write saved values into the parameters.

        Parameters
        ----------
        state_dict : mapping of str to Tensor or array_like
            Values of the parameters' shapes; dtypes are converted, also to less precise ones.
        strict : bool, default True
            Whether the names must be exactly those of the parameters.

        Returns
        -------
        NamedTuple
            ``missing_keys`` and ``unexpected_keys``, which can be non-empty without `strict`.

        Raises
        ------
        TypeError
            If a value holds no real numbers.
        RuntimeError
            If names or shapes do not fit, or a number is too large for the parameter's dtype: all
            that is wrong is listed, and nothing is written.

        Examples
        --------
        >>> from lucid import nn
        >>> first, second = nn.Linear(3, 2), nn.Linear(3, 2)
        >>> second.load_state_dict(first.state_dict())
        IncompatibleKeys(missing_keys=[], unexpected_keys=[])
        >>> first.weight.tolist() == second.weight.tolist()
        True
        """
        new, keys = self._fitting(state_dict, strict)
        parameters = dict(self.named_parameters())
        for name, value in new.items():
            parameters[name]._data[...] = value
            parameters[name]._count_write()
        return keys

    def _fitting(
        self, state_dict: Mapping[str, TensorLike], strict: bool
    ) -> tuple[dict[str, Array], IncompatibleKeys]:
        """Return what is to be written, or raise an error that lists all that is wrong."""
        if not isinstance(state_dict, Mapping) or not all(isinstance(k, str) for k in state_dict):
            raise TypeError("state_dict: expected a mapping of names (str) to values")
        parameters = dict(self.named_parameters())
        missing = [name for name in parameters if name not in state_dict]
        unexpected = [name for name in state_dict if name not in parameters]
        values = {
            name: _real_numbers(name, value)
            for name, value in state_dict.items()
            if name in parameters
        }
        errors = [
            f"{name}: expected shape {parameters[name].shape}, got {value.shape}"
            for name, value in values.items()
            if value.shape != parameters[name].shape
        ]
        with np.errstate(over="ignore"):  # the new infinities tell
            new = {name: x.astype(parameters[name].dtype, copy=False) for name, x in values.items()}
        errors += [
            f"{name}: a number is too large for {value.dtype}"
            for name, value in new.items()
            if value is not values[name] and (np.isinf(value) & ~np.isinf(values[name])).any()
        ]
        if strict and unexpected:
            errors.insert(0, f"unexpected: {', '.join(unexpected)}")
        if strict and missing:
            errors.insert(0, f"missing: {', '.join(missing)}")
        if errors:
            raise RuntimeError(
                f"state_dict does not fit {type(self).__name__}:\n  " + "\n  ".join(errors)
            )
        return new, IncompatibleKeys(missing, unexpected)

    def zero_grad(self) -> None:
        """Drop the gradients of all parameters: set their ``grad`` to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self, mode: bool = True) -> Self:
        """Switch this module and its parts to training mode, in which `Dropout` drops.

        Parameters
        ----------
        mode : bool, default True
            False for evaluation mode.

        Returns
        -------
        Module
            This module itself.
        """
        for module in self.modules():
            module.training = mode
        return self

    def eval(self) -> Self:
        """Switch this module and its parts to evaluation mode.

        Returns
        -------
        Module
            This module itself.
        """
        return self.train(False)

    def to(self, dtype: npt.DTypeLike) -> Self:
        """Convert all parameters, and their gradients, to a dtype.

        Parameters
        ----------
        dtype : numpy.dtype or str
            float16, float32 or float64.

        Returns
        -------
        Module
            This module itself.

        Raises
        ------
        TypeError
            If the dtype is none of these.
        """
        new = np.dtype(dtype)
        if new.kind != "f" or new.itemsize > 8:
            raise TypeError(f"dtype: expected float16, float32 or float64, got {new}")
        for parameter in self.parameters():
            for tensor in (parameter, parameter.grad):
                if tensor is not None:
                    tensor._data = tensor._data.astype(dtype, copy=False)
                    tensor._count_write()
        return self


def _real_numbers(name: str, value: TensorLike) -> Array:
    try:
        array = as_tensor(value)._data
    except (TypeError, ValueError) as error:  # which do not know the name
        raise TypeError(f"{name}: expected numbers: {error}") from None
    if array.dtype.kind == "c":
        raise TypeError(f"{name}: expected real numbers, got {array.dtype}")
    return array


def _entries(named: Iterable[tuple[str, Any]]) -> Iterator[tuple[str, Parameter | Module]]:
    """Yield the parameters and modules among attributes, and inside lists, tuples and dicts."""
    for name, value in named:
        if isinstance(value, Parameter | Module):
            yield name, value
        elif isinstance(value, list | tuple):
            yield from _entries((f"{name}.{i}", item) for i, item in enumerate(value))
        elif isinstance(value, dict):
            yield from _entries((f"{name}.{key}", item) for key, item in value.items())


def _walk(prefix: str, module: Module, seen: set[Module]) -> Iterator[tuple[str, Module]]:
    if module in seen:
        return
    seen.add(module)
    yield prefix, module
    for name, part in module.named_children():
        yield from _walk(f"{prefix}.{name}" if prefix else name, part, seen)

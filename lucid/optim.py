"""Optimisers: they change parameters in place, in the direction that the gradients say.

Each update is written as operations into one scratch array, for weights have megabytes and are
updated thousands of times.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import Any, ClassVar

import numpy as np

from lucid._tensor import Array, Tensor

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

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

    Raises
    ------
    TypeError
        If `params` holds anything else.
    ValueError
        If there is no parameter, one comes twice, one is no leaf, or an option is out of range.

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

    #: What the state of a parameter holds after a step; None: anything, a subclass's own affair.
    _state_types: ClassVar[Mapping[str, type] | None] = None

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
            The parameter's values, to be changed.
        g : numpy.ndarray
            Its gradient, to be left alone.
        state : dict
            What earlier steps have kept for this parameter; empty at first.
        options : dict
            The options of its group.
        """
        raise NotImplementedError

    def step(self) -> None:
        """Change every parameter that has a gradient."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    if p.grad.shape != p.shape:
                        raise ValueError(
                            f"grad: expected the parameter's shape {p.shape}, got {p.grad.shape}"
                        )
                    self.update(p._data, p.grad._data, self.state.setdefault(p, {}), group)
                    p._count_write()

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
        """Take over saved options and a copy of the saved state.

        Parameters
        ----------
        state_dict : dict
            What `state_dict` has returned, of an optimiser of parameters in the same order.

        Raises
        ------
        ValueError
            If the groups, their options, or the names or shapes of what the steps remember are
            those of another optimiser or of other parameters; nothing is changed then.
        """
        if not isinstance(state_dict, Mapping) or not {"state", "param_groups"} <= set(state_dict):
            raise ValueError("state_dict: expected 'state' and 'param_groups', as state_dict gives")
        saved = state_dict["param_groups"]
        _check_saved_groups(saved)
        sizes = [len(group["params"]) for group in self.param_groups]
        saved_sizes = [len(group["params"]) for group in saved]
        if sizes != saved_sizes:
            raise ValueError(
                f"state_dict: expected groups of {sizes} parameters, got groups of {saved_sizes}"
            )
        for old, new in zip(self.param_groups, saved, strict=True):
            if set(old) != set(new):
                raise ValueError(
                    f"state_dict: expected the options {sorted(old)}, got {sorted(new)}"
                )
            self.check(new)
        parameters = self._parameters()
        _check_state(state_dict["state"], parameters, self._state_types)
        # Nothing is written before all is known to fit.
        self.param_groups = [
            {**new, "params": old["params"]}
            for old, new in zip(self.param_groups, saved, strict=True)
        ]
        self.state = {
            parameters[i]: {
                key: value.copy() if isinstance(value, np.ndarray) else value
                for key, value in state.items()
            }
            for i, state in state_dict["state"].items()
        }


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


def _check_saved_groups(groups: Any) -> None:
    if not isinstance(groups, list | tuple):
        raise ValueError(
            f"state_dict: expected 'param_groups' to be a list, got {type(groups).__name__}"
        )
    for group in groups:
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise ValueError(f"state_dict: expected a group with a list of 'params', got {group!r}")


def _check_state(state: Any, parameters: list[Tensor], types: Mapping[str, type] | None) -> None:
    if not isinstance(state, Mapping):
        raise ValueError(f"state_dict: expected 'state' to be a dict, got {type(state).__name__}")
    for i, own in state.items():
        if i not in range(len(parameters)):
            raise ValueError(f"state_dict: there is no parameter {i!r}")
        if not isinstance(own, Mapping):
            raise ValueError(f"state_dict: expected a dict for parameter {i}, got {own!r}")
        if types is not None and own and set(own) != set(types):
            raise ValueError(f"state_dict: expected the state {sorted(types)}, got {sorted(own)}")
        for key, value in own.items():
            if types is not None and not isinstance(value, types[key]):
                raise ValueError(
                    f"state_dict: {key} of parameter {i}: expected {types[key].__name__}, "
                    f"got {value!r}"
                )
            if isinstance(value, np.ndarray) and value.shape != parameters[i].shape:
                raise ValueError(
                    f"state_dict: {key} of parameter {i} has shape {value.shape}, "
                    f"expected {parameters[i].shape}"
                )


def _check_number(options: Mapping[str, Any], name: str) -> None:
    if not isinstance(options[name], Real):
        raise TypeError(f"{name}: expected a number, got {options[name]!r}")
    if not math.isfinite(options[name]):
        raise ValueError(f"{name}: expected a finite number, got {options[name]}")


def _check_not_negative(options: Mapping[str, Any], *names: str) -> None:
    for name in names:
        _check_number(options, name)
        if options[name] < 0:
            raise ValueError(f"{name}: expected a number >= 0, got {options[name]}")


class SGD(Optimizer):
    r"""Stochastic gradient descent, with momentum.

    With gradient :math:`g` and weight decay :math:`\lambda`, momentum :math:`\mu` and dampening
    :math:`\tau`:

    .. math::

        d &= g + \lambda x \\
        b &\leftarrow \mu b + (1 - \tau) d \\
        x &\leftarrow x - \eta \, (d + \mu b \text{ with Nesterov, else } b)

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimise; see `Optimizer`.
    lr : float, default 1e-3
        The learning rate :math:`\eta`.
    momentum : float, default 0
        :math:`\mu`.
    dampening : float, default 0
        :math:`\tau`.
    weight_decay : float, default 0
        :math:`\lambda`.
    nesterov : bool, default False
        Whether to use Nesterov's momentum.

    Raises
    ------
    TypeError
        If `params` are no tensors.
    ValueError
        If an option is out of range.

    Notes
    -----
    :math:`b` starts as the first :math:`d`, as in PyTorch.

    Examples
    --------
    >>> import lucid
    >>> from lucid import optim
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> optimizer = optim.SGD([x], lr=0.25)
    >>> (x**2).backward()
    >>> optimizer.step()
    >>> x
    tensor(1., requires_grad=True)
    """

    _state_types: ClassVar = {"momentum_buffer": np.ndarray}

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
    ) -> None:
        options = {
            "lr": lr,
            "momentum": momentum,
            "dampening": dampening,
            "weight_decay": weight_decay,
            "nesterov": nesterov,
        }
        super().__init__(params, options)

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise a ValueError if an option of a group is out of range.

        Parameters
        ----------
        options : dict
            The options of one group.
        """
        _check_not_negative(options, "lr", "momentum", "weight_decay")
        _check_number(options, "dampening")
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError("nesterov: expected a momentum > 0 and a dampening of 0 with it")

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Change one parameter in place; see `Optimizer.update`."""
        momentum, scratch = options["momentum"], np.empty_like(x)
        d = g
        if options["weight_decay"]:
            d = np.multiply(x, options["weight_decay"], out=scratch)
            d += g
        if momentum:
            b = state.get("momentum_buffer")
            if b is None:
                b = state["momentum_buffer"] = d.copy()
            else:
                b *= momentum
                b += (1 - options["dampening"]) * d if options["dampening"] else d
            d = d + momentum * b if options["nesterov"] else b
        x -= np.multiply(d, options["lr"], out=scratch)


class Adam(Optimizer):
    r"""Adam: steps of a size that adapts to each element.

    In step :math:`t`, with gradient :math:`g` and weight decay :math:`\lambda`:

    .. math::

        d &= g + \lambda x \\
        m &\leftarrow \beta_1 m + (1 - \beta_1) d, \qquad
        v \leftarrow \beta_2 v + (1 - \beta_2) d^2 \\
        x &\leftarrow x - \eta \, \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + \epsilon}

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimise; see `Optimizer`.
    lr : float, default 1e-3
        The learning rate :math:`\eta`.
    betas : tuple of two float, default (0.9, 0.999)
        :math:`\beta_1` and :math:`\beta_2`.
    eps : float, default 1e-8
        :math:`\epsilon`.
    weight_decay : float, default 0
        :math:`\lambda`.

    Raises
    ------
    TypeError
        If `params` are no tensors.
    ValueError
        If an option is out of range.

    See Also
    --------
    AdamW : With the weight decay outside of the adaptive step.

    References
    ----------
    D. P. Kingma, J. Ba, "Adam: a method for stochastic optimization", ICLR 2015,
    :arxiv:`1412.6980`.

    Examples
    --------
    >>> import lucid
    >>> from lucid import optim
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> optimizer = optim.Adam([x], lr=0.5)
    >>> (x**2).backward()
    >>> optimizer.step()
    >>> x
    tensor(1.5, requires_grad=True)
    """

    _state_types: ClassVar = {"step": Integral, "exp_avg": np.ndarray, "exp_avg_sq": np.ndarray}

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
    ) -> None:
        options = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, options)

    def check(self, options: Mapping[str, Any]) -> None:
        """Raise a ValueError if an option of a group is out of range.

        Parameters
        ----------
        options : dict
            The options of one group.
        """
        _check_not_negative(options, "lr", "eps", "weight_decay")
        betas = options["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"betas: expected two numbers, got {betas!r}")
        for beta in betas:
            if not isinstance(beta, Real):
                raise TypeError(f"betas: expected two numbers, got {betas!r}")
            if not 0 <= float(beta) < 1:
                raise ValueError(
                    f"betas: expected numbers from 0 to below 1, got {options['betas']}"
                )

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Change one parameter in place; see `Optimizer.update`."""
        if options["weight_decay"]:
            g = g + options["weight_decay"] * x
        _adam_step(x, g, state, options)


class AdamW(Adam):
    r"""Adam with decoupled weight decay.

    Before each step of `Adam`, without decay in its gradient,

    .. math:: x \leftarrow (1 - \eta \lambda) \, x

    Parameters
    ----------
    params : iterable of Tensor, or of dict
        What to optimise; see `Optimizer`.
    lr : float, default 1e-3
        The learning rate :math:`\eta`.
    betas : tuple of two float, default (0.9, 0.999)
        As in `Adam`.
    eps : float, default 1e-8
        As in `Adam`.
    weight_decay : float, default 0.01
        :math:`\lambda`.

    Raises
    ------
    TypeError
        If `params` are no tensors.
    ValueError
        If an option is out of range.

    References
    ----------
    I. Loshchilov, F. Hutter, "Decoupled weight decay regularization", ICLR 2019,
    :arxiv:`1711.05101`.

    Examples
    --------
    >>> import lucid
    >>> from lucid import optim
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> optimizer = optim.AdamW([x], lr=0.5, weight_decay=0.5)
    >>> (x**2).backward()
    >>> optimizer.step()
    >>> x
    tensor(1., requires_grad=True)
    """

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Change one parameter in place; see `Optimizer.update`."""
        x *= 1 - options["lr"] * options["weight_decay"]
        _adam_step(x, g, state, options)


def _adam_step(x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
    if not state:
        state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
    state["step"] += 1
    m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
    beta1, beta2 = options["betas"]

    scratch = np.subtract(g, m, out=np.empty_like(x))  # out: an array for 0-d parameters too
    scratch *= 1 - beta1
    m += scratch

    np.multiply(g, g, out=scratch)
    scratch *= 1 - beta2
    v *= beta2
    v += scratch

    np.sqrt(v, out=scratch)
    scratch /= math.sqrt(1 - beta2**t)
    scratch += options["eps"]
    np.divide(m, scratch, out=scratch)
    scratch *= options["lr"] / (1 - beta1**t)
    x -= scratch

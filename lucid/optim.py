"""Optimisers: they change parameters in place, in the direction that the gradients say.

Each update is written as operations into one scratch array, for weights have megabytes and are
updated thousands of times.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from numbers import Integral
from typing import Any, ClassVar, TypeAlias

import numpy as np

from lucid._kernels.denormals import Flushed
from lucid.arrays.checks import as_int, as_number, refuse_masked
from lucid.autograd.tensor import Array, Tensor

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

#: What `Optimizer` takes: parameters, or groups of them with options of their own.
Parameters = Iterable[Tensor] | Iterable[dict[str, Any]]

#: Takes the words for a saved value, the value and its parameter; returns the value as the steps
#: want it, a copy if it is an array, or raises a ValueError.
StateReader: TypeAlias = Callable[[str, Any, Tensor], Any]


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
        dtype = _dtype_of_steps(p)
        state = self.state.setdefault(p, {})
        if self._state_readers is not None:  # the parameter may have been converted since
            for key, value in state.items():
                if isinstance(value, np.ndarray):
                    state[key] = value.astype(dtype, copy=False)
        x = p._data.astype(dtype, copy=False)
        self.update(x, g.astype(dtype, copy=False), state, options)
        if x is not p._data:
            p._data[...] = x
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
        _check_saved_groups(saved)
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
        state = _read_state(state_dict["state"], parameters, self._state_readers)
        # Nothing is written before all is known to fit.
        self.param_groups = [
            {**new, "params": old["params"]}
            for old, new in zip(self.param_groups, saved, strict=True)
        ]
        self.state = state


def _dtype_of_steps(p: Tensor) -> np.dtype[Any]:
    return np.promote_types(p.dtype, np.float32)


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


def _check_saved_groups(groups: Any) -> None:
    if not isinstance(groups, list | tuple):
        raise ValueError(
            f"state_dict: expected 'param_groups' to be a list, got {type(groups).__name__}"
        )
    for group in groups:
        if not isinstance(group, Mapping) or not isinstance(group.get("params"), list | tuple):
            raise ValueError(f"state_dict: expected a group with a list of 'params', got {group!r}")


def _read_state(
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


def _read_count(what: str, value: Any, p: Tensor) -> int:
    try:
        count = as_int(what, value)
    except TypeError:
        raise ValueError(f"{what}: expected an integer, got {value!r}") from None
    if not 0 <= count < 2**63:
        raise ValueError(f"{what}: expected a number from 0 to 2**63 - 1, got {value!r}")
    return count


def _read_average(what: str, value: Any, p: Tensor) -> Array:
    if not isinstance(value, np.ndarray):
        raise ValueError(f"{what}: expected an array, got {value!r}")
    if value.dtype.kind not in "iuf":
        raise ValueError(f"{what}: expected real numbers, got {value.dtype}")
    refuse_masked(what, value)
    saved: Array = np.asarray(_read_anything(what, value, p))
    with np.errstate(over="ignore"):  # the new infinities tell
        average = saved.astype(_dtype_of_steps(p), copy=False)
    if average is not saved and (np.isinf(average) & ~np.isinf(saved)).any():
        raise ValueError(f"{what}: a number is too large for {average.dtype}")
    return average


def _read_average_of_squares(what: str, value: Any, p: Tensor) -> Array:
    average = _read_average(what, value, p)
    if (average < 0).any():
        raise ValueError(f"{what}: expected no negative number, got {average.min()}")
    return average


def _check_number(options: Mapping[str, Any], name: str) -> None:
    if not math.isfinite(as_number(name, options[name])):
        raise ValueError(f"{name}: expected a finite number, got {options[name]}")


def _check_not_negative(options: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if not 0 <= as_number(name, options[name]) < math.inf:
            _check_number(options, name)
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
    * :math:`b` starts as the first :math:`d`, as in PyTorch.
    * Within a step, numbers nearer to 0 than the smallest normal one, 1.2e-38 in float32 and
      2.2e-308 in float64, count as 0 (on x86-64 and 64-bit Arm). Where the gradient stays 0, as
      that of a class no longer near the margin, :math:`b` decays to such denormal numbers, with
      which many processors calculate a hundred times slower. What :math:`b` loses is of their size,
      which is below rounding for every parameter that is not nearly as small itself.

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

    _state_readers: ClassVar = {"momentum_buffer": _read_average}

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
        lr, weight_decay = float(options["lr"]), float(options["weight_decay"])
        momentum, dampening = float(options["momentum"]), float(options["dampening"])
        scratch = np.empty_like(x)
        with Flushed():
            d = g
            if weight_decay:
                d = np.multiply(x, weight_decay, out=scratch)
                d += g
            if momentum:
                b = state.get("momentum_buffer")
                if b is None:
                    b = state["momentum_buffer"] = d.copy()
                else:
                    b *= momentum
                    b += (1 - dampening) * d if dampening else d
                d = d + momentum * b if options["nesterov"] else b
            x -= np.multiply(d, lr, out=scratch)


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

    Notes
    -----
    Within a step, numbers nearer to 0 than the smallest normal one, 1.2e-38 in float32 and 2.2e-308
    in float64, count as 0 (on x86-64 and 64-bit Arm). Where the gradient stays 0, as that of a
    class no longer near the margin, :math:`m` and :math:`v` decay to such denormal numbers, with
    which many processors calculate a hundred times slower. What the averages lose is of their size:
    for :math:`m` as in `SGD`, and the root of :math:`v` loses less than :math:`\epsilon` is rounded
    by. Where :math:`\epsilon` is too small for that, below 1e-10 in float32 with the default
    :math:`\beta_2`, denormal numbers are kept.

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

    _state_readers: ClassVar = {
        "step": _read_count,
        "exp_avg": _read_average,
        "exp_avg_sq": _read_average_of_squares,
    }

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
        if not all(0 <= as_number("betas", beta) < 1 for beta in betas):
            raise ValueError(f"betas: expected numbers from 0 to below 1, got {betas}")

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        """Change one parameter in place; see `Optimizer.update`."""
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
        state["step"] += 1
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        lr, eps = float(options["lr"]), float(options["eps"])
        weight_decay = float(options["weight_decay"])
        beta1, beta2 = map(float, options["betas"])
        root = math.sqrt(1 - beta2**t)

        with Flushed(_outweighs(eps, beta2, x.dtype)):
            g = self._decay(x, g, lr, weight_decay)

            scratch = np.multiply(g, 1 - beta1, out=np.empty_like(x))  # an array if 0-d, too
            m *= beta1
            m += scratch

            np.multiply(g, g, out=scratch)
            scratch *= 1 - beta2
            v *= beta2
            v += scratch

            # The formula with its two roots brought out, which spares a pass.
            np.sqrt(v, out=scratch)
            scratch += eps * root
            np.divide(m, scratch, out=scratch)
            scratch *= lr * root / (1 - beta1**t)
            x -= scratch

    def _decay(self, x: Array, g: Array, lr: float, weight_decay: float) -> Array:
        """Return the gradient for the averages, after what the weight decay has done to `x`."""
        return np.asarray(g + weight_decay * x) if weight_decay else g


@lru_cache
def _outweighs(eps: float, beta2: float, dtype: np.dtype[Any]) -> bool:
    """Whether what flushing takes from the root of `v` is less than rounding beside `eps`.

    A step takes less than the smallest normal number from `v`; of n steps ago, beta2**n of that is
    left.
    """
    limits = np.finfo(dtype)
    return math.sqrt(limits.tiny / (1 - beta2)) <= eps * float(limits.epsneg)


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

    Notes
    -----
    The smallest numbers count as 0, as in `Adam`.

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

    def _decay(self, x: Array, g: Array, lr: float, weight_decay: float) -> Array:
        x *= 1 - lr * weight_decay
        return g

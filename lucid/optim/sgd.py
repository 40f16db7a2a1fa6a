"""Stochastic gradient descent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from lucid._kernels import denormals, steps
from lucid.autograd.tensor import Array
from lucid.optim.optimizer import Optimizer, Parameters, check_not_negative, check_number
from lucid.optim.state import flat, read_average


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

    _state_readers: ClassVar = {"momentum_buffer": read_average}
    elementwise: ClassVar = True

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
        check_not_negative(options, "lr", "momentum", "weight_decay")
        check_number(options, "dampening")
        if options["nesterov"] and (options["momentum"] == 0 or options["dampening"] != 0):
            raise ValueError("nesterov: expected a momentum > 0 and a dampening of 0 with it")

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        lr, weight_decay = float(options["lr"]), float(options["weight_decay"])
        momentum, dampening = float(options["momentum"]), float(options["dampening"])
        with denormals.Flushed():
            if not momentum:
                with flat(x, g) as arrays:
                    steps.plain_sgd(*arrays, lr, weight_decay)
                return
            new = 1 - dampening
            if "momentum_buffer" not in state:  # it starts as the first d
                state["momentum_buffer"] = np.zeros_like(x)
                new = 1.0
            with flat(x, g, state["momentum_buffer"]) as arrays:
                steps.sgd(*arrays, lr, weight_decay, momentum, new, options["nesterov"])

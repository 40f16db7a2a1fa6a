"""Adam, and AdamW, which decays outside of the adaptive step."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from lucid._kernels import denormals, steps
from lucid.arrays.checks import as_number
from lucid.autograd.tensor import Array
from lucid.optim.optimizer import Optimizer, Parameters, check_not_negative
from lucid.optim.state import flat, read_average, read_average_of_squares, read_count


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

    #: Whether the weight decay shrinks the parameter, apart from the gradient.
    _decoupled: ClassVar = False

    _state_readers: ClassVar = {
        "step": read_count,
        "exp_avg": read_average,
        "exp_avg_sq": read_average_of_squares,
    }
    elementwise: ClassVar = True

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
        check_not_negative(options, "lr", "eps", "weight_decay")
        betas = options["betas"]
        if not isinstance(betas, tuple | list) or len(betas) != 2:
            raise ValueError(f"betas: expected two numbers, got {betas!r}")
        if not all(0 <= as_number("betas", beta) < 1 for beta in betas):
            raise ValueError(f"betas: expected numbers from 0 to below 1, got {betas}")

    def update(self, x: Array, g: Array, state: dict[str, Any], options: Mapping[str, Any]) -> None:
        if not state:
            state.update(step=0, exp_avg=np.zeros_like(x), exp_avg_sq=np.zeros_like(x))
        state["step"] += 1
        m, v, t = state["exp_avg"], state["exp_avg_sq"], state["step"]
        lr, eps = float(options["lr"]), float(options["eps"])
        weight_decay = float(options["weight_decay"])
        beta1, beta2 = map(float, options["betas"])
        root = math.sqrt(1 - beta2**t)

        with (
            denormals.Flushed(_outweighs(eps, beta2, x.dtype)),
            flat(x, g, m, v) as arrays,
        ):
            steps.adam(
                *arrays,
                # The formula with its two roots brought out, which spares a division.
                step=lr * root / (1 - beta1**t),
                weight_decay=0.0 if self._decoupled else weight_decay,
                shrink=1 - lr * weight_decay if self._decoupled else 1.0,
                beta1=beta1,
                new1=1 - beta1,
                beta2=beta2,
                new2=1 - beta2,
                eps=eps * root,
            )


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

    _decoupled: ClassVar = True

    def __init__(
        self,
        params: Parameters,
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.01,
    ) -> None:
        super().__init__(params, lr, betas, eps, weight_decay)

"""Checks of gradients against finite differences, for people who write operations."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from lucid.autograd.grad import grad
from lucid.autograd.tensor import Array, Tensor
from lucid.system.listing import lists

__all__ = ["gradcheck", "gradgradcheck"]

__dir__ = lists(__all__)

Function = Callable[..., Tensor | Sequence[Tensor]]


def gradcheck(
    f: Function,
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    r"""Check the gradients of a function against central differences.

    .. math:: \frac{\partial f}{\partial x} \approx \frac{f(x + \epsilon) - f(x - \epsilon)}{2
        \epsilon}

    for each element of each input that requires a gradient and each element of each output.

    Parameters
    ----------
    f : callable
        Takes the inputs, returns one Tensor or a sequence of them.
    inputs : Tensor or sequence of Tensor
        Those that require a gradient must be float64.
    eps : float, default 1e-6
        The step.
    atol, rtol : float, default 1e-5, 1e-3
        The gradients may differ by ``atol + rtol * abs(finite difference)``.

    Returns
    -------
    bool
        True; a wrong gradient raises.

    Raises
    ------
    AssertionError
        If a gradient is wrong: the message shows both, and where they differ most.
    TypeError
        If an input that requires a gradient is not float64.
    ValueError
        If no input requires a gradient.

    Notes
    -----
    Choose inputs away from kinks, such as 0 for ``relu``: there is no derivative to compare with.

    Examples
    --------
    >>> import lucid
    >>> from lucid.testing import gradcheck
    >>> x = lucid.tensor([0.5, 2.0], dtype=lucid.float64, requires_grad=True)
    >>> gradcheck(lambda x: x * x.exp(), x)
    True
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    variables = [i for i, x in enumerate(inputs) if x.requires_grad]
    if not variables:
        raise ValueError("inputs: none of them requires a gradient, so there is nothing to check")
    for i in variables:
        if inputs[i].dtype != np.float64:
            raise TypeError(
                f"inputs[{i}]: expected float64, which finite differences need, "
                f"got {inputs[i].dtype}"
            )
    for k, analytic in enumerate(_analytic_jacobians(f, inputs, variables)):
        for i, jacobian in zip(variables, analytic, strict=True):
            numeric = np.empty_like(jacobian)
            for element in range(inputs[i].size):
                numeric[:, element] = _slope(f, inputs, i, element, eps, k)
            _compare(jacobian, numeric, f"output {k} with respect to input {i}", atol, rtol)
    return True


def gradgradcheck(
    f: Function,
    inputs: Tensor | Sequence[Tensor],
    eps: float = 1e-6,
    atol: float = 1e-5,
    rtol: float = 1e-3,
) -> bool:
    """Check the second derivatives of a function: `gradcheck` of its gradient.

    Parameters
    ----------
    f : callable
        Takes the inputs, returns one Tensor or a sequence of them.
    inputs : Tensor or sequence of Tensor
        Those that require a gradient must be float64.
    eps : float, default 1e-6
        The step.
    atol, rtol : float, default 1e-5, 1e-3
        The gradients may differ by ``atol + rtol * abs(finite difference)``.

    Returns
    -------
    bool
        True; a wrong gradient raises.

    Raises
    ------
    AssertionError
        If a second derivative is wrong: the message shows both, and where they differ most.
    TypeError
        If an input that requires a gradient is not float64.
    ValueError
        If no input requires a gradient.

    Examples
    --------
    >>> import lucid
    >>> from lucid.testing import gradgradcheck
    >>> x = lucid.tensor([0.5, 2.0], dtype=lucid.float64, requires_grad=True)
    >>> gradgradcheck(lambda x: x * x.exp(), x)
    True
    """
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    outputs = _outputs(f, inputs)
    # Any upstream gradient would do; these are the same in each run.
    random = np.random.default_rng(0)
    upstream = [Tensor(random.standard_normal(y.shape)).requires_grad_() for y in outputs]

    def gradient(*arguments: Tensor) -> list[Tensor]:
        xs, gs = arguments[: len(inputs)], arguments[len(inputs) :]
        variables = [x for x in xs if x.requires_grad]
        gradients = grad(_outputs(f, xs), variables, gs, create_graph=True, allow_unused=True)
        return [g for g in gradients if g is not None]

    return gradcheck(gradient, [*inputs, *upstream], eps, atol, rtol)


def _outputs(f: Function, inputs: Sequence[Tensor]) -> list[Tensor]:
    outputs = f(*inputs)
    return [outputs] if isinstance(outputs, Tensor) else list(outputs)


def _analytic_jacobians(
    f: Function, inputs: Sequence[Tensor], variables: Sequence[int]
) -> list[list[Array]]:
    """Return, for each output and each variable, one row for each element of the output."""
    jacobians = []
    xs = [inputs[i] for i in variables]
    for y in _outputs(f, inputs):
        rows = [np.zeros((y.size, x.size)) for x in xs]
        # An output may be free of all variables, as the second derivative of x + x is.
        for j in range(y.size if y.requires_grad else 0):
            start = np.zeros(y.size)
            start[j] = 1
            gradients = grad(y, xs, start.reshape(y.shape), retain_graph=True, allow_unused=True)
            for row, g in zip(rows, gradients, strict=True):
                row[j] = 0 if g is None else g.detach().numpy().ravel()
        jacobians.append(rows)
    return jacobians


def _slope(
    f: Function, inputs: Sequence[Tensor], i: int, element: int, eps: float, k: int
) -> Array:
    """Return the central difference of output `k` by one element of input `i`."""
    ends = []
    for step in (eps, -eps):
        moved = inputs[i].detach().numpy().copy()
        moved.ravel()[element] += step
        x = Tensor(moved).requires_grad_()
        y = _outputs(f, [*inputs[:i], x, *inputs[i + 1 :]])[k]
        ends.append(y.detach().numpy().ravel())
    slope: Array = (ends[0] - ends[1]) / (2 * eps)
    return slope


def _compare(analytic: Array, numeric: Array, what: str, atol: float, rtol: float) -> None:
    excess = np.abs(analytic - numeric) - (atol + rtol * np.abs(numeric))
    excess[np.isnan(excess)] = np.inf
    if not (excess > 0).any():
        return
    row, column = np.unravel_index(np.argmax(excess), excess.shape)
    raise AssertionError(
        f"the gradient of {what} is wrong, most at output element {row}, input element {column}: "
        f"{analytic[row, column]} from backward, {numeric[row, column]} from finite differences\n"
        f"from backward (a row for each output element):\n{analytic}\n"
        f"from finite differences:\n{numeric}"
    )

"""Training on all rows at once, by L-BFGS: no order of rows, no learning rate."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from scipy.sparse.linalg import LinearOperator, cg
from sklearn.exceptions import ConvergenceWarning

from lucid.autograd.grad import grad
from lucid.io import Dataset
from lucid.nn import Module
from lucid.nn.losses.criterion import Criterion
from lucid.system.blas import one_thread_each

Vector = npt.NDArray[np.float64]

#: Newton's method takes one or two steps where it helps.
_NEWTON_STEPS = 3


def fit(estimator: Any, net: Module, criterion: Criterion, data: Dataset, iterations: int) -> int:
    """Minimise the loss of all rows, plus half the weight decay times the squares of the weights.

    The parameters become float64. Returns the number of iterations.
    """
    net.to(np.float64)
    data = replace(data, features=data.features.astype(np.float64, copy=False))
    tol = estimator.tol
    objective = _Objective(net, criterion, data, estimator.weight_decay)
    # What SciPy warns of on the way, such as a line that is searched too far, is not the user's.
    with one_thread_each(), np.errstate(all="ignore"):
        found = minimize(
            objective,
            objective.start(),
            jac=True,
            method="L-BFGS-B",
            options={"maxiter": iterations, "maxfun": 2 * iterations, "gtol": tol, "ftol": 0.0},
        )
        out_of_steps = found.nit >= iterations or found.nfev >= 2 * iterations
        if out_of_steps:
            left = np.abs(objective(found.x)[1]).max()
        else:
            left = _polish(objective, found.x, tol)
    if not left <= tol:
        warnings.warn(
            f"L-BFGS has not converged: after {found.nit} iterations, of max_iter={iterations}, an "
            f"element of the gradient is {left:.2g}, above tol={tol:g}; raise max_iter or tol, "
            "scale the features, or take a loss without edges, such as 'squared-margin' or 'lsep'",
            ConvergenceWarning,
            stacklevel=3,
        )
    net.zero_grad()
    return int(found.nit)


class _Objective:
    """What is minimised, as a function of all parameters in one vector."""

    def __init__(
        self, model: Module, criterion: Criterion, data: Dataset, weight_decay: float
    ) -> None:
        self.model, self.criterion, self.data = model, criterion, data
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.arrays = [p.detach().numpy() for p in self.parameters]  # they share memory
        self.decay = _flat(
            [np.full(x.shape, weight_decay if x.ndim > 1 else 0.0) for x in self.arrays]
        )

    def start(self) -> Vector:
        return _flat(self.arrays)

    def __call__(self, flat: Vector) -> tuple[float, Vector]:
        """Return value and gradient; the parameters stay in the model."""
        for x, values in zip(self.arrays, self._parts(flat), strict=True):
            x[...] = values
        loss = self._loss()
        gradient = _flat_gradients(grad(loss, self.parameters)) + self.decay * flat
        return loss.item() + 0.5 * float((self.decay * flat) @ flat), gradient

    def hessian(self) -> LinearOperator:
        """Return the second derivative where the parameters of the model are."""
        gradients: Any = grad(self._loss(), self.parameters, create_graph=True)

        def times(v: Vector) -> Vector:
            products = grad(gradients, self.parameters, self._parts(v), retain_graph=True)
            return _flat_gradients(products) + self.decay * v

        return LinearOperator((self.decay.size,) * 2, matvec=times)

    def _loss(self) -> Any:
        data = self.data
        scores = self.model(data.features)
        return self.criterion(scores, data.labels, sample_weight=data.sample_weight)

    def _parts(self, flat: Vector) -> list[Vector]:
        parts = np.split(flat, np.cumsum([x.size for x in self.arrays])[:-1])
        return [part.reshape(x.shape) for part, x in zip(parts, self.arrays, strict=True)]


def _flat(arrays: list[Any]) -> Vector:
    return np.concatenate([np.ravel(x) for x in arrays])


def _flat_gradients(gradients: Any) -> Vector:
    return _flat([g.numpy() for g in gradients])


def _polish(objective: _Objective, x: Vector, tol: float) -> float:
    """Go on by Newton's method, where the objective no longer tells two points apart.

    Near the minimum it changes with the square of the distance: by its values, no point is known to
    more than half of the digits. Gradients tell all of them, where the loss has no edges. Returns
    the largest element of the last one.
    """
    gradient = objective(x)[1]
    size = float(np.abs(gradient).max())
    for _ in range(_NEWTON_STEPS):
        if size <= tol:
            break
        step, _ = cg(objective.hessian(), -gradient, rtol=1e-6, maxiter=x.size)
        gradient = objective(x + step)[1]
        smaller = float(np.abs(gradient).max())
        if not smaller < size:
            objective(x)
            break
        x, size = x + step, smaller
    return size

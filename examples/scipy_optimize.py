"""Fit a linear ranker with SciPy's L-BFGS: NumPy arrays only, no tensors.

    python examples/scipy_optimize.py

`lucid.multilabel_margin` gives the loss of scores and its gradient. The chain rule through
scores = X W + b is one line for each of W and b, and `scipy.optimize.minimize` takes the pair
(value, gradient) as it is. The loss is piecewise linear in the scores, so the objective has kinks,
but it is convex, and the ridge penalty makes the minimum a single one.

Needs SciPy: pip install scipy
"""

import argparse

import numpy as np
from scipy.optimize import minimize

import lucid
from lucid import metrics


def make_data(rows: int, features: int, classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw features, and the 3 classes that a hidden linear map with some noise ranks highest."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, features))
    hidden = np.random.default_rng(0).standard_normal((features, classes))
    scores = x @ hidden + rng.standard_normal((rows, classes))
    return x, np.argsort(-scores, axis=1)[:, :3]


def objective(
    parameters: np.ndarray, x: np.ndarray, target: np.ndarray, classes: int, ridge: float
) -> tuple[float, np.ndarray]:
    """Return mean loss + ridge / 2 * ||W||^2, and its gradient, for the parameters (W, b)."""
    weight, bias = split(parameters, classes)
    loss, gradient = lucid.multilabel_margin(x @ weight + bias, target)
    weight_gradient = x.T @ gradient + ridge * weight
    bias_gradient = gradient.sum(axis=0)
    value = float(loss) + ridge / 2 * float(np.vdot(weight, weight))
    return value, np.concatenate([weight_gradient.ravel(), bias_gradient])


def split(parameters: np.ndarray, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Cut the flat vector that SciPy works with into W, shape (features, classes), and b."""
    return parameters[:-classes].reshape(-1, classes), parameters[-classes:]


def main() -> None:
    parser = argparse.ArgumentParser(description="A linear ranker with scipy.optimize.")
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--features", type=int, default=20)
    parser.add_argument("--classes", type=int, default=50)
    parser.add_argument("--ridge", type=float, default=1e-3)
    parser.add_argument("--iterations", type=int, default=200)
    arguments = parser.parse_args()
    classes = arguments.classes

    x, target = make_data(arguments.rows, arguments.features, classes, seed=1)
    x_test, target_test = make_data(arguments.rows, arguments.features, classes, seed=2)

    def ranking_loss(parameters: np.ndarray) -> float:
        weight, bias = split(parameters, classes)
        return metrics.label_ranking_loss(x_test @ weight + bias, target_test)

    start = np.random.default_rng(3).standard_normal((arguments.features + 1) * classes) * 0.01
    result = minimize(
        objective,
        start,
        args=(x, target, classes, arguments.ridge),
        jac=True,  # objective returns the gradient too
        method="L-BFGS-B",
        options={"maxiter": arguments.iterations},
    )
    first, _ = objective(start, x, target, classes, arguments.ridge)
    print(f"objective     {first:8.4f} -> {result.fun:.4f}  in {result.nfev} evaluations")
    print(f"ranking loss  {ranking_loss(start):8.4f} -> {ranking_loss(result.x):.4f}  on new rows")


if __name__ == "__main__":
    main()

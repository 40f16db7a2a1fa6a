"""The loss and its gradient are within 1 ulp of the exact values, for scores of any size."""

import numpy as np
import oracle
import pytest
from problems import KINDS, SIZES, problem

from lucid import multilabel_margin


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_loss_and_gradient_are_within_one_ulp(size, kind, scale, dtype):
    x, target = problem(size, kind, dtype, scale)
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert loss.dtype == gradient.dtype == dtype
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", ["many-small-rows", "many-labels", "rows-over-segments"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reduced_losses_are_within_one_ulp(size, kind, reduction, dtype):
    x, target = problem(size, kind, dtype)
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, reduction)
    assert oracle.loss_ulps(loss, rows, reduction) <= 1
    assert oracle.gradient_ulps(gradient, rows, reduction) <= 1


@pytest.mark.parametrize("kind", ["random", "close"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_number_of_labels_up_to_a_hundred(dtype, kind):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((100, 3000))
    if kind == "close":
        x = np.round(x) + 1e-10 * rng.integers(-3, 4, x.shape)
    x = x.astype(dtype)
    target = np.full((100, 100), -1)
    for n in range(100):
        target[n, : n + 1] = rng.choice(3000, n + 1, replace=False)
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("offset", [-1e12, -1e8, -1e3, 1e3, 1e8, 1e12])
@pytest.mark.parametrize("size", ["many-small-rows", "dozens-of-labels", "many-labels"])
def test_float64_far_from_zero(size, offset):
    x, target = problem(size, "random", "float64")
    x = x + offset
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("scale", [1e-300, 1e300])
def test_float64_of_extreme_size(scale):
    x, target = problem("dozens-of-labels", "random", "float64", scale)
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("kind", KINDS)
def test_float16_is_within_one_ulp_of_its_own(kind):
    x, target = problem("many-labels", kind, "float16")
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert loss.dtype == gradient.dtype == "float16"
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1


@pytest.mark.parametrize("labels", [5, 63, 1025])
def test_a_queue_of_more_than_a_block_is_summed_as_exactly(labels):
    rng = np.random.default_rng(labels)
    top = 1.9999 * 2.0 ** np.floor(np.log2(labels)) / labels  # products just below a power of two
    step = 2.0**-37 * labels
    x = np.full(2560 + max(labels, 512), -5.0)
    for block, active in enumerate([127, 127, 127, 127, 128]):  # so few are queued
        x[512 * block : 512 * block + active] = top - step * rng.random(active)
    target = np.arange(len(x) - labels, len(x))
    x[target] = 1 + top - 2 * step - step * rng.random(labels)
    x[target[0]] = 1.0
    rows = oracle.rows_of(x[np.newaxis], target[np.newaxis])
    loss, _ = multilabel_margin(x[np.newaxis], target[np.newaxis], "none")
    assert oracle.loss_ulps(loss, rows, "none") <= 1


@pytest.mark.parametrize("labels", [20, 100_000])
def test_a_finite_loss_of_scores_near_the_largest_float64(labels):
    scale = 1.7e308 / (600 * labels)  # some sums on the way would overflow, the loss does not
    x = np.full(600 + labels, 10 * scale)
    x[600:] = np.nextafter(10 * scale, 0)
    x[600] = 0
    target = np.arange(600, 600 + labels)
    rows = oracle.rows_of(x[np.newaxis], target[np.newaxis])
    loss, gradient = multilabel_margin(x[np.newaxis], target[np.newaxis], "none")
    assert np.isfinite(loss).all()
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1

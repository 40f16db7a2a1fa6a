"""The loss and its gradient are within 1 ulp of the exact values, for scores of any size."""

import oracle
import pytest
from problems import KINDS, SIZES, problem

from lucid._margin import multilabel_margin


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


@pytest.mark.parametrize("kind", KINDS)
def test_float16_is_within_one_ulp_of_its_own(kind):
    x, target = problem("many-labels", kind, "float16")
    rows = oracle.rows_of(x, target)
    loss, gradient = multilabel_margin(x, target, "none")
    assert loss.dtype == gradient.dtype == "float16"
    assert oracle.loss_ulps(loss, rows, "none") <= 1
    assert oracle.gradient_ulps(gradient, rows, "none") <= 1

"""The same bits for every thread count, CPU level and form of the labels, and without gradient."""

from functools import cache

import numpy as np
import pytest
from problems import SIZES, Problem, margin_of, problem

import lucid
from lucid import _kernels
from lucid.labels import Labels

REGIMES = [(size, kind) for size in SIZES for kind in ("random", "trained", "clustered")]


@cache
def on_one_thread(size, kind, dtype):
    """The loss and gradient of the baseline kernel on one thread, at the lowest level."""
    x, target = problem(size, kind, dtype)
    kernel = _kernels.load("margin", "baseline")
    rows, gradient = np.empty(len(x)), np.empty_like(x)
    run = {"float32": kernel.margin_float32, "float64": kernel.margin_float64}[dtype]
    run(x, target, None, 1, rows, gradient, 1)
    return rows.astype(dtype), gradient


def same_bits(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize(("size", "kind"), REGIMES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_same_bits_for_every_thread_count_and_level(size, kind, dtype, threads, cpu_level):
    lucid.set_num_threads(threads)
    loss, gradient = margin_of(*problem(size, kind, dtype), "none", True)
    expected_loss, expected_gradient = on_one_thread(size, kind, dtype)
    assert same_bits(loss, expected_loss)
    assert same_bits(gradient, expected_gradient)


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@pytest.mark.parametrize("threads", [1, 2, 3, 7])
@pytest.mark.parametrize("size", SIZES)
def test_same_bits_of_the_reduced_loss_for_every_thread_count(size, threads, reduction, cpu_level):
    x, target = problem(size, "random")
    lucid.set_num_threads(1)
    expected, _ = margin_of(x, target, reduction, False)
    lucid.set_num_threads(threads)
    assert same_bits(margin_of(x, target, reduction, False)[0], expected)


@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("form", ["padded to C", "Labels", "int32"])
def test_same_bits_for_every_form_of_the_labels(size, form, threads, cpu_level):
    x, target = problem(size, "random")
    labels = {
        "padded to C": as_wide_as_the_scores,
        "Labels": lambda p: Labels.from_padded(p.target, p.x.shape[1]),
        "int32": lambda p: p.target.astype(np.int32),
    }[form](Problem(x, target))
    lucid.set_num_threads(threads)
    loss, gradient = margin_of(x, labels, "none", True)
    expected_loss, expected_gradient = on_one_thread(size, "random", "float32")
    assert same_bits(loss, expected_loss)
    assert same_bits(gradient, expected_gradient)


def as_wide_as_the_scores(given):
    wide = np.full(given.x.shape, -1)
    wide[:, : given.target.shape[1]] = given.target
    return wide


def test_a_call_has_the_bits_of_the_call_before():
    x, target = problem("a-shared-row-with-a-grid", "random")
    first = margin_of(x, target, "sum", True)
    for _ in range(20):
        again = margin_of(x, target, "sum", True)
        assert same_bits(again[0], first[0])
        assert same_bits(again[1], first[1])

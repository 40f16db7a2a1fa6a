"""LSEP, ZLPR and BP-MLL: exact values, laws, infinities, and the same bits always."""

import itertools
import math
from functools import partial

import numpy as np
import oracle
import pytest
from cpu_levels import CPU_LEVELS
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid import Labels, _kernels
from lucid.losses import bpmll_loss, exponential, lsep_loss, zlpr_loss
from lucid.losses.solving import Terms
from lucid.nn import functional as F
from lucid.testing import gradcheck


def lsep_per_label_loss(x, target, reduction="mean", **options):
    return lsep_loss(x, target, reduction, per_label=True, **options)


LOSSES = {
    "lsep": lsep_loss,
    "lsep_per_label": lsep_per_label_loss,
    "zlpr": zlpr_loss,
    "bpmll": bpmll_loss,
}
EXACT = {
    "lsep": oracle.lsep,
    "lsep_per_label": partial(oracle.lsep, per_label=True),
    "zlpr": oracle.zlpr,
    "bpmll": oracle.bpmll,
}
OF_PAIRS = ["lsep", "lsep_per_label", "bpmll"]

each_loss = pytest.mark.parametrize("name", LOSSES)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


def farthest(name, x, labels, unknown=()):
    """Return how far the loss, and the gradient, of a row are from the exact ones at most."""
    target = Labels.from_lists([labels], x.size).with_unknown([list(unknown)])
    loss, gradient = LOSSES[name](x[np.newaxis], target, "sum")
    rows = [EXACT[name](x, labels, unknown)]
    return oracle.loss_ulps(loss, rows, "sum"), oracle.gradient_ulps(gradient, rows, "sum")


def random_row(seed, spread, dtype):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 40))
    labels = rng.choice(size, rng.integers(1, min(size, 8), endpoint=True), replace=False).tolist()
    x = rng.standard_normal(size) * spread + rng.choice([0, spread])
    if seed % 3 == 0:  # trained: the labels far above the others
        x[labels] += 3 * spread
    if seed % 4 == 0:  # close to each other, far from 0
        x = 1000 * spread + rng.integers(-3, 3, size) * spread / 1000
    if seed % 5 == 0:
        labels.append(labels[0])
    others = [j for j in range(size) if j not in labels]
    return x.astype(dtype), labels, others[:2] if seed % 2 else []


@each_loss
@each_dtype
@pytest.mark.parametrize("spread", [1e-3, 1, 30, 300, 1e4])
def test_loss_and_gradient_are_within_8_ulp_of_the_exact_ones(name, dtype, spread):
    for seed in range(25):
        x, labels, unknown = random_row(seed, spread, dtype)
        loss, gradient = farthest(name, x, labels, unknown)
        assert loss <= 8, seed
        assert gradient <= 8, seed


@each_loss
@each_dtype
def test_so_are_those_of_rows_over_several_blocks(name, dtype):
    rng = np.random.default_rng(1)
    x = (rng.standard_normal(1100) * 3).astype(dtype)
    assert max(farthest(name, x, [0, 511, 512, 1099, 7], [1, 600])) <= 8


@each_loss
@each_dtype
@pytest.mark.parametrize("depth", [20, 80, 100, 300, 700, 740])
def test_tiny_losses_keep_their_digits(name, dtype, depth):
    x = np.array([depth, -depth / 16, -depth / 8], dtype)
    assert max(farthest(name, x, [0])) <= 8


@each_dtype
@pytest.mark.parametrize("name", ["lsep", "lsep_per_label", "zlpr"])
def test_scores_of_1e4_overflow_nowhere(name, dtype):
    loss, gradient = LOSSES[name](np.array([[-1e4, 1e4, 0]], dtype), [[0]])
    assert loss == 2e4
    assert gradient.tolist() == [[-1, 1, 0]]


def test_the_second_derivative_of_bpmll_is_finite_where_its_gradient_is():
    x = lucid.tensor([[44.5] + [-45.0] * 199], requires_grad=True)
    loss = F.bpmll_loss(x, [[*range(1, 101)]])
    (slope,) = lucid.grad(loss, [x], create_graph=True)
    (second,) = lucid.grad(slope[0, 0], [x])
    assert second.numpy()[0, 0] == pytest.approx(loss.item(), rel=1e-5)


@each_dtype
def test_bpmll_is_infinite_only_where_it_is_too_large_and_so_are_its_slopes(dtype):
    high = 0.6 * math.log(np.finfo(dtype).max)
    x = np.array([-high, 2, high, 3, 0], dtype)
    loss, gradient = bpmll_loss(x, [0, 4])
    assert loss == math.inf
    assert gradient[[0, 2]].tolist() == [-math.inf, math.inf]
    assert np.isfinite(gradient[[1, 3, 4]]).all()
    assert farthest("bpmll", x, [0, 4])[1] <= 8


# What the formulas say of labels.

X = np.random.default_rng(0).standard_normal((5, 6)) * 3
LISTS = [[0, 4], [], [5, 2, 3], [1, 1], [0, 1, 2, 3, 4, 5]]


def test_each_half_of_zlpr_has_its_own_sum_which_may_be_empty():
    losses = zlpr_loss(X, LISTS, "none")[0]
    assert losses[1] == pytest.approx(np.log1p(np.exp(X[1]).sum()))
    assert losses[4] == pytest.approx(np.log1p(np.exp(-X[4]).sum()))


SCORES = st.floats(-60, 60)


@given(st.lists(SCORES, min_size=2, max_size=12), st.data())
def test_lsep_is_between_the_greatest_difference_and_that_and_the_log_of_the_pairs(x, data):
    labels = data.draw(st.sets(st.integers(0, len(x) - 1), min_size=1, max_size=len(x) - 1))
    others = set(range(len(x))) - labels
    greatest = max(x[j] - x[i] for i in labels for j in others)
    loss = lsep_loss(np.array(x), [*labels])[0]
    most = max(greatest, 0) + math.log(1 + len(labels) * len(others))
    assert max(greatest, 0) - 1e-12 <= loss <= most + 1e-12


# NaN and infinities.

SPECIAL = [-np.inf, -1.0, 2.0, np.inf, np.nan]


@pytest.mark.parametrize("name", OF_PAIRS)
@pytest.mark.parametrize("i", SPECIAL)
@pytest.mark.parametrize("j", SPECIAL)
@each_dtype
def test_losses_of_special_scores_are_those_of_the_pairs(name, i, j, dtype):
    x = np.array([i, 0.5, j, 0.25], dtype)
    with np.errstate(invalid="ignore", over="ignore"):
        pairs = np.exp(np.float64(x[[2, 3]]) - np.float64(x[[0, 1]])[:, np.newaxis])
        expected = {
            "lsep": np.log1p(pairs.sum()),
            "lsep_per_label": np.log1p(pairs.sum(axis=1)).mean(),
            "bpmll": pairs.mean(),
        }[name]
    loss, gradient = LOSSES[name](x, [0, 1, -1])
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert np.isnan(gradient).all() if np.isnan(expected) else not np.isnan(gradient).any()


@pytest.mark.parametrize("i", SPECIAL)
@pytest.mark.parametrize("j", SPECIAL)
def test_losses_of_special_scores_are_those_of_the_halves(i, j):
    x = np.array([i, 0.5, j, 0.25])
    expected = np.log1p(np.exp(-x[:2]).sum()) + np.log1p(np.exp(x[2:]).sum())
    loss, gradient = zlpr_loss(x, [0, 1, -1])
    np.testing.assert_allclose(loss, expected)
    assert np.isnan(gradient).all() if np.isnan(expected) else not np.isnan(gradient).any()


@pytest.mark.parametrize("name", ["lsep", "lsep_per_label", "zlpr"])
def test_an_infinite_score_outweighs_all_others(name):
    x = np.array([1.0, np.inf, 2.0, np.inf, 0.0])
    loss, gradient = LOSSES[name](x, [0])
    assert loss == np.inf
    assert gradient[1:].tolist() == [0.5, 0, 0.5, 0]


@each_loss
def test_a_nan_is_of_its_row_only(name):
    x = X.copy()
    x[2, 0] = np.nan
    loss, gradient = LOSSES[name](x, LISTS, "none")
    assert np.isnan(loss).tolist() == [False, False, True, False, False]
    assert np.isnan(gradient).all(axis=1).tolist() == np.isnan(loss).tolist()
    assert np.isnan(gradient).any(axis=1).tolist() == np.isnan(loss).tolist()


# The same bits.

SIZES = [(1, 5, 2), (700, 50, 5), (37, 1100, 10), (3, 2000, 300), (2, 40_000, 12), (1, 70_001, 900)]


def problem(size, dtype, spread):
    rows, classes, most = size
    rng = np.random.default_rng([rows, classes])
    lists = [
        rng.choice(classes, rng.integers(0, most, endpoint=True), replace=False).tolist()
        for _ in range(rows)
    ]
    unknown = [
        [j for j in set(rng.integers(0, classes, 3).tolist()) if j not in labels]
        for labels in lists
    ]
    target = Labels.from_lists(lists, classes).with_unknown(Labels.from_lists(unknown, classes))
    x = rng.standard_normal((rows, classes)) * spread
    return x.astype(dtype), target, rng.random(rows)


def run(name, level, x, target, scale, want_gradient, threads):
    kernel = getattr(_kernels.load("exponential", level), f"{name}_{x.dtype}")
    losses = np.empty(len(x))
    gradient = np.empty_like(x) if want_gradient else None
    terms = Terms(
        scale=scale,
        unknown_indices=target.unknown_indices,
        unknown_indptr=target.unknown_indptr,
    )
    total = kernel(x, target.indices, target.indptr, 3.0, losses, gradient, threads, terms)
    return losses.tobytes(), total, None if gradient is None else gradient.tobytes()


@each_loss
@each_dtype
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("spread", [1, 100])
def test_same_bits_for_every_level_and_thread_count_and_without_gradient(name, dtype, size, spread):
    given = problem(size, dtype, spread)
    expected = run(name, "baseline", *given, True, 1)
    for level in CPU_LEVELS:
        for threads in (1, 2, 3, 7):
            assert run(name, level, *given, True, threads) == expected
            assert run(name, level, *given, False, threads)[:2] == expected[:2]


@pytest.mark.parametrize("name", exponential._KERNELS)
@pytest.mark.parametrize("bad", [-1, 6, 2**32 + 3, -(2**63)])
def test_indices_that_were_changed_after_they_had_been_checked_are_refused(name, bad):
    kernel = exponential._KERNELS[name]["d"]
    good, indptr = np.array([0, 4]), np.array([0, 2])
    changed = np.array([0, bad])
    for labels, unknown in [((changed, indptr), (None, None)), ((good, indptr), (changed, indptr))]:
        terms = Terms(unknown_indices=unknown[0], unknown_indptr=unknown[1])
        with pytest.raises(ValueError, match="changed"):
            kernel(X[:1], *labels, 1.0, np.empty(1), np.empty((1, 6)), 1, terms)
    for ends in ([0, 3], [-1, 1], [2, 1]):
        with pytest.raises(ValueError, match="changed"):
            kernel(X[:1], good, np.array(ends), 1.0, np.empty(1), None, 1)


# Derivatives.


def test_third_derivatives():
    x = lucid.tensor(X[0], requires_grad=True)

    def curvature(x):
        (slope,) = lucid.grad(F.lsep_loss(x, [0, 4]), x, create_graph=True)
        (product,) = lucid.grad((slope * slope).sum(), x, create_graph=True)
        return product.sum()

    assert gradcheck(curvature, [x])


@pytest.mark.parametrize("x", [*itertools.product([-np.inf, 0.5, 2.0, np.inf], repeat=3)])
@pytest.mark.parametrize(
    ("loss", "options"), [("zlpr_loss", {}), ("lsep_loss", {}), ("lsep_loss", {"per_label": True})]
)
def test_of_infinite_scores_the_second_derivative_is_the_limit(loss, options, x):
    def second_derivative(x):
        x = lucid.tensor(np.array([x]), requires_grad=True)
        value = getattr(F, loss)(x, [[0, 1]], **options)
        (slope,) = lucid.grad(value, [x], create_graph=True)
        return lucid.grad((slope * lucid.tensor([1.0, 2.0, 3.0])).sum(), [x])[0].numpy()

    value, _ = getattr(lucid.losses, loss)(np.array([x]), [[0, 1]], **options)
    limit = np.full((1, 3), np.nan) if np.isnan(value) else second_derivative(np.clip(x, -1e3, 1e3))
    np.testing.assert_allclose(second_derivative(x), limit, atol=1e-15)


def test_without_a_pair_the_second_derivative_of_bpmll_is_0_whatever_the_scores_are():
    x = lucid.tensor([[-1e30, 0.5]], requires_grad=True)
    (slope,) = lucid.grad(F.bpmll_loss(x, Labels.from_lists([[0, 1]], 2)), [x], create_graph=True)
    assert not lucid.grad(slope.sum(), [x])[0].numpy().any()

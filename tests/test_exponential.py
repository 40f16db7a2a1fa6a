"""LSEP, ZLPR and BP-MLL: exact values, laws, infinities, and the same bits always."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from cpu_levels import CPU_LEVELS
from hypothesis import given
from hypothesis import strategies as st

import lucid
from lucid import Labels, _kernels
from lucid.losses import bpmll_loss, exponential, lsep_loss, zlpr_loss
from lucid.nn import functional as F
from lucid.testing import gradcheck, gradgradcheck


def lsep_per_label_loss(x, target, reduction="mean", **options):
    return lsep_loss(x, target, reduction, per_label=True, **options)


LOSSES = {
    "lsep": lsep_loss,
    "lsep_per_label": lsep_per_label_loss,
    "zlpr": zlpr_loss,
    "bpmll": bpmll_loss,
}
OF_PAIRS = ["lsep", "lsep_per_label", "bpmll"]
TENSORS = {
    "lsep": F.lsep_loss,
    "lsep_per_label": lambda *args, **kw: F.lsep_loss(*args, per_label=True, **kw),
    "zlpr": F.zlpr_loss,
    "bpmll": F.bpmll_loss,
}

each_loss = pytest.mark.parametrize("name", LOSSES)
each_dtype = pytest.mark.parametrize("dtype", ["float32", "float64"])


# The oracle: the formulas, with fifty digits.


def log1p(y):
    """Return log(1 + y) to all digits."""
    if y > Decimal("1e-20"):
        return (1 + y).ln()
    return y - y * y / 2 + y * y * y / 3


def softplus(total):
    """Return log(1 + total), and its derivative by log(total)."""
    return log1p(total), total / (1 + total)


def exact(name, x, labels, unknown=()):
    """Return the loss of a row and its gradient, as Decimals."""
    with localcontext() as context:
        context.prec = 60
        context.Emax, context.Emin = 10**9, -(10**9)
        e = {j: Decimal(float(v)).exp() for j, v in enumerate(x)}
        negatives = [j for j in e if j not in labels and j not in unknown]
        A = sum((1 / e[i] for i in labels), Decimal(0))
        B = sum((e[j] for j in negatives), Decimal(0))
        pairs = len(labels) * len(negatives)
        of_labels, loss = [Decimal(0)] * len(labels), Decimal(0)
        of_negatives = Decimal(0)  # derivative by log(B)
        if name == "zlpr":
            of_A = softplus(A)
            loss, of_negatives = (a + b for a, b in zip(of_A, softplus(B), strict=True))
            of_negatives = softplus(B)[1]
            of_labels = [-(1 / e[i]) / A * of_A[1] for i in labels]
        elif pairs > 0 and name == "lsep_per_label":
            alone = [softplus(B / e[i]) for i in labels]
            loss = sum(value for value, _ in alone) / len(labels)
            of_labels = [-slope / len(labels) for _, slope in alone]
            of_negatives = -sum(of_labels)
        elif pairs > 0:
            loss, of_negatives = softplus(A * B) if name == "lsep" else (A * B / pairs,) * 2
            of_labels = [-(1 / e[i]) / A * of_negatives for i in labels]
        gradient = [Decimal(0)] * len(x)
        for j in negatives:
            gradient[j] = e[j] / B * of_negatives
        for i, slope in zip(labels, of_labels, strict=True):
            gradient[i] += slope
        return loss, gradient


def distance(found, expected):
    """Return by how many units in the last place of its dtype a number is wrong."""
    largest = Decimal(float(np.finfo(found.dtype).max))
    if abs(expected) > largest:
        return 0.0 if found == math.copysign(math.inf, expected) else math.inf
    if not np.isfinite(found):
        return math.inf
    with localcontext() as context:
        context.prec = 60
        ulp = Decimal(float(np.spacing(np.abs(found.dtype.type(expected)))))
        return float(abs(Decimal(float(found)) - expected) / ulp)


def farthest(name, x, labels, unknown=()):
    """Return how far the loss, and the gradient, of a row are from the exact ones at most."""
    target = Labels.from_lists([labels], x.size).with_unknown([list(unknown)])
    loss, gradient = LOSSES[name](x[np.newaxis], target, "sum")
    expected, slopes = exact(name, x, labels, unknown)
    errors = [distance(g, s) for g, s in zip(gradient[0], slopes, strict=True)]
    return distance(loss[()], expected), max(errors)


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


@each_dtype
def test_bpmll_is_infinite_only_where_it_is_too_large_and_so_are_its_slopes(dtype):
    high = 0.6 * math.log(np.finfo(dtype).max)
    x = np.array([-high, 2, high, 3, 0], dtype)
    loss, gradient = bpmll_loss(x, [0, 4])
    assert loss == math.inf
    assert gradient[[0, 2]].tolist() == [-math.inf, math.inf]
    assert np.isfinite(gradient[[1, 3, 4]]).all()
    assert farthest("bpmll", x, [0, 4])[1] <= 8


# What the formulas say of labels, reductions and weights.

X = np.random.default_rng(0).standard_normal((5, 6)) * 3
LISTS = [[0, 4], [], [5, 2, 3], [1, 1], [0, 1, 2, 3, 4, 5]]


@pytest.mark.parametrize("name", OF_PAIRS)
def test_a_row_without_pairs_costs_nothing_whatever_its_scores_are(name):
    x = X.copy()
    x[[1, 4]] = np.nan
    loss, gradient = LOSSES[name](x, LISTS, "none")
    assert loss[[1, 4]].tolist() == [0, 0]
    assert (gradient[[1, 4]] == 0).all()


def test_each_half_of_zlpr_has_its_own_sum_which_may_be_empty():
    losses = zlpr_loss(X, LISTS, "none")[0]
    assert losses[1] == pytest.approx(np.log1p(np.exp(X[1]).sum()))
    assert losses[4] == pytest.approx(np.log1p(np.exp(-X[4]).sum()))


@each_loss
def test_a_label_given_twice_counts_twice_among_labels_and_is_no_negative(name):
    loss, gradient = LOSSES[name](X[3], [1, 1])
    expected, slopes = exact(name, X[3], [1, 1])
    assert loss == pytest.approx(float(expected))
    np.testing.assert_allclose(gradient, np.array(slopes, float))


@each_loss
@pytest.mark.parametrize("unknown", [[1], [0, 3], [0, 1, 3, 5]])
def test_unknown_classes_are_as_if_their_columns_were_deleted(name, unknown):
    target = Labels.from_lists([[2, 4]], 6).with_unknown([unknown])
    x = X[:1].copy()
    x[0, unknown] = np.nan
    kept = [j for j in range(6) if j not in unknown]
    loss, gradient = LOSSES[name](x, target)
    labels = Labels.from_lists([[kept.index(2), kept.index(4)]], len(kept))
    expected, slopes = LOSSES[name](X[:1, kept], labels)
    assert loss == expected
    np.testing.assert_array_equal(gradient[:, kept], slopes)
    assert (gradient[0, unknown] == 0).all()


@each_loss
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_a_sample_weight_of_3_is_the_row_three_times(name, reduction):
    times = [1, 0, 3, 2, 1]
    x = X.copy()
    x[1] = np.nan  # left out, whatever its scores are
    loss, gradient = LOSSES[name](x, LISTS, reduction, sample_weight=times)
    rows = np.repeat(np.arange(5), times)
    expected, slopes = LOSSES[name](x[rows], [LISTS[n] for n in rows], reduction)
    assert loss == pytest.approx(expected.item(), rel=1e-14)
    summed = np.zeros_like(gradient)
    np.add.at(summed, rows, slopes)
    np.testing.assert_allclose(gradient, summed, rtol=1e-14)


@each_loss
def test_the_reductions_are_of_the_losses_of_rows(name):
    rows, gradient = LOSSES[name](X, LISTS, "none")
    assert LOSSES[name](X, LISTS, "sum")[0] == pytest.approx(rows.sum(), rel=1e-15)
    mean, slopes = LOSSES[name](X, LISTS, "mean")
    assert mean == pytest.approx(rows.mean(), rel=1e-15)
    np.testing.assert_allclose(slopes, gradient / 5, rtol=1e-15)


@each_loss
def test_a_batch_of_no_rows(name):
    x, target = np.empty((0, 3)), np.empty((0, 1), int)
    assert LOSSES[name](x, target, "sum")[0] == 0
    assert np.isnan(LOSSES[name](x, target, "mean")[0])
    assert LOSSES[name](x, target, "none")[0].shape == (0,)


@each_loss
def test_float16_is_computed_in_float32(name):
    x = X.astype("float16")
    loss, gradient = LOSSES[name](x, LISTS)
    wide, slopes = LOSSES[name](x.astype("float32"), LISTS)
    assert loss.dtype == gradient.dtype == "float16"
    assert loss == wide.astype("float16")
    np.testing.assert_array_equal(gradient, slopes.astype("float16"))


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
    known = target.indices, target.indptr, target.unknown_indices, target.unknown_indptr
    total = kernel(x, *known, scale, 3.0, losses, gradient, threads)
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


@each_loss
def test_each_row_has_the_bits_that_it_has_alone(name):
    x, target, _ = problem((37, 1100, 10), "float32", 1)
    loss, gradient = LOSSES[name](x, target, "none")
    for n in range(len(x)):
        alone, slopes = LOSSES[name](x[n], target[n : n + 1])
        assert loss[n] == alone
        np.testing.assert_array_equal(gradient[n], slopes)


@pytest.mark.parametrize("name", exponential._KERNELS)
@pytest.mark.parametrize("bad", [-1, 6, 2**32 + 3, -(2**63)])
def test_indices_that_were_changed_after_they_had_been_checked_are_refused(name, bad):
    kernel = exponential._KERNELS[name]["d"]
    good, indptr = np.array([0, 4]), np.array([0, 2])
    changed = np.array([0, bad])
    for labels, unknown in [((changed, indptr), (None, None)), ((good, indptr), (changed, indptr))]:
        with pytest.raises(ValueError, match="changed"):
            kernel(X[:1], *labels, *unknown, None, 1.0, np.empty(1), np.empty((1, 6)), 1)
    for ends in ([0, 3], [-1, 1], [2, 1]):
        with pytest.raises(ValueError, match="changed"):
            kernel(X[:1], good, np.array(ends), None, None, None, 1.0, np.empty(1), None, 1)


# Derivatives.


@each_loss
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
def test_first_and_second_derivatives(name, reduction, check):
    target = Labels.from_lists(LISTS, 6).with_unknown([[1], [0], [], [3, 5], []])
    weights = [1.0, 2.0, 0.5, 1.0, 3.0]
    x = lucid.tensor(X, requires_grad=True)
    loss = TENSORS[name]
    assert check(lambda x: loss(x, target, reduction, sample_weight=weights), [x])


@each_loss
def test_the_recorded_gradient_is_the_kernel_s(name):
    x = lucid.tensor(np.vstack([X, 1e3 * X, 1e-3 * X]), requires_grad=True)
    if name == "bpmll":  # infinite at large scores
        x = lucid.tensor(X, requires_grad=True)
    target = LISTS * (len(x) // len(LISTS))
    loss = TENSORS[name](x, target)
    (recorded,) = lucid.grad(loss, x, create_graph=True)
    (given,) = lucid.grad(TENSORS[name](x, target), x)
    np.testing.assert_allclose(recorded.detach().numpy(), given.numpy(), rtol=1e-12, atol=1e-300)


def test_third_derivatives():
    x = lucid.tensor(X[0], requires_grad=True)

    def curvature(x):
        (slope,) = lucid.grad(F.lsep_loss(x, [0, 4]), x, create_graph=True)
        (product,) = lucid.grad((slope * slope).sum(), x, create_graph=True)
        return product.sum()

    assert gradcheck(curvature, [x])


def test_per_label_must_be_a_bool():
    with pytest.raises(TypeError, match="per_label must be True or False, got 'yes'"):
        lsep_loss(X, LISTS, per_label="yes")

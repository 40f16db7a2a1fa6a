"""What holds for every loss: the entries of `losses.py` times these properties."""

import copy
import pickle
import re

import numpy as np
import oracle
import pytest
from cpu_levels import CPU_LEVELS
from losses import ASKS, CASES, LAYOUTS, LOSSES, REGIMES, Batch, Case, batch, bits, large
from problems import SEGMENT

import lucid
from lucid import Labels, _kernels, nn
from lucid.nn import functional as F
from lucid.testing import gradcheck, gradgradcheck

REDUCTIONS = ["none", "sum", "mean"]
FLOATS = ["float16", "float32", "float64"]


def each(cases=CASES):
    return pytest.mark.parametrize("case", cases, ids=str)


each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)
each_dtype = pytest.mark.parametrize("dtype", FLOATS)
each_ask = pytest.mark.parametrize("ask", ASKS)
PAIRS = [case for case in CASES if case.loss.pairs]
#: The arrays among the options of each case.
ARRAYS = [(case, name) for case in CASES for name in ("sample_weight", *case.arrays_for(7))]
HINGES = [case for case in CASES if case.loss.margin]


def assert_same_bits(found, expected):
    for a, b in zip(found, expected, strict=True):
        assert a.dtype == b.dtype
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes()


def assert_close(case, found, expected):
    """Loss and gradient are equal to rounding; sums of a row may have cancelled in the gradient."""
    for a, b in zip(found, expected, strict=True):
        few = 4 * case.ulps * np.finfo(a.dtype).eps
        np.testing.assert_allclose(a, b, rtol=few, atol=few * np.abs(b).max(initial=0))


def assert_exact(case, given, reduction="none", ask="plain"):
    target, extra = given.asked(ask)
    loss, gradient = case.solve(given.x, target, reduction, **extra)
    rows, weights = case.exact(given, ask), extra.get("sample_weight")
    ulps = case.ulps if weights is None else max(case.ulps, 4)
    assert loss.dtype == gradient.dtype == given.x.dtype
    assert loss.shape == ((len(given.x),) if reduction == "none" else ())
    assert gradient.shape == given.x.shape
    assert oracle.loss_ulps(loss, rows, reduction, weights) <= ulps
    assert oracle.gradient_ulps(gradient, rows, reduction, weights) <= ulps


# Values.


@each_ask
@each_dtype
@each_reduction
@each()
def test_loss_and_gradient_are_those_of_the_formula(case, reduction, dtype, ask):
    assert_exact(case, batch(dtype), reduction, ask)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each_ask
@each()
def test_scores_of_every_size_keep_their_digits(case, ask, dtype, scale):
    for size, kind in [
        ("one-small-row", "random"),
        ("a-block-and-one", "trained"),
        ("rows-of-blocks", "close"),
        ("dozens-of-labels", "clustered"),
        ("many-labels", "random"),
    ]:
        given = large(size, kind, dtype, scale)
        if case.loss.margin:
            assert_exact(case, given.first(3), ask=ask)
        elif given.x.shape[1] < 2000:  # decimals are slow
            assert_exact(case, given.first(1), ask=ask)


@pytest.mark.parametrize("kind", ["random", "trained"])
@pytest.mark.parametrize(
    "size", ["segments-and-one", "a-shared-row-with-a-grid", "more-labels-than-a-segment"]
)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each(HINGES)
def test_rows_of_many_segments_keep_their_digits(case, dtype, size, kind):
    assert_exact(case, large(size, kind, dtype))


def test_sums_of_many_segments_carry_along_what_rounding_takes():
    x = np.random.default_rng(5).standard_normal((2, 3 * SEGMENT + 1))
    target = np.array([[7, SEGMENT, 2 * SEGMENT]] * 2)
    _, gradient = lucid.losses.multilabel_margin_loss(x, target, "none", p=2)
    rows = oracle.rows_of(x, target, p=2)
    of_labels = [row._replace(numerators=row.numerators[target[0]]) for row in rows]
    assert oracle.gradient_ulps(gradient[:, target[0]], of_labels, "none") <= 1


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each(HINGES)
def test_a_label_given_more_than_once_counts_as_often_wherever_it_is(case, dtype, trained):
    x = np.random.default_rng(0).standard_normal((1, 1200)).astype(dtype)
    labels = [6, 6, 700, 1198, 6, 1198]
    x[:, labels] += 3 * trained  # then few scores are active, and their blocks are packed
    assert_exact(case, Batch(x, [labels], [[]]))


def spread_weights(classes):
    """Weights from 1e-12 to 1e3."""
    return (10 ** np.random.default_rng(0).uniform(-12, 3, classes)).astype("f4").astype(float)


def just_above(thresholds, steps):
    """The floats that are so many steps above thresholds."""
    for _ in range(steps):
        thresholds = np.nextafter(thresholds, np.array(np.inf, thresholds.dtype))
    return thresholds


def cancelling_row(layout, num_labels, dtype, scale):
    """Scores a few floats above thresholds that are far from each other, or nearly equal."""
    aims = {
        "one far below": np.r_[-1000.0, np.zeros(num_labels - 1)],
        "far apart": np.geomspace(1e-6, 1e6, num_labels) * np.resize([1, -1], num_labels),
        "nearly equal": 1 + 1e-15 * np.resize([0, 7, 3, 5], num_labels),
        "two heaps": np.repeat([-1.0, 3.0], [1, num_labels - 1]),
    }[layout]
    labels = (scale * aims + 1).astype(dtype)
    thresholds = labels - labels.dtype.type(1)
    highest = np.full(50, thresholds.max())
    return np.concatenate([labels, *(just_above(thresholds, k) for k in range(4)), highest])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
@pytest.mark.parametrize("layout", ["one far below", "far apart", "nearly equal", "two heaps"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each(
    [
        *HINGES,
        Case(LOSSES[0], {"weight": spread_weights}),
        Case(LOSSES[0], {"p": 2, "weight": spread_weights}),
    ]
)
def test_hinges_lose_nothing_to_cancellation(case, dtype, layout, scale):
    for num_labels in (3, 20, 100):
        row = cancelling_row(layout, num_labels, dtype, scale)
        assert_exact(case, Batch(row[np.newaxis], [list(range(num_labels))], [[]]))


@pytest.mark.parametrize("score", [20.0, 90.0, 700.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@each([case for case in CASES if case.loss.smooth])
def test_exponentials_neither_overflow_nor_vanish(case, dtype, score):
    x = np.array([[score, -score, 0.5, -0.25, score]], dtype)
    for labels in ([0], [1], [0, 4], [2, 1], [2]):
        assert_exact(case, Batch(x, [labels], [[]]))


@each([case for case in PAIRS if "margin" not in case.options])  # with 1, thresholds are exact
def test_a_shift_of_all_scores_changes_nothing(case):
    given = batch()
    x = np.round(8 * given.x) / 8  # so that the shift is exact
    expected = case.solve(x, given.target, "none")
    for shift in (-100, 0.125, 1000):
        assert_close(case, case.solve(x + shift, given.target, "none"), expected)


@each(PAIRS)
def test_the_gradient_of_a_row_sums_to_zero(case):
    given = batch()
    _, gradient = case.solve(given.x, given.target, "none")
    np.testing.assert_allclose(gradient.sum(axis=1), 0, atol=1e-13 * np.abs(gradient).max())


@each(HINGES)
def test_a_label_without_active_scores_has_no_negative_zero_for_a_gradient(case):
    for dtype in FLOATS:
        x = np.array([[90, 90, 90, 0, 0, 0, 0], [90, -90, 90, 90, 90, 90, 90]], dtype)
        target = Labels.from_lists([[0, 1, 2], [0, 0, 2, 3, 4, 5, 6]], 7)
        _, gradient = case.solve(x, target)
        assert not gradient.any()
        assert not np.signbit(gradient).any()


@each()
def test_the_gradient_is_down_at_labels_and_up_elsewhere(case):
    for size, kind in REGIMES[:4]:
        given = large(size, kind, "float32").first(40)
        _, gradient = case.solve(given.x, given.target, "none")
        for row, labels in zip(gradient, given.labels, strict=True):
            assert (row[labels] <= 0).all()
            assert (np.delete(row, labels) >= 0).all()


@each()
def test_the_names_of_the_classes_do_not_matter(case):
    for size in ("one-small-row", "rows-of-blocks", "many-labels"):
        given = large(size, "random", "float64").first(5)
        classes = given.x.shape[1]
        order = np.random.default_rng(0).permutation(classes)
        renamed = [np.argsort(order)[labels].tolist() for labels in given.labels]
        target = Labels.from_lists(renamed, classes)
        loss, gradient = case.solve(given.x, given.target, "none")
        found = case.only(order, classes).solve(given.x[:, order], target, "none")
        assert_close(case, found, (loss, gradient[:, order]))


# Shapes.


@each_reduction
@each()
def test_one_row_without_a_batch_axis_gives_a_number(case, reduction):
    given = batch()
    for n in range(len(given.x)):
        target = given.target[n : n + 1]
        loss, gradient = case.solve(given.x[n], target, reduction)
        found = loss, gradient[np.newaxis]
        assert_same_bits(found, case.solve(given.x[n : n + 1], target, "sum"))


@each()
def test_each_row_has_the_bits_that_it_has_alone(case):
    given = large("rows-of-blocks", "random", "float32")
    loss, gradient = case.solve(given.x, given.target, "none")
    for n in range(0, len(given.x), 5):
        alone = case.solve(given.x[n : n + 1], given.target[n : n + 1], "none")
        assert_same_bits((loss[n : n + 1], gradient[n : n + 1]), alone)


@each_ask
@each()
def test_of_no_rows_the_sum_is_zero_and_the_mean_nan(case, ask):
    given = batch("float32").first(0)
    target, extra = given.asked(ask)
    for reduction, expected in [("sum", 0.0), ("mean", np.nan), ("none", np.empty(0))]:
        loss, gradient = case.solve(given.x, target, reduction, **extra)
        np.testing.assert_array_equal(loss, expected)
        assert gradient.shape == (0, 7)


# Floats.


@each_ask
@each_reduction
@each()
def test_half_precision_is_computed_in_single_and_rounded_once(case, reduction, ask):
    given = batch("float16")
    target, extra = given.asked(ask)
    single = case.solve(given.x.astype("float32"), target, reduction, **extra)
    found = case.solve(given.x, target, reduction, **extra)
    assert_same_bits(found, [a.astype("float16") for a in single])


@each()
@pytest.mark.parametrize("requires_grad", [False, True])
def test_losses_of_half_precision_are_rounded_as_those_of_arrays(case, requires_grad):
    rng = np.random.default_rng(0)
    x = (2 * rng.standard_normal((3000, 7))).astype("float16")  # some are near a tie of float32
    target = Labels.from_lists([[n % 7] for n in range(3000)], 7)
    loss = case.tensor(lucid.tensor(x, requires_grad=requires_grad), target, "none")
    assert_same_bits([loss.detach().numpy()], case.arrays(x, target, "none")[:1])


@each()
@pytest.mark.filterwarnings("error")
def test_a_loss_too_large_for_half_precision_is_infinite_without_a_warning(case):
    x = lucid.tensor(np.array([[-60000, 60000, 1, 0, 0, 0, 0]], "float16"), requires_grad=True)
    loss = case.tensor(x, Labels.from_lists([[0]], 7), "sum")
    loss.backward()
    assert loss.dtype == x.grad.dtype == np.float16
    assert loss.item() > 10000


@each()
@pytest.mark.filterwarnings("ignore:overflow")  # not small in every loss
def test_a_gradient_too_small_for_half_precision_can_be_scaled_up(case):
    x = np.zeros((64, 3000), np.float32)
    target = Labels.from_lists([[n] for n in range(64)], 3000)
    half = lucid.tensor(x, "float16", requires_grad=True)
    (case.tensor(half, target).to("float32") * 4096).backward()
    expected = 4096 * case.solve(x, target)[1]
    assert_same_bits([half.grad.numpy()], [expected.astype("float16")])


@pytest.mark.parametrize("layout", LAYOUTS)
@each_dtype
@each()
def test_scores_may_lie_in_memory_in_any_way(case, dtype, layout):
    given = batch(dtype)
    found = case.arrays(LAYOUTS[layout](given.x), given.target, "none")
    assert_same_bits(found, case.arrays(given.x, given.target, "none"))


@pytest.mark.parametrize(
    "layout", ["another byte order", "every other one", "unaligned", "read-only", "list"]
)
@pytest.mark.parametrize(("case", "name"), ARRAYS, ids=str)
def test_options_may_lie_in_memory_in_any_way(case, layout, name):
    given = batch()
    options = {**case.options_for(7), "sample_weight": given.weights}
    options = {k: v for k, v in options.items() if k in (name, *case.options)}
    expected = getattr(F, case.loss.name)(given.x, given.target, **options).numpy()
    lay_out = {**LAYOUTS, "every other one": lambda a: np.repeat(a, 2)[::2], "list": list}[layout]
    options[name] = lay_out(options[name])
    assert_same_bits(
        [getattr(F, case.loss.name)(given.x, given.target, **options).numpy()], [expected]
    )


@each()
def test_lists_of_scores_are_taken_as_float32(case):
    given = batch("float32")
    loss = case.tensor(given.x.tolist(), given.target, "none").numpy()
    assert_same_bits([loss], case.solve(given.x, given.target, "none")[:1])


# NaN and infinities.


@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("column", [0, 602])
@pytest.mark.parametrize("labels", [[3], [0, 3], [602, 0], list(range(100))], ids=len)
@each_dtype
@each()
def test_a_nan_makes_the_loss_and_gradient_of_its_row_nan(case, dtype, labels, column, trained):
    x = np.random.default_rng(0).standard_normal((3, 603)).astype(dtype)
    x[:, labels] += 5 * trained
    target = Labels.from_lists([labels] * 3, 603)
    expected = case.solve(x, target, "none")
    x[1, column] = np.nan
    loss, gradient = case.solve(x, target, "none")
    assert np.isnan(loss[1])
    assert np.isnan(gradient[1]).all()
    assert_same_bits((loss[::2], gradient[::2]), [a[::2] for a in expected])
    for reduction in ("sum", "mean"):
        assert np.isnan(case.solve(x, target, reduction)[0])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@each_dtype
@each()
def test_the_score_of_an_unknown_class_does_not_matter(case, dtype, bad):
    given = batch(dtype)
    target, _ = given.asked("unknown")
    x = given.x.copy()
    for row, unknown in zip(x, given.unknown, strict=True):
        row[unknown] = bad
    found, expected = case.solve(x, target, "none"), case.solve(given.x, target, "none")
    if case.loss.margin:
        assert_same_bits(found, expected)
    else:  # an exponential may be scaled by the largest, or not
        assert_close(case, found, expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@each_reduction
@each()
def test_a_row_of_weight_zero_is_left_out_whatever_its_scores_are(case, reduction, bad):
    given = batch("float32")
    target, extra = given.asked("sample_weight")
    x = given.x.copy()
    x[given.weights == 0] = bad
    expected = case.solve(given.x, target, reduction, **extra)
    assert_same_bits(case.solve(x, target, reduction, **extra), expected)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@each([case for case in HINGES if "weight" in case.options])
def test_a_label_of_weight_zero_is_in_no_pair_whatever_its_score_is(case, bad):
    x = np.random.default_rng(0).standard_normal((2, 7))
    target = Labels.from_lists([[4, 2], [4]], 7)
    assert case.options_for(7)["weight"][4] == 0
    expected = case.solve(x, target, "none")
    x[:, 4] = bad
    assert_same_bits(case.solve(x, target, "none"), expected)
    assert expected[0][1] == 0


@each_dtype
@each()
def test_an_infinite_score_on_the_right_side_costs_nothing(case, dtype):
    given = batch(dtype)
    twice = case.only(np.arange(14) % 7, 7)
    expected, _ = case.solve(given.x, given.target, "none")
    x = np.concatenate([given.x, np.full_like(given.x, -np.inf)], axis=1)
    loss, gradient = twice.solve(x, Labels.from_lists(given.labels, 14), "none")
    assert not gradient[:, 7:].any()
    negatives = np.array([7 - len({*labels}) for labels in given.labels])
    factor = {"classes": 2, "pairs": 1 + 7 / negatives.clip(1)}.get(case.divides, 1)
    np.testing.assert_allclose(loss * factor, expected, rtol=1e-2 if dtype == "float16" else 1e-6)
    x[:, 7:] = np.inf
    target = Labels.from_lists([[*labels, *range(7, 14)] for labels in given.labels], 14)
    loss, gradient = twice.solve(x, target, "none")
    assert not gradient[:, 7:].any()
    assert np.isfinite(loss).all()


@pytest.mark.parametrize("of_label", [True, False])
@each_dtype
@each()
def test_an_infinite_score_on_the_wrong_side_costs_everything(case, dtype, of_label):
    given = batch(dtype).first(2)
    expected = case.solve(given.x, given.target, "none")
    x = given.x.copy()
    x[0, 3 if of_label else 6] = -np.inf if of_label else np.inf
    loss, gradient = case.solve(x, given.target, "none")
    assert loss[0] == np.inf
    assert_same_bits((loss[1], gradient[1]), (expected[0][1], expected[1][1]))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("labels", [[], list(range(7)), [0, *range(7)]], ids=len)
@each(PAIRS)
def test_a_row_without_pairs_has_no_loss_whatever_its_scores_are(case, labels, bad):
    loss, gradient = case.solve(np.full((1, 7), bad), Labels.from_lists([labels], 7), "none")
    assert loss == 0
    assert not gradient.any()


@each(HINGES)
def test_a_row_without_labels_has_a_gradient_of_zeros_in_memory_that_was_used_before(case):
    x = np.random.default_rng(0).standard_normal((1, 2 * SEGMENT + 1))
    for labels in ([3], [], [3], []):  # the arrays of a call may be those of the one before
        _, gradient = case.solve(x, Labels.from_lists([labels], x.size), "none")
        assert gradient.any() == bool(labels)


# Derivatives.


@each_ask
@each_reduction
@each()
def test_derivatives_are_those_of_finite_differences(case, reduction, ask):
    given = batch()
    target, extra = given.asked(ask)
    x = lucid.tensor(given.x, requires_grad=True)
    for check in (gradcheck, gradgradcheck):
        assert check(lambda x: case.tensor(x, target, reduction, **extra), [x])


@each()
def test_only_what_is_not_made_of_straight_pieces_has_a_second_derivative(case):
    given = batch()
    x = lucid.tensor(given.x, requires_grad=True)
    (gradient,) = lucid.grad(case.tensor(x, given.target), x, create_graph=True)
    (second,) = lucid.grad((gradient * gradient).sum(), x)
    assert second.numpy().any() == case.smooth


@each_ask
@each_reduction
@each()
def test_the_gradient_scales_with_what_comes_after(case, reduction, ask):
    given = batch()
    target, extra = given.asked(ask)
    upstream = np.linspace(-1, 2, 7) if reduction == "none" else np.float64(-3.0)
    x = lucid.tensor(given.x, requires_grad=True)
    case.tensor(x, target, reduction, **extra).backward(upstream)
    _, gradient = case.solve(given.x, target, reduction, **extra)
    np.testing.assert_allclose(x.grad.numpy(), upstream[..., np.newaxis] * gradient, rtol=1e-14)


@each()
def test_the_gradient_can_be_differentiated_by_what_comes_after(case):
    given = batch()
    x = lucid.tensor(given.x, requires_grad=True)
    scale = lucid.tensor(2.0, "float64", requires_grad=True)
    (gradient,) = lucid.grad(scale * case.tensor(x, given.target), x, create_graph=True)
    (slope,) = lucid.grad((gradient * given.x).sum(), scale)
    expected = (case.solve(given.x, given.target)[1] * given.x).sum()
    assert slope.item() == pytest.approx(expected, rel=1e-13)


@each_reduction
@each()
def test_a_second_backward_adds_the_same_gradient_again(case, reduction):
    given = batch()
    x = lucid.tensor(given.x, requires_grad=True)
    loss = case.tensor(x, given.target, reduction)
    upstream = np.ones(loss.shape)
    loss.backward(upstream, retain_graph=True)
    once = x.grad.numpy().copy()
    loss.backward(upstream)
    assert_same_bits([x.grad.numpy()], [2 * once])


@each()
def test_a_loss_requires_a_gradient_only_where_one_is_wanted(case):
    given = batch()
    x = lucid.tensor(given.x, requires_grad=True)
    assert case.tensor(x, given.target).requires_grad
    assert not case.tensor(x.detach(), given.target).requires_grad
    with lucid.no_grad():
        assert not case.tensor(x, given.target).requires_grad


# The same bits.


@each_reduction
@each()
def test_with_a_recorded_gradient_and_without_one_the_loss_has_the_same_bits(case, reduction):
    for dtype in FLOATS:
        given = batch(dtype)
        x = lucid.tensor(given.x, requires_grad=True)
        loss, gradient = case.solve(given.x, given.target, reduction)
        assert_same_bits([case.tensor(given.x, given.target, reduction).numpy()], [loss])
        recorded = case.tensor(x, given.target, reduction)
        assert_same_bits([recorded.detach().numpy()], [loss])
        upstream = np.ones(recorded.shape, dtype)
        (again,) = lucid.grad(recorded, x, upstream, create_graph=True)
        if dtype != "float16":
            assert_close(case, [again.detach().numpy()], [gradient])


@pytest.mark.parametrize(("size", "kind"), REGIMES)
@each()
def test_every_number_of_threads_gives_the_same_bits(case, size, kind):
    for dtype, asks in (("float32", ("plain", "unknown")), ("float64", ("plain", "sample_weight"))):
        given = large(size, kind, dtype)
        for ask in asks:
            target, extra = given.asked(ask)
            lucid.set_num_threads(1)
            expected = case.solve(given.x, target, "none", **extra)
            (total,) = [case.tensor(given.x, target, "sum", **extra).numpy()]
            for threads in (2, 3):
                lucid.set_num_threads(threads)
                assert_same_bits(case.solve(given.x, target, "none", **extra), expected)
                found = [case.tensor(given.x, target, r, **extra).numpy() for r in ("none", "sum")]
                assert_same_bits(found, (expected[0], total))


@pytest.mark.parametrize("level", [level for level in CPU_LEVELS if level != _kernels.CPU_LEVEL])
def test_every_cpu_level_gives_the_same_bits(level, fresh_python):
    code = f"import sys; sys.path.insert(0, {__file__!r}[:-len('/test_losses.py')])\n"
    code += "from losses import bits; print(*bits(), sep='\\n')"
    ended = fresh_python(code, LUCID_CPU_LEVEL=level)
    assert ended.stdout.splitlines() == list(bits()), ended.stderr


# Labels.

SORTED = [sorted({*labels}) for labels in batch().labels]

INDICES = {
    "indices": Labels.to_padded,
    "indices in a wide array": lambda t: t.to_padded(9),
    "indices of 32 bits, big endian": lambda t: t.to_padded().astype(">i4"),
    "Tensor of indices": lambda t: lucid.tensor(t.to_padded(7)),
}

FORMS = {
    **INDICES,
    "lists": lambda t: SORTED,
    "tuples": lambda t: tuple(map(tuple, SORTED)),
    "sets": lambda t: [set(row) for row in SORTED],
    "bools": Labels.to_multi_hot,
    "Tensor of bools": lambda t: lucid.tensor(t.to_multi_hot()),
    **{
        form: lambda t, form=form: getattr(pytest.importorskip("scipy.sparse"), form)(t.to_csr())
        for form in ("csr_array", "csr_matrix", "coo_array", "csc_matrix")
    },
}


@pytest.mark.parametrize("form", FORMS)
@each()
def test_every_form_of_labels_means_the_same(case, form):
    x, target = batch("float32").x, Labels.from_lists(SORTED, 7)
    if form in INDICES and not case.loss.padded:
        with pytest.raises(ValueError, match=r"target must .*got .*Labels\.from_padded"):
            case.solve(x, FORMS[form](target))
    else:
        expected = case.solve(x, target, "none")
        assert_same_bits(case.solve(x, FORMS[form](target), "none"), expected)


@pytest.mark.parametrize(("size", "kind"), REGIMES)
@each([case for case in CASES if case.loss.padded])
def test_indices_in_an_array_mean_the_same_however_many_there_are(case, size, kind):
    given = large(size, kind, "float32")
    expected = case.solve(given.x, given.target, "none")
    assert_same_bits(case.solve(given.x, given.target.to_padded(), "none"), expected)


@each()
def test_the_order_of_the_labels_does_not_matter(case):
    given = batch()
    backwards = Labels.from_lists([labels[::-1] for labels in given.labels], 7)
    expected = case.solve(given.x, given.target, "none")
    assert_close(case, case.solve(given.x, backwards, "none"), expected)


@each()
def test_an_unknown_class_is_as_if_its_column_were_deleted(case):
    given = batch()
    target, _ = given.asked("unknown")
    loss, gradient = case.solve(given.x, target, "none")
    for n, unknown in enumerate(given.unknown):
        known = np.setdiff1d(range(7), unknown)
        labels = [np.searchsorted(known, given.labels[n]).tolist()]
        fewer = case.only(known, 7)
        row = fewer.solve(given.x[n : n + 1, known], Labels.from_lists(labels, len(known)), "none")
        assert_close(case, (loss[n : n + 1], gradient[n : n + 1, known]), row)
        assert not gradient[n, unknown].any()


@each()
def test_of_unknown_classes_only_there_is_no_loss(case):
    x = np.ones((1, 7))
    target = Labels.from_lists([[]], 7).with_unknown([list(range(7))])
    loss, gradient = case.solve(x, target, "none")
    assert loss == 0
    assert not gradient.any()


# Weights of rows.


@pytest.mark.parametrize("reduction", ["sum", "mean"])
@each()
def test_a_weight_of_k_is_k_repetitions(case, reduction):
    given = batch()
    times = np.array([2, 0, 1, 3, 1, 2, 5])
    found = case.solve(given.x, given.target, reduction, sample_weight=times)
    rows = np.repeat(np.arange(7), times)
    loss, gradient = case.solve(given.x[rows], given.target[rows], reduction)
    summed = np.zeros_like(given.x)
    np.add.at(summed, rows, gradient)
    assert_close(case, found, (loss, summed))


@each()
def test_where_all_rows_weigh_nothing_it_is_as_if_there_were_none(case):
    given = batch()
    for reduction, expected in [("sum", 0.0), ("mean", np.nan), ("none", np.zeros(7))]:
        loss, _ = case.solve(given.x, given.target, reduction, sample_weight=np.zeros(7))
        np.testing.assert_array_equal(loss, expected)


BAD_ROW_WEIGHTS = {
    "too few": np.ones(6),
    "a matrix": np.ones((7, 1)),
    "a number": 2.0,
    "negative": np.r_[np.ones(6), -1],
    "nan": np.r_[np.ones(6), np.nan],
    "infinite": np.r_[np.ones(6), np.inf],
    "complex": np.ones(7) * 1j,
    "text": "abcdefg",
    "ragged": [[1.0], [1.0, 2.0]],
}


@pytest.mark.parametrize("bad", BAD_ROW_WEIGHTS)
@each([Case(loss, {}) for loss in LOSSES])
def test_weights_of_rows_that_cannot_be_are_refused(case, bad):
    given = batch()
    with pytest.raises((TypeError, ValueError), match=r"sample_weight must .*"):
        case.solve(given.x, given.target, sample_weight=BAD_ROW_WEIGHTS[bad])


# Memory.


@each_ask
@each()
def test_arguments_are_not_written_to(case, ask):
    given = batch()
    _, extra = given.asked(ask)
    arguments = {"target": given.target.to_multi_hot(), **case.options_for(7), **extra}
    before = copy.deepcopy((given.x, arguments))
    for _ in range(2):
        x = lucid.from_numpy(given.x).requires_grad_()
        getattr(F, case.loss.name)(x, **arguments).backward()
    assert pickle.dumps((given.x, arguments)) == pickle.dumps(before)


@each()
def test_results_are_nobody_elses(case):
    given = batch()
    expected = case.solve(given.x, given.target)
    x = lucid.tensor(given.x, requires_grad=True)
    loss = case.tensor(x, given.target)
    for _ in range(3):
        x.grad = None
        loss.backward(retain_graph=True)
        assert_same_bits((loss.detach().numpy(), x.grad.numpy()), expected)
        x.grad.numpy()[...] = 99
    assert_same_bits(case.solve(given.x, given.target), expected)


def second_derivative(case, given, change):
    """The gradient and its slope, after one of the arguments has been written to."""
    arrays = {"x": given.x.copy(), "target": given.target.to_multi_hot(), **case.options_for(7)}
    if "sample_weight" in change:
        arrays["sample_weight"] = given.weights
    x = lucid.tensor(arrays.pop("x"), requires_grad=True)
    loss = getattr(F, case.loss.name)(x, **arrays)
    if change[0] == "x":
        with lucid.no_grad():
            x *= 2.0
    elif change[0]:
        arrays[change[0]][...] = False if change[0] == "target" else 0.5
    (slope,) = lucid.grad(loss, x, create_graph=True)
    return slope.detach().numpy(), lucid.grad((slope * slope).sum(), x)[0].numpy()


@pytest.mark.parametrize(("case", "name"), [*((c, "target") for c in CASES), *ARRAYS], ids=str)
def test_an_argument_may_be_written_to_before_backward(case, name):
    given = batch()
    expected = second_derivative(case, given, (None, name))
    assert_same_bits(second_derivative(case, given, (name,)), expected)


@each()
def test_scores_that_are_written_to_before_backward_are_noticed_or_do_not_matter(case):
    given = batch()
    expected = second_derivative(case, given, (None,))
    try:
        found = second_derivative(case, given, ("x",))
    except RuntimeError as error:
        if "modified in place" not in str(error):
            raise
    else:
        assert_same_bits(found, expected)


# Doors.


FEATURES = np.random.default_rng(1).standard_normal((7, 3))
LAYER = np.random.default_rng(2).standard_normal((7, 3))


@pytest.mark.parametrize("chunk", [1, 1 << 22])
@each_ask
@each_reduction
@each(HINGES)
def test_the_fused_layer_gives_what_two_steps_give(case, reduction, ask, chunk, monkeypatch):
    monkeypatch.setattr("lucid.losses.fused._NARROWEST", 3)
    target, extra = batch().asked(ask)
    found, expected = [], []
    for results in (found, expected):
        arrays = [FEATURES, LAYER, np.arange(7.0)]
        leaves = [lucid.tensor(a, requires_grad=True) for a in arrays]
        if results is found:
            options = {"loss": case.module(7), "chunk": chunk, **extra}
            loss = F.linear_multilabel_margin_loss(*leaves, target, reduction, **options)
        else:
            loss = case.tensor(lucid.linear(*leaves), target, reduction, **extra)
        loss.backward(np.linspace(1, 2, 7) if reduction == "none" else None)
        results += [loss.detach().numpy(), *(leaf.grad.numpy() for leaf in leaves)]
    for a, b in zip(found, expected, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-13)


@each_ask
@each_reduction
@each()
def test_arrays_tensors_and_modules_give_the_same_bits(case, reduction, ask):
    given = batch("float32")
    target, extra = given.asked(ask)
    expected = case.solve(given.x, target, reduction, **extra)
    assert_same_bits(case.arrays(given.x, target, reduction, **extra), expected)
    module = case.module(7, reduction)
    assert_same_bits([module(given.x, target, **extra).numpy()], expected[:1])


@each()
def test_a_module_can_be_copied_and_has_no_parameters(case):
    given = batch()
    module = case.module(7, "sum")
    assert list(module.parameters()) == []
    for copied in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(copied) == repr(module)
        expected = module(given.x, given.target).numpy()
        assert_same_bits([copied(given.x, given.target).numpy()], [expected])


@each([Case(loss, {}) for loss in LOSSES])
def test_a_module_prints_its_reduction(case):
    name = case.loss.module
    assert repr(case.module(7)) == f"{name}(reduction='mean')"
    assert repr(case.module(7, "sum")) == f"{name}(reduction='sum')"


@each([case for case in CASES if case.options])
def test_a_module_prints_options_that_are_not_the_default(case):
    shown = repr(case.module(7))
    for name, value in case.options.items():
        assert f"{name}=" in shown
        assert callable(value) or f"{name}={value!r}" in shown
    assert shown.count("=") == 1 + len(case.options)


@each([Case(loss, {}) for loss in LOSSES if loss.peer])
@pytest.mark.parametrize("shape", [(1, 5), (7, 33), (5,)], ids=str)
@each_reduction
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_it_equals_pytorchs(case, shape, reduction, dtype):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    x = rng.standard_normal(shape).astype(dtype)
    labels = Labels.from_multi_hot(np.atleast_2d(rng.random(shape) < 0.3))
    padded, multi_hot = (
        a.reshape(shape) for a in (labels.to_padded(shape[-1]), labels.to_multi_hot())
    )
    there = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    target = torch.tensor(padded if case.loss.padded else multi_hot.astype(float))
    loss = getattr(torch.nn, case.loss.peer)(reduction=reduction)(there, target)
    loss.backward(torch.ones_like(loss))
    expected = loss.detach().numpy(), there.grad.numpy()
    for a, b in zip(case.solve(x, multi_hot, reduction), expected, strict=True):
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(a, b, rtol=tolerance, atol=tolerance)


# Errors.


REFUSED = [(loss, name, value) for loss in LOSSES for name, value in loss.refused]


@pytest.mark.parametrize(
    ("loss", "name", "value"), REFUSED, ids=[f"{a.name}({b}={c})" for a, b, c in REFUSED]
)
def test_an_option_that_cannot_be_is_named_with_what_came(loss, name, value):
    case = Case(loss, {name: value})
    given = batch()
    with pytest.raises((TypeError, ValueError), match=rf"{name} must .*got "):
        case.solve(given.x, given.target)
    if not np.ndim(value):
        with pytest.raises((TypeError, ValueError), match=rf"{name} must .*got "):
            case.module(7)


@pytest.mark.parametrize("reduction", ["avg", "Mean", "", None, True, 0, ["mean"], b"mean"])
@each([Case(loss, {}) for loss in LOSSES])
def test_a_bad_reduction_is_refused_where_it_is_given(case, reduction):
    given = batch()
    words = re.escape(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")
    with pytest.raises(ValueError, match=words):
        case.tensor(given.x, given.target, reduction)
    with pytest.raises(ValueError, match=words):
        case.module(7, reduction)


@pytest.mark.parametrize(("case", "name"), ARRAYS, ids=str)
def test_a_constant_that_requires_a_gradient_is_refused(case, name):
    given = batch()
    constant = lucid.ones(7, dtype="float64", requires_grad=True)
    with pytest.raises(ValueError, match=f"{name} must not require a gradient"):
        Case(case.loss, {}).tensor(given.x, given.target, **{name: constant})


BAD_SCORES = [None, "abc", [[1.0, None]], np.zeros((7, 7), int), np.zeros((7, 7), complex)]


@pytest.mark.parametrize("x", BAD_SCORES, ids=str)
@each([Case(loss, {}) for loss in LOSSES])
def test_scores_that_are_no_floats_are_named(case, x):
    with pytest.raises(TypeError, match="x must be float32, float64 or float16, got"):
        getattr(F, case.loss.name)(x, batch().target)


@pytest.mark.parametrize("shape", [(), (1, 2, 7)])
@each([Case(loss, {}) for loss in LOSSES])
def test_scores_of_no_or_too_many_axes_are_refused(case, shape):
    with pytest.raises(ValueError, match=r"x must have shape \(N, C\) or \(C,\), got"):
        getattr(F, case.loss.name)(np.zeros(shape), batch().target)


@each([Case(loss, {}) for loss in LOSSES])
def test_labels_of_other_rows_or_classes_are_refused(case):
    given = batch()
    for target in (given.target[:3], Labels.from_lists(given.labels, 8)):
        with pytest.raises(ValueError, match=re.escape(f"{(len(target), target.num_classes)}")):
            case.tensor(given.x, target)


@each([Case(loss, {}) for loss in LOSSES])
def test_a_label_out_of_range_is_named_with_its_place(case):
    with pytest.raises(ValueError, match="target: label 7 in row 1, position 0 is out of range"):
        case.tensor(batch().x[:2], [[], [7]])


# What was found by trying.


def test_a_half_of_nan_alone_makes_zlpr_nan():
    nan = np.nan
    for scores, labels in (([nan, 0, 0], [0]), ([0, nan, -np.inf], [0]), ([nan, nan, 1], [0, 1])):
        loss, gradient = lucid.losses.zlpr_loss(np.array(scores, float), labels)
        assert np.isnan(loss)
        assert np.isnan(gradient).all()


def test_an_infinite_square_has_an_infinite_gradient():
    labels = Labels.from_lists([[0]], 2)
    for dtype in ("float32", "float64"):
        x = np.array([[-np.inf, 0.5]], dtype)
        _, gradient = lucid.losses.multilabel_margin_loss(x, labels, "sum", p=2)
        assert gradient.tolist() == [[-np.inf, np.inf]]


@pytest.mark.parametrize("labels", [[0, 1], [0, 0]])
def test_two_labels_at_minus_infinity_have_the_infinite_gradient_of_each(labels):
    for dtype in ("float32", "float64"):
        x = np.array([[-np.inf, -np.inf if 1 in labels else 2.0, 1.0]], dtype)
        _, gradient = lucid.losses.multilabel_margin_loss(x, np.array([labels]), "sum", p=2)
        assert gradient.tolist() == [[-np.inf, -np.inf if 1 in labels else np.inf, np.inf]]


def test_a_margin_that_float32_cannot_hold_is_refused():
    x = np.zeros((1, 3), np.float32)
    with pytest.raises(ValueError, match=r"margin must fit float32, .*got 1e\+39"):
        lucid.losses.multilabel_margin_loss(x, [[0]], margin=1e39)


def test_an_integer_that_no_float_can_hold_is_not_printed():
    with pytest.raises(ValueError, match="margin must fit a float64, got a larger number"):
        lucid.losses.multilabel_margin_loss(np.zeros((1, 3)), [[0]], margin=10**400)


def test_an_integer_beyond_64_bits_is_a_number_like_others():
    x = np.zeros((1, 3))
    loss, _ = lucid.losses.multilabel_margin_loss(x, [[0]], margin=2**70)
    assert loss == lucid.losses.multilabel_margin_loss(x, [[0]], margin=2.0**70)[0]


def test_rows_of_weight_zero_alone_have_no_gradient_through_the_fused_layer():
    weight = lucid.tensor(np.ones((4, 5)), requires_grad=True)
    x, none = np.ones((2, 5)), [0, 0]
    loss = F.linear_multilabel_margin_loss(x, weight, None, [[0, 3], [2]], sample_weight=none)
    loss.backward()
    assert np.isnan(loss.item())
    assert (weight.grad.numpy() == 0).all()


@each(CASES)
def test_rows_of_weight_zero_alone_have_a_gradient_of_0_whatever_it_is_multiplied_with(case):
    given = batch()
    x, factor = lucid.tensor(given.x, requires_grad=True), lucid.tensor(2.0, requires_grad=True)
    loss = factor * case.tensor(x, given.target, sample_weight=np.zeros(7))
    (gradient,) = lucid.grad(loss, [x], create_graph=True)
    (of_factor,) = lucid.grad(gradient.sum(), [factor])
    assert of_factor.item() == 0


def test_rows_of_weight_zero_alone_have_second_derivatives_of_0_and_no_warning():
    x = lucid.tensor([[1.0, 0.5, 0.0], [0.0, 0.2, 1.0]], requires_grad=True)
    loss = F.multilabel_margin_loss(x, [[0], [2, 1]], p=2, sample_weight=[0, 0])
    (slope,) = lucid.grad(loss, x, create_graph=True)
    assert (lucid.grad((slope * slope).sum(), x)[0].numpy() == 0).all()


def test_the_fused_layer_takes_a_loss_and_not_its_class():
    x, weight = np.ones((1, 2)), np.ones((3, 2))
    with pytest.raises(
        TypeError, match=r"loss must be an nn\.MultilabelMarginLoss or nn\.WARPLoss"
    ):
        F.linear_multilabel_margin_loss(x, weight, None, [[0]], loss=nn.WARPLoss)


def test_weights_so_large_that_their_sum_may_overflow_are_refused():
    words = r"weight must be at most 3\.4e\+38, the largest float32, got 1e\+308"
    x = np.zeros((2, 3))
    with pytest.raises(ValueError, match="sample_" + words):
        lucid.losses.zlpr_loss(x, [[0], [1]], sample_weight=[1.0, 1e308])
    with pytest.raises(ValueError, match="^" + words):
        lucid.losses.multilabel_margin_loss(x, [[0], [1]], weight=[1e308, 1, 1])
    with pytest.raises(ValueError, match="^" + words):
        lucid.losses.multilabel_soft_margin_loss(x, np.eye(2, 3), [1e308, 1, 1])


@pytest.mark.parametrize("normalize", ["classes", "pairs"])
def test_the_largest_weights_do_not_overflow(normalize):
    largest = float(np.finfo(np.float32).max)
    x, target = np.zeros((40, 300)), np.arange(40 * 2).reshape(40, 2)
    loss, gradient = lucid.losses.multilabel_margin_loss(
        x,
        target,
        weight=np.full(300, largest),
        normalize=normalize,
        sample_weight=np.full(40, largest),
    )
    expected = 1.0 if normalize == "pairs" else largest * 2 * 298 / 300
    assert loss == pytest.approx(expected)
    assert np.isfinite(gradient).all()


def test_features_that_change_before_the_backward_pass_do_not_change_the_gradient():
    x, weight = np.ones((2, 3)), lucid.tensor(np.eye(4, 3), requires_grad=True)
    loss = F.linear_multilabel_margin_loss(x, weight, None, [[0], [1]], "none")
    x[:] = 100
    loss.sum().backward()
    assert abs(weight.grad.numpy()).max() < 10


@each()
def test_a_reduction_that_there_is_not_is_refused_with_a_gradient_too(case):
    given = batch()
    x = lucid.tensor(given.x, requires_grad=True)
    with pytest.raises(ValueError, match="reduction must be 'none', 'mean' or 'sum', got 'avg'"):
        case.tensor(x, given.target, "avg")

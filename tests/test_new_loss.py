"""A loss is added with what a rank is worth and one function of arrays: here is one.

It is a loss that nobody needs: each negative costs its rank times how far it is above the lowest
threshold. What it has in common with the others comes from the library.
"""

import numpy as np
import pytest
from extensions import build

import lucid
from lucid.losses.pairs import KERNELS, pairs_solver
from lucid.losses.problem import Loss
from lucid.losses.solving import Problem
from lucid.nn import functional as F
from lucid.nn.losses.criterion import Criterion
from lucid.nn.of_tensors import of_tensors
from lucid.optim import SGD
from lucid.testing import gradcheck

pytest.importorskip("Cython")
pytest.importorskip("setuptools")

KERNEL = """
# cython: language_level=3, boundscheck=False, wraparound=False, cdivision=True
from libc.stdint cimport int32_t, int64_t

from lucid._kernels.pairs.labels cimport put_label
from lucid._kernels.pairs.problem cimport solve, solve_rows, solve_segment
from lucid._kernels.pairs.ranks cimport close_counts
from lucid._kernels.pairs.row cimport Part, Row
from lucid._kernels.pairs.scan cimport scan
from lucid._kernels.pairs.sums cimport Sum, add_products
from lucid._kernels.reals cimport real


cdef inline void weigh(const real* v, const int32_t* rank, Py_ssize_t m, int64_t sum_of_ranks,
                       const Row* row, real* gradient, Part* part) noexcept nogil:
    cdef Py_ssize_t j
    add_products(v, rank, m, sum_of_ranks, row.a, row.P, &part.total)
    if gradient != NULL:
        for j in range(m):
            put_label(gradient + j, rank[j], row.divisor, row.inverse)


cdef inline void scan_scores(const real* x, Py_ssize_t start, Py_ssize_t stop, const Row* row,
                             real* grad, Part* part) noexcept nogil:
    scan(x, start, stop, row, grad, part, weigh[real])


cdef inline double of_label(const real* tau, Py_ssize_t i, Py_ssize_t place, const Row* row,
                            const Part* part) noexcept nogil:
    cdef Py_ssize_t k
    cdef double ranks = 0
    if tau[place] == row.a:             # the lowest threshold pays for all
        for k in range(row.P):
            ranks -= part.count[k]
    return ranks


cdef inline void close(const real* x, Row* row, real* grad, Part* part, Sum* loss) noexcept nogil:
    close_counts(&row.thresholds, part.count)
    loss[0] = part.total


cdef int rows(const real* x, Py_ssize_t task, int thread, void* problem) noexcept nogil:
    return solve_rows(x, task, thread, problem, NULL, scan_scores[real], close[real], NULL,
                      of_label[real])


cdef int segment(const real* x, Py_ssize_t s, int thread, void* problem) noexcept nogil:
    return solve_segment(x, s, thread, problem, scan_scores[real])


def toy_float32(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return solve[float](x, indices, indptr, divisor, out, grad, threads, terms,
                        rows[float], segment[float], NULL, close[float],
                        NULL, of_label[float], NULL)


def toy_float64(x, indices, indptr, double divisor, out, grad, int threads, terms=None):
    return solve[double](x, indices, indptr, divisor, out, grad, threads, terms,
                         rows[double], segment[double], NULL, close[double],
                         NULL, of_label[double], NULL)
"""


def toy_loss(x, target, reduction="mean", *, margin=1.0, sample_weight=None):
    """Return the toy loss of arrays, and its gradient."""
    return TOY.of_arrays(x, target, reduction, sample_weight, margin=margin)


def check(num_classes, margin):
    return {"margin": margin}


def solver(dtype, num_classes, *, margin):
    return pairs_solver("toy", dtype, margin)


TOY = Loss(toy_loss, solver, check, padded=True)
F_toy_loss = of_tensors(TOY, toy_loss, lambda options: None, "")


class ToyLoss(Criterion):
    """The toy loss as a module."""

    _loss = TOY

    def __init__(self, reduction="mean", *, margin=1.0):
        super().__init__(reduction, margin=margin)


@pytest.fixture(scope="module", autouse=True)
def _the_kernel(tmp_path_factory):
    kernel = build(tmp_path_factory.mktemp("toy"), "toy", KERNEL)
    KERNELS["toy"] = {"f": kernel.toy_float32, "d": kernel.toy_float64}
    yield
    del KERNELS["toy"]


def from_the_definition(x, labels, margin=1.0):
    """The loss of one row, pair by pair."""
    tau = [x[i] - margin for i in labels]
    negatives = [j for j in range(len(x)) if j not in labels]
    ranks = [sum(x[j] > t for t in tau) for j in negatives]
    pairs = zip(negatives, ranks, strict=True)
    return sum(rank * max(0, x[j] - min(tau, default=0)) for j, rank in pairs) / len(x)


@pytest.fixture
def x():
    return np.random.default_rng(0).standard_normal((5, 700))


LABELS = [[3, 600, 44], [0], [], [699, 1], list(range(0, 700, 7))]


def test_it_follows_the_definition(x):
    expected = [from_the_definition(row, labels) for row, labels in zip(x, LABELS, strict=True)]
    loss, _ = toy_loss(x, LABELS, "none")
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    assert loss.std() > 0.1


def test_its_gradient_is_that_of_the_loss(x):
    scores = lucid.tensor(x[:, :40], requires_grad=True)
    labels = [[i for i in row if i < 40] for row in LABELS]
    assert gradcheck(lambda x: F_toy_loss(x, labels, "sum"), [scores])


def test_its_module_has_its_options(x):
    criterion = ToyLoss("sum", margin=0.5)
    assert repr(criterion) == "ToyLoss(reduction='sum', margin=0.5)"
    weights = np.array([1.0, 2, 0, 1, 3])
    each = [from_the_definition(row, labels, 0.5) for row, labels in zip(x, LABELS, strict=True)]
    loss = criterion(lucid.tensor(x), LABELS, sample_weight=weights)
    np.testing.assert_allclose(loss.item(), weights @ each, rtol=1e-12)


def test_it_leaves_unknown_classes_out(x):
    labels = lucid.Labels.from_lists(LABELS, 700).with_unknown([[7, 8], [], [1], [0], [1]])
    loss, gradient = toy_loss(x, labels, "none")
    kept = np.delete(x[0], [7, 8])
    assert loss[0] == pytest.approx(from_the_definition(kept, [3, 598, 42]), rel=1e-12)
    assert (gradient[0, 7:9] == 0).all()


@pytest.mark.parametrize("threads", [1, 2, 3])
def test_it_has_the_same_bits_on_any_number_of_threads(threads):
    x = np.random.default_rng(1).standard_normal((2, 100_000)).astype(np.float32)
    labels = [[5, 99_000], list(range(0, 100_000, 50))]
    lucid.set_num_threads(1)
    loss, gradient = toy_loss(x, labels)
    lucid.set_num_threads(threads)
    again, gradient_again = toy_loss(x, labels)
    assert loss == again
    assert (gradient == gradient_again).all()


def roots(num_classes):
    """What the hinges of a label count in all: each n**-0.5, where n negatives are active."""
    return np.sqrt(np.arange(num_classes + 1.0))


def by_root_loss(x, target, reduction="mean", *, margin=1.0, sample_weight=None):
    """Return the loss of arrays that weighs labels by the root of a count, and its gradient."""
    return BY_ROOT.of_arrays(x, target, reduction, sample_weight, margin=margin)


def by_root_solver(dtype, num_classes, *, margin):
    return pairs_solver("warp", dtype, margin, None, worth_of_count=roots(num_classes))


BY_ROOT = Loss(by_root_loss, by_root_solver, check, padded=True, hinges=True, worth_of_count=roots)
F_by_root_loss = of_tensors(BY_ROOT, by_root_loss, lambda options: None, "")


class ByRootLoss(Criterion):
    """The loss that weighs labels by the root of a count, as a module."""

    _loss = BY_ROOT

    def __init__(self, reduction="mean", *, margin=1.0):
        super().__init__(reduction, margin=margin)


def test_a_loss_that_weighs_labels_by_a_count_takes_no_kernel_of_its_own(x):
    expected = []
    for row, labels in zip(x, LABELS, strict=True):
        negatives = np.delete(row, labels)
        hinges = [np.maximum(0, 1 - row[i] + negatives) for i in labels]
        expected.append(sum(h.sum() / np.sqrt(max(1, (h > 0).sum())) for h in hinges))
    loss, _ = by_root_loss(x, LABELS, "none")
    np.testing.assert_allclose(loss, expected, rtol=1e-12)
    assert loss.std() > 0.1


def test_a_layer_is_fused_with_a_loss_of_hinges_that_the_library_has_never_seen():
    rng = np.random.default_rng(2)
    weight = lucid.tensor(rng.standard_normal((9000, 3)), requires_grad=True)
    features = lucid.tensor(rng.standard_normal((5, 3)))
    labels = [[7, 8000], [0], [], [3], [5, 6]]
    fused = F.linear_multilabel_margin_loss(
        features, weight, None, labels, loss=ByRootLoss(), chunk=1
    )
    (of_fused,) = lucid.grad(fused, [weight])
    two_steps = ByRootLoss()(features @ weight.T, labels)
    (of_two_steps,) = lucid.grad(two_steps, [weight])
    assert fused.item() == pytest.approx(two_steps.item(), rel=1e-12)
    np.testing.assert_allclose(of_fused.numpy(), of_two_steps.numpy(), rtol=1e-9, atol=1e-15)


def boosting_loss(x, target, reduction="mean", *, sample_weight=None):
    """Return the sum of e**-x of labels and e**x of other classes, which NumPy solves."""
    return BOOSTING.of_arrays(x, target, reduction, sample_weight)


def boosting_solver(dtype, num_classes):
    @np.errstate(all="ignore")
    def solve(problem, want_gradient):
        labels, signs = problem.target, np.ones(problem.x.shape)
        for row, of_row, unknown in zip(signs, labels, labels.unknown, strict=True):
            row[of_row], row[unknown] = -1, 0
        terms = np.where(signs == 0, 0, np.exp(signs * np.where(signs == 0, 0, problem.x)))
        losses = terms.sum(1)
        loss = problem.gathered(losses)
        if not want_gradient:
            return loss, None
        gradient = np.where(np.isnan(losses)[:, np.newaxis], np.nan, signs * terms)
        if problem.scale is not None:
            gradient[problem.scale == 0] = 0
        return loss, (gradient * problem.factors()).astype(dtype)

    return solve


BOOSTING = Loss(boosting_loss, boosting_solver, lambda num_classes: {})


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", ">f8", "f2"])
@pytest.mark.parametrize("target", [[[0], [1, 2], []], np.array([[0, -1], [1, 2], [-1, -1]])])
def test_a_loss_may_be_solved_by_numpy(dtype, target):
    x = np.log([[2.0, 4, 8], [1, 2, 4], [1, 1, 1]]).astype(dtype)
    loss, gradient = boosting_loss(x, target, sample_weight=[1, 1, 2])
    np.testing.assert_allclose(loss, (12.5 + 1.75 + 2 * 3) / 4, rtol=1e-2)
    expected = np.array([[-0.5, 4, 8], [1, -0.5, -0.25], [2, 2, 2]]) / 4
    np.testing.assert_allclose(gradient, expected, rtol=1e-2)
    assert loss.dtype == gradient.dtype == np.dtype(dtype).newbyteorder("=")


def test_a_loss_that_numpy_solves_keeps_the_rules_for_what_is_left_out_and_nan():
    x = np.array([[np.nan, 0.0, 0.0], [np.nan, 0, 0], [np.nan, 0, 0], [1e9, 0, 0]])
    target = lucid.Labels.from_lists([[1], [1], [1], [1]], 3).with_unknown([[0], [], [], []])
    loss, gradient = boosting_loss(x, target, "none", sample_weight=[1, 1, 0, 0])
    np.testing.assert_array_equal(loss, [2, np.nan, 0, 0])
    np.testing.assert_array_equal(gradient, [[0, -1, 1], [np.nan] * 3, [0] * 3, [0] * 3])


def hinges(arrays, solver, **promised):
    """Define a loss of hinges, its options as they are given."""
    return Loss(
        arrays, solver, lambda num_classes, **given: given, padded=True, hinges=True, **promised
    )


def plain_loss(x, target, reduction="mean", *, sample_weight=None):
    """A loss without options."""


def margin_loss(x, target, reduction="mean", *, margin=1.0, sample_weight=None):
    """A loss with one option of those that fused layers read."""


def clipped_loss(x, target, reduction="mean", *, k=5, margin=1.0, sample_weight=None):
    """A loss with an option of its own."""


def weighted_loss(x, target, reduction="mean", *, weight=None, sample_weight=None):
    """A loss with an option that does not go with a worth of counts."""


def test_a_loss_of_hinges_has_no_option_that_fused_layers_do_not_read():
    with pytest.raises(ValueError, match=r"^clipped_loss has the option 'k', .* hinges=False"):
        hinges(clipped_loss, lambda dtype, c, *, k, margin: pairs_solver("margin", dtype, margin))


def test_a_loss_of_hinges_with_a_worth_of_counts_has_no_option_but_the_margin():
    def of_kernel(dtype, num_classes, *, weight):
        worth = roots(num_classes)
        return pairs_solver("warp", dtype, 1.0, None, weight, worth_of_count=worth)

    with pytest.raises(ValueError, match=r"^weighted_loss has the option 'weight', .* but margin;"):
        hinges(weighted_loss, of_kernel, worth_of_count=roots)


def by_pairs(dtype, num_classes, *, margin):
    return pairs_solver("margin", dtype, margin, "pairs")


def by_double_margin(dtype, num_classes, *, margin):
    return pairs_solver("margin", dtype, 2 * margin - 1, None)  # right by default


def by_constant(dtype, num_classes, *, margin):
    return pairs_solver("warp", dtype, margin, None, worth_of_count=roots(num_classes) * 2)


@pytest.mark.parametrize(
    ("solver", "promised"),
    [(by_pairs, {}), (by_double_margin, {}), (by_constant, {"worth_of_count": roots})],
)
def test_a_loss_of_hinges_is_the_sum_that_fused_layers_compute(solver, promised):
    with pytest.raises(ValueError, match=r"^margin_loss is not the sum of hinges .* hinges=False"):
        hinges(margin_loss, solver, **promised)


def cubed_loss(x, target, reduction="mean", *, p=3, sample_weight=None):
    """A loss of a power that there is not."""


def by_labels_loss(x, target, reduction="mean", *, normalize="labels", sample_weight=None):
    """A loss with a base that there is not."""


def by_cubes(dtype, num_classes, *, p):
    def solve(problem, want_gradient):
        (x,), labels = problem.x, problem.target[0]
        active = np.maximum(0, 1 - x[labels, np.newaxis] + np.delete(x, labels))
        gradient = np.zeros_like(x)
        gradient[labels] = -3 * (active**2).sum(1)
        gradient[np.delete(np.arange(x.size), labels)] = 3 * (active**2).sum(0)
        return np.array([(active**3).sum()]), gradient[np.newaxis]

    return solve


def by_no_base(dtype, num_classes, *, normalize):
    return pairs_solver("margin", dtype, 1.0, None)


@pytest.mark.parametrize(
    ("arrays", "solver"), [(cubed_loss, by_cubes), (by_labels_loss, by_no_base)]
)
def test_a_loss_of_hinges_takes_no_other_value_of_an_option_by_default(arrays, solver):
    with pytest.raises(
        ValueError, match=r"is not the sum of hinges .* \{'(p': 3|normalize': 'labels')\}"
    ):
        Loss(arrays, solver, lambda _, **given: given, padded=True, hinges=True)


def test_a_loss_of_hinges_reads_labels_as_fused_layers_do():
    with pytest.raises(ValueError, match=r"^plain_loss reads targets in a way of its own"):
        hinges(
            plain_loss,
            lambda dtype, num_classes: pairs_solver("margin", dtype, 1.0, None),
            read_target=lambda target, x: target,
        )


def test_an_option_that_a_loss_of_hinges_lacks_is_the_plain_one():
    of = hinges(plain_loss, lambda dtype, num_classes: pairs_solver("margin", dtype, 1.0, None))
    of_tensors(of, plain_loss, lambda options: None, "")

    class PlainLoss(Criterion):
        _loss = of

    rng = np.random.default_rng(3)
    weight = lucid.tensor(rng.standard_normal((9000, 3)), requires_grad=True)
    features = rng.standard_normal((2, 3))
    args, loss = (features, weight, None, [[7, 8000], [0]]), PlainLoss("mean")
    fused = F.linear_multilabel_margin_loss(*args, loss=loss, chunk=1)
    two_steps = loss(lucid.tensor(features) @ weight.T, args[3])
    assert fused.item() == pytest.approx(two_steps.item(), rel=1e-12)
    step = F.linear_multilabel_margin_step(SGD([weight], lr=0.1), *args, loss=loss, chunk=1)
    assert step.item() == pytest.approx(two_steps.item(), rel=1e-12)


@pytest.mark.parametrize(
    ("worth", "wrong"),
    [
        (lambda n: np.ones(n + 1), "worth_of_count must be 0 for 0 of them, got 1.0"),
        (lambda n: -np.arange(n + 1.0), "worth_of_count must not be negative, got -1.0"),
        (lambda n: np.arange(n + 1) * np.nan, "worth_of_count must be finite, got nan"),
        (lambda n: np.append(0, np.full(n, np.inf)), "worth_of_count must be finite, got inf"),
        (lambda n: np.arange(float(n)), r"worth_of_count must have shape \(7,\), .* got \(6,\)"),
    ],
)
def test_what_a_count_is_worth_is_looked_at(worth, wrong):
    def of_kernel(dtype, num_classes, *, margin):
        return pairs_solver("warp", dtype, margin, None, worth_of_count=worth(num_classes))

    with pytest.raises(ValueError, match=wrong):
        hinges(margin_loss, of_kernel, worth_of_count=worth)


def test_what_a_count_is_worth_is_looked_at_where_no_layer_is_fused_too():
    with pytest.raises(ValueError, match="worth_of_count must be 0 for 0 of them"):
        pairs_solver("warp", "d", 1.0, None, worth_of_count=np.ones(3))


def test_what_a_count_is_worth_may_be_whole_numbers():
    solve = pairs_solver("warp", "d", 1.0, None, worth_of_count=np.arange(4))
    plain = pairs_solver("warp", "d", 1.0, None, worth_of_count=np.arange(4.0))
    rows = Problem(np.array([[0.5, 0.0, 1.0]]), lucid.Labels.from_lists([[0]], 3), None, "sum")
    assert solve(rows, False) == plain(rows, False)

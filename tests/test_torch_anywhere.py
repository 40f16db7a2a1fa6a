"""The losses in PyTorch's own operations: on a GPU where there is one, and as on one on the CPU.

Here the function that says where there are kernels says nowhere, so that operators, the compiler
and transforms are all taken the way that other devices are.
"""

import itertools

import numpy as np
import pytest
from devices import DEVICES, here
from losses import CASES, batch, large
from test_margin_nonfinite import RULES

torch = pytest.importorskip("torch")
from torch.utils._python_dispatch import TorchDispatchMode  # noqa: E402

import lucid.losses  # noqa: E402
import lucid.torch as lt  # noqa: E402
from lucid import Labels  # noqa: E402
from lucid.losses.exponential import LSEP, ZLPR  # noqa: E402
from lucid.losses.margin import MARGIN  # noqa: E402
from lucid.losses.problem import Loss  # noqa: E402
from lucid.losses.warp import WARP  # noqa: E402
from lucid.torch import anywhere, eager, functions, pairs, ranks, solving  # noqa: E402

#: The largest weight.
LARGEST = float(np.finfo(np.float32).max)


@pytest.fixture(params=DEVICES)
def no_kernels(request, monkeypatch):
    monkeypatch.setattr(functions, "solved_fast", lambda *arguments: None)
    monkeypatch.setattr(eager, "is_plain", lambda x: False)
    monkeypatch.setattr(solving, "has_kernels", lambda x: False)
    monkeypatch.setattr(pairs, "_is_on_cpu", lambda target: False)
    with torch.device(request.param):
        yield


def options_of(case, classes):
    options = case.options_for(classes)
    return {k: torch.as_tensor(v) if np.ndim(v) else v for k, v in options.items()}


def solve(case, x, target, reduction="none", **extra):
    """The loss, and the gradient of its sum."""
    function = getattr(lt, case.loss.name)
    leaf = torch.tensor(x, requires_grad=True)
    extra = {k: torch.as_tensor(v) for k, v in extra.items()}
    loss = function(leaf, target, reduction=reduction, **options_of(case, x.shape[-1]), **extra)
    loss.backward(torch.ones_like(loss))
    return loss.numpy(force=True), leaf.grad.numpy(force=True)


def assert_same(found, expected, dtype, ulps=40):
    """To rounding: of the loss, and of the largest entry of a row's gradient."""
    tolerance = ulps * np.finfo(dtype).eps
    (loss, gradient), (exact_loss, exact_gradient) = found, expected
    assert loss.dtype == gradient.dtype == dtype
    np.testing.assert_allclose(loss, exact_loss, rtol=tolerance)
    size = np.abs(exact_gradient).max(-1, keepdims=True, initial=0)
    assert (np.abs(gradient - exact_gradient) <= tolerance * size).all()


@pytest.mark.usefixtures("no_kernels")
class TestAnywhere:
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize("ask", ["plain", "unknown", "sample_weight"])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_loss_and_gradient_are_the_kernels(self, case, ask, dtype):
        given = batch(dtype)
        target, extra = given.asked(ask)
        for reduction in ("none", "mean", "sum"):
            expected = case.solve(given.x, target, reduction, **extra)
            assert_same(solve(case, given.x, target, reduction, **extra), expected, dtype)

    @pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_rows_that_all_weigh_nothing_have_the_kernels_result(self, case, reduction):
        given = batch()
        nothing = np.zeros(len(given.x))
        expected = case.solve(given.x, given.target, reduction, sample_weight=nothing)
        found = solve(case, given.x, given.target, reduction, sample_weight=nothing)
        np.testing.assert_array_equal(found[0], expected[0])
        assert not found[1].any()

    @pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_no_rows_have_the_kernels_result(self, case, reduction):
        x, none = np.zeros((0, 7), np.float32), Labels.from_lists([], 7)
        expected = case.solve(x, none, reduction)
        np.testing.assert_array_equal(solve(case, x, none, reduction)[0], expected[0])

    @pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_the_score_of_an_unknown_class_is_in_nothing(self, case, score):
        labels = Labels.from_lists([[1, 2]], 7).with_unknown([[0]])
        x = batch("float32").x[:1].copy()
        x[0, 0] = score
        assert_same(solve(case, x, labels), case.solve(x, labels, "none"), "float32")

    @pytest.mark.parametrize("score", [np.nan, np.inf, -np.inf])
    @pytest.mark.parametrize("target", [[[1, 0, 0]], [[0.5, 0, 0]], Labels.from_lists([[0]], 3)])
    def test_an_infinite_term_times_a_weight_of_0_is_the_kernels(self, target, score):
        x, weight = np.array([[score, 0, 1]], np.float32), np.array([0.0, 1, 2])
        expected = lucid.losses.multilabel_soft_margin_loss(x, target, weight)
        leaf = torch.tensor(x, requires_grad=True)
        loss = lt.multilabel_soft_margin_loss(leaf, target, torch.tensor(weight))
        loss.backward()
        np.testing.assert_allclose(loss.numpy(force=True), expected[0], rtol=1e-6)
        np.testing.assert_allclose(leaf.grad.numpy(force=True), expected[1], rtol=1e-6)

    def test_numbers_without_an_axis_are_for_all_classes(self):
        x, target = torch.randn(2, 3), torch.tensor([[0], [1]])
        margin = torch.tensor(0.5, dtype=torch.float64)
        expected = lt.multilabel_margin_loss(x, target, margin=0.5)
        assert lt.multilabel_margin_loss(x, target, margin=margin) == expected
        expected = lt.multilabel_soft_margin_loss(x, target == torch.arange(3), 2.5 * torch.ones(3))
        for weight in (2.5, 5 * margin):
            found = lt.multilabel_soft_margin_loss(x, target == torch.arange(3), weight)
            torch.testing.assert_close(found, expected)

    @pytest.mark.parametrize("bad", [-1.0, np.inf, np.nan, 1e39, np.nextafter(LARGEST, np.inf)])
    @pytest.mark.parametrize("name", ["weight", "sample_weight"])
    def test_weights_are_those_of_the_kernels(self, name, bad):
        x, target = torch.zeros(3, 3), torch.tensor([[0], [1], [2]])
        weights = {name: torch.tensor([1.0, bad, 1.0], dtype=torch.float64)}
        with pytest.raises(ValueError, match=f"^{name} must "):
            lt.multilabel_margin_loss(x, target, **weights)

    @pytest.mark.parametrize("copied", [1, ranks._COPIED])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_many_classes_are_worked_on_a_part_at_a_time(self, case, copied, monkeypatch):
        given = large("dozens-of-labels", "tied", "float32").first(9)
        target, _ = given.asked("unknown")
        monkeypatch.setattr(pairs, "_CHUNK", given.x.size // 3)
        monkeypatch.setattr(ranks, "_COPIED", copied)
        expected = case.solve(given.x, target, "none")
        assert_same(solve(case, given.x, target), expected, "float32")

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_nan_and_infinities_have_the_kernels_loss(self, case):
        for x, labels, _ in RULES.values():
            row, target = np.array([x], np.float32), Labels.from_lists([labels], 4)
            with np.errstate(all="ignore"):
                loss, gradient = case.solve(row, target, "none")
            found, found_gradient = solve(case, row, target)
            np.testing.assert_allclose(found, loss, rtol=1e-5)
            if not np.isinf(loss):
                np.testing.assert_allclose(found_gradient, gradient, rtol=1e-5, atol=1e-7)

    @pytest.mark.parametrize("reduction", ["none", "mean"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    @pytest.mark.parametrize(
        "case", [case for case in CASES if case.smooth and case.loss.smooth], ids=str
    )
    def test_scores_of_any_size_have_the_kernels_loss_and_gradient(self, case, dtype, reduction):
        sizes = [-np.inf, -1e30, -120, -1, 0, 1, 800, 1e30, np.inf, np.nan]
        x = np.array(list(itertools.product(sizes, repeat=4)), dtype)
        if reduction == "mean":
            x = x[np.isfinite(x).all(1)]
        extra = {"sample_weight": np.arange(len(x)) % 3.0}
        for labels in ([0], [0, 1]):
            target = Labels.from_lists([labels] * len(x), 4)
            for more in ({}, extra):
                expected = case.solve(x, target, reduction, **more)
                for found, exact in zip(
                    solve(case, x, target, reduction, **more), expected, strict=True
                ):
                    rtol = 1000 * np.finfo(dtype).eps
                    np.testing.assert_allclose(found, exact, rtol, atol=np.finfo(dtype).tiny)

    @pytest.mark.parametrize("infinite", [np.inf, -np.inf])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_a_pair_of_infinities_beside_other_pairs_is_the_kernels(self, case, infinite):
        x = batch("float32").x[:1].copy()
        x[0, [1, 5]] = infinite
        target = [[1, 2]]
        if case.loss.name == "multilabel_soft_margin_loss":  # which takes indices for numbers
            target = Labels.from_lists(target, 7)
        with np.errstate(all="ignore"):
            expected = case.solve(x, target, "none")
        np.testing.assert_allclose(solve(case, x, target)[0], expected[0], rtol=1e-5)

    @pytest.mark.parametrize(
        "target",
        [
            torch.tensor([[1, -1, 2], [3, 0, 3]]),
            torch.tensor([[1, -1], [3, 0]], dtype=torch.int16),
            torch.tensor([[False, True, False, False], [True, False, False, True]]),
            torch.tensor([[0.0, 1, 0, 0], [1, 0, 0, 1]]).to_sparse(),
            lt.tensor_labels([[1], [3, 0]], 4),
            [[1], [3, 0]],
        ],
        ids=["int64", "int16", "multi-hot", "sparse", "TensorLabels", "lists"],
    )
    def test_targets_of_every_form(self, target):
        x = torch.tensor([[1.0, 0.5, -0.3, 0.2], [0.1, 0.5, 0.3, 0.8]])
        target = here(target)
        loss = lt.warp_loss(x, target, "none")
        if isinstance(target, torch.Tensor) and target.shape[1] == 3:
            expected = lt.warp_loss(x, [[1], [3, 0, 3]], "none")
        else:
            expected = lt.warp_loss(x, [[1], [0, 3]], "none")
        assert torch.equal(loss, expected)

    @pytest.mark.parametrize(
        ("target", "error", "message"),
        [
            (torch.tensor([[5, -1], [0, 1]]), ValueError, "label 5 in row 0"),
            (torch.tensor([[0, -2], [0, 1]]), ValueError, "label -2 in row 0"),
            (torch.tensor([[0, 1, 0, 1], [1, 1, 0, 0]]), ValueError, "cannot be class indices"),
            (torch.zeros(2, 4), TypeError, "target must hold integer"),
            (
                lt.TensorLabels(torch.tensor([4]), torch.tensor([0, 1, 1])),
                ValueError,
                "class 4|label 4|indices",
            ),
        ],
    )
    def test_bad_labels_are_the_same_errors(self, target, error, message):
        with pytest.raises(error, match=message):
            lt.multilabel_margin_loss(torch.zeros(2, 4), here(target))

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_halves_are_computed_in_float32(self, case, dtype):
        x = torch.tensor(batch().x).to(dtype).requires_grad_()
        function, options = getattr(lt, case.loss.name), options_of(case, 7)
        loss = function(x, batch().target, **options)
        loss.backward()
        assert loss.dtype == x.grad.dtype == dtype
        exact = function(x.detach().float(), batch().target, **options)
        torch.testing.assert_close(loss.float(), exact, rtol=torch.finfo(dtype).eps, atol=0)

    def test_the_second_derivative_of_squares_is_that_of_differences(self):
        x = torch.tensor(batch().x, requires_grad=True)
        target = batch().asked("unknown")[0]
        margin = torch.linspace(0.2, 1.1, 7, dtype=torch.float64)

        def loss(x):
            options = {"p": 2, "margin": margin, "weight": margin, "normalize": "pairs"}
            return lt.multilabel_margin_loss(x, target, sample_weight=margin, **options)

        assert torch.autograd.gradcheck(loss, x, fast_mode=True)
        assert torch.autograd.gradgradcheck(loss, x, fast_mode=True)

    def test_it_is_compiled_and_transformed_as_the_kernels_are(self):
        x, target = torch.randn(4, 9), torch.tensor([[1, 3], [2, -1], [-1, -1], [8, 8]])

        def loss(x, target):
            return lt.multilabel_margin_loss(2 * x, target, p=2)

        eager_loss, gradient = torch.func.grad_and_value(loss)(x, target)[::-1]
        compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
        leaf = x.clone().requires_grad_()
        compiled(leaf, target).backward()
        torch.testing.assert_close(leaf.grad, gradient)
        torch.testing.assert_close(compiled(x, target), eager_loss)
        rows = torch.func.vmap(loss)(x[:, None], target[:, None])
        torch.testing.assert_close(rows.mean(), eager_loss)

    def test_memory_is_a_few_times_the_scores(self):
        x = torch.randn(16, 40_000, requires_grad=True)
        target = torch.randint(0, 40_000, (16, 30))
        for name in ("multilabel_margin_loss", "warp_loss", "lsep_loss"):
            with Held() as held:
                getattr(lt, name)(x, target).backward()
            assert held.most < 12 * x.nbytes, name

    def test_the_gpu_is_waited_for_once_for_labels_and_once_for_whether_scores_are_finite(
        self, monkeypatch
    ):
        read, reads = torch.Tensor.tolist, []
        monkeypatch.setattr(torch.Tensor, "tolist", lambda x: reads.append(x) or read(x))
        x, target = torch.randn(8, 50, requires_grad=True), torch.randint(0, 50, (8, 3))
        for name in ("multilabel_margin_loss", "warp_loss", "lsep_loss", "zlpr_loss"):
            reads.clear()
            with Held() as held:
                getattr(lt, name)(x, target).backward()
            assert held.waits == 0
            assert len(reads) == 2

    def test_a_few_dozen_kernels_are_launched(self):
        x, target = torch.randn(8, 50), torch.randint(0, 50, (8, 3))
        parts = (target, None, None, None)
        for loss in (MARGIN, WARP, LSEP, ZLPR):
            with Held() as held:
                anywhere.solve(loss, x, parts, None, "mean", loss.defaults, True)
            assert 50 < held.launches < 100

    @pytest.mark.parametrize("case", CASES, ids=str)
    def test_labels_may_be_on_the_cpu_where_scores_are_not(self, case):
        given = batch("float32")
        target = lt.tensor_labels(given.target, 7, device="cpu")
        expected = case.solve(given.x, given.target, "none")
        assert_same(solve(case, given.x, target), expected, "float32")
        if case.loss.name != "multilabel_soft_margin_loss":  # which takes indices for numbers
            padded = torch.tensor(given.target.to_padded(), device="cpu")
            assert_same(solve(case, given.x, padded), expected, "float32")

    def test_a_model_with_cuda_graphs_is_compiled(self):
        if torch.get_default_device().type != "cuda":
            pytest.skip("needs CUDA")
        target = torch.randint(0, 50, (8, 3))

        def loss(x):
            return 2 * lt.multilabel_margin_loss(3 * x, target)

        compiled = torch.compile(loss, mode="reduce-overhead", fullgraph=True)
        for _ in range(4):  # the third replays what the second has recorded
            x = torch.randn(8, 50, requires_grad=True)
            compiled(x).backward()
            expected = torch.autograd.grad(loss(x), x)[0]
            torch.testing.assert_close(x.grad, expected)


class Held(TorchDispatchMode):
    """How many bytes of new tensors are held at most; how often a number of one is read alone.

    And how many operators are called that are no views of a tensor.
    """

    def __init__(self):
        super().__init__()
        self.now = self.most = self.waits = self.launches = 0
        self.seen = set()

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.waits += function is torch.ops.aten._local_scalar_dense.default
        self.launches += not (function.is_view or "empty" in function.name())
        result = function(*args, **(kwargs or {}))
        for tensor in result if isinstance(result, tuple | list) else (result,):
            if isinstance(tensor, torch.Tensor):
                self.hold(tensor.untyped_storage())
        return result

    def hold(self, storage):
        if storage._cdata in self.seen:
            return
        import weakref

        key, size = storage._cdata, storage.nbytes()
        self.seen.add(key)
        self.now += size
        self.most = max(self.most, self.now)
        weakref.finalize(storage, self.release, key, size)

    def release(self, key, size):
        self.seen.discard(key)
        self.now -= size


def logistic_pairs_loss(x, target, reduction="mean", *, sample_weight=None):
    """A loss that PyTorch's operations do not know."""


_LOGISTIC = Loss(logistic_pairs_loss, lambda dtype, classes: None, lambda classes: {})
lt_logistic_pairs_loss = functions.of_torch(_LOGISTIC, logistic_pairs_loss, None, "")


def test_a_loss_without_a_formula_here_is_named_and_so_is_what_it_lacks(no_kernels):
    for x in (torch.zeros(1, 3), torch.zeros(1, 3, requires_grad=True)):
        with pytest.raises(
            NotImplementedError, match=r"^logistic_pairs_loss has no formula in PyT"
        ):
            lt_logistic_pairs_loss(x, torch.tensor([[0]]))

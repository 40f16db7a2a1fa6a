"""The operators behind `lucid.torch`: what PyTorch traces, transforms, compiles and exports."""

import itertools

import numpy as np
import pytest
from losses import LOSSES

import lucid
import lucid.losses

torch = pytest.importorskip("torch")

from torch.library import opcheck  # noqa: E402

import lucid.torch as lt  # noqa: E402
from lucid.torch import functions  # noqa: E402,F401  # defines the operators

#: PyTorch's compiler warns of what it does itself, and 2.4 has no rules for batches.
pytestmark = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore:The .grad attribute of a Tensor that is not a leaf",
    "ignore:At pre-dispatch tracing",
    "ignore:`torch.jit.script` is deprecated",
    "ignore:There is a performance drop",
)

TARGET = torch.tensor([[0, 3, -1], [2, -1, -1], [-1, -1, -1], [1, 5, 4]])
TARGET_AS_BOOLS = torch.tensor(lucid.Labels.from_padded(TARGET.numpy(), 6).to_multi_hot())
#: PyTorch's own compiled loss finds 1.9 (pytorch#141017, #185464).
PADDED = torch.tensor([[0.1, 0.2, 0.4, 0.8]]), torch.tensor([[3, 1, -1, -1]]), 0.75


@pytest.fixture
def x():
    torch.manual_seed(0)
    return torch.randn(4, 6, dtype=torch.float64, requires_grad=True)


@pytest.fixture(autouse=True)
def _nothing_is_compiled_yet():
    torch._dynamo.reset()


def weights(size):
    return torch.linspace(0, 2, size, dtype=torch.float64)


#: After the scores: labels, weights of rows, reduction.
PLAIN = (TARGET, None, None, None, None, "mean")
FULL = (*lt.tensor_labels(lucid.Labels.from_lists([[0, 1], [], [2, 2], [5]], 6)
        .with_unknown([[3], [4], [], [0]]), 6)[:4], weights(4), "none")  # fmt: skip
NUMBERS = (torch.rand(4, 6), None, None, None, None, "sum")

#: Operators, with what they are given.
CALLS = [
    ("multilabel_margin_loss", PLAIN, (1, 1.0, None, None, "classes")),
    ("multilabel_margin_loss", FULL, (2, 1.0, weights(6), weights(6), "pairs")),
    ("warp_loss", PLAIN, (1.0, None)),
    ("lsep_loss", FULL, (True,)),
    ("zlpr_loss", PLAIN, ()),
    ("bpmll_loss", FULL, ()),
    ("multilabel_soft_margin_loss", NUMBERS, (weights(6),)),
]


@pytest.mark.parametrize("suffix", ["", "_and_gradient"])
@pytest.mark.parametrize(("name", "given", "options"), CALLS, ids=[c[0] for c in CALLS])
def test_operators_pass_all_checks_of_torchs(x, name, given, options, suffix):
    operator = getattr(torch.ops.lucid, name + suffix).default
    opcheck(operator, (x, *given, *options))


def test_the_operator_of_the_curvature_passes_all_checks_of_torchs(x):
    operator = torch.ops.lucid.multilabel_margin_loss_curvature.default
    opcheck(operator, (torch.ones_like(x, requires_grad=True), x.detach(), *FULL, *CALLS[1][2]))


def test_every_loss_has_its_operators():
    assert {call[0] for call in CALLS} == {loss.name for loss in LOSSES}


# In the compiler.


CRITERION = lt.MultiLabelMarginLoss(p=2, weight=weights(6))


def model(x, target):
    return CRITERION(2 * x, target) + lt.lsep_loss(x, target, "sum")


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compiled_in_one_graph_for_every_size_of_batch_the_loss_is_the_same(backend):
    graphs = torch._dynamo.utils.counters["stats"]
    before = graphs["unique_graphs"]
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend=backend)
    for rows in (4, 7, 2):
        x = torch.randn(rows, 6, requires_grad=True)
        target = TARGET[torch.arange(rows) % 4]
        losses = [function(x, target) for function in (compiled, model)]
        gradients = [torch.autograd.grad(loss, x)[0] for loss in losses]
        torch.testing.assert_close(*losses)
        torch.testing.assert_close(*gradients)
    assert graphs["unique_graphs"] - before == 1


def test_compiled_padding_is_no_label():
    x, target, expected = PADDED
    compiled = torch.compile(lt.MultiLabelMarginLoss(), fullgraph=True)
    assert compiled(x, target).item() == pytest.approx(expected)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_traced_losses_and_gradients_have_the_bits_of_direct_ones(dtype, reduction):
    x = torch.randn(4, 6).to(dtype).requires_grad_()
    target = lt.tensor_labels(TARGET, 6)
    losses = [
        function(x, target, reduction)
        for function in (
            lt.multilabel_margin_loss,
            torch.compile(lt.multilabel_margin_loss, fullgraph=True, backend="aot_eager"),
        )
    ]
    gradients = [torch.autograd.grad(loss.sum(), x)[0] for loss in losses]
    assert torch.equal(*losses)
    assert torch.equal(*gradients)


@pytest.mark.parametrize(
    "target",
    [
        [[0, 3], [2], [], [1]],
        lucid.Labels.from_lists([[0, 3], [2], [], [1]], 6),
        torch.eye(4, 6).to_sparse_csr(),
    ],
    ids=["lists", "labels", "sparse"],
)
def test_a_target_that_cannot_be_traced_is_read_between_graphs_or_refused(x, target):
    def loss(x):
        return lt.multilabel_margin_loss(2 * x, target)

    assert torch.compile(loss, backend="eager")(x) == loss(x)
    torch._dynamo.reset()
    with pytest.raises(Exception, match=r"tensor_labels|sparse Tensor"):
        torch.compile(loss, backend="eager", fullgraph=True)(x)


def test_a_model_is_exported_for_every_size_of_batch():
    class Model(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(3, 6)
            self.criterion = lt.MultiLabelMarginLoss()

        def forward(self, features, target):
            return self.criterion(self.linear(features), target)

    batch = {0: torch.export.Dim("batch")}
    model = Model()
    exported = torch.export.export(
        model, (torch.randn(4, 3), TARGET), dynamic_shapes=(batch, batch)
    ).module()
    features, target = torch.randn(3, 3), TARGET[:3]
    loss = exported(features, target)
    assert loss == model(features, target)
    loss.backward()
    assert exported.linear.weight.grad.abs().sum() > 0


@pytest.mark.parametrize("mode", ["meta", "fake"])
def test_shapes_are_known_without_values(mode):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode() if mode == "fake" else torch.device("meta"):
        x = torch.empty(4, 6, dtype=torch.float16, requires_grad=True)
        target = torch.empty(4, 2, dtype=torch.int64)
        loss = lt.multilabel_margin_loss(x, target, "none")
        loss.sum().backward()
        assert loss.shape == (4,)
        assert loss.dtype == x.grad.dtype == torch.float16
        with pytest.raises(ValueError, match="target must have shape"):
            lt.multilabel_margin_loss(torch.empty(3, 6), target)


# In the transforms of torch.func.


def slices(tensor, dim, size):
    return [tensor] * size if dim is None else tensor.unbind(dim)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dims", [(0, None), (None, 0), (1, 0)], ids=str)
@pytest.mark.parametrize("loss", LOSSES[:5], ids=lambda loss: loss.name)
def test_a_batch_of_losses_is_that_of_each(loss, dims, reduction):
    x = torch.randn(3, 4, 6) if dims[0] == 0 else torch.randn(4, 3, 6)[:, : 3 if dims[0] else 1]
    x = x[:, 0] if dims[0] is None else x
    target = TARGET if dims[1] is None else torch.stack([TARGET, TARGET.flip(0), TARGET])
    scale = weights(4).float()

    def of_one(x, target):
        return getattr(lt, loss.name)(x, target, reduction, sample_weight=scale)

    pairs = zip(slices(x, dims[0], 3), slices(target, dims[1], 3), strict=True)
    expected = torch.stack([of_one(*pair) for pair in pairs])
    torch.testing.assert_close(torch.func.vmap(of_one, dims)(x, target), expected)


def test_batches_may_be_nested_and_labels_a_tuple_of_tensors():
    x = torch.randn(2, 3, 4, 6)
    labels = lt.tensor_labels(TARGET, 6)

    def loss(x):
        return lt.warp_loss(x, labels)

    found = torch.func.vmap(torch.func.vmap(loss))(x)
    torch.testing.assert_close(found, torch.stack([loss(y) for y in x.flatten(0, 1)]).view(2, 3))


def test_a_batch_of_class_weights_is_that_of_each():
    x, each = torch.randn(4, 6), torch.rand(3, 6)

    def loss(weight):
        return lt.multilabel_margin_loss(x, TARGET, weight=weight)

    torch.testing.assert_close(torch.func.vmap(loss)(each), torch.stack([loss(w) for w in each]))


def test_gradients_of_samples_are_those_of_each_alone():
    model, criterion = torch.nn.Linear(5, 6), lt.MultiLabelMarginLoss(p=2)
    features = torch.randn(4, 5)
    parameters = dict(model.named_parameters())

    def loss(parameters, row, target):
        return criterion(torch.func.functional_call(model, parameters, (row,)), target)

    each = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))
    ways = [each]
    if hasattr(torch.library, "register_vmap"):  # in 2.4 the compiler knows no functional_call
        ways.append(torch.compile(each, fullgraph=True, backend="aot_eager"))
    for transformed in ways:
        found = transformed(parameters, features, TARGET)
        for n in range(4):
            expected = torch.autograd.grad(
                criterion(model(features[n]), TARGET[n]), list(parameters.values())
            )
            for name, value in zip(parameters, expected, strict=True):
                torch.testing.assert_close(found[name][n], value)


@pytest.mark.parametrize("outer", ["jacrev", "jacfwd"])
def test_jacobians_are_those_of_plain_autograd(x, outer):
    def losses(x):
        return lt.lsep_loss(x, TARGET, "none")

    jacobian = getattr(torch.func, outer)
    torch.testing.assert_close(
        jacobian(losses)(x.detach()), torch.autograd.functional.jacobian(losses, x)
    )
    torch.testing.assert_close(
        jacobian(torch.func.grad(lambda x: losses(x).sum()))(x.detach()),
        torch.autograd.functional.hessian(lambda x: losses(x).sum(), x),
    )


OLD_COMPILER = tuple(map(int, torch.__version__.split(".")[:2])) < (2, 8)

#: Numbers of NumPy and of Python's that an option may be, for scores (4, 6).
NUMBERS_AS_OPTIONS = [
    ("multilabel_margin_loss", {"p": np.int64(2), "margin": np.float32(0.5)}),
    ("lsep_loss", {"per_label": np.bool_(True)}),
    ("multilabel_soft_margin_loss", {"weight": 2.5}),
    ("multilabel_soft_margin_loss", {"weight": np.float32(2.5)}),
    ("multilabel_soft_margin_loss", {"weight": 3}),
]


@pytest.mark.parametrize("mode", ["grad", "compiled", "create_graph", "meta"])
@pytest.mark.parametrize(("name", "options"), NUMBERS_AS_OPTIONS, ids=str)
def test_options_that_are_numbers_are_taken_in_every_mode(x, name, options, mode):
    def loss(x):
        return getattr(lt, name)(x, TARGET_AS_BOOLS, **options)

    (expected,) = torch.autograd.grad(loss(x), x)
    if mode == "grad":
        assert torch.equal(torch.func.grad(loss)(x.detach()), expected)
    elif mode == "compiled":
        if {type(each) for each in options.values()} == {np.bool_} and OLD_COMPILER:
            pytest.skip("the compiler of PyTorch 2.4 and 2.7 takes no np.bool_")
        one_graph = name == "multilabel_soft_margin_loss"  # the compiler takes np.int64 for arrays
        compiled = torch.compile(loss, fullgraph=one_graph, backend="aot_eager")
        assert torch.equal(torch.autograd.grad(compiled(x), x)[0], expected)
    elif mode == "create_graph":
        (found,) = torch.autograd.grad(loss(x), x, create_graph=True)
        assert torch.equal(found, expected)
        assert torch.autograd.gradgradcheck(loss, x)
    else:
        labels = TARGET_AS_BOOLS.to("meta")
        assert getattr(lt, name)(x.to("meta"), labels, **options).shape == ()


ONE_ROW = {
    "lists": [0, 2],
    "no labels": [],
    "indices": np.array([0, 2, -1]),
    "bools": np.array([True, False, True, False, False, False]),
    "tensor": torch.tensor([0, 2, -1]),
    "bool tensor": torch.tensor([True, False, True, False, False, False]),
    "TensorLabels": lt.tensor_labels([[0, 2]], 6),
}


@pytest.mark.parametrize("mode", ["grad", "compiled", "create_graph", "meta"])
@pytest.mark.parametrize("form", ONE_ROW)
@pytest.mark.parametrize("name", [loss.name for loss in LOSSES])
def test_one_row_is_taken_in_every_mode(name, form, mode):
    x, target = torch.linspace(-1, 1, 6, dtype=torch.float64, requires_grad=True), ONE_ROW[form]
    if name == "multilabel_soft_margin_loss":  # which takes indices for numbers
        target = {"indices": ONE_ROW["bools"], "tensor": ONE_ROW["bool tensor"]}.get(form, target)
        target = lucid.Labels.from_lists([target], 6) if form in ("lists", "no labels") else target

    def loss(x):
        return getattr(lt, name)(x, target, sample_weight=0.5)

    value = loss(x)
    (expected,) = torch.autograd.grad(value, x)
    if mode == "grad":
        assert torch.equal(torch.func.grad(loss)(x.detach()), expected)
    elif mode == "compiled":
        compiled = torch.compile(loss, backend="eager")(x)
        assert torch.equal(compiled, value)
        assert torch.equal(torch.autograd.grad(compiled, x)[0], expected)
    elif mode == "create_graph":
        (found,) = torch.autograd.grad(loss(x), x, create_graph=True)
        assert torch.equal(found, expected)
    elif not isinstance(target, torch.Tensor | lt.TensorLabels):
        assert loss(x.to("meta")).shape == ()


@pytest.mark.parametrize("mode", ["direct", "grad"])
@pytest.mark.parametrize(
    ("shape", "target"),
    [
        ((6,), torch.tensor([[0]])),
        ((6,), [[0]]),
        ((1, 6), torch.tensor([0])),
        ((1, 6), [0]),
    ],
    ids=str,
)
def test_a_target_has_an_axis_of_rows_where_the_scores_have_one(mode, shape, target):
    loss = MODES[mode](lambda x: lt.lsep_loss(x, target))
    with pytest.raises(ValueError, match="target must have shape"):
        loss(torch.zeros(shape))


@pytest.mark.parametrize("order", ["first", "second"])
@pytest.mark.parametrize("batched", [False, True])
@pytest.mark.parametrize(("name", "options"), [
    ("multilabel_margin_loss", {"p": 2}), ("lsep_loss", {}), ("warp_loss", {}),
])  # fmt: skip
def test_rows_that_all_weigh_nothing_have_derivatives_of_0(name, options, batched, order):
    def loss(x, sample_weight):
        return getattr(lt, name)(x, TARGET, sample_weight=sample_weight, **options)

    derivative = torch.func.grad(loss) if order == "first" else torch.func.hessian(loss)
    x, nothing = torch.randn(4, 6), torch.zeros(4)
    if batched:
        x, nothing, derivative = x[None], nothing[None], torch.func.vmap(derivative)
    found = derivative(x, nothing)
    assert torch.equal(found, torch.zeros_like(found))


# In modes.


@pytest.mark.parametrize("compiled", [False, True], ids=["direct", "compiled"])
def test_in_autocast_the_loss_is_float32(compiled):
    x, w = torch.randn(4, 3), torch.randn(3, 6, requires_grad=True)

    def loss(x):
        return lt.multilabel_margin_loss(x @ w, TARGET)

    loss = torch.compile(loss, fullgraph=True, backend="aot_eager") if compiled else loss
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = loss(x)
    found.backward()
    assert found.dtype == w.grad.dtype == torch.float32


def test_inference_mode_and_hooks():
    criterion, seen = lt.MultiLabelMarginLoss(), []
    criterion.register_forward_hook(lambda module, args, loss: seen.append(loss.item()))
    with torch.inference_mode():
        loss = criterion(torch.zeros(4, 6), TARGET)
    assert loss.is_inference()
    assert seen == [loss.item()]


LABELS_OF_7 = lt.tensor_labels(lucid.Labels.from_lists([[0], [1], [], [5]], 7), 7)
DO_NOT_FIT = "labels of 7 classes do not fit|labels of shape .4, 7."


@pytest.mark.parametrize("mode", ["direct", "grad", "batch"])
def test_labels_of_another_number_of_classes_are_an_error(mode, x):
    loss = MODES[mode](lambda x: lt.multilabel_margin_loss(x, LABELS_OF_7))
    with pytest.raises(ValueError, match=DO_NOT_FIT):
        loss(x.detach())


def test_labels_of_another_number_of_classes_are_an_error_compiled(x):
    loss = torch.compile(lt.multilabel_margin_loss, fullgraph=True, backend="eager")
    with pytest.raises(Exception, match=f"{DO_NOT_FIT}|Observed exception"):  # all that 2.7 says
        loss(x, LABELS_OF_7)


BAD = torch.tensor([[0, 6], [1, -1], [2, -1], [3, -1]])
MODES = {
    "direct": lambda f: f,
    "compiled": lambda f: torch.compile(f, fullgraph=True, backend="aot_eager"),
    "grad": torch.func.grad,
    "batch": lambda f: lambda x: torch.func.vmap(f)(x[None]),
}


@pytest.mark.parametrize(("mode", "target"), [*itertools.product(MODES, [BAD, BAD.int(), BAD - 2])])
def test_a_bad_label_is_an_error(mode, target, x):
    loss = MODES[mode](lambda x: lt.multilabel_margin_loss(x, target))
    with pytest.raises(ValueError, match="is out of range"):
        loss(x.detach())


MODULES = [
    lambda: lt.MultiLabelMarginLoss(),
    lambda: lt.MultilabelMarginLoss("sum", p=2, margin=0.5, normalize="pairs"),
    lambda: lt.WARPLoss(),
    lambda: lt.WARPLoss("sum", margin=2),
    lambda: lt.WARPLoss("sum", margin=torch.ones(6)),
    lambda: lt.LSEPLoss(),
    lambda: lt.LSEPLoss(per_label=True),
    lambda: lt.ZLPRLoss(),
    lambda: lt.BPMLLLoss(),
    lambda: lt.MultiLabelSoftMarginLoss(),
    lambda: lt.MultiLabelSoftMarginLoss(weight=[1.0, 2.0, 0.0, 1.0, 1.0, 1.0]),
]


MADE_INSIDE = pytest.mark.skipif(
    not hasattr(torch.library, "register_vmap"),
    reason="the compiler of PyTorch 2.4 makes no module with a __setattr__ of its own",
)


@MADE_INSIDE
@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("make", MODULES)
def test_a_module_may_be_made_inside_a_compiled_function(make, backend):
    def gradient(function):
        x = torch.linspace(-1, 1, 12).reshape(2, 6).requires_grad_()
        function(x, torch.tensor([[1, 3], [2, 0]]), x.detach() > 0).backward()
        return x.grad

    def loss(x, indices, multi_hot):
        criterion = make()
        soft = isinstance(criterion, lt.MultiLabelSoftMarginLoss)
        return criterion(x, multi_hot if soft else indices)

    compiled = torch.compile(loss, fullgraph=True, backend=backend)
    assert torch.equal(gradient(compiled), gradient(loss))


@MADE_INSIDE
def test_an_option_is_refused_where_a_module_is_made_inside_a_compiled_function():
    def loss(x, target):
        return lt.MultilabelMarginLoss(p=3)(x, target)

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager")
    with pytest.raises(ValueError, match="p must be 1 or 2, got 3"):
        compiled(torch.zeros(1, 6), torch.tensor([[0]]))

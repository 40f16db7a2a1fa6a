"""The last layer fused with the margin loss: the two steps' result, without their memory."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from devices import DEVICES  # noqa: E402

import lucid.torch as lt  # noqa: E402
from lucid import Labels, nn  # noqa: E402
from lucid.losses.pairs import pairs_solver  # noqa: E402
from lucid.losses.problem import Loss  # noqa: E402
from lucid.torch import linear, pairs  # noqa: E402
from lucid.torch.functions import of_torch  # noqa: E402
from lucid.torch.linear import linear_multilabel_margin_loss as fused  # noqa: E402
from lucid.torch.modules import Criterion  # noqa: E402

N, D, C = 7, 5, 40
LABELS = Labels.from_lists([[1, 2], [3], [], [4, 4], [39], [0, 5, 6], [2]], C)
UNKNOWN = LABELS.with_unknown([[0, 7], [], [1], [], [38], [], list(range(3, 40))])
WEIGHT = torch.rand(C, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
WEIGHT[5] = 0
LOSSES = [
    lt.MultilabelMarginLoss(),
    lt.MultilabelMarginLoss(margin=WEIGHT, weight=WEIGHT),
    lt.MultilabelMarginLoss(p=2, margin=0.3, weight=WEIGHT, normalize="pairs"),
    lt.WARPLoss(),
    lt.WARPLoss(margin=WEIGHT),
]


@pytest.fixture(params=["kernels", *DEVICES])
def way(request, monkeypatch):
    """With kernels, and without them on every device; in tiles of a few classes."""
    monkeypatch.setattr(linear, "_NARROWEST", 3)
    if request.param == "kernels":
        yield
        return
    monkeypatch.setattr(linear, "solver_for", lambda x: pairs.solve_pairs)
    monkeypatch.setattr(pairs, "_is_on_cpu", lambda target: False)
    with torch.device(request.param):
        yield


def random(*shape, seed=0):
    """Normal numbers, the same on every device."""
    numbers = np.random.default_rng([seed, *shape]).standard_normal(shape)
    return torch.tensor(numbers)


def layer(dtype=torch.float64):
    return [random(*shape).to(dtype).requires_grad_() for shape in ((N, D), (C, D), (C,))]


def two_steps(input, weight, target, bias, reduction="mean", loss=None, sample_weight=None):
    loss = loss or lt.MultilabelMarginLoss()
    scores = torch.nn.functional.linear(input, weight, bias)
    criterion = type(loss)(reduction, **{k: getattr(loss, k) for k in loss._loss.defaults})
    return criterion(scores, target, sample_weight)


def found(function, target, dtype=torch.float64, **options):
    """The loss, and the gradients under random weights of its rows."""
    input, weight, bias = layer(dtype)
    loss = function(input, weight, target, bias, **options)
    loss.backward(random(*loss.shape, seed=3).to(dtype))
    return loss.detach(), input.grad, weight.grad, bias.grad


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_it_is_the_two_steps_to_rounding(loss, reduction):
    sample_weight = torch.tensor([1.0, 0, 2, 0.5, 1, 3, 1])
    for target, chunk in ((LABELS, 1), (LABELS, 10 * N), (UNKNOWN, 10 * N), (UNKNOWN, 10**9)):
        for extra in ({}, {"sample_weight": sample_weight}):
            options = {"reduction": reduction, "loss": loss, **extra}
            mine = found(fused, target, chunk=chunk, **options)
            torch.testing.assert_close(mine, found(two_steps, target, **options))


@pytest.mark.usefixtures("way")
def test_it_is_lucids_own_in_float32():
    import lucid.nn.functional as F

    input, weight, bias = (part.detach().float() for part in layer())
    mine = fused(input, weight, LABELS, bias, "none", chunk=20 * N)
    criterion = nn.MultilabelMarginLoss()
    theirs = F.linear_multilabel_margin_loss(
        *(part.numpy(force=True) for part in (input, weight, bias)),
        LABELS,
        "none",
        loss=criterion,
    )
    np.testing.assert_allclose(mine.numpy(force=True), theirs.detach().numpy(), rtol=1e-5)


@pytest.mark.parametrize("wanted", range(3))
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_each_input_gets_its_gradient_without_the_others(wanted, reduction):
    expected = found(fused, LABELS, reduction=reduction)[1 + wanted]
    inputs = [part.detach().requires_grad_(n == wanted) for n, part in enumerate(layer())]
    input, weight, bias = inputs
    loss = fused(input, weight, LABELS, bias, reduction)
    loss.backward(random(*loss.shape, seed=3))
    assert torch.equal(inputs[wanted].grad, expected)
    assert sum(part.grad is not None for part in inputs) == 1


@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_without_autograd_no_gradient_is_computed(monkeypatch, reduction):
    operator, wanted = linear.linear_pairs, []

    def spy(*arguments):
        wanted.extend(arguments[-1])
        return operator(*arguments)

    monkeypatch.setattr(linear, "linear_pairs", spy)
    input, weight, bias = layer()
    with torch.no_grad():
        fused(input, weight, LABELS, bias, reduction)
    assert not any(wanted)


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_it_has_the_dtype_of_the_input(dtype, reduction):
    mine = found(fused, LABELS, dtype, reduction=reduction)
    expected = found(two_steps, LABELS, dtype, reduction=reduction)
    for a, b in zip(mine, expected, strict=True):
        assert a.dtype == dtype
        torch.testing.assert_close(a, b, rtol=8 * torch.finfo(dtype).eps, atol=0.05 * b.abs().max())


def test_autocast_computes_the_layer_in_half_precision_and_the_loss_in_float32():
    input, weight, bias = layer(torch.float32)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = fused(input, weight, LABELS, bias)
        expected = two_steps(input, weight, LABELS, bias)
    loss.backward()
    assert loss.dtype == expected.dtype == weight.grad.dtype == torch.float32
    torch.testing.assert_close(loss, expected, rtol=1e-2, atol=0)


def test_a_vector_is_one_row_and_no_rows_have_a_mean_of_nan():
    input, weight, bias = layer()
    assert fused(input[0], weight, [1, 2], bias, "none").shape == ()
    torch.testing.assert_close(
        fused(input[0], weight, torch.tensor([1, 2]), bias),
        two_steps(input[:1], weight, [[1, 2]], bias),
    )
    none = torch.empty(0, 2, dtype=torch.int64)
    assert fused(input[:0], weight, none).isnan()
    fused(input[:0], weight, none, reduction="sum").backward()
    assert not weight.grad.any()


def test_backward_twice_adds_up_and_a_gradient_may_be_written_to():
    input, weight, bias = layer()
    loss = fused(input, weight, LABELS, bias)
    (first,) = torch.autograd.grad(loss, weight, retain_graph=True)
    expected = first.clone()
    first.zero_()
    (second,) = torch.autograd.grad(loss, weight)
    assert torch.equal(second, expected)


@pytest.mark.usefixtures("way")
def test_a_nan_is_not_dropped():
    input, weight, bias = (part.detach().requires_grad_() for part in layer())
    with torch.no_grad():
        input[3, 1] = torch.nan
    loss = fused(input, weight, LABELS, bias)
    loss.backward()
    assert loss.isnan()
    assert weight.grad.isnan().all()
    assert input.grad.isnan().all(1).tolist() == [n == 3 for n in range(N)]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_nan_of_a_negative_is_the_two_steps(loss, reduction):
    def result(function):
        input, weight, bias = (part.detach().requires_grad_() for part in layer())
        with torch.no_grad():
            weight[20] = torch.nan
        value = function(input, weight, [[0, 1]] * N, bias, reduction, loss=loss)
        value.sum().backward()
        return value.detach(), input.grad, weight.grad, bias.grad

    mine, expected = result(fused), result(two_steps)
    assert expected[0].isnan().all()
    torch.testing.assert_close(mine, expected, equal_nan=True)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("of", ["row", "negative"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_row_that_weighs_nothing_may_be_nan(loss, of):
    def result(function):
        input, weight, bias = (part.detach().requires_grad_() for part in layer())
        with torch.no_grad():
            if of == "row":
                input[1] = torch.nan
            else:  # inf - inf
                input[1], weight[20] = 1e200 * torch.eye(2, 5).double()[[0, 0]]
                input[1, 1], weight[20, 1] = 1e200, -1e200
        sample_weight = torch.tensor([1.0, 0, 1, 1, 2, 1, 1])
        value = function(input, weight, LABELS, bias, loss=loss, sample_weight=sample_weight)
        value.backward()
        return value.detach(), input.grad, bias.grad

    torch.testing.assert_close(result(fused), result(two_steps), equal_nan=True)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_a_layer_may_have_no_features(loss, reduction):
    input, weight, bias = torch.zeros(N, 0), torch.zeros(C, 0), torch.randn(C, requires_grad=True)
    values = [f(input, weight, LABELS, bias, reduction, loss=loss) for f in (fused, two_steps)]
    torch.testing.assert_close(*values)
    gradients = [torch.autograd.grad(value.sum(), bias) for value in values]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("target", [[1, 2], lt.tensor_labels([[1, 2]], C), torch.tensor([1, 2])])
def test_one_row_is_the_two_steps(target):
    input, weight, bias = layer()
    mine, expected = (f(input[0], weight, target, bias) for f in (fused, two_steps))
    torch.testing.assert_close(mine, expected)


def test_a_margin_without_an_axis_is_for_all_classes():
    criterion = lt.MultilabelMarginLoss(margin=torch.tensor(0.5))
    mine, expected = (f(*layer()[:2], LABELS, None, loss=criterion) for f in (fused, two_steps))
    torch.testing.assert_close(mine, expected)


@pytest.mark.usefixtures("way")
def test_infinite_scores_have_the_two_steps_loss():
    input, weight, bias = layer()
    with torch.no_grad():
        bias[[1, 39]] = -torch.inf
        bias[5] = torch.inf
    target = [[1, 2], [3], [5], [39, 39], [0, 1, 5], [], [2]]
    expected = two_steps(input, weight, target, bias, "none")
    torch.testing.assert_close(
        fused(input, weight, target, bias, "none", chunk=N), expected, equal_nan=True
    )


@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")  # by Dynamo
@pytest.mark.parametrize("reduction", ["none", "mean"])
def test_it_is_one_operator_of_a_compiled_graph(reduction):
    target = torch.tensor(LABELS.to_padded())

    def loss(input, weight, target, bias):
        return (2 * fused(input, weight, target, bias, reduction, loss=LOSSES[2])).sum()

    compiled = torch.compile(loss, fullgraph=True, backend="aot_eager", dynamic=True)
    for rows in (slice(7), slice(5)):
        results = []
        for function in (loss, compiled):
            input, weight, bias = layer()
            input = input.detach()[rows].requires_grad_()
            result = function(input, weight, target[rows], bias)
            result.backward()
            results.append((result, input.grad, weight.grad, bias.grad))
        torch.testing.assert_close(*results)
    with pytest.raises(ValueError, match="label 40 in row 1"):
        compiled(*layer()[:2], torch.where(target == 3, 40, target), layer()[2])


def test_the_operator_keeps_pytorchs_rules():
    input, weight, bias = (part.detach() for part in layer())
    target = torch.tensor(LABELS.to_padded())
    torch.library.opcheck(
        torch.ops.lucid.linear_pairs.default,
        (
            *(input, weight, bias, torch.ones(N), target, None, None, None),
            *(1.0, None, WEIGHT, 2, "pairs", "multilabel_margin_loss", 1 << 22, [True, True, True]),
        ),
        test_utils=("test_schema", "test_faketensor", "test_autograd_registration"),
    )


@pytest.mark.parametrize("reduction", ["none", "mean"])
@pytest.mark.parametrize("loss", [LOSSES[1], LOSSES[2]], ids=str)
def test_second_derivatives_are_those_of_differences(loss, reduction):
    def function(input, weight, bias):
        return fused(input, weight, LABELS[:3], bias, reduction, loss=loss)

    input, weight, bias = layer()
    inputs = (input.detach()[:3], weight, bias)
    assert torch.autograd.gradgradcheck(function, inputs, fast_mode=True)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"input": np.zeros((1, 5))}, TypeError, r"input must be a torch\.Tensor, got ndarray"),
        ({"weight": torch.zeros(3, 5, dtype=torch.int64)}, TypeError, "weight must be float32"),
        ({"bias": torch.zeros(3, dtype=torch.float64)}, TypeError, "bias must be torch.float32"),
        ({"weight": torch.zeros(3, 4)}, ValueError, "input must have shape .N, D."),
        ({"weight": torch.zeros(0, 5)}, ValueError, "weight must have shape .C, D., C >= 1"),
        ({"bias": torch.zeros(2)}, ValueError, "bias must have shape .C,., C = 3"),
        ({"target": [[3]]}, ValueError, "label 3 in row 0"),
        ({"target": [[0], [1]]}, ValueError, "target must"),
        ({"reduction": "average"}, ValueError, "reduction must be"),
        ({"chunk": 0}, ValueError, "chunk must be at least 1, got 0"),
        ({"sample_weight": [-1.0]}, ValueError, "sample_weight must not be negative"),
        ({"loss": lt.LSEPLoss()}, TypeError, "loss must be a MultilabelMarginLoss or WARPLoss"),
        ({"loss": lt.MultilabelMarginLoss(weight=[1.0])}, ValueError, "weight must be one number"),
    ],
)
def test_what_cannot_be_meant_is_refused(change, error, message):
    arguments = {"input": torch.zeros(1, 5), "weight": torch.zeros(3, 5), "target": [[0]]}
    with pytest.raises(error, match=message):
        fused(**{**arguments, **change})


@pytest.mark.parametrize("loss", LOSSES, ids=str)
def test_in_the_transforms_of_torch_func_it_is_the_two_steps(loss):
    input, weight, bias = (part.detach() for part in layer())
    labels = lt.tensor_labels(UNKNOWN, C)

    def of(function, reduction="mean"):
        return lambda input, weight, bias: function(
            input, weight, labels, bias, reduction, loss=loss
        )

    grad = torch.func.grad(of(fused), (0, 1, 2))(input, weight, bias)
    torch.testing.assert_close(grad, torch.func.grad(of(two_steps), (0, 1, 2))(input, weight, bias))
    jacobian, expected = (
        torch.func.jacrev(of(function, "none"))(input, weight, bias)
        for function in (fused, two_steps)
    )
    torch.testing.assert_close(jacobian, expected)
    biases = torch.stack([bias, 2 * bias])
    each = torch.func.vmap(of(fused), (None, None, 0))(input, weight, biases)
    torch.testing.assert_close(each, torch.stack([of(fused)(input, weight, b) for b in biases]))


def plain_loss(x, target, reduction="mean", *, sample_weight=None):
    """A sum of hinges without options."""


def squared_loss(x, target, reduction="mean", *, p=2, sample_weight=None):
    """A sum of squares by default."""


def rooted_loss(x, target, reduction="mean", *, margin=1.0, sample_weight=None):
    """A label's hinges count the root of their number in all."""


def roots(num_classes):
    return np.sqrt(np.arange(num_classes + 1.0))


def define(arrays, solver, **more):
    """Define a sum of hinges that the library has never seen, and its module."""
    of = Loss(arrays, solver, lambda _, **given: given, padded=True, hinges=True, **more)
    of_torch(of, arrays, None, "")

    class New(Criterion):
        _loss = of

        def __init__(self, reduction="mean", **options):
            super().__init__(reduction, **{**of.defaults, **options})

    return New


PlainLoss = define(plain_loss, lambda dtype, c: pairs_solver("margin", dtype, 1.0, None))
SquaredLoss = define(
    squared_loss,
    lambda dtype, c, *, p: pairs_solver("squared" if p == 2 else "margin", dtype, 1.0, None),
)
RootedLoss = define(
    rooted_loss,
    lambda dtype, c, *, margin: pairs_solver("warp", dtype, margin, None, worth_of_count=roots(c)),
    worth_of_count=roots,
)


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("loss", [PlainLoss("sum"), SquaredLoss("sum"), SquaredLoss("sum", p=1)])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_an_option_that_a_new_loss_lacks_is_the_plain_one(loss, reduction):
    options = {"loss": loss, "reduction": reduction}
    mine = found(fused, LABELS, chunk=1, **options)
    torch.testing.assert_close(mine, found(two_steps, LABELS, **options))


@pytest.mark.parametrize("loss", [PlainLoss("sum"), SquaredLoss("sum"), SquaredLoss("sum", p=1)])
@pytest.mark.parametrize("reduction", ["none", "sum"])
def test_a_recorded_backward_pass_of_a_new_loss_has_its_options(loss, reduction):
    def gradient(function):
        input, weight, bias = layer()
        value = function(input, weight, LABELS, bias, reduction=reduction, loss=loss)
        return torch.autograd.grad(value.sum(), [input, weight, bias], create_graph=True)

    torch.testing.assert_close(gradient(fused), gradient(two_steps))


def test_a_worth_of_counts_needs_its_own_in_pytorch():
    loss = RootedLoss("sum")
    with pytest.raises(NotImplementedError, match="rooted_loss has no worth_of_count in PyTorch"):
        found(fused, LABELS, loss=loss)


@pytest.mark.usefixtures("way")
def test_a_worth_of_counts_in_pytorch_gets_numbers_of_the_dtype_for_sums(monkeypatch):
    given = []

    def worth(n):
        given.append(n.dtype == pairs.sum_dtype(n))
        return n.clamp(max=5)  # of whole numbers: it would lose what comes after the point

    def clipped(num_classes):
        return np.minimum(np.arange(num_classes + 1.0), 5)

    monkeypatch.setitem(pairs._WORTH_OF_COUNT, "rooted_loss", worth)
    monkeypatch.setattr(RootedLoss._loss, "worth_of_count", clipped)
    fused(*layer()[:2], LABELS, loss=RootedLoss("sum"), chunk=1)
    assert given
    assert all(given)

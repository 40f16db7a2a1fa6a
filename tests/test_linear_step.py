"""The optimiser's step inside the fused last layer: what the loss, backward and step give."""

import sys
import tracemalloc

import numpy as np
import pytest

import lucid
from lucid import Labels, nn, optim
from lucid.losses import fused, stepping
from lucid.nn import functional as F
from lucid.system import blas
from lucid.system.blas import one_thread_each

sparse = pytest.importorskip("scipy.sparse")

N, D, C = 7, 5, 40
WIDTH = 6  # classes of a tile

random = np.random.default_rng(0)
FEATURES = random.standard_normal((N, D)) * (random.random((N, D)) < 0.7)
LABELS = Labels.from_lists([[1, 2], [3], [], [4, 4], [39], [0, 5, 6], [2]], C)
UNKNOWN = LABELS.with_unknown([[7], [], [1], [0, 39], [], [], list(range(20, 40))])

OPTIMIZERS = {
    "sgd": lambda p: optim.SGD(p, lr=0.5),
    "decay": lambda p: optim.SGD(p, lr=0.5, weight_decay=0.1),
    "momentum": lambda p: optim.SGD(p, lr=0.5, momentum=0.9, dampening=0.2),
    "nesterov": lambda p: optim.SGD(p, lr=0.5, momentum=0.9, nesterov=True),
    "adam": lambda p: optim.Adam(p, lr=0.05, weight_decay=0.1),
    "adamw": lambda p: optim.AdamW(p, lr=0.05),
}
every_optimizer = pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
LOSSES = {
    "margin": None,
    "squared": nn.MultilabelMarginLoss(p=2, normalize="pairs"),
    "margins": nn.MultilabelMarginLoss(margin=np.linspace(0.5, 2, C)),
    "weights": nn.MultilabelMarginLoss(weight=np.linspace(0, 2, C)),
    "warp": nn.WARPLoss(),
}
every_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@pytest.fixture(autouse=True)
def _narrow_tiles(monkeypatch):
    monkeypatch.setattr(fused, "_NARROWEST", 1)
    monkeypatch.setattr(stepping, "_NARROWEST", 1)


class Layer:
    """A layer and its optimiser, the same ones each time."""

    def __init__(self, make, dtype="float64", bias=True):
        draw = np.random.default_rng(1)
        self.weight = lucid.tensor(draw.standard_normal((C, D)), dtype, requires_grad=True)
        self.bias = None
        if bias:
            self.bias = lucid.tensor(draw.standard_normal(C), dtype, requires_grad=True)
        self.parameters = [p for p in (self.weight, self.bias) if p is not None]
        self.optimizer = make(self.parameters)

    def apart(self, features, labels, reduction="mean", width=WIDTH, **options):
        """Take a step in the three lines, and return the loss."""
        loss = F.linear_multilabel_margin_loss(
            features, self.weight, self.bias, labels, reduction, chunk=width * N, **options
        )
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def step(self, features, labels, reduction="mean", width=WIDTH, **options):
        loss = F.linear_multilabel_margin_step(
            self.optimizer,
            features,
            self.weight,
            self.bias,
            labels,
            reduction,
            chunk=width * max(N, D),
            **options,
        )
        return loss.item()

    def arrays(self):
        """Return parameters and state."""
        found = {"weight": self.weight, "bias": self.bias}
        arrays = {name: p.detach().numpy() for name, p in found.items() if p is not None}
        for name, p in found.items():
            for key, value in self.optimizer.state.get(p, {}).items():
                arrays[f"{key} of {name}"] = value
        return arrays


def check_the_same(one, other):
    expected, found = one.arrays(), other.arrays()
    assert found.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values, err_msg=name)
        assert np.asarray(found[name]).dtype == np.asarray(values).dtype


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@every_optimizer
def test_steps_have_the_bits_of_loss_backward_and_step(make, bias, dtype):
    one, other = Layer(make, dtype, bias), Layer(make, dtype, bias)
    features = FEATURES.astype(dtype)
    with one_thread_each():
        for _ in range(3):
            assert other.step(features, LABELS) == one.apart(features, LABELS)
            check_the_same(one, other)


@pytest.mark.parametrize("labels", [LABELS, UNKNOWN], ids=["known", "unknown"])
@every_loss
def test_every_loss_of_the_family_can_be_stepped_by(loss, labels):
    one, other = Layer(OPTIMIZERS["momentum"]), Layer(OPTIMIZERS["momentum"])
    with one_thread_each():
        for _ in range(3):
            assert other.step(FEATURES, labels, loss=loss) == one.apart(FEATURES, labels, loss=loss)
            check_the_same(one, other)


@every_optimizer
def test_sparse_features_are_stepped_by_as_dense_ones(make):
    one, other = Layer(make), Layer(make)
    for _ in range(3):
        expected = one.apart(sparse.csr_array(FEATURES), LABELS)
        assert other.step(sparse.csr_array(FEATURES), LABELS) == pytest.approx(expected, rel=1e-12)
    for name, values in one.arrays().items():
        np.testing.assert_allclose(other.arrays()[name], values, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
@pytest.mark.parametrize("weight", [None, np.linspace(0, 3, N)], ids=["no weights", "weights"])
def test_reductions_and_weights_of_rows_count_as_in_the_loss(reduction, weight):
    one, other = Layer(OPTIMIZERS["momentum"]), Layer(OPTIMIZERS["momentum"])
    with one_thread_each():
        for layer, take in ((one, one.apart), (other, other.step)):
            layer.loss = take(FEATURES, LABELS, reduction, sample_weight=weight)
    assert other.loss == one.loss
    check_the_same(one, other)


@pytest.mark.parametrize("width", [1, 3, C, 10 * C])
def test_how_wide_the_tiles_are_makes_no_difference_but_rounding(width):
    one, other = Layer(OPTIMIZERS["adam"]), Layer(OPTIMIZERS["adam"])
    for _ in range(3):
        expected = one.apart(FEATURES, LABELS, width=C)
        assert other.step(FEATURES, LABELS, width=width) == pytest.approx(expected, rel=1e-12)
    for name, values in one.arrays().items():
        np.testing.assert_allclose(other.arrays()[name], values, rtol=1e-9, atol=1e-12)


@every_optimizer
@pytest.mark.parametrize("features", [FEATURES, sparse.csr_array(FEATURES)], ids=["dense", "csr"])
def test_every_number_of_threads_gives_the_same_bits(make, features):
    layers = []
    for threads in 1, 2, 5:
        lucid.set_num_threads(threads)
        layers.append(Layer(make))
        layers[-1].losses = [layers[-1].step(features, LABELS) for _ in range(3)]
    for layer in layers[1:]:
        assert layer.losses == layers[0].losses
        check_the_same(layers[0], layer)


def test_without_threadpoolctl_the_result_is_the_same_to_rounding(monkeypatch):
    one, other = Layer(OPTIMIZERS["adam"]), Layer(OPTIMIZERS["adam"])
    expected = one.step(FEATURES, LABELS)
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    blas._controller.cache_clear()
    assert other.step(FEATURES, LABELS) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(other.weight.detach(), one.weight.detach(), rtol=1e-12)


@pytest.mark.parametrize(
    "labels",
    [
        Labels.from_lists([[]] * N, C),
        Labels.from_lists([list(range(C))] * N, C),
        Labels.from_lists([[3] * 50] * N, C),
        Labels.from_lists([range(C - 1)] * N, C),
    ],
    ids=["no labels", "all labels", "one label often", "one negative"],
)
def test_labels_at_the_borders(labels):
    one, other = Layer(OPTIMIZERS["momentum"]), Layer(OPTIMIZERS["momentum"])
    with one_thread_each():
        assert other.step(FEATURES, labels) == one.apart(FEATURES, labels)
    check_the_same(one, other)


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_batch_of_no_rows_is_a_step_without_gradient(reduction):
    one, other = Layer(OPTIMIZERS["adamw"]), Layer(OPTIMIZERS["adamw"])
    for layer, take in ((one, one.apart), (other, other.step)):
        layer.loss = take(np.zeros((0, D)), LABELS[:0], reduction)
    np.testing.assert_equal(other.loss, one.loss)
    check_the_same(one, other)


@pytest.mark.parametrize("rows", [N, 0])
def test_a_layer_without_features_is_its_bias(rows):
    weight = lucid.zeros(C, 0, dtype="float64", requires_grad=True)
    bias = lucid.zeros(C, dtype="float64", requires_grad=True)
    optimizer = optim.SGD([weight, bias], lr=1.0)
    expected = F.multilabel_margin_loss(np.zeros((rows, C)), LABELS[:rows], "sum").item()
    loss = F.linear_multilabel_margin_step(
        optimizer, np.zeros((rows, 0)), weight, bias, LABELS[:rows], "sum"
    )
    assert loss.item() == pytest.approx(expected, rel=1e-12)
    assert bias.detach().numpy().any() == (rows > 0)


@every_loss
def test_a_nan_logit_of_a_negative_breaks_the_same_numbers(loss):
    one, other = Layer(OPTIMIZERS["sgd"]), Layer(OPTIMIZERS["sgd"])
    for layer, take in ((one, one.apart), (other, other.step)):
        layer.weight.detach()[30] = np.nan
        layer.loss = take(FEATURES, LABELS, loss=loss)
        assert np.isnan(layer.loss)
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(np.isnan(other.arrays()[name]), np.isnan(values))


def test_one_row_without_a_batch_axis():
    one, other = Layer(OPTIMIZERS["sgd"]), Layer(OPTIMIZERS["sgd"])
    expected = one.apart(FEATURES[0], [1, 2, -1])
    assert other.step(FEATURES[0], [1, 2, -1]) == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(other.weight.detach(), one.weight.detach(), rtol=1e-12)


@pytest.mark.parametrize("wrong", [np.nan, np.inf, -np.inf])
@every_optimizer
def test_what_is_not_finite_breaks_the_same_numbers(make, wrong):
    features = FEATURES.copy()
    features[0, 1] = wrong
    one, other = Layer(make), Layer(make)
    with one_thread_each():
        for layer, take in ((one, one.apart), (other, other.step)):
            layer.loss = take(features, LABELS)
    np.testing.assert_equal(other.loss, one.loss)
    for name, values in one.arrays().items():
        np.testing.assert_array_equal(np.isnan(other.arrays()[name]), np.isnan(values))


# Beside other parameters.


def model():
    lucid.manual_seed(0)
    hidden, last = nn.Linear(D, 4), nn.Linear(4, C)
    optimizer = optim.Adam([*hidden.parameters(), *last.parameters()], lr=0.05)
    return hidden, last, optimizer


def test_the_layers_below_are_trained_by_the_backward_pass():
    features = lucid.tensor(FEATURES, "float32")
    found = []
    with one_thread_each():
        for stepped in False, True:
            hidden, last, optimizer = model()
            losses = []
            for _ in range(4):
                z = hidden(features).relu()
                if stepped:
                    loss = F.linear_multilabel_margin_step(
                        optimizer, z, last.weight, last.bias, LABELS, chunk=WIDTH * N
                    )
                else:
                    loss = F.linear_multilabel_margin_loss(
                        z, last.weight, last.bias, LABELS, chunk=WIDTH * N
                    )
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                losses.append(loss.item())
            layers = *hidden.parameters(), *last.parameters()
            found.append((losses, [p.detach().numpy() for p in layers]))
    assert found[0][0] == found[1][0]
    for a, b in zip(found[0][1], found[1][1], strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_gradient_of_the_features_is_that_of_the_weight_before_the_step():
    layer, x = Layer(OPTIMIZERS["sgd"]), lucid.tensor(FEATURES, requires_grad=True)
    F.linear_multilabel_margin_loss(x, layer.weight, layer.bias, LABELS).backward()
    expected = x.grad.numpy()
    x.grad = None
    loss = F.linear_multilabel_margin_step(
        layer.optimizer, x, layer.weight, layer.bias, LABELS, chunk=50
    )
    loss.backward()
    np.testing.assert_allclose(x.grad, expected, rtol=1e-12, atol=1e-15)


def test_there_is_no_second_derivative():
    layer, x = Layer(OPTIMIZERS["sgd"]), lucid.tensor(FEATURES, requires_grad=True)
    loss = F.linear_multilabel_margin_step(layer.optimizer, x, layer.weight, layer.bias, LABELS)
    with pytest.raises(RuntimeError, match="a step has no second derivative"):
        lucid.grad(loss, [x], create_graph=True)


def test_gradients_that_are_there_are_left_alone():
    layer = Layer(OPTIMIZERS["sgd"])
    layer.weight.grad = lucid.ones(C, D, dtype="float64")
    layer.step(FEATURES, LABELS)
    np.testing.assert_array_equal(layer.weight.grad, np.ones((C, D)))
    assert layer.bias.grad is None


def test_a_frozen_bias_stays_as_it_is():
    layer = Layer(lambda p: optim.SGD(p[:1], lr=0.5))
    layer.bias.requires_grad = False
    before = layer.bias.detach().numpy().copy()
    layer.step(FEATURES, LABELS)
    np.testing.assert_array_equal(layer.bias.detach(), before)


def test_a_graph_that_needs_the_weight_as_it_was_says_that_it_has_changed():
    layer = Layer(OPTIMIZERS["sgd"])
    earlier = (layer.weight**2).sum()
    layer.step(FEATURES, LABELS)
    with pytest.raises(RuntimeError, match=r"changed|modified|written"):
        earlier.backward()


def test_a_step_uses_the_options_of_the_parameters_group():
    one, other = (
        Layer(lambda p: optim.SGD([{"params": p[0], "lr": 0.1}, {"params": p[1]}], lr=0.5))
        for _ in range(2)
    )
    with one_thread_each():
        one.apart(FEATURES, LABELS)
        other.step(FEATURES, LABELS)
        for layer, take in ((one, one.apart), (other, other.step)):
            layer.optimizer.param_groups[0]["lr"] = 0.01
            take(FEATURES, LABELS)
    check_the_same(one, other)


def test_saved_state_goes_on_with_the_same_bits():
    one, other = Layer(OPTIMIZERS["adam"]), Layer(OPTIMIZERS["adam"])
    with one_thread_each():
        one.step(FEATURES, LABELS)
        other.step(FEATURES, LABELS)
        saved = other.optimizer.state_dict()
        other.optimizer = OPTIMIZERS["adam"](other.parameters)
        other.optimizer.load_state_dict(saved)
        assert other.step(FEATURES, LABELS) == one.apart(FEATURES, LABELS)
    check_the_same(one, other)


# Memory.


@pytest.mark.parametrize(("name", "copies"), [("sgd", 0), ("momentum", 1), ("adam", 2)])
@pytest.mark.parametrize("dense", [True, False], ids=["dense", "csr"])
def test_nothing_as_large_as_the_weight_is_made_but_the_state(name, copies, dense, monkeypatch):
    monkeypatch.undo()  # tiles as wide as they are
    lucid.set_num_threads(2)  # each thread holds tiles
    classes, features = 100_000, 32
    weight = lucid.zeros(classes, features, requires_grad=True)
    optimizer = OPTIMIZERS[name]([weight])
    x = np.ones((4, features), np.float32) if dense else sparse.csr_array(np.eye(4, features))
    size = weight.detach().numpy().nbytes
    tracemalloc.start()
    F.linear_multilabel_margin_step(optimizer, x, weight, None, [[0], [5], [7], [9]], chunk=1 << 16)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < (copies + 0.3 * (copies + 1)) * size


# Errors.


class LARS(optim.Optimizer):
    """An optimiser whose steps depend on the norm of the whole parameter."""

    def check(self, options):
        pass

    def update(self, x, g, state, options):
        x -= options["lr"] * g / np.linalg.norm(g)


@pytest.mark.parametrize(
    ("changed", "error", "message"),
    [
        ({"optimizer": None}, TypeError, "optimizer must be an Optimizer, got NoneType"),
        ({"reduction": "none"}, ValueError, "reduction must be 'mean' or 'sum', got 'none'"),
        ({"weight": np.zeros((C, D))}, TypeError, "weight must be a Tensor, got ndarray"),
        ({"bias": np.zeros(C)}, TypeError, "bias must be a Tensor, got ndarray"),
        ({"weight": lucid.zeros(C, D)}, ValueError, "weight must be one of the optimizer's param"),
        (
            {"bias": lucid.zeros(C, requires_grad=True)},
            ValueError,
            "bias must be one of the optimizer's parameters",
        ),
        ({"weight": lucid.zeros(C, D, dtype="float16")}, TypeError, "weight must be float32 or fl"),
        ({"target": [[C]] * N}, ValueError, "label 40 in row 0"),
        ({"features": np.zeros((N, D + 1))}, ValueError, "features"),
        ({"chunk": 0}, ValueError, "chunk must be at least 1, got 0"),
        ({"sample_weight": [-1.0] * N}, ValueError, "sample_weight must not be negative"),
        ({"loss": nn.LSEPLoss()}, TypeError, "loss must be an nn.MultilabelMarginLoss or nn.WARP"),
    ],
)
def test_what_cannot_be_stepped_is_named_and_nothing_has_changed(changed, error, message):
    layer = Layer(OPTIMIZERS["adam"])
    before = {name: np.copy(values) for name, values in layer.arrays().items()}
    arguments = {
        "optimizer": layer.optimizer,
        "features": FEATURES,
        "weight": layer.weight,
        "bias": layer.bias,
        "target": LABELS,
    }
    with pytest.raises(error, match=message):
        F.linear_multilabel_margin_step(**{**arguments, **changed})
    assert not any(layer.optimizer.state.values())
    for name, values in layer.arrays().items():
        np.testing.assert_array_equal(values, before[name])


def test_an_optimizer_that_looks_at_the_whole_parameter_is_refused():
    layer = Layer(lambda p: LARS(p, {"lr": 0.1}))
    with pytest.raises(TypeError, match="LARS does not say that it is elementwise"):
        layer.step(FEATURES, LABELS)


def test_an_elementwise_optimizer_of_ones_own_may_be_used():
    class SignSGD(LARS):
        elementwise = True

        def update(self, x, g, state, options):
            state["count"] = state.get("count", 0) + 1
            state["last"] = g.copy()
            x -= options["lr"] * np.sign(g)

    one, other = (Layer(lambda p: SignSGD(p, {"lr": 0.1})) for _ in range(2))
    with one_thread_each():
        for _ in range(2):
            assert other.step(FEATURES, LABELS) == one.apart(FEATURES, LABELS)
    check_the_same(one, other)
    assert other.optimizer.state[other.weight]["count"] == 2


@pytest.mark.parametrize("threads", [1, 3])
def test_an_error_in_a_thread_is_raised(threads):
    class Broken(LARS):
        elementwise = True

        def update(self, x, g, state, options):
            raise ZeroDivisionError("broken")

    lucid.set_num_threads(threads)
    layer = Layer(lambda p: Broken(p, {"lr": 0.1}))
    with pytest.raises(ZeroDivisionError, match="broken"):
        layer.step(FEATURES, LABELS)


def test_a_read_only_weight_is_refused():
    weight = np.zeros((C, D))
    weight.setflags(write=False)
    layer = Layer(OPTIMIZERS["sgd"])
    layer.weight._data = weight
    with pytest.raises(ValueError, match="weight must not be read-only"):
        layer.step(FEATURES, LABELS)

"""Each layer computes what PyTorch's does, with the same gradients."""

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid.testing import gradcheck, gradgradcheck

PAIRS = [
    ("Linear", (3, 4), (5, 3)),
    ("Linear", (3, 4), (2, 5, 3)),
    ("Linear", (3, 4), (3,)),
    ("Linear", (3, 4, False), (5, 3)),
    ("ReLU", (), (5, 3)),
    ("Tanh", (), (5, 3)),
    ("Sigmoid", (), (5, 3)),
    ("LayerNorm", (3,), (5, 3)),
    ("LayerNorm", ((4, 3),), (5, 4, 3)),
    ("LayerNorm", (3, 0.1, False), (5, 3)),
    ("LayerNorm", (3, 0.1, True, False), (5, 3)),
]


@pytest.mark.parametrize(("name", "arguments", "shape"), PAIRS)
def test_values_and_gradients_are_pytorchs(name, arguments, shape):
    torch = pytest.importorskip("torch")
    layer = getattr(nn, name)(*arguments).to(lucid.float64)
    peer = getattr(torch.nn, name)(*arguments).to(torch.float64)
    random = np.random.default_rng(0)
    state = {name: random.standard_normal(p.shape) for name, p in layer.named_parameters()}
    layer.load_state_dict(state)
    peer.load_state_dict({name: torch.tensor(value) for name, value in state.items()})
    data = random.standard_normal(shape)
    x, x_peer = lucid.tensor(data, requires_grad=True), torch.tensor(data, requires_grad=True)
    y, y_peer = layer(x), peer(x_peer)
    (y**3).sum().backward()
    (y_peer**3).sum().backward()
    np.testing.assert_allclose(y.detach(), y_peer.detach(), rtol=1e-12)
    np.testing.assert_allclose(x.grad, x_peer.grad, rtol=1e-10, atol=1e-10)
    for p, p_peer in zip(layer.parameters(), peer.parameters(), strict=True):
        np.testing.assert_allclose(p.grad, p_peer.grad, rtol=1e-10, atol=1e-10)


def test_embedding_is_pytorchs():
    torch = pytest.importorskip("torch")
    layer, peer = nn.Embedding(5, 3), torch.nn.Embedding(5, 3)
    peer.load_state_dict({"weight": torch.tensor(layer.weight.detach().numpy())})
    indices = [[0, 2, 2], [4, 0, 2]]
    y, y_peer = layer(indices), peer(torch.tensor(indices))
    (y * y).sum().backward()
    (y_peer * y_peer).sum().backward()
    np.testing.assert_array_equal(y.detach(), y_peer.detach())
    np.testing.assert_allclose(layer.weight.grad, peer.weight.grad, rtol=1e-6)


def test_layer_norm_of_a_shifted_input_stays_accurate():
    x = lucid.tensor([[1e4 + 1, 1e4 + 2, 1e4 + 3]])
    np.testing.assert_allclose(nn.LayerNorm(3)(x).detach(), [[-1.2247, 0, 1.2247]], atol=1e-3)


def numpy_layer_norm(x, eps=1e-5):
    """The definition in float64, along the last axis."""
    x = np.asarray(x, np.float64)
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + eps)


@pytest.mark.parametrize("scale", [1e-3, 300, 6e4])
def test_layer_norm_of_half_precision_is_exact_to_its_last_bit(scale):
    x = (np.random.default_rng(0).uniform(-1, 1, (5, 50)) * scale).astype(np.float16)
    y = nn.LayerNorm(50).to("float16")(lucid.tensor(x))
    assert y.dtype == np.float16
    np.testing.assert_array_max_ulp(y.detach().numpy(), numpy_layer_norm(x).astype(np.float16))


def test_layer_norm_of_half_precision_has_the_gradients_of_float32_rounded():
    random = np.random.default_rng(0)
    x, g = (random.uniform(-600, 600, (5, 50)).astype(np.float16) for _ in range(2))
    found = []
    for dtype in ("float16", "float32"):
        layer = nn.LayerNorm(50).to(dtype)
        layer.load_state_dict({"weight": np.linspace(-1, 1, 50), "bias": np.ones(50)})
        for p in layer.parameters():  # the same numbers in both
            p._data[...] = p._data.astype(np.float16)
        t = lucid.tensor(x, dtype, requires_grad=True)
        layer(t).backward(lucid.tensor(g, dtype))
        gradients = [t.grad, *(p.grad for p in layer.parameters())]
        assert {a.dtype for a in gradients} == {np.dtype(dtype)}
        found.append([a.numpy().astype(np.float16) for a in gradients])
    for ours, theirs in zip(*found, strict=True):
        np.testing.assert_array_max_ulp(ours, theirs)


@pytest.mark.parametrize("scale", [1e-3, 1, 1e20, 3e38])
def test_layer_norm_of_float32_is_that_of_float64_rounded(scale):
    x = (np.random.default_rng(0).uniform(-1, 1, (5, 50)) * scale).astype(np.float32)
    y = nn.LayerNorm(50)(lucid.tensor(x)).detach().numpy()
    np.testing.assert_array_max_ulp(y, numpy_layer_norm(x).astype(np.float32))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
@pytest.mark.parametrize("value", [0.1, -1000.1, 123456.7, 1e14])
def test_layer_norm_of_a_constant_row_is_zero(dtype, value):
    if dtype == "float16" and value > 65504:
        pytest.skip("too large for float16")
    y = nn.LayerNorm(100).to(dtype)(lucid.full((2, 100), value, dtype))
    assert np.abs(y.detach().numpy()).max() < 1e-6


def test_layer_norm_tells_neighbouring_numbers_apart():
    low = np.float32(123456.7)
    x = np.where(np.arange(100) < 30, low, np.nextafter(low, np.float32(np.inf)))
    y = nn.LayerNorm(100, eps=1e-12)(lucid.tensor(x)).detach().numpy()
    np.testing.assert_allclose(y, numpy_layer_norm(x, 1e-12), rtol=1e-6)


def test_layer_norm_of_integers_is_float64():
    y = nn.LayerNorm(3, elementwise_affine=False)(lucid.tensor([1, 2, 3]))
    assert y.dtype == np.float64
    np.testing.assert_allclose(y, numpy_layer_norm([1, 2, 3]))


@pytest.mark.parametrize("check", [gradcheck, gradgradcheck])
@pytest.mark.parametrize(
    ("lengths", "shape"), [(3, (2, 3)), (3, (3,)), ((3, 2), (2, 3, 2)), ((2, 1, 2), (2, 1, 2))]
)
def test_first_and_second_derivatives_of_layer_norm(check, lengths, shape):
    layer = nn.LayerNorm(lengths)
    x, weight, bias = (
        lucid.randn(*sizes, dtype=lucid.float64, requires_grad=True)
        for sizes in (shape, layer.normalized_shape, layer.normalized_shape)
    )

    def cubed(x, weight, bias):
        layer.weight, layer.bias = weight, bias
        return layer(x) ** 3

    assert check(cubed, [x, weight, bias])


def test_the_third_derivative_of_layer_norm():
    layer = nn.LayerNorm(3, elementwise_affine=False)

    def second(x):
        (g,) = lucid.grad((layer(x) ** 3).sum(), x, create_graph=True)
        return lucid.grad((g**2).sum(), x, create_graph=True)[0]

    assert gradcheck(second, lucid.randn(2, 3, dtype=lucid.float64, requires_grad=True))


def test_a_model_of_layers_passes_gradcheck():
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Tanh(), nn.Linear(4, 2))
    model.to(lucid.float64)
    x = lucid.randn(2, 3, dtype=lucid.float64, requires_grad=True)
    assert gradcheck(model, x)


# Initial values


def test_linear_starts_uniform_within_its_bound():
    lucid.manual_seed(0)
    layer = nn.Linear(100, 200)
    for p in (layer.weight, layer.bias):
        values = p.detach().numpy() * 10  # the bound is 1 / sqrt(100)
        assert 0.95 < np.abs(values).max() <= 1
        assert abs(values.mean()) < 0.15


def test_embedding_starts_normal():
    lucid.manual_seed(0)
    values = nn.Embedding(100, 100).weight.detach().numpy()
    assert abs(values.mean()) < 0.05
    assert abs(values.std() - 1) < 0.05


def test_the_same_seed_gives_the_same_layer():
    lucid.manual_seed(1)
    first = nn.Linear(3, 2).weight.tolist()
    lucid.manual_seed(1)
    assert nn.Linear(3, 2).weight.tolist() == first


def test_a_layer_without_inputs_can_be_made():
    assert nn.Linear(0, 2)(lucid.zeros(3, 0)).shape == (3, 2)


# Dropout


def test_dropout_drops_with_its_probability_and_keeps_the_mean():
    lucid.manual_seed(0)
    y = nn.Dropout(0.25)(lucid.ones(10_000)).numpy()
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}
    assert abs((y == 0).mean() - 0.25) < 0.02


def test_dropout_passes_the_gradient_where_it_kept_the_element():
    x = lucid.ones(100, requires_grad=True)
    y = nn.Dropout(0.5)(x)
    y.sum().backward()
    assert x.grad.tolist() == y.tolist()


def test_dropout_does_nothing_in_evaluation():
    x = lucid.ones(3)
    assert nn.Dropout(0.5).eval()(x) is x


@pytest.mark.parametrize(("p", "expected"), [(0, [1, 1, 1]), (1, [0, 0, 0])])
def test_dropout_of_nothing_and_of_everything(p, expected):
    assert nn.Dropout(p)(lucid.ones(3)).tolist() == expected


def test_the_same_seed_drops_the_same():
    layer = nn.Dropout(0.5)
    lucid.manual_seed(2)
    first = layer(lucid.ones(100)).tolist()
    lucid.manual_seed(2)
    assert layer(lucid.ones(100)).tolist() == first


@pytest.mark.parametrize("training", [True, False])
def test_dropout_of_integers_is_of_floats(training):
    y = nn.Dropout(0.3).train(training)(lucid.full((100_000,), 10))
    assert y.dtype == np.float64
    assert abs(y.numpy().mean() - 10) < 0.1


def test_dropout_of_half_precision_rounds_once():
    x = np.random.default_rng(0).standard_normal(1000).astype(np.float16)
    y = nn.Dropout(0.3)(lucid.tensor(x)).numpy()
    assert y.dtype == np.float16
    expected = (x.astype(np.float32) * np.float32(1 / 0.7)).astype(np.float16)
    assert (y == np.where(y == 0, 0, expected)).all()


@pytest.mark.parametrize("p", ["0.5", None, True])
def test_dropout_refuses_what_is_no_number(p):
    with pytest.raises(TypeError, match="p must be a number, got "):
        nn.Dropout(p)


@pytest.mark.parametrize("p", [-0.1, 1.1, float("nan")])
def test_dropout_refuses_what_is_no_probability(p):
    with pytest.raises(ValueError, match="p: expected a probability from 0 to 1"):
        nn.Dropout(p)


# Sequential


def test_sequential_applies_one_module_after_the_other():
    model = nn.Sequential(nn.ReLU(), nn.Sigmoid())
    assert model(lucid.tensor([-5.0])).tolist() == [0.5]


def test_sequential_applies_a_module_that_comes_twice_twice():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": [[2.0]], "bias": [1.0]})
    model = nn.Sequential(layer, layer)
    assert model(lucid.tensor([1.0])).tolist() == [7]
    assert len(list(model.parameters())) == 2


def test_sequential_has_length_items_and_slices():
    first, second, third = nn.ReLU(), nn.Tanh(), nn.Sigmoid()
    model = nn.Sequential(first, second, third)
    assert len(model) == 3
    assert model[1] is second
    assert list(model[1:]) == [second, third]
    assert isinstance(model[:1], nn.Sequential)


def test_an_empty_sequential_is_the_identity():
    x = lucid.ones(2)
    assert nn.Sequential()(x) is x


def test_sequential_refuses_functions():
    with pytest.raises(TypeError, match="expected Modules, got function at 0"):
        nn.Sequential(lucid.relu)


# Errors


def test_linear_shows_both_shapes():
    with pytest.raises(ValueError, match=r"got \(2, 4\) and \(5, 3\)"):
        nn.Linear(3, 5)(lucid.ones(2, 4))


@pytest.mark.parametrize("shape", [(2, 4), (3,), ()])
def test_layer_norm_refuses_another_shape(shape):
    with pytest.raises(ValueError, match=r"x: expected shape \(..., 2, 3\), got"):
        nn.LayerNorm((2, 3))(lucid.ones(shape))


@pytest.mark.parametrize("index", [-1, 5, 2**40])
def test_embedding_refuses_an_index_out_of_range(index):
    with pytest.raises(ValueError, match="indices: expected values from 0 to 4, got values from"):
        nn.Embedding(5, 2)([0, index])


def test_embedding_refuses_floats():
    with pytest.raises(TypeError, match="indices: expected integers, got float32"):
        nn.Embedding(5, 2)([0.0])


@pytest.mark.parametrize("bias", [[1.0], 1.0, [[1.0, 2.0]]])
def test_linear_refuses_a_bias_of_another_shape(bias):
    with pytest.raises(ValueError, match=r"expected bias of shape \(C,\), C = 2"):
        lucid.linear(lucid.ones(3, 4), lucid.ones(2, 4), bias)


#: How layers are made of one length, by the name of its argument.
LENGTHS = {
    "in_features": lambda n: nn.Linear(n, 2),
    "out_features": lambda n: nn.Linear(2, n),
    "num_embeddings": lambda n: nn.Embedding(n, 2),
    "embedding_dim": lambda n: nn.Embedding(2, n),
    "normalized_shape": lambda n: nn.LayerNorm(n),
    "normalized_shape ": lambda n: nn.LayerNorm((2, n)),
}
each_length = pytest.mark.parametrize("name", LENGTHS)


@each_length
def test_a_length_may_be_an_integer_of_numpy(name):
    assert repr(LENGTHS[name](np.int64(3))) == repr(LENGTHS[name](3))


@each_length
@pytest.mark.parametrize("value", [2.0, True, "2", None])
def test_a_length_that_is_no_integer_is_refused(name, value):
    with pytest.raises(TypeError, match=f"{name.strip()} must be an integer, got {value!r}"):
        LENGTHS[name](value)


@each_length
def test_a_negative_length_is_refused(name):
    with pytest.raises(ValueError, match=f"{name.strip()} must not be negative, got -1"):
        LENGTHS[name](-1)


@pytest.mark.parametrize("shape", [[3, 2], np.array([3, 2])])
def test_layer_norm_takes_lengths_in_any_sequence(shape):
    assert nn.LayerNorm(shape).normalized_shape == (3, 2)


def test_layer_norm_refuses_no_lengths():
    with pytest.raises(ValueError, match="normalized_shape: expected at least one length"):
        nn.LayerNorm(())


@pytest.mark.parametrize("eps", [-1e-5, float("nan"), float("inf")])
def test_layer_norm_refuses_an_eps_out_of_range(eps):
    with pytest.raises(ValueError, match="eps: expected a number >= 0, got"):
        nn.LayerNorm(3, eps=eps)


@pytest.mark.parametrize("eps", ["a", None, True])
def test_layer_norm_refuses_an_eps_that_is_no_number(eps):
    with pytest.raises(TypeError, match="eps must be a number, got"):
        nn.LayerNorm(3, eps=eps)


def test_layer_norm_refuses_complex_numbers():
    with pytest.raises(TypeError, match="x: expected real numbers, got complex64"):
        nn.LayerNorm(1)(np.ones(1, np.complex64))


# No width


def gradients_after(layer, x):
    """Differentiate once and twice; return the shapes of the output and the gradients."""
    y = layer(x)
    inputs = [*layer.parameters(), *([x] if isinstance(x, lucid.Tensor) else [])]
    gradients = lucid.grad((y * y).sum(), inputs, create_graph=True)
    sum((g * g).sum() for g in gradients).backward()
    assert all(g.shape == p.grad.shape == p.shape for g, p in zip(gradients, inputs, strict=True))
    return y.shape


@pytest.mark.parametrize(("k", "c"), [(0, 3), (3, 0), (0, 0), (3, 2)])
@pytest.mark.parametrize("lead", [(2,), (0,), (), (2, 4), (2, 0)])
def test_linear_of_no_width_or_no_rows_goes_forward_and_back(k, c, lead):
    x = lucid.zeros(*lead, k, requires_grad=True)
    assert gradients_after(nn.Linear(k, c), x) == (*lead, c)


@pytest.mark.parametrize(
    ("lengths", "shape"), [(0, (2, 0)), (3, (0, 3)), ((3, 0), (2, 3, 0)), ((0, 3), (2, 0, 3))]
)
def test_layer_norm_of_no_width_or_no_rows_goes_forward_and_back(lengths, shape):
    assert gradients_after(nn.LayerNorm(lengths), lucid.zeros(shape, requires_grad=True)) == shape


@pytest.mark.parametrize(
    ("sizes", "indices"), [((4, 0), (2, 3)), ((4, 2), (0,)), ((0, 2), (2, 0)), ((4, 2), (2, 3))]
)
def test_embedding_of_no_width_or_no_rows_goes_forward_and_back(sizes, indices):
    rows = np.zeros(indices, int)
    assert gradients_after(nn.Embedding(*sizes), rows) == (*indices, sizes[1])


@pytest.mark.parametrize("hidden", [0, 4])
@pytest.mark.parametrize("rows", [0, 3])
def test_a_model_of_no_width_or_no_rows_takes_steps(hidden, rows):
    model = nn.Sequential(
        nn.Linear(5, hidden), nn.LayerNorm(hidden), nn.Dropout(), nn.Tanh(), nn.Linear(hidden, 2)
    )
    model(lucid.ones(rows, 5)).sum().backward()
    optim.Adam(model.parameters()).step()
    assert all(np.isfinite(p.detach().numpy()).all() for p in model.parameters())

"""Each layer computes what PyTorch's does, with the same gradients."""

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.testing import gradcheck

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


@pytest.mark.parametrize("sizes", [(-1, 2), (2, -1)])
def test_linear_refuses_negative_sizes(sizes):
    with pytest.raises(ValueError, match="in_features and out_features must not be negative"):
        lucid.nn.Linear(*sizes)

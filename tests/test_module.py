"""Modules: how their parts are found, printed, saved, copied."""

import copy
import pickle

import numpy as np
import pytest

import lucid
from lucid import nn


class Model(nn.Module):
    def __init__(self):
        self.first = nn.Linear(2, 3)
        self.act = nn.ReLU()
        self.scale = nn.Parameter(lucid.ones(3))
        self.rest = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Sequential(nn.Tanh()))

    def forward(self, x):
        return self.rest(self.act(self.first(x)) * self.scale)


NAMES = ["scale", "first.weight", "first.bias", "rest.0.weight"]


def test_parameters_are_found_by_name_own_ones_first():
    assert [name for name, _ in Model().named_parameters()] == NAMES


def test_modules_are_found_at_every_depth():
    names = [name for name, _ in Model().named_modules()]
    assert names == ["", "first", "act", "rest", "rest.0", "rest.1", "rest.1.0"]


def test_children_are_the_direct_parts():
    model = Model()
    assert list(model.children()) == [model.first, model.act, model.rest]


def test_parts_in_lists_and_dicts_are_found():
    class Lists(nn.Module):
        def __init__(self):
            self.layers = [nn.Linear(1, 1, bias=False), (nn.Linear(1, 1, bias=False),)]
            self.heads = {"a": nn.Parameter(lucid.ones(1))}

    names = [name for name, _ in Lists().named_parameters()]
    assert names == ["heads.a", "layers.0.weight", "layers.1.0.weight"]


def test_shared_parts_count_once():
    model = Model()
    model.again = model.first
    model.tied = model.rest[0].weight
    assert len(list(model.parameters())) == len(NAMES)
    assert len(list(model.modules())) == len(list(Model().modules()))


class Holder(nn.Module):
    def __init__(self, parts):
        self.heads = parts


def colliding(first, second):
    """Return parts of which two have one name."""
    return [{1: first, "1": second}, {"a.b": first, "a": {"b": second}}]


@pytest.mark.parametrize("parts", range(2))
@pytest.mark.parametrize("make", [lambda: nn.Parameter(lucid.ones(1)), lambda: nn.Linear(1, 1)])
def test_two_parameters_of_one_name_are_refused(parts, make):
    model = Holder(colliding(make(), make())[parts])
    for ask in (model.state_dict, lambda: list(model.parameters()), lambda: model.to("float64")):
        with pytest.raises(ValueError, match=r"two parameters of this Holder have the name 'heads"):
            ask()


def test_a_parameter_that_comes_twice_under_one_name_counts_once():
    p = nn.Parameter(lucid.ones(1))
    assert list(Holder({1: p, "1": p}).state_dict()) == ["heads.1"]


def test_a_name_may_hold_a_dot():
    model = Holder({"a.b": nn.Parameter(lucid.ones(1)), "a": {"c": nn.Parameter(lucid.ones(1))}})
    state = {"heads.a.b": [2.0], "heads.a.c": [3.0]}
    model.load_state_dict(state)
    assert {name: value.tolist() for name, value in model.state_dict().items()} == state


def test_a_part_that_knows_its_owner_is_no_endless_walk():
    model = Model()
    model.act.owner = model
    assert len(list(model.parameters())) == len(NAMES)


def test_plain_tensors_are_no_parameters():
    model = Model()
    model.constant = lucid.ones(1)
    assert "constant" not in model.state_dict()


def test_a_replaced_attribute_is_seen():
    model = Model()
    model.first = nn.Linear(2, 3, bias=False)
    assert "first.bias" not in model.state_dict()


def test_call_is_forward():
    class Sum(nn.Module):
        def forward(self, x, *, y):
            return x + y

    assert Sum()(1, y=2) == 3


def test_a_module_without_forward_says_so():
    class Empty(nn.Module):
        pass

    with pytest.raises(NotImplementedError, match="Empty does not define forward"):
        Empty()(1)


# repr


def test_repr_is_pytorchs():
    torch = pytest.importorskip("torch")

    def build(nn):
        class Model(nn.Module):
            def __init__(self):
                super().__init__()
                self.first = nn.Linear(2, 3)
                self.rest = nn.Sequential(
                    nn.Sequential(nn.ReLU(), nn.Tanh(), nn.Sigmoid()), nn.Sequential()
                )
                self.table = nn.Embedding(5, 2)

            def extra_repr(self):
                return "one=1\ntwo=2"

        return Model()

    assert repr(build(nn)) == repr(build(torch.nn))


def test_repr_of_a_module_without_parts_is_one_line():
    assert repr(nn.Linear(2, 3)) == "Linear(in_features=2, out_features=3, bias=True)"
    assert repr(nn.ReLU()) == "ReLU()"
    assert repr(nn.Dropout(0.2)) == "Dropout(p=0.2)"


# State


def test_a_loaded_state_gives_the_same_outputs():
    first, second = Model(), Model()
    x = lucid.randn(4, 2)
    second.load_state_dict(first.state_dict())
    assert first(x).tolist() == second(x).tolist()


def test_a_state_shares_memory_and_has_no_gradient():
    model = Model()
    state = model.state_dict()
    assert not state["scale"].requires_grad
    with lucid.no_grad():
        model.scale[...] = 7.0
    assert state["scale"].tolist() == [7, 7, 7]


def test_loading_writes_in_place_and_takes_arrays_of_other_dtypes():
    layer = nn.Linear(2, 1)
    weight = layer.weight
    layer.load_state_dict({"weight": np.array([[1.0, 2.0]]), "bias": [3]})
    assert layer.weight is weight
    assert (weight.tolist(), weight.dtype, layer.bias.tolist()) == ([[1, 2]], np.float32, [3])


def test_a_state_that_does_not_fit_is_refused_as_a_whole():
    layer = nn.Linear(2, 1)
    before = layer.weight.tolist(), layer.bias.tolist()
    with pytest.raises(RuntimeError) as failure:
        layer.load_state_dict({"weight": np.zeros((3, 3)), "extra": np.zeros(1)})
    assert str(failure.value).splitlines() == [
        "state_dict does not fit Linear:",
        "  missing: bias",
        "  unexpected: extra",
        "  weight: expected shape (1, 2), got (3, 3)",
    ]
    with pytest.raises(RuntimeError):
        layer.load_state_dict({"bias": np.zeros(1), "weight": np.zeros(1)})
    assert (layer.weight.tolist(), layer.bias.tolist()) == before


def test_without_strict_other_names_are_reported_and_the_rest_is_loaded():
    layer = nn.Linear(1, 1)
    report = layer.load_state_dict({"weight": [[5.0]], "extra": [1.0]}, strict=False)
    assert report == (["bias"], ["extra"])
    assert layer.weight.tolist() == [[5]]


def test_without_strict_a_wrong_shape_is_refused_too():
    with pytest.raises(RuntimeError, match="weight: expected shape"):
        nn.Linear(1, 1).load_state_dict({"weight": [5.0]}, strict=False)


@pytest.mark.parametrize("value", [[[1.0], [1.0, 2.0]], ["text"], [None]])
def test_a_loaded_value_that_is_no_array_of_numbers_is_named(value):
    with pytest.raises(TypeError, match=r"^bias: expected numbers: "):
        nn.Linear(1, 1).load_state_dict({"weight": [[5.0]], "bias": value})


def test_a_loaded_number_that_overflows_is_named_and_nothing_is_loaded():
    layer = nn.Linear(1, 1)
    before = layer.weight.tolist()
    with pytest.raises(RuntimeError, match="  bias: a number is too large for float32"):
        layer.load_state_dict({"weight": [[5.0]], "bias": np.array([1e39])})
    assert layer.weight.tolist() == before


def test_infinities_can_be_loaded():
    layer = nn.Linear(1, 1)
    layer.load_state_dict({"weight": [[5.0]], "bias": np.array([-np.inf])})
    assert layer.bias.tolist() == [-np.inf]


def test_train_and_eval_reach_every_part():
    model = Model()
    assert model.training
    assert model.eval() is model
    assert not any(module.training for module in model.modules())
    model.train()
    assert all(module.training for module in model.modules())


def test_zero_grad_drops_the_gradients():
    model = Model()
    model(lucid.ones(1, 2)).sum().backward()
    model.zero_grad()
    assert all(p.grad is None for p in model.parameters())


def test_to_converts_parameters_and_gradients():
    model = Model()
    model(lucid.ones(1, 2)).sum().backward()
    assert model.to(lucid.float64) is model
    for p in model.parameters():
        assert p.dtype == p.grad.dtype == np.float64


@pytest.mark.parametrize("dtype", ["int64", "complex64", np.longdouble])
def test_to_refuses_what_the_losses_refuse(dtype):
    if np.dtype(dtype) == np.float64:
        pytest.skip("a long double is a float64 here")
    message = f"dtype: expected float16, float32 or float64, got {np.dtype(dtype)}"
    with pytest.raises(TypeError, match=message):
        Model().to(dtype)


def pickled(x):
    return pickle.loads(pickle.dumps(x))


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_computes_the_same_and_learns_on_its_own(duplicate):
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh())
    twin = duplicate(model)
    x = lucid.randn(4, 2)
    assert model(x).tolist() == twin(x).tolist()
    with lucid.no_grad():
        twin[0].weight[...] = 0.0
    assert model(x).tolist() != twin(x).tolist()
    assert all(isinstance(p, nn.Parameter) for p in twin.parameters())


@pytest.mark.parametrize("duplicate", [copy.deepcopy, pickled])
def test_a_copy_keeps_shared_parameters_shared(duplicate):
    layers = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    layers[1].weight = layers[0].weight
    twin = duplicate(layers)
    assert twin[0].weight is twin[1].weight


# Parameter


def test_a_parameter_requires_a_gradient_and_shows_what_it_is():
    p = nn.Parameter([1.0])
    assert p.requires_grad
    assert repr(p) == "Parameter containing:\ntensor([1.], requires_grad=True)"


def test_a_parameter_shares_its_tensors_memory():
    x = lucid.zeros(2)
    p = nn.Parameter(x)
    x[0] = 1.0
    assert p.tolist() == [1, 0]


def read_only(*values):
    array = np.array(values)
    array.flags.writeable = False
    return array


def test_a_parameter_of_a_read_only_array_can_be_trained():
    array = read_only(1.0)
    p = nn.Parameter(array)
    p.grad = lucid.tensor([1.0], dtype=p.dtype)
    lucid.optim.SGD([p], lr=0.5).step()
    assert (p.tolist(), array.tolist()) == ([0.5], [1])


def test_a_frozen_parameter_shares_a_read_only_array():
    array = read_only(1.0)
    assert np.shares_memory(nn.Parameter(array, requires_grad=False).numpy(), array)


def test_a_frozen_parameter_is_still_part_of_the_state():
    class Frozen(nn.Module):
        def __init__(self):
            self.table = nn.Parameter(lucid.arange(3), requires_grad=False)

    assert Frozen().state_dict()["table"].tolist() == [0, 1, 2]


def test_a_parameter_of_integers_cannot_be_trained():
    with pytest.raises(TypeError, match="floating-point"):
        nn.Parameter([1, 2])


def test_arithmetic_with_a_parameter_gives_a_plain_tensor():
    assert type(nn.Parameter([1.0]) * 2) is lucid.Tensor


@pytest.mark.parametrize("state", [[1.0], None, {0: [1.0]}, {"weight": [[1j]], "bias": [0.0]}])
def test_a_state_of_another_kind_is_refused(state):
    with pytest.raises(TypeError, match="expected"):
        lucid.nn.Linear(1, 1).load_state_dict(state)

"""Optimisers take PyTorch's steps, keep their state, and refuse bad options."""

import copy

import numpy as np
import pytest

import lucid
from lucid import optim


def parameter(*values):
    return lucid.tensor(np.array(values), requires_grad=True)


OPTIONS = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.1, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "dampening": 0.4}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.3}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.3}),
    ("Adam", {}),
    ("Adam", {"lr": 0.1, "betas": (0.5, 0.7), "eps": 0.01}),
    ("Adam", {"lr": 0.1, "weight_decay": 0.3}),
    ("Adam", {"lr": 0.1, "betas": (0.0, 0.0)}),
    ("AdamW", {"lr": 0.1}),
    ("AdamW", {"lr": 0.1, "weight_decay": 0.3}),
]


@pytest.mark.parametrize(("name", "options"), OPTIONS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_twenty_steps_are_pytorchs(name, options, dtype):
    torch = pytest.importorskip("torch")
    random = np.random.default_rng(0)
    starts = [random.standard_normal((3, 4)), random.standard_normal(5), np.array(0.5)]
    ours = [lucid.tensor(x, dtype, requires_grad=True) for x in starts]
    theirs = [torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True) for x in starts]
    optimizer = getattr(optim, name)(ours, **options)
    peer = getattr(torch.optim, name)(theirs, **options)
    for _ in range(20):
        for x, y in zip(ours, theirs, strict=True):
            gradient = np.asarray(random.standard_normal(x.shape), dtype)
            x.grad, y.grad = lucid.tensor(gradient), torch.tensor(gradient)
        optimizer.step()
        peer.step()
        for x, y in zip(ours, theirs, strict=True):
            rtol = 2e-5 if dtype == "float32" else 1e-12
            np.testing.assert_allclose(x.detach(), y.detach(), rtol=rtol, atol=rtol)
            assert x.dtype == dtype


OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.1}),
    (optim.Adam, {"lr": 0.1, "weight_decay": 0.1}),
    (optim.AdamW, {"lr": 0.1}),
]
each = pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS)


def descend(optimizer, x, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        ((x - 3) ** 2).sum().backward()
        optimizer.step()


@each
def test_a_quadratic_is_minimised(optimizer, options):
    x = parameter(0.0, 10.0)
    descend(optimizer([x], **{**options, "weight_decay": 0}), x, 300)
    np.testing.assert_allclose(x.detach(), 3, atol=1e-3)


@each
def test_a_step_leaves_the_gradient_alone(optimizer, options):
    x = parameter(1.0)
    x.grad = lucid.tensor([0.5], dtype=lucid.float64)
    optimizer([x], **options).step()
    assert x.grad.tolist() == [0.5]


@each
def test_a_step_writes_into_the_parameters_memory(optimizer, options):
    x = parameter(1.0)
    memory = x.detach()
    descend(optimizer([x], **options), x, 1)
    assert memory.tolist() == x.tolist() != [1]


@each
def test_a_parameter_without_gradient_stays(optimizer, options):
    x, y = parameter(1.0), parameter(2.0)
    descend(optimizer([x, y], **options), x, 2)
    assert y.tolist() == [2]


@each
def test_a_loaded_state_continues_where_it_was_saved(optimizer, options):
    x = parameter(0.0, 10.0)
    first = optimizer([x], **options)
    descend(first, x, 5)
    y = lucid.tensor(x.detach(), requires_grad=True)
    second = optimizer([y], lr=99.0)
    second.load_state_dict(first.state_dict())
    descend(first, x, 5)
    descend(second, y, 5)
    assert x.tolist() == y.tolist()


def test_a_deep_copy_of_the_state_is_a_snapshot():
    x = parameter(0.0)
    optimizer = optim.Adam([x])
    descend(optimizer, x, 1)
    saved = copy.deepcopy(optimizer.state_dict())
    descend(optimizer, x, 1)
    assert saved["state"][0]["step"] == 1
    assert saved["state"][0]["exp_avg"] != optimizer.state_dict()["state"][0]["exp_avg"]


def test_a_state_for_other_parameters_is_refused():
    with pytest.raises(ValueError, match=r"groups of \[2\] parameters, got groups of \[1\]"):
        optim.SGD([parameter(1.0), parameter(1.0)]).load_state_dict(
            optim.SGD([parameter(1.0)]).state_dict()
        )


def test_a_step_between_forward_and_backward_is_noticed():
    x = parameter(1.0)
    optimizer = optim.SGD([x])
    x.grad = lucid.tensor([1.0])
    loss = (x * x).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified in place"):
        loss.backward()


def test_groups_have_options_of_their_own():
    x, y = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD([{"params": [x]}, {"params": y, "lr": 0.5}], lr=0.25)
    x.grad = y.grad = lucid.tensor([1.0])
    optimizer.step()
    assert (x.tolist(), y.tolist()) == ([0.75], [0.5])


def test_the_learning_rate_can_be_changed_between_steps():
    x = parameter(1.0)
    optimizer = optim.SGD([x], lr=0.25)
    optimizer.param_groups[0]["lr"] = 0.5
    x.grad = lucid.tensor([1.0])
    optimizer.step()
    assert x.tolist() == [0.5]


@pytest.mark.parametrize(
    ("optimizer", "options", "message"),
    [
        (optim.SGD, {"lr": -1.0}, "lr: expected a number >= 0, got -1"),
        (optim.SGD, {"lr": float("nan")}, "lr: expected a finite number, got nan"),
        (optim.SGD, {"lr": float("inf")}, "lr: expected a finite number, got inf"),
        (optim.SGD, {"dampening": float("nan")}, "dampening: expected a finite number, got nan"),
        (optim.SGD, {"momentum": -1.0}, "momentum: expected"),
        (optim.SGD, {"weight_decay": -1.0}, "weight_decay: expected"),
        (optim.SGD, {"nesterov": True}, "nesterov: expected a momentum > 0"),
        (optim.SGD, {"nesterov": True, "momentum": 0.9, "dampening": 0.1}, "nesterov: expected"),
        (optim.Adam, {"lr": -1.0}, "lr: expected"),
        (optim.Adam, {"eps": -1.0}, "eps: expected"),
        (optim.Adam, {"betas": (1.0, 0.9)}, "betas: expected"),
        (optim.AdamW, {"betas": (0.9, -0.1)}, "betas: expected"),
        (optim.AdamW, {"weight_decay": -1.0}, "weight_decay: expected"),
    ],
)
def test_options_out_of_range_are_refused(optimizer, options, message):
    with pytest.raises(ValueError, match=message):
        optimizer([parameter(1.0)], **options)


def test_options_of_a_group_are_checked_too():
    with pytest.raises(ValueError, match="lr: expected"):
        optim.SGD([{"params": [parameter(1.0)], "lr": -1.0}])


def test_no_parameters_are_refused():
    with pytest.raises(ValueError, match="at least one parameter"):
        optim.SGD([])


@pytest.mark.parametrize("params", [lucid.ones(1), [1.0]])
def test_what_is_no_list_of_tensors_is_refused(params):
    with pytest.raises(TypeError, match="params: expected"):
        optim.SGD(params)


def test_a_parameter_that_comes_twice_is_refused():
    x = parameter(1.0)
    with pytest.raises(ValueError, match="comes twice"):
        optim.SGD([{"params": [x]}, {"params": [x]}])


def test_the_result_of_an_operation_is_refused():
    with pytest.raises(ValueError, match="expected leaves"):
        optim.SGD([parameter(1.0) * 2])


@each
def test_a_gradient_of_another_shape_is_refused(optimizer, options):
    x = parameter(1.0, 2.0)
    x.grad = lucid.tensor([1.0])
    with pytest.raises(
        ValueError, match=r"grad: expected the parameter's shape \(2,\), got \(1,\)"
    ):
        optimizer([x], **options).step()
    assert x.tolist() == [1, 2]


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            {"params": [parameter(1.0)], "learning_rate": 1.0},
            r"unknown options \['learning_rate'\]",
        ),
        ({"lr": 1.0}, "a group needs a 'params'"),
    ],
)
def test_a_malformed_group_is_refused(group, message):
    with pytest.raises(ValueError, match=message):
        optim.SGD([group])


def test_a_method_in_place_of_its_parameters_is_recognised():
    with pytest.raises(TypeError, match=r"call the method: model.parameters\(\)"):
        optim.SGD(lucid.nn.Linear(2, 1).parameters)


@pytest.mark.parametrize(("option", "value"), [("lr", "0.1"), ("lr", None), ("betas", ("a", "b"))])
def test_an_option_that_is_no_number_is_refused(option, value):
    with pytest.raises(TypeError, match=f"{option}: expected"):
        optim.Adam([parameter(1.0)], **{option: value})


def test_a_dampening_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="dampening: expected a number, got 'a'"):
        optim.SGD([parameter(1.0)], dampening="a")


def test_frozen_integers_may_stand_among_the_parameters():
    x, table = parameter(1.0), lucid.tensor([1, 2])
    descend(optim.SGD([x, table]), x, 1)
    assert table.tolist() == [1, 2]


@pytest.mark.parametrize("betas", [0.9, (0.9,), (0.9, 0.9, 0.9)])
def test_betas_are_two(betas):
    with pytest.raises(ValueError, match="betas: expected two numbers"):
        optim.Adam([parameter(1.0)], betas=betas)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda s: s["state"][0].update(exp_avg=np.zeros(5)), r"exp_avg of parameter 0 has shape"),
        (lambda s: s["state"][0].update(sum=1.0), "expected the state"),
        (lambda s: s["state"].update({7: {}}), "there is no parameter 7"),
        (lambda s: s["param_groups"][0].pop("eps"), "expected the options"),
        (lambda s: s.pop("state"), "expected 'state' and 'param_groups'"),
        (lambda s: s.update(state=None), "expected 'state' to be a dict, got NoneType"),
        (lambda s: s["state"].update({0: 3}), "expected a dict for parameter 0, got 3"),
        (lambda s: s["state"].update({0: {"step": 1}}), r"expected the state .*, got \['step'\]"),
        (
            lambda s: s["state"][0].update(step="x"),
            "step of parameter 0: expected Integral, got 'x'",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=0),
            "exp_avg of parameter 0: expected ndarray, got 0",
        ),
        (
            lambda s: s.update(param_groups=None),
            "expected 'param_groups' to be a list, got NoneType",
        ),
        (lambda s: s.update(param_groups=[3]), "expected a group with a list of 'params', got 3"),
        (lambda s: s["param_groups"][0].pop("params"), "expected a group with a list of 'params'"),
    ],
)
def test_a_foreign_state_is_refused_and_nothing_is_loaded(change, message):
    first, x = parameter(1.0, 2.0), parameter(1.0, 2.0)
    source, optimizer = optim.Adam([first], lr=0.5), optim.Adam([x], lr=0.25)
    descend(source, first, 1)
    saved = copy.deepcopy(source.state_dict())
    change(saved)
    with pytest.raises(ValueError, match=message):
        optimizer.load_state_dict(saved)
    assert optimizer.param_groups[0]["lr"] == 0.25
    assert optimizer.state == {}

"""Optimisers take PyTorch's steps, keep their state, and refuse bad options."""

import copy
import re
from fractions import Fraction

import numpy as np
import pytest

import lucid
from lucid import nn, optim


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


# Precision


def steps_of_half_and_single(name, options, steps=10):
    """Take the same steps from the same float16 values, in each dtype."""
    random = np.random.default_rng(0)
    half = lucid.tensor(random.standard_normal((3, 4)), "float16", requires_grad=True)
    single = lucid.tensor(half.detach(), "float32", requires_grad=True)
    optimizers = [getattr(optim, name)([p], **options) for p in (half, single)]
    for _ in range(steps):
        with lucid.no_grad():
            single[...] = half.detach()
        g = (random.standard_normal((3, 4)) * (random.random((3, 4)) < 0.5)).astype(np.float16)
        half.grad, single.grad = lucid.tensor(g), lucid.tensor(g, "float32")
        for optimizer in optimizers:
            optimizer.step()
        yield half, single, *optimizers


@pytest.mark.parametrize(("name", "options"), OPTIONS)
def test_a_step_of_half_precision_is_that_of_float32_rounded_once(name, options):
    for half, single, _, _ in steps_of_half_and_single(name, options):
        assert half.dtype == np.float16
        assert half.tolist() == single.detach().numpy().astype(np.float16).tolist()


@each
def test_the_state_of_a_half_precision_parameter_is_float32(optimizer, options):
    for half, single, ours, theirs in steps_of_half_and_single(optimizer.__name__, options):
        for key, value in theirs.state[single].items():
            if isinstance(value, np.ndarray):
                assert ours.state[half][key].dtype == np.float32
                assert ours.state[half][key].tolist() == value.tolist()


@pytest.mark.parametrize("optimizer", [optim.Adam, optim.AdamW])
def test_adam_in_half_precision_steps_by_lr_and_not_at_all_at_zero(optimizer):
    x = lucid.ones(3, dtype="float16", requires_grad=True)
    x.grad = lucid.tensor(np.array([0, 1e-3, 1], np.float16))
    optimizer([x], lr=0.1, weight_decay=0).step()
    assert x.tolist() == np.array([1, 0.9, 0.9], np.float16).tolist()


def test_an_optimiser_of_ones_own_computes_half_precision_in_float32_too():
    dtypes = []

    class Own(optim.Optimizer):
        def check(self, options):
            pass

        def update(self, x, g, state, options):
            dtypes.extend([x.dtype, g.dtype])
            x += g

    x = lucid.ones(1, dtype="float16", requires_grad=True)
    x.grad = lucid.ones(1, dtype="float16")
    Own([x], {}).step()
    assert (dtypes, x.tolist(), x.dtype) == ([np.float32] * 2, [2], np.float16)


DTYPES = ["float16", "float32", "float64"]


@each
@pytest.mark.parametrize("saved", DTYPES)
@pytest.mark.parametrize("loaded", DTYPES)
def test_a_loaded_state_has_the_precision_of_its_parameter(optimizer, options, saved, loaded):
    x, y = (lucid.zeros(2, dtype=dtype, requires_grad=True) for dtype in (saved, loaded))
    first, second = optimizer([x], **options), optimizer([y], **options)
    descend(first, x, 1)
    second.load_state_dict(first.state_dict())
    arrays = [value for value in second.state[y].values() if isinstance(value, np.ndarray)]
    assert {a.dtype for a in arrays} == {np.dtype("float64" if loaded == "float64" else "float32")}


@each
def test_a_converted_model_takes_the_steps_of_its_new_precision(optimizer, options):
    model = lucid.nn.Linear(3, 2)
    first = optimizer(model.parameters(), **options)
    x = lucid.randn(4, 3, dtype="float64")

    def train(model, optimizer, dtype):
        optimizer.zero_grad()
        (model(x.to(dtype)) ** 2).sum().backward()
        optimizer.step()

    for _ in range(3):
        train(model, first, "float32")
    twin = lucid.nn.Linear(3, 2).to("float64")
    twin.load_state_dict(model.state_dict())
    second = optimizer(twin.parameters(), **options)
    second.load_state_dict(first.state_dict())
    model.to("float64")
    for _ in range(3):
        train(model, first, "float64")
        train(twin, second, "float64")
    assert model.weight.tolist() == twin.weight.tolist()
    assert all(a.dtype == "float64" for a in first.state[model.weight].values() if np.ndim(a))


# Steps


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
    x.grad = lucid.tensor([1.0], dtype=x.dtype)
    loss = (x * x).sum()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified in place"):
        loss.backward()


def test_groups_have_options_of_their_own():
    x, y = parameter(1.0), parameter(1.0)
    optimizer = optim.SGD([{"params": [x]}, {"params": y, "lr": 0.5}], lr=0.25)
    x.grad = y.grad = lucid.tensor([1.0], dtype=x.dtype)
    optimizer.step()
    assert (x.tolist(), y.tolist()) == ([0.75], [0.5])


def test_the_learning_rate_can_be_changed_between_steps():
    x = parameter(1.0)
    optimizer = optim.SGD([x], lr=0.25)
    optimizer.param_groups[0]["lr"] = 0.5
    x.grad = lucid.tensor([1.0], dtype=x.dtype)
    optimizer.step()
    assert x.tolist() == [0.5]


def test_a_learning_rate_may_be_any_real_number():
    x = parameter(1.0)
    x.grad = lucid.tensor([1.0], dtype=x.dtype)
    optim.SGD([x], lr=Fraction(1, 4), momentum=np.float32(0.5)).step()
    assert x.tolist() == [0.75]


# What is refused


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


def read_only(x):
    x._data.flags.writeable = False
    return x


#: Changes to the third of three parameters, past `Tensor.grad`, which refuses some of this itself.
MISFITS = {
    "grad: expected the parameter's shape (2,), got (1,)": lambda x: setattr(
        x, "_grad", lucid.tensor([1.0])
    ),
    "grad: expected floating-point numbers, got int64": lambda x: setattr(
        x, "_grad", lucid.tensor([1, 2])
    ),
    "grad: expected floating-point numbers, got complex64": lambda x: setattr(
        x, "_grad", lucid.tensor(np.ones(2, np.complex64))
    ),
    "params: a parameter of shape (2,) is read-only": read_only,
}


@each
@pytest.mark.parametrize("message", MISFITS)
def test_where_one_gradient_is_refused_no_parameter_moves(optimizer, options, message):
    xs = [parameter(1.0, 2.0) for _ in range(3)]
    for x in xs:
        x.grad = lucid.tensor(np.ones(2))
    MISFITS[message](xs[2])
    o = optimizer(xs, **options)
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        o.step()
    assert [x.tolist() for x in xs] == [[1, 2]] * 3
    assert o.state == {}


@each
@pytest.mark.parametrize("lr", [-1.0, float("nan"), "0.1", True])
def test_where_the_option_of_one_group_is_refused_no_parameter_moves(optimizer, options, lr):
    x, y = parameter(1.0), parameter(1.0)
    o = optimizer([{"params": [x]}, {"params": [y]}], **options)
    x.grad = y.grad = lucid.tensor(np.ones(1))
    o.step()
    before = x.tolist(), y.tolist()
    o.param_groups[1]["lr"] = lr
    with pytest.raises((TypeError, ValueError), match="lr"):
        o.step()
    assert (x.tolist(), y.tolist()) == before


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


@pytest.mark.parametrize(
    ("option", "value"), [("lr", "0.1"), ("lr", None), ("eps", True), ("betas", ("a", "b"))]
)
def test_an_option_that_is_no_number_is_refused(option, value):
    with pytest.raises(TypeError, match=f"{option} must be a number, got "):
        optim.Adam([parameter(1.0)], **{option: value})


def test_a_dampening_that_is_no_number_is_refused():
    with pytest.raises(TypeError, match="dampening must be a number, got 'a'"):
        optim.SGD([parameter(1.0)], dampening="a")


def test_an_option_beyond_all_floats_is_refused():
    with pytest.raises(ValueError, match="lr must fit a float64"):
        optim.SGD([parameter(1.0)], lr=10**400)


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
            "step of parameter 0: expected an integer, got 'x'",
        ),
        (lambda s: s["state"][0].update(step=1.5), "step of parameter 0: expected an integer"),
        (lambda s: s["state"][0].update(step=True), "step of parameter 0: expected an integer"),
        (
            lambda s: s["state"][0].update(step=-1),
            "step of parameter 0: expected a number from 0 to .*, got -1",
        ),
        (lambda s: s["state"][0].update(step=10**400), "step of parameter 0: expected a number"),
        (
            lambda s: s["state"][0].update(exp_avg=0),
            "exp_avg of parameter 0: expected an array, got 0",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=np.array(["a", "b"])),
            "exp_avg of parameter 0: expected real numbers, got <U1",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=np.array([1j, 2j])),
            "exp_avg of parameter 0: expected real numbers, got complex128",
        ),
        (
            lambda s: s["state"][0].update(exp_avg=np.ma.masked_equal([1.0, 2.0], 2.0)),
            "exp_avg of parameter 0 has masked entries",
        ),
        (
            lambda s: s["state"][0].update(exp_avg_sq=np.array([1.0, -2.0])),
            "exp_avg_sq of parameter 0: expected no negative number, got -2.0",
        ),
        (
            lambda s: s["param_groups"][0].update(params=[1]),
            r"expected 'params' to count from 0, got \[1\]",
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


def test_a_saved_number_that_overflows_is_refused():
    x = lucid.zeros(2, requires_grad=True)
    optimizer = optim.SGD([x], momentum=0.9)
    saved = optimizer.state_dict()
    saved["state"][0] = {"momentum_buffer": np.array([1.0, 1e300])}
    with pytest.raises(ValueError, match="momentum_buffer of parameter 0: a number is too large"):
        optimizer.load_state_dict(saved)
    assert optimizer.state == {}


@each
def test_the_state_of_a_training_that_diverged_can_be_loaded(optimizer, options):
    x = parameter(1.0)
    o = optimizer([x], **options)
    x.grad = lucid.tensor(np.array([np.nan]))
    o.step()
    o.load_state_dict(o.state_dict())
    assert any(np.isnan(value).all() for value in o.state[x].values())


def test_a_loaded_state_is_a_copy():
    x = parameter(1.0)
    optimizer = optim.SGD([x], momentum=0.9)
    descend(optimizer, x, 1)
    saved = optimizer.state_dict()
    optimizer.load_state_dict(saved)
    assert optimizer.state[x]["momentum_buffer"] is not saved["state"][0]["momentum_buffer"]


def test_an_optimiser_shows_its_options():
    layer = nn.Linear(3, 2)
    assert repr(optim.AdamW(layer.parameters(), lr=0.5)) == (
        "AdamW(2 parameters, lr=0.5, betas=(0.9, 0.999), eps=1e-08, weight_decay=0.01)"
    )
    groups = [{"params": layer.weight, "momentum": 0.9}, {"params": layer.bias}]
    assert (
        repr(optim.SGD(groups, lr=0.1))
        .splitlines()[1]
        .startswith("  (0): 1 parameter, lr=0.1, momentum=0.9")
    )

"""Numbers below the smallest normal one: optimisers keep none, and lose nothing by that."""

import platform

import numpy as np
import pytest

import lucid
from lucid import nn, optim
from lucid._kernels import denormals
from lucid._kernels.denormals import Flushed

pytestmark = pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64", "aarch64", "arm64"),
    reason="only on these processors are denormal numbers flushed",
)

OPTIMIZERS = [
    (optim.SGD, {"lr": 0.1, "momentum": 0.5}),
    (optim.SGD, {"lr": 0.1, "momentum": 0.5, "nesterov": True, "weight_decay": 0.1}),
    (optim.Adam, {"betas": (0.5, 0.5)}),
    (optim.Adam, {"betas": (0.5, 0.5), "weight_decay": 0.1}),
    (optim.AdamW, {"betas": (0.5, 0.5)}),
]
each = pytest.mark.parametrize(("optimizer", "options"), OPTIMIZERS)


def denormal(a):
    return (a != 0) & (np.abs(a) < np.finfo(a.dtype).tiny)


def any_denormal(*arrays):
    return any(denormal(a).any() for a in arrays)


class Unchanged:
    """Stands in for `Flushed`: denormal numbers stay what they are."""

    def __init__(self, wanted=True):
        pass

    def __enter__(self):
        pass

    def __exit__(self, *error):
        pass


@pytest.fixture
def unflushed(monkeypatch):
    """Return a function after which optimisers flush nothing any more."""
    return lambda: monkeypatch.setattr(denormals, "Flushed", Unchanged)


def steps_without_gradient(optimizer, options, steps, dtype="float32"):
    """Take one step, then others in which the gradient is 0; yield parameter and state."""
    x = lucid.tensor(np.linspace(-1, 1, 8), dtype, requires_grad=True)
    o = optimizer([x], **options)
    x.grad = lucid.tensor(np.geomspace(1, 1e-9, 8), dtype)
    for _ in range(steps):
        o.step()
        x.grad = lucid.zeros(8, dtype=dtype)
        state = [a for a in o.state[x].values() if isinstance(a, np.ndarray)]
        yield x.detach().numpy(), *state


# What is kept


@each
@pytest.mark.parametrize(("dtype", "steps"), [("float32", 200), ("float64", 1200)])
def test_what_an_optimiser_averages_never_becomes_denormal(
    optimizer, options, dtype, steps, unflushed
):
    def any_on_the_way():
        return any(
            any_denormal(*arrays)
            for arrays in steps_without_gradient(optimizer, options, steps, dtype)
        )

    assert not any_on_the_way()
    unflushed()
    decays = not options.get("weight_decay")  # into the average goes what remains of x
    assert any_on_the_way() == decays or optimizer is optim.AdamW


@each
def test_averages_of_a_gradient_of_zero_become_zero(optimizer, options):
    if options.get("weight_decay"):
        pytest.skip("the weight decay is averaged, too")
    *_, (_, *state) = steps_without_gradient(optimizer, options, 400)
    assert not any(a.any() for a in state)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.AdamW])
def test_a_parameter_that_decays_never_becomes_denormal(optimizer):
    x = lucid.ones(8, requires_grad=True)
    o = optimizer([x], lr=1.0, weight_decay=0.5)
    x.grad = lucid.zeros(8)
    for _ in range(200):
        o.step()
        assert not any_denormal(x.detach().numpy())
    assert np.abs(x.detach().numpy()).max() < 1e-36


@each
def test_none_is_left_by_a_training_on_sparse_features(optimizer, options):
    sparse = pytest.importorskip("scipy.sparse")
    lucid.manual_seed(0)
    random = np.random.default_rng(0)
    x = sparse.random_array((20, 30), density=0.1, rng=random, format="csr", dtype=np.float32)
    model = nn.Linear(30, 6)
    o = optimizer(model.parameters(), **options)
    for _ in range(300):
        loss = nn.MultilabelMarginLoss()(model(x), np.arange(20)[:, None] % 6)
        o.zero_grad()
        loss.backward()
        o.step()
    for p in model.parameters():
        state = [a for a in o.state[p].values() if isinstance(a, np.ndarray)]
        assert not any_denormal(p.detach().numpy(), *state)


# What is lost


@each
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_parameters_are_bit_for_bit_those_of_steps_without_flushing(
    optimizer, options, dtype, unflushed
):
    flushed = [x.copy() for x, *_ in steps_without_gradient(optimizer, options, 1200, dtype)]
    unflushed()
    plain = [x.copy() for x, *_ in steps_without_gradient(optimizer, options, 1200, dtype)]
    assert np.array_equal(flushed, plain)


@pytest.mark.parametrize("scale", [1e-10, 1e-20, 1e-30])
@each
def test_tiny_gradients_in_float32_step_as_in_float64(optimizer, options, scale):
    moves = []
    for dtype in ("float32", "float64"):
        x = lucid.zeros(3, dtype=dtype, requires_grad=True)
        o = optimizer([x], **options)
        for factor in (1, -2, 3):
            x.grad = lucid.tensor(np.array([1, -2, 0.5]) * factor * scale, dtype)
            o.step()
        moves.append(x.detach().numpy())
    np.testing.assert_allclose(*moves, rtol=1e-5)
    assert moves[0].all()


def test_beside_a_tiny_eps_nothing_is_flushed(unflushed):
    def step():
        x = lucid.zeros(3, requires_grad=True)
        x.grad = lucid.tensor([1e-19, 1e-20, -1e-20])
        optim.Adam([x], eps=1e-30).step()
        return x.tolist()

    found = step()
    unflushed()
    assert found == step()
    assert found[0] == pytest.approx(-1e-3, rel=1e-2)


# How it is done


def test_denormal_numbers_count_as_zero_within_alone():
    x = np.full(100, 1e-40, np.float32)
    with Flushed():
        assert not (x * 1).any()
        assert not (np.full(100, 2e-38, np.float32) * np.float32(0.1)).any()
    assert (x * 1).all()


def test_where_it_is_not_wanted_nothing_changes():
    x = np.full(100, 1e-40, np.float32)
    with Flushed(False):
        assert (x * 1).all()
    with Flushed():
        with Flushed(False):
            assert not (x * 1).any()
        assert not (x * 1).any()


def test_an_error_within_ends_it_too():
    with pytest.raises(KeyError), Flushed():
        raise KeyError
    assert (np.full(100, 1e-40, np.float32) * 1).all()


@each
def test_after_a_step_denormal_numbers_are_numbers(optimizer, options):
    x = lucid.ones(1, requires_grad=True)
    x.grad = lucid.ones(1)
    optimizer([x], **options).step()
    assert (lucid.full((100,), 1e-40) * 1).numpy().all()

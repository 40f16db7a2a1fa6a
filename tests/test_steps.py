"""The kernels of the optimisers' steps: the formulas, operation by operation, on any memory."""

import numpy as np
import pytest
from cpu_levels import CPU_LEVELS

import lucid
from lucid import _kernels, optim

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_level = pytest.mark.parametrize("level", CPU_LEVELS)


def numbers(count, dtype, size=1003):
    rng = np.random.default_rng(0)
    return [rng.standard_normal(size).astype(dtype) for _ in range(count)]


@each_level
@each_dtype
@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_sgd_is_its_formula_to_the_bit(level, dtype, nesterov, decay):
    x, g, b = numbers(3, dtype)
    d = x * dtype(decay) + g if decay else g
    expected_b = b * dtype(0.9) + d * dtype(0.6)
    move = d + expected_b * dtype(0.9) if nesterov else expected_b
    expected_x = x - move * dtype(0.1)
    steps = _kernels.load("steps", level)
    steps.sgd(x, g, b, 0.1, decay, 0.9, 0.6, nesterov)
    assert np.array_equal(x, expected_x)
    assert np.array_equal(b, expected_b)


@each_level
@each_dtype
@pytest.mark.parametrize("decay", [0.0, 0.3])
def test_sgd_without_momentum_is_its_formula_to_the_bit(level, dtype, decay):
    x, g = numbers(2, dtype)
    expected = x - (x * dtype(decay) + g if decay else g) * dtype(0.1)
    _kernels.load("steps", level).plain_sgd(x, g, 0.1, decay)
    assert np.array_equal(x, expected)


@each_level
@each_dtype
@pytest.mark.parametrize(("decay", "shrink"), [(0.0, 1.0), (0.3, 1.0), (0.0, 0.75)])
def test_adam_is_its_formula_to_the_bit(level, dtype, decay, shrink):
    x, g, m, v = numbers(4, dtype)
    v = np.abs(v)
    y = x * dtype(shrink)
    d = g + y * dtype(decay) if decay else g
    expected_m = m * dtype(0.9) + d * dtype(0.1)
    expected_v = v * dtype(0.99) + d * d * dtype(0.01)
    expected_x = y - expected_m / (np.sqrt(expected_v) + dtype(1e-8)) * dtype(0.05)
    steps = _kernels.load("steps", level)
    steps.adam(x, g, m, v, 0.05, decay, shrink, 0.9, 0.1, 0.99, 0.01, 1e-8)
    assert np.array_equal(x, expected_x)
    assert np.array_equal(m, expected_m)
    assert np.array_equal(v, expected_v)


@each_level
def test_sizes_that_do_not_fit_are_refused_before_anything_is_read(level):
    steps = _kernels.load("steps", level)
    x, g, b, v = numbers(4, np.float32, size=8)
    for call in (
        lambda: steps.sgd(x, g[:7], b, 0.1, 0, 0.9, 1, False),
        lambda: steps.sgd(x, g, b[:7], 0.1, 0, 0.9, 1, False),
        lambda: steps.plain_sgd(x, g[:7], 0.1, 0),
        lambda: steps.adam(x, g, b, v[:7], 0.1, 0, 1, 0.9, 0.1, 0.9, 0.1, 1e-8),
    ):
        with pytest.raises(ValueError, match="sizes do not fit"):
            call()


def layouts(values):
    """The same values in other memory: by columns, every second number, an odd address."""
    odd = np.frombuffer(bytearray(values.nbytes + 1), np.uint8)[1:].view(values.dtype)
    unaligned = odd.reshape(values.shape)
    unaligned[...] = values
    apart = np.zeros((values.shape[0], 2 * values.shape[1]), values.dtype)[:, ::2]
    apart[...] = values
    return [np.asfortranarray(values), apart, unaligned]


@pytest.mark.parametrize("layout", range(3))
@pytest.mark.parametrize(
    ("optimizer", "options"),
    [(optim.SGD, {"momentum": 0.9}), (optim.SGD, {}), (optim.Adam, {}), (optim.AdamW, {})],
)
def test_a_step_does_not_depend_on_how_arrays_lie_in_memory(optimizer, options, layout):
    start, gradient = (part.reshape(5, 8) for part in numbers(2, np.float32, size=40))
    found = []
    for x, g in ((start.copy(), gradient), (layouts(start)[layout], layouts(gradient)[layout])):
        p = lucid.from_numpy(x).requires_grad_()
        p.grad = lucid.from_numpy(g)
        o = optimizer([p], **options)
        for _ in range(3):
            o.step()
        found.append(p.detach().numpy().copy())
        assert np.array_equal(x, found[-1])  # the array itself has changed
    assert np.array_equal(*found)


@pytest.mark.parametrize("optimizer", [optim.SGD, optim.Adam])
def test_a_state_of_another_shape_is_refused_in_words(optimizer):
    x = lucid.ones(4, requires_grad=True)
    o = optimizer([x], **({"momentum": 0.9} if optimizer is optim.SGD else {}))
    x.grad = lucid.ones(4)
    o.step()
    name = "momentum_buffer" if optimizer is optim.SGD else "exp_avg"
    o.state[x][name] = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"state: expected the parameter's shape \(4,\), got \(5,"):
        o.step()

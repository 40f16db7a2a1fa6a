"""Every op: its value and gradients are PyTorch's and agree with finite differences, twice."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import lucid
from lucid.testing import gradcheck, gradgradcheck


def grid(*shape, low=-2.0, high=2.0):
    """Distinct values in irregular order, none of them 0: away from kinks and ties."""
    size = int(np.prod(shape, dtype=int))
    steps = np.random.default_rng(size).permutation(size)
    return (low + (high - low) * (steps + 0.53) / size).reshape(shape)


def positive(*shape):
    return grid(*shape, low=0.3, high=3.0)


@dataclass
class Case:
    name: str
    lucid: Any
    torch: str  # an expression in x, y, z and F, evaluated only where torch is there
    inputs: list


MASK = np.array([True, False, True])
ROWS = np.array([2, 0, 2, -1])

CASES = [
    Case("add", lambda x, y: x + y, "x + y", [grid(2, 3), grid(3)]),
    Case("add_to_number", lambda x: 2 + x, "2 + x", [grid(2, 3)]),
    Case("subtract", lambda x, y: x - y, "x - y", [grid(2, 1), grid(3)]),
    Case("subtract_from_number", lambda x: 2 - x, "2 - x", [grid(3)]),
    Case("multiply", lambda x, y: x * y, "x * y", [grid(2, 3), grid(2, 1)]),
    Case("divide", lambda x, y: x / y, "x / y", [grid(2, 3), positive(3)]),
    Case("divide_number", lambda x: 2 / x, "2 / x", [grid(3)]),
    Case("power", lambda x, y: x**y, "x ** y", [positive(2, 3), grid(3)]),
    Case("square", lambda x: x**2, "x ** 2", [grid(2, 3)]),
    Case("power_zero", lambda x: x**0, "x ** 0", [grid(3)]),
    Case("number_to_power", lambda x: 2**x, "2 ** x", [grid(3)]),
    Case("negative", lambda x: -x, "-x", [grid(3)]),
    Case("same_twice", lambda x: x * x + x, "x * x + x", [grid(3)]),
    Case("matmul", lambda x, y: x @ y, "x @ y", [grid(2, 3), grid(3, 4)]),
    Case("matmul_vectors", lambda x, y: x @ y, "x @ y", [grid(3), positive(3)]),
    Case("matmul_vector_matrix", lambda x, y: x @ y, "x @ y", [grid(3), grid(3, 2)]),
    Case("matmul_matrix_vector", lambda x, y: x @ y, "x @ y", [grid(2, 3), grid(3)]),
    Case("matmul_batch", lambda x, y: x @ y, "x @ y", [grid(2, 2, 3), grid(2, 3, 2)]),
    Case("matmul_broadcast", lambda x, y: x @ y, "x @ y", [grid(2, 1, 2, 3), grid(3, 3, 1)]),
    Case("matmul_batch_vector", lambda x, y: x @ y, "x @ y", [grid(2, 2, 3), grid(3)]),
    Case("matmul_vector_batch", lambda x, y: x @ y, "x @ y", [grid(3), grid(2, 3, 2)]),
    Case("linear", lucid.linear, "F.linear(x, y, z)", [grid(2, 3), grid(4, 3), grid(4)]),
    Case("linear_row", lucid.linear, "F.linear(x, y)", [grid(3), grid(4, 3)]),
    Case("linear_batch", lucid.linear, "F.linear(x, y)", [grid(2, 2, 3), grid(4, 3)]),
    Case("exp", lucid.exp, "x.exp()", [grid(2, 3)]),
    Case("log", lucid.log, "x.log()", [positive(2, 3)]),
    Case("sqrt", lucid.sqrt, "x.sqrt()", [positive(2, 3)]),
    Case("tanh", lucid.tanh, "x.tanh()", [grid(2, 3)]),
    Case("sigmoid", lucid.sigmoid, "x.sigmoid()", [grid(2, 3)]),
    Case("relu", lucid.relu, "x.relu()", [grid(2, 3)]),
    Case("abs", lucid.abs, "x.abs()", [grid(2, 3)]),
    Case("maximum", lucid.maximum, "torch.maximum(x, y)", [grid(2, 3), grid(3)]),
    Case("minimum", lucid.minimum, "torch.minimum(x, y)", [grid(2, 3), grid(3)]),
    Case("where", lambda x, y: lucid.where(MASK, x, y), "torch.where(MASK, x, y)",
         [grid(2, 3), grid(3)]),
    Case("clip", lambda x: x.clip(-0.5, 1.0), "x.clip(-0.5, 1.0)", [grid(2, 3)]),
    Case("clip_low", lambda x: x.clip(min=0.5), "x.clip(min=0.5)", [grid(2, 3)]),
    Case("clone", lambda x: x.clone(), "x.clone()", [grid(3)]),
    Case("sum", lucid.sum, "x.sum()", [grid(2, 3)]),
    Case("sum_axis", lambda x: x.sum(0), "x.sum(0)", [grid(2, 3)]),
    Case("sum_axes", lambda x: x.sum((0, -1)), "x.sum((0, -1))", [grid(2, 3, 2)]),
    Case("sum_keepdims", lambda x: x.sum(-1, keepdims=True), "x.sum(-1, keepdims=True)",
         [grid(2, 3)]),
    Case("mean", lucid.mean, "x.mean()", [grid(2, 3)]),
    Case("mean_axis", lambda x: x.mean(1), "x.mean(1)", [grid(2, 3)]),
    Case("max", lucid.max, "x.max()", [grid(2, 3)]),
    Case("max_axis", lambda x: x.max(-1), "x.amax(-1)", [grid(2, 3)]),
    Case("min_keepdims", lambda x: x.min(0, keepdims=True), "x.amin(0, keepdims=True)",
         [grid(2, 3)]),
    Case("softmax", lucid.softmax, "x.softmax(-1)", [grid(2, 3)]),
    Case("softmax_axis", lambda x: x.softmax(0), "x.softmax(0)", [grid(2, 3)]),
    Case("log_softmax", lucid.log_softmax, "x.log_softmax(-1)", [grid(2, 3)]),
    Case("reshape", lambda x: x.reshape(3, -1), "x.reshape(3, -1)", [grid(2, 3)]),
    Case("transpose", lambda x: x.T, "x.T", [grid(2, 3)]),
    Case("transpose_two", lambda x: x.transpose(0, -1), "x.transpose(0, -1)", [grid(2, 3, 2)]),
    Case("transpose_all", lambda x: x.transpose(2, 0, 1), "x.permute(2, 0, 1)", [grid(2, 3, 2)]),
    Case("broadcast_to", lambda x: lucid.broadcast_to(x, (2, 3)), "x.broadcast_to((2, 3))",
         [grid(3)]),
    Case("getitem_slice", lambda x: x[1:, ::2], "x[1:, ::2]", [grid(3, 3)]),
    Case("getitem_int", lambda x: x[-1, 0], "x[-1, 0]", [grid(3, 3)]),
    Case("getitem_new_axis", lambda x: x[..., None], "x[..., None]", [grid(3)]),
    Case("getitem_rows", lambda x: x[ROWS], "x[ROWS]", [grid(3, 2)]),
    Case("getitem_list", lambda x: x[[0, 0]], "x[[0, 0]]", [grid(3, 2)]),
    Case("getitem_pairs", lambda x: x[ROWS, [0, 1, 0, 1]], "x[ROWS, [0, 1, 0, 1]]",
         [grid(3, 2)]),
    Case("getitem_mask", lambda x: x[MASK], "x[MASK]", [grid(3, 2)]),
    Case("concatenate", lambda x, y: lucid.concatenate([x, y], 1), "torch.cat([x, y], 1)",
         [grid(2, 3), grid(2, 2)]),
    Case("stack", lambda x, y: lucid.stack([x, y], -1), "torch.stack([x, y], -1)",
         [grid(2, 3), grid(2, 3)]),
]  # fmt: skip

cases = pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])


def variables(case):
    return [lucid.tensor(x, requires_grad=True) for x in case.inputs]


@cases
def test_gradient_agrees_with_finite_differences(case):
    assert gradcheck(case.lucid, variables(case))


@cases
def test_second_derivative_agrees_with_finite_differences(case):
    assert gradgradcheck(case.lucid, variables(case))


@cases
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_value_and_gradient_are_pytorchs(case, dtype):
    torch = pytest.importorskip("torch")
    ours = [lucid.tensor(x, dtype, requires_grad=True) for x in case.inputs]
    theirs = [torch.tensor(x, dtype=getattr(torch, dtype), requires_grad=True) for x in case.inputs]
    names = dict(zip("xyz", theirs, strict=False), torch=torch, F=torch.nn.functional)
    names |= {"MASK": torch.tensor(MASK), "ROWS": torch.tensor(ROWS)}
    expected = eval(case.torch, names)
    value = case.lucid(*ours)
    assert value.dtype == dtype
    assert value.shape == tuple(expected.shape)
    tolerance = 1e-5 if dtype == "float32" else 1e-13
    close = {"rtol": tolerance, "atol": tolerance}
    np.testing.assert_allclose(value.detach(), expected.detach(), **close)
    upstream = grid(*value.shape)
    value.backward(upstream)
    expected.backward(torch.tensor(upstream, dtype=getattr(torch, dtype)))
    for x, peer in zip(ours, theirs, strict=True):
        assert x.grad.dtype == dtype
        np.testing.assert_allclose(x.grad, peer.grad, **close)


def gradient(f, *values):
    xs = [lucid.tensor(value, requires_grad=True) for value in values]
    gradients = lucid.grad(f(*xs).sum(), xs)
    return [g.tolist() for g in gradients]


# Where there is a kink or a tie, the gradient is PyTorch's choice.


def test_relu_has_gradient_0_at_0():
    assert gradient(lucid.relu, [0.0, 1.0]) == [[0, 1]]


def test_relu_keeps_nan():
    assert np.isnan(lucid.relu(lucid.tensor(np.nan)).item())


def test_relu_gives_no_gradient_where_it_is_off_even_for_an_infinite_one():
    x = lucid.tensor([-1.0], requires_grad=True)
    x.relu().backward([np.inf])
    assert x.grad.tolist() == [0]


def test_abs_has_gradient_0_at_0():
    assert gradient(lucid.abs, [0.0]) == [[0]]


@pytest.mark.parametrize("op", [lucid.maximum, lucid.minimum])
def test_operands_that_tie_share_the_gradient(op):
    assert gradient(op, [1.0], [1.0]) == [[0.5], [0.5]]


@pytest.mark.parametrize("op", [lucid.max, lucid.min])
def test_elements_that_tie_share_the_gradient(op):
    assert gradient(lambda x: op(x, axis=1), [[3.0, 3.0], [1.0, 1.0]]) == [[[0.5, 0.5]] * 2]


@pytest.mark.parametrize("op", [lucid.max, lucid.min])
def test_extremes_keep_nan(op):
    assert np.isnan(op(lucid.tensor([1.0, np.nan])).item())


def test_clip_passes_the_gradient_at_its_bounds():
    assert gradient(lambda x: x.clip(0.0, 1.0), [-1.0, 0.0, 1.0, 2.0]) == [[0, 1, 1, 0]]


def test_clip_wants_a_bound():
    with pytest.raises(ValueError, match="min or max"):
        lucid.clip(lucid.ones(2))


def test_zero_to_the_power_zero_has_gradient_0():
    assert gradient(lambda x: x**0, [0.0]) == [[0]]


def test_zero_to_a_power_has_gradient_0_in_the_exponent():
    assert gradient(lambda y: 0**y, [2.0, 0.0]) == [[0, 0]]


# Extreme values


def test_sigmoid_is_accurate_far_out():
    y = lucid.sigmoid(lucid.tensor([-80.0, 80.0, -1e4, 1e4, -np.inf, np.inf]))
    np.testing.assert_allclose(y, [np.exp(-80.0), 1, 0, 1, 0, 1], rtol=1e-6)


def test_softmax_does_not_overflow():
    assert lucid.softmax(lucid.tensor([1e4, 1e4, -1e4])).tolist() == [0.5, 0.5, 0]


def test_log_softmax_does_not_underflow():
    assert lucid.log_softmax(lucid.tensor([0.0, 1e4])).tolist() == [-1e4, 0]


def test_softmax_of_no_elements_is_empty():
    assert lucid.softmax(lucid.zeros(2, 0)).shape == (2, 0)
    assert lucid.log_softmax(lucid.zeros(0, 2)).shape == (0, 2)


def test_mean_of_no_elements_is_nan_and_silent():
    assert np.isnan(lucid.mean(lucid.zeros(0)).item())


def test_mean_of_float16_does_not_overflow():
    assert lucid.full((100,), 60000.0, lucid.float16).mean().item() == 60000


# Shapes


def test_reshape_takes_a_tuple_or_numbers():
    x = lucid.arange(6)
    assert x.reshape((2, 3)).tolist() == x.reshape(2, 3).tolist() == x.reshape([2, 3]).tolist()


def test_reshape_refuses_another_size():
    with pytest.raises(ValueError, match="reshape"):
        lucid.zeros(6).reshape(4, 2)


@pytest.mark.parametrize("axes", [(0, 3), (0, -4), (0, 1, 1), (0,), (0, 1, 3)])
def test_transpose_refuses_axes_that_are_none(axes):
    with pytest.raises(ValueError, match="transpose"):
        lucid.zeros(2, 3, 4).transpose(*axes)


def test_matmul_refuses_numbers():
    with pytest.raises(ValueError, match=r"at least one axis, got shapes \(2,\) and \(\)"):
        lucid.ones(2) @ 3.0


def test_linear_shows_shapes_that_do_not_fit():
    with pytest.raises(ValueError, match=r"got \(2, 3\) and \(3, 4\)"):
        lucid.linear(lucid.ones(2, 3), lucid.ones(3, 4))


def test_stack_refuses_different_shapes():
    with pytest.raises(ValueError, match=r"one shape, got \[\(2,\), \(3,\)\]"):
        lucid.stack([lucid.ones(2), lucid.ones(3)])


def test_stack_refuses_an_axis_out_of_range():
    with pytest.raises(ValueError, match="axis 2 is out of range"):
        lucid.stack([lucid.ones(2)], axis=2)


def test_the_weight_gradient_of_linear_is_contiguous():
    weight = lucid.randn(4, 3, requires_grad=True)
    lucid.linear(lucid.randn(2, 3), weight).sum().backward()
    assert weight.grad.numpy().flags.c_contiguous


# Dtypes


@pytest.mark.parametrize("number", [2, 2.5, True])
def test_a_python_number_takes_the_tensors_dtype(number):
    assert (lucid.ones(2) * number).dtype == np.float32
    assert (number - lucid.ones(2, dtype=lucid.float16)).dtype == np.float16


def test_dtypes_are_promoted_as_in_numpy():
    assert (lucid.ones(2) + lucid.ones(2, dtype=lucid.float64)).dtype == np.float64
    assert (lucid.arange(2) * 0.5).dtype == np.float64
    assert (lucid.arange(2) / 2).dtype == np.float64
    assert (lucid.tensor([True]) + 1).dtype == np.int64
    assert lucid.where(lucid.arange(2) > 0, lucid.ones(2), 0.5).dtype == np.float32


def test_a_gradient_has_the_dtype_of_its_input():
    x = lucid.ones(2, requires_grad=True)
    (x * np.ones(2)).sum().backward()
    assert x.grad.dtype == np.float32


def test_gradients_flow_through_a_cast():
    x = lucid.ones(2, requires_grad=True)
    (x.to(lucid.float64) * 3).sum().backward()
    assert x.grad.tolist() == [3, 3]


def test_a_cast_to_integers_has_no_gradient():
    assert not lucid.ones(2, requires_grad=True).to(lucid.int64).requires_grad


def test_a_cast_to_the_same_dtype_is_the_tensor_itself():
    x = lucid.ones(2)
    assert x.astype("float32") is x


@pytest.mark.parametrize("op", ["__lt__", "__le__", "__gt__", "__ge__", "__eq__", "__ne__"])
def test_comparison_gives_a_bool_tensor_without_gradient(op):
    x = lucid.tensor([1.0, 2.0, 3.0], requires_grad=True)
    result = getattr(x, op)(2.0)
    assert result.tolist() == getattr(x.detach().numpy(), op)(2).tolist()
    assert result.dtype == np.bool_
    assert not result.requires_grad


def test_a_tensor_equals_nothing_that_holds_no_numbers():
    x = lucid.ones(2)
    assert (x == None) is False  # noqa: E711
    assert (x != "a") is True
    assert x not in (None, "a")


# NumPy on the other side


@pytest.mark.parametrize("other", [np.ones(2), np.float64(1), np.ones((), np.float64)])
def test_numpy_on_the_left_gives_a_tensor_with_gradient(other):
    x = lucid.tensor([1.0, 2.0], dtype=lucid.float64, requires_grad=True)
    for result in (other + x, other - x, other * x, other / x, other**x):
        assert isinstance(result, lucid.Tensor)
        assert result.requires_grad
    assert (other <= x).tolist() == [True, True]


def test_a_numpy_matrix_on_the_left_multiplies():
    x = lucid.tensor([1.0, 2.0], requires_grad=True)
    (np.full((3, 2), 2.0) @ x).sum().backward()
    assert x.grad.tolist() == [6, 6]


def test_ops_take_lists_and_arrays():
    assert lucid.exp([0.0]).tolist() == [1]
    assert lucid.sum(np.arange(4)).item() == 6
    assert lucid.exp(0.0).dtype == np.float32


@pytest.mark.parametrize("value", ["a", None, object()])
def test_what_is_no_number_is_refused(value):
    with pytest.raises(TypeError, match="holds numbers"):
        lucid.ones(2) + value

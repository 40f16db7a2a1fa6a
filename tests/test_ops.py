"""Every op: its value and gradients are PyTorch's and agree with finite differences, twice."""

import ast
import inspect
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


NAN = [1.0, np.nan, 3.0]


@pytest.mark.parametrize("op", [lucid.max, lucid.min])
def test_all_elements_beside_a_nan_get_a_gradient_of_nan(op):
    ((first, second),) = gradient(lambda x: op(x, axis=1), [NAN, [1.0, 2.0, 3.0]])
    assert np.isnan(first).all()
    assert not np.isnan(second).any()


@pytest.mark.parametrize("op", [lucid.maximum, lucid.minimum])
def test_operands_of_which_one_is_nan_get_a_gradient_of_nan(op):
    x, y = gradient(op, NAN, [2.0, 2.0, 2.0])
    assert np.isnan(x).tolist() == np.isnan(y).tolist() == [False, True, False]


@pytest.mark.parametrize("op", [lucid.abs, lambda x: x.clip(0.0, 2.0), lambda x: x.clip(max=2.0)])
def test_an_element_that_is_nan_gets_a_gradient_of_nan(op):
    assert np.isnan(gradient(op, NAN)).tolist() == [[False, True, False]]


def test_relu_passes_the_gradient_at_nan():
    assert gradient(lucid.relu, NAN) == [[1, 1, 1]]


def test_a_constant_operand_costs_an_extreme_no_gradient():
    x = lucid.tensor(NAN, requires_grad=True)
    lucid.maximum(x, 0.0).sum().backward()
    assert np.isnan(x.grad.numpy()).tolist() == [False, True, False]


def test_clip_takes_a_bound_for_each_element():
    x = lucid.tensor([0.5, 0.5], requires_grad=True)
    y = x.clip(max=np.array([1.0, 0.25], "f"))
    y.sum().backward()
    assert (y.tolist(), x.grad.tolist()) == ([0.5, 0.25], [1, 0])


def test_clip_refuses_a_tensor_as_bound_whose_gradient_it_would_lose():
    with pytest.raises(TypeError, match="clip: min must be a number or an array, got a Tensor"):
        lucid.ones(2).clip(min=lucid.zeros(2))


def test_clip_passes_the_gradient_at_its_bounds():
    assert gradient(lambda x: x.clip(0.0, 1.0), [-1.0, 0.0, 1.0, 2.0]) == [[0, 1, 1, 0]]


def test_clip_wants_a_bound():
    with pytest.raises(ValueError, match="min or max"):
        lucid.clip(lucid.ones(2))


@pytest.mark.parametrize("x", [0.0, -0.0, np.inf, -np.inf, np.nan, 2.0, -2.0])
def test_the_slope_of_every_number_to_the_power_zero_is_0(x):
    assert gradient(lambda x: x**0, [x]) == [[0]]


def test_the_slope_in_the_exponent_of_zero_is_0_or_where_it_falls_from_infinity_its_limit():
    with np.errstate(divide="ignore"):
        assert gradient(lambda y: 0.0**y, [2.0, 0.5, 0.0, -1.0]) == [[0, 0, 0, -np.inf]]


def test_the_slope_in_the_exponent_of_infinity_is_0_where_it_falls_to_zero():
    assert gradient(lambda y: np.float64("inf") ** y, [-1.0, 1.0]) == [[0, np.inf]]


def test_the_slope_of_a_negative_power_of_zero_is_infinite():
    with np.errstate(divide="ignore"):
        assert gradient(lambda x: x**-1, [0.0]) == [[-np.inf]]


POWERS = [(4.0, 0.0), (4.0, 1.0), (4.0, 2.0), (0.25, -1.0), (3.0, 0.5)]


@pytest.mark.parametrize(("x", "y"), POWERS)
def test_both_derivatives_of_a_power_at_whole_exponents(x, y):
    inputs = [lucid.tensor(v, lucid.float64, requires_grad=True) for v in (x, y)]
    assert gradcheck(lucid.power, inputs)
    assert gradgradcheck(lucid.power, inputs)


@pytest.mark.parametrize(("x", "y"), POWERS)
def test_third_derivatives_of_a_power_at_whole_exponents(x, y):
    def slopes(x, y):
        return lucid.grad(x**y, [x, y], create_graph=True)

    inputs = [lucid.tensor(v, lucid.float64, requires_grad=True) for v in (x, y)]
    assert gradgradcheck(slopes, inputs)


@pytest.mark.parametrize("order", [("x", "y"), ("y", "x")])
def test_the_mixed_derivative_of_a_power_at_exponent_0_is_1_over_x(order):
    z = {name: lucid.tensor(v, requires_grad=True) for name, v in (("x", 4.0), ("y", 0.0))}
    (slope,) = lucid.grad(z["x"] ** z["y"], z[order[0]], create_graph=True)
    assert lucid.grad(slope, z[order[1]])[0].item() == 0.25


@pytest.mark.parametrize("x", [0.0, np.inf, np.nan, 3.0])
@pytest.mark.parametrize("power", [0, 1, 2, 3])
def test_the_derivatives_of_a_whole_power_end_in_0_at_every_x(x, power):
    start = lucid.tensor(x, requires_grad=True)
    y = start**power
    for _ in range(power + 2):
        (y,) = lucid.grad(y, start, create_graph=True)
    assert y.item() == 0


@pytest.mark.parametrize("power", [1, 2, 3])
def test_whole_powers_have_their_second_derivatives_at_zero(power):
    x = lucid.tensor([0.0, -2.0], lucid.float64, requires_grad=True)
    assert gradgradcheck(lambda x: x**power, x, eps=1e-5)


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


def test_the_gradient_of_the_mean_of_no_elements_is_empty_and_silent():
    x = lucid.zeros(0, 3, requires_grad=True)
    x.mean(axis=0).sum().backward()
    assert x.grad.shape == (0, 3)


def test_softmax_gives_minus_infinity_no_share_and_no_gradient():
    x = lucid.tensor([-np.inf, 0.0, 0.0], requires_grad=True)
    y = x.softmax()
    (y * [1.0, 2.0, 3.0]).sum().backward()
    assert y.tolist() == [0, 0.5, 0.5]
    assert x.grad.tolist() == [0, -0.25, 0.25]


# Half precision: computed in float32, rounded once

half_cases = pytest.mark.parametrize(
    "case", [c for c in CASES if c.name != "same_twice"], ids=lambda case: case.name
)


@half_cases
def test_half_precision_is_float32_rounded_once(case):
    values = [x.astype("float16") for x in case.inputs]
    half = [lucid.tensor(x, requires_grad=True) for x in values]
    single = [lucid.tensor(x, "float32", requires_grad=True) for x in values]
    y, wide = case.lucid(*half), case.lucid(*single)
    assert y.dtype == np.float16
    np.testing.assert_array_equal(y.detach(), wide.to("float16").detach())
    upstream = grid(*y.shape).astype("float16")
    y.backward(upstream)
    wide.backward(upstream)
    for x, peer in zip(half, single, strict=True):
        assert x.grad.dtype == np.float16
        np.testing.assert_array_equal(x.grad, peer.grad.to("float16"))


def half(*values):
    return lucid.tensor(values, "float16", requires_grad=True)


def test_mean_of_float16_does_not_overflow():
    assert lucid.full((100,), 60000.0, lucid.float16).mean().item() == 60000


@pytest.mark.parametrize("axis", [None, 0])
def test_half_precision_counts_beyond_2048(axis):
    assert lucid.ones(4096, 2, dtype=lucid.float16)[:, 0].sum(axis=axis).item() == 4096
    assert lucid.ones(4096, 1, dtype=lucid.float16).sum(axis=axis).item() == 4096


def test_probabilities_of_more_classes_than_half_precision_counts():
    x = lucid.zeros(70_000, dtype=lucid.float16)
    assert x.softmax()[0].item() == np.float16(1 / 70_000)
    assert x.log_softmax()[0].item() == np.float16(-np.log(70_000))


def test_the_gradient_of_a_mean_of_more_elements_than_half_precision_counts():
    x = lucid.ones(70_000, dtype=lucid.float16, requires_grad=True)
    x.mean().backward()
    assert (x.grad == np.float16(1 / 70_000)).numpy().all()


def test_more_ties_than_half_precision_counts_share_a_gradient():
    x = lucid.ones(3001, dtype=lucid.float16, requires_grad=True)
    x.max().backward(np.float16(8))
    assert (x.grad == np.float16(8 / 3001)).numpy().all()


def test_a_half_precision_bias_gets_the_gradient_of_all_rows():
    b = half(0.0, 0.0)
    (lucid.zeros(4096, 2, dtype=lucid.float16) + b).sum().backward()
    assert b.grad.tolist() == [4096, 4096]


def test_a_half_precision_factor_gets_a_sum_of_products_too_small_for_it():
    w = half(1.0)
    x = lucid.full((4096, 1), 2.0**-14, lucid.float16)
    (x * w).backward(np.full((4096, 1), 2.0**-14, "float16"))
    assert w.grad.item() == 2.0**-16


def test_half_precision_row_that_is_chosen_often_gets_the_whole_gradient():
    x = half(0.0, 0.0)
    x[np.zeros(4096, int)].sum().backward()
    assert x.grad.tolist() == [4096, 0]


@pytest.mark.parametrize(("op", "x"), [(lucid.sigmoid, 10.0), (lucid.tanh, 5.0)])
def test_a_saturated_half_precision_function_still_has_a_slope(op, x):
    at = half(x)
    op(at).sum().backward()
    wide = lucid.tensor([x], requires_grad=True)
    op(wide).sum().backward()
    assert at.grad.item() == np.float16(wide.grad.item()) > 0


def test_a_half_precision_product_may_leave_its_range_before_the_bias_is_added():
    assert lucid.linear(half(250.0), half(300.0).reshape(1, 1), half(-6e4)).tolist() == [15_000]


def test_a_wider_operand_decides_the_dtype_beside_half_precision():
    assert (half(1.0) * lucid.ones(1)).dtype == np.float32
    assert (half(1.0) / lucid.ones(1, dtype=lucid.float64)).dtype == np.float64
    assert (half(1.0) * lucid.tensor([2], lucid.int8)).dtype == np.float16
    assert (half(1.0) * lucid.tensor([2])).dtype == np.float64


@pytest.mark.parametrize("dtype", [">f2", np.dtype("f2", copy=True)])
def test_half_precision_is_known_in_every_guise(dtype):
    assert lucid.from_numpy(np.full(100, 6e4, dtype)).mean().item() == np.float16(6e4)


def test_second_derivatives_pass_through_half_precision():
    x = half(3.0)
    (slope,) = lucid.grad((x * x * x).sum(), x, create_graph=True)
    assert lucid.grad(slope.sum(), x)[0].tolist() == [18]


# Long sums

LAYOUTS = {
    "rows": lambda x: x,
    "columns": np.asfortranarray,
    "part_of_a_row": lambda x: np.repeat(x, 2, axis=1)[:, : x.shape[1]],
    "every_second": lambda x: np.repeat(x, 2, axis=0)[::2],
    "backwards": lambda x: x[::-1, ::-1],
    "repeated": lambda x: np.broadcast_to(x[:1], x.shape),
}
layouts = pytest.mark.parametrize("layout", LAYOUTS.values(), ids=LAYOUTS)


@layouts
@pytest.mark.parametrize("axis", [None, 0, 1, (0, 1), (1, 2), (0, 2)])
@pytest.mark.parametrize("shape", [(50_000, 3, 2), (300, 301, 5), (2, 50_000, 3)])
def test_a_long_float32_sum_is_as_exact_as_a_pairwise_one_along_every_axis(shape, axis, layout):
    x = layout(np.full(shape, 0.1, np.float32))
    for op in (lucid.sum, lucid.mean):
        expected = getattr(np, op.__name__)(x, axis=axis, dtype=np.float64)
        np.testing.assert_allclose(op(x, axis=axis), expected, rtol=3e-6)


@pytest.mark.parametrize("keepdims", [False, True])
@pytest.mark.parametrize("axis", [None, 0, -1, (), (0, 1), (2, 0)])
def test_a_long_sum_has_the_shape_of_numpys(axis, keepdims):
    x = np.ones((200, 3, 150))
    expected = x.sum(axis, keepdims=keepdims)
    y = lucid.sum(x, axis, keepdims)
    assert y.shape == expected.shape
    np.testing.assert_array_equal(y, expected)
    assert not np.shares_memory(y.numpy(), x)


@pytest.mark.parametrize("axis", [None, -1, (1, 2)])
def test_a_sum_of_numbers_side_by_side_has_numpys_bits(axis):
    x = np.random.default_rng(0).standard_normal((40, 30, 50)).astype("float32")
    np.testing.assert_array_equal(lucid.sum(x, axis), x.sum(axis))
    np.testing.assert_array_equal(lucid.mean(x, axis), x.mean(axis))


@pytest.mark.parametrize("axis", [2, (0, 2), (0, 0)])
def test_a_long_sum_refuses_axes_that_are_none(axis):
    with pytest.raises(ValueError, match="axis"):
        lucid.sum(lucid.zeros(300, 2), axis=axis)


def test_the_gradient_of_a_bias_is_exact_over_many_rows():
    b = lucid.zeros(2, requires_grad=True)
    ((lucid.zeros(300_000, 2) + b) * 0.1).sum().backward()
    np.testing.assert_allclose(b.grad, [30_000, 30_000], rtol=1e-6)


@pytest.mark.parametrize("op", [lucid.softmax, lucid.log_softmax])
def test_softmax_along_a_long_first_axis_is_that_along_the_last(op):
    x = np.random.default_rng(0).standard_normal((100_000, 2)).astype("float32")
    expected = op(x.T.copy(), axis=1).T
    np.testing.assert_allclose(op(x, axis=0), expected, rtol=2e-6)


@pytest.mark.parametrize("width", [(), (2,)], ids=["numbers", "rows"])
@pytest.mark.parametrize("sign", [1, -1])
def test_what_is_chosen_very_often_gets_an_exact_gradient(width, sign):
    x = lucid.zeros(3, *width, requires_grad=True)
    index = sign * np.repeat([1, 2], [300_000, 7])
    (x[index] * 0.1).sum().backward()
    expected = np.zeros((3, *width))
    expected[sign * 1], expected[sign * 2] = 30_000, 0.7
    np.testing.assert_allclose(x.grad, expected, rtol=1e-6)


def test_an_index_of_several_axes_that_repeats_gathers_its_gradient():
    x = lucid.zeros(2, 3, requires_grad=True)
    x[np.ones((20, 30), np.uint8)].sum().backward()
    assert x.grad.tolist() == [[0] * 3, [600] * 3]


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


@pytest.mark.parametrize(("n", "k", "c"), [(2, 0, 3), (2, 3, 0), (0, 3, 2), (0, 0, 0)])
def test_linear_has_gradients_of_no_width_too(n, k, c):
    inputs = [lucid.zeros(*shape, requires_grad=True) for shape in ((n, k), (c, k), (c,))]
    lucid.linear(*inputs).sum().backward()
    assert [x.grad.shape for x in inputs] == [(n, k), (c, k), (c,)]


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


def declared_methods():
    """Return what Tensor declares for type checkers alone: the signatures of its ops."""
    (declarations,) = (
        node
        for node in ast.walk(ast.parse(inspect.getsource(lucid.Tensor)))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    )
    return {method.name: method.args for method in declarations.body}


def parameters(arguments):
    """Return the names and defaults of the parameters, without the first one."""
    names = [a.arg for a in (*arguments.args[1:], arguments.vararg) if a]
    return names, [ast.literal_eval(default) for default in arguments.defaults]


def test_tensor_declares_the_ops_that_it_has_as_methods():
    made_by_ops = {
        name
        for name, value in vars(lucid.Tensor).items()
        if getattr(value, "__module__", "").startswith("lucid.autograd.ops")
    }
    in_place = {"__iadd__", "__isub__", "__imul__", "__itruediv__"}  # declared by __add__ and such
    assert declared_methods().keys() == made_by_ops - in_place | {"T"}


@pytest.mark.parametrize("name", [n for n in declared_methods() if n[0] != "_" and n != "T"])
def test_tensor_declares_the_parameters_of_its_ops(name):
    names, defaults = parameters(declared_methods()[name])
    _, *found = inspect.signature(getattr(lucid.Tensor, name)).parameters.values()
    assert names == [p.name for p in found]
    assert defaults == [p.default for p in found if p.default is not p.empty]

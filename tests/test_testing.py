"""gradcheck and gradgradcheck find wrong gradients and say what is wrong."""

import numpy as np
import pytest

import lucid
from lucid.testing import gradcheck, gradgradcheck


def double(*values):
    return lucid.tensor(np.array(values), requires_grad=True)


@lucid.primitive
def wrong_square(x):
    return x.detach().numpy() ** 2, lambda g, y: (g * x,)


@lucid.primitive
def square_with_nan_gradient(x):
    return x.detach().numpy() ** 2, lambda g, y: (g * np.nan,)


@lucid.primitive
def square_with_wrong_second_derivative(x):
    return x.detach().numpy() ** 2, lambda g, y: (g * 2 * x.detach(),)


def test_gradcheck_accepts_a_right_gradient():
    assert gradcheck(lambda x, y: x * y.exp(), [double(1.0, 2.0), double(0.5, -1.0)]) is True


def test_gradcheck_accepts_several_outputs():
    assert gradcheck(lambda x: [x * 2, x.sum()], double(1.0, 2.0))


def test_gradcheck_accepts_empty_inputs():
    assert gradcheck(lambda x, y: x.sum() * y, [double(), double(1.0, 2.0)])


def test_gradcheck_shows_both_gradients_and_the_worst_element():
    with pytest.raises(AssertionError) as failure:
        gradcheck(wrong_square, double(1.0, 3.0))
    message = str(failure.value)
    assert "output 0 with respect to input 0 is wrong" in message
    assert "output element 1, input element 1: 3.0 from backward" in message
    assert "6.0" in message


def test_gradcheck_refuses_a_nan_gradient():
    with pytest.raises(AssertionError, match="nan from backward"):
        gradcheck(square_with_nan_gradient, double(1.0))


def test_gradcheck_wants_float64():
    with pytest.raises(TypeError, match=r"inputs\[1\]: expected float64.*got float32"):
        gradcheck(lambda x, y: x * y, [double(1.0), lucid.ones(1, requires_grad=True)])


def test_gradcheck_wants_an_input_with_a_gradient():
    with pytest.raises(ValueError, match="none of them requires a gradient"):
        gradcheck(lambda x: x, lucid.zeros(2, dtype=lucid.float64))


def test_gradgradcheck_accepts_a_right_second_derivative():
    assert gradgradcheck(lambda x: x**3, double(1.0, 2.0)) is True


def test_gradgradcheck_accepts_a_linear_function():
    assert gradgradcheck(lambda x: x + x, double(1.0, 2.0))


def test_gradgradcheck_finds_a_second_derivative_that_gradcheck_cannot_see():
    x = double(1.0, 3.0)
    assert gradcheck(square_with_wrong_second_derivative, x)
    with pytest.raises(AssertionError, match="is wrong"):
        gradgradcheck(square_with_wrong_second_derivative, x)


def test_gradgradcheck_leaves_the_random_generator_alone():
    lucid.manual_seed(0)
    expected = lucid.rand(3).tolist()
    lucid.manual_seed(0)
    gradgradcheck(lambda x: x**3, double(1.0))
    assert lucid.rand(3).tolist() == expected

"""What weights are, and the sum of sample weights, by which a mean is divided."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid._kernels.weights import are_weights, sum_of_weights

LARGEST = float(np.finfo(np.float32).max)


@given(st.lists(st.floats(0, LARGEST), max_size=50))
def test_the_sum_is_rounded_once(weights):
    found = sum_of_weights(np.array(weights))
    assert abs(found - math.fsum(weights)) <= math.ulp(found)


@pytest.mark.parametrize(
    "bad", [-1.0, -5e-324, math.nextafter(LARGEST, math.inf), math.inf, -math.inf, math.nan]
)
@pytest.mark.parametrize("place", [0, 6, 12])
def test_what_is_negative_or_larger_than_float32_is_not_a_weight(bad, place):
    weights = np.linspace(0, 1, 13)
    assert are_weights(weights)
    weights[place] = bad
    assert not are_weights(weights)


def test_the_largest_float32_is_a_weight():
    assert are_weights(np.array([LARGEST, 0.0]))

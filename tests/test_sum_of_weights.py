"""The sum of sample weights, by which a mean is divided."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lucid._kernels.weights import sum_of_weights


@given(st.lists(st.floats(0, 1e300), max_size=50))
def test_it_is_rounded_once(weights):
    found = sum_of_weights(np.array(weights))
    assert abs(found - math.fsum(weights)) <= math.ulp(found)


@pytest.mark.parametrize("bad", [-1.0, math.inf, math.nan])
def test_what_is_no_weight_has_none(bad):
    assert math.isnan(sum_of_weights(np.array([1.0, bad, 2.0])))


def test_one_too_large_is_inf():
    assert sum_of_weights(np.array([1e308, 1e308])) == math.inf

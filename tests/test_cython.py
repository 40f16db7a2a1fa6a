"""The row functions can be cimported: a small extension is built against them and run."""

import numpy as np
import pytest
from extensions import build

import lucid

pytest.importorskip("Cython")
pytest.importorskip("setuptools")

EXTENSION = """
# cython: language_level=3
from libc.stdint cimport int64_t
from lucid.kernels cimport multilabel_margin_row

def rows(const double[:, ::1] x, const int64_t[:, ::1] target, double[:, ::1] gradient):
    cdef double loss = 0
    result = []
    for n in range(x.shape[0]):
        status = multilabel_margin_row(
            &x[n, 0], x.shape[1], &target[n, 0], target.shape[1], &gradient[n, 0], &loss)
        result.append(loss if status == 0 else status)
    return result
"""


@pytest.fixture(scope="module")
def mine(tmp_path_factory):
    return build(tmp_path_factory.mktemp("mine"), "mine", EXTENSION)


@pytest.mark.parametrize(("n", "c", "p"), [(7, 20, 3), (3, 2000, 40)])
def test_a_cimported_row_function_gives_the_bits_of_the_library(mine, n, c, p):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((n, c))
    target = np.stack([rng.permutation(c)[:p] for _ in range(n)])
    gradient = np.empty_like(x)
    losses = mine.rows(x, target, gradient)
    expected, expected_gradient = lucid.multilabel_margin(x, target, "none")
    assert losses == expected.tolist()
    assert np.array_equal(gradient, expected_gradient)
    assert expected.std() > 0


def test_a_cimported_row_function_reports_a_label_out_of_range(mine):
    x = np.zeros((1, 4))
    assert mine.rows(x, np.array([[4]]), np.empty_like(x)) == [-1]


@pytest.mark.parametrize("rest", [[-1, -1], [1, -1], [99, -7]])
def test_a_cimported_row_function_ignores_what_follows_the_first_minus_one(mine, rest):
    x = np.array([[0.1, 0.2, 0.4, 0.8]])
    gradient, expected = np.empty_like(x), np.empty_like(x)
    losses = mine.rows(x, np.array([[3, -1, *rest]]), gradient)
    assert losses == mine.rows(x, np.array([[3]]), expected)
    assert np.array_equal(gradient, expected)

"""PyTorch as a peer: the same losses and gradients.

Its float32 sums lose digits in rows of thousands of classes, so it computes in float64 here.
"""

import numpy as np
import pytest

import lucid
from lucid import nn
from lucid.nn import functional as F

torch = pytest.importorskip("torch")

# Rows (None: no batch axis), classes, labels.
SHAPES = [(1, 5, 2), (None, 5, 2), (6, 1, 1), (4, 10, 10), (7, 33, 3), (5, 600, 60), (2, 20_000, 5)]


def problem(shape, dtype):
    rows, classes, labels = shape
    rng = np.random.default_rng(classes)
    x = rng.standard_normal((rows or 1, classes)).astype(dtype)
    target = np.full(x.shape, -1)  # PyTorch wants the target as wide as the scores
    for row in target:
        count = rng.integers(1, labels, endpoint=True)
        row[:count] = rng.choice(classes, count, replace=False)
    return (x[0], target[0]) if rows is None else (x, target)


def of_torch(criterion, x, target):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    loss = criterion(x, torch.tensor(target))
    loss.backward(torch.ones_like(loss))
    return loss.detach().numpy(), x.grad.numpy()


def of_lucid(criterion, x, target):
    x = lucid.tensor(x, requires_grad=True)
    loss = criterion(x, lucid.tensor(target))
    loss.backward(lucid.ones(*loss.shape, dtype=loss.dtype))
    return loss.detach().numpy(), x.grad.numpy()


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        assert a.shape == b.shape
        rtol = 1e-6 if a.dtype == np.float32 else 1e-12
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("reduction", ["none", "sum", "mean"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.filterwarnings("ignore:labels are integers 0 and 1")
def test_the_module_gives_what_torchs_gives(shape, dtype, reduction, threads, cpu_level):
    lucid.set_num_threads(threads)
    x, target = problem(shape, dtype)
    got = of_lucid(nn.MultilabelMarginLoss(reduction), x, target)
    assert_same(got, of_torch(torch.nn.MultiLabelMarginLoss(reduction=reduction), x, target))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_scores_at_the_margin_have_torchs_gradient(shape):
    x, target = problem(shape, "float64")
    x = np.round(x)
    got = of_lucid(F.multilabel_margin_loss, x, target)
    assert_same(got, of_torch(torch.nn.functional.multilabel_margin_loss, x, target))


def test_repeated_labels_count_as_in_torch():
    x = np.array([[0.25, 0.5, -0.125, 0.75]])
    target = np.array([[1, 3, 1, -1]])
    got = of_lucid(F.multilabel_margin_loss, x, target)
    assert_same(got, of_torch(torch.nn.functional.multilabel_margin_loss, x, target))


@pytest.mark.filterwarnings("ignore:row 0 is")
def test_torch_ignores_the_same_labels_after_a_minus_one():
    x, target = np.array([[0.1, 0.2, 0.4, 0.8]]), np.array([[3, 0, -1, 1]])
    got = of_lucid(F.multilabel_margin_loss, x, target)
    assert_same(got, of_torch(torch.nn.functional.multilabel_margin_loss, x, target))

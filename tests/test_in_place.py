"""What ``x += y`` does: it writes into x, unless the change would have to be recorded."""

import operator

import numpy as np
import pytest

import lucid
from lucid import nn

OPERATORS = [operator.iadd, operator.isub, operator.imul, operator.itruediv]


@pytest.mark.parametrize("update", OPERATORS)
def test_a_tensor_without_gradient_is_changed_in_place_as_its_array_would_be(update):
    x = lucid.tensor([2.0, 4.0])
    expected = x.numpy().copy()
    update(expected, 0.5)
    other = x
    x = update(x, 0.5)
    assert x is other
    assert np.array_equal(x.numpy(), expected)


def test_a_hand_written_step_under_no_grad_trains_the_parameters():
    model = nn.Linear(3, 2)
    before = {name: value.numpy().copy() for name, value in model.state_dict().items()}
    model(lucid.ones(4, 3)).sum().backward()
    with lucid.no_grad():
        for p in model.parameters():
            p -= 0.1 * p.grad
        model.weight -= 0.1 * model.weight.grad
    assert set(model.state_dict()) == set(before)
    assert np.allclose(model.state_dict()["bias"].numpy(), before["bias"] - 0.4)
    assert np.allclose(model.state_dict()["weight"].numpy(), before["weight"] - 0.8)


def test_a_recorded_leaf_is_not_changed_in_place():
    x = lucid.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="no_grad"):
        x += 1


def test_a_recorded_result_gets_the_name_of_the_new_tensor():
    x = lucid.ones(2, requires_grad=True)
    y = z = x * 2
    y += 1
    assert y is not z
    y.sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_a_backward_after_a_change_in_place_is_refused():
    x = lucid.ones(2, requires_grad=True)
    y = (x * x).sum()
    with lucid.no_grad():
        x += 1
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward()


def test_the_parts_of_the_package_are_there_after_its_import():
    assert lucid.nn is nn
    assert lucid.optim.SGD
    assert lucid.metrics.one_error
    assert lucid.io.read_xmc
    assert lucid.testing.gradcheck

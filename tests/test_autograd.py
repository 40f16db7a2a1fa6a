"""Backward passes: what accumulates where, what is freed when, what is refused."""

import gc
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import lucid


def variable(*values, shape=None):
    x = np.array(values) if shape is None else np.ones(shape)
    return lucid.tensor(x, requires_grad=True)


# backward


def test_the_gradient_of_a_number_starts_with_1():
    x = variable(3.0)
    (x * x).sum().backward()
    assert x.grad.tolist() == [6]


def test_one_element_in_any_shape_needs_no_gradient():
    x = variable(shape=(1, 1))
    (x * 2).backward()
    assert x.grad.tolist() == [[2]]


def test_a_gradient_of_the_outputs_shape_can_be_given():
    x = variable(1.0, 2.0)
    (x * x).backward([1.0, 10.0])
    assert x.grad.tolist() == [2, 40]


def test_gradients_accumulate():
    x = variable(1.0)
    for _ in range(3):
        (x * 2).backward()
    assert x.grad.tolist() == [6]


def test_accumulation_writes_into_the_same_gradient():
    x = variable(1.0)
    (x * 2).backward()
    first = x.grad
    (x * 2).backward()
    assert x.grad is first


def test_backward_of_a_leaf_is_the_given_gradient():
    x = variable(1.0, 2.0)
    given = np.array([3.0, 4.0])
    x.backward(given)
    assert x.grad.tolist() == [3, 4]
    assert not np.shares_memory(x.grad.numpy(), given)


def test_only_leaves_get_a_gradient():
    x = variable(1.0)
    y = x * 2
    (y * 3).backward()
    assert y.grad is None


def test_constants_get_no_gradient():
    x, constant = variable(1.0), lucid.ones(1)
    (x * constant).backward()
    assert constant.grad is None


def test_a_diamond_is_walked_once_in_each_node():
    calls = []

    @lucid.primitive
    def spy(x):
        def pullback(g, y):
            calls.append(g.tolist())
            return (g,)

        return x.detach().numpy(), pullback

    x = variable(2.0)
    y = spy(x)
    (y * y + y).backward()
    assert calls == [[5]]
    assert x.grad.tolist() == [5]


@given(mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
def test_broadcasting_is_undone_by_summing(shapes):
    first, second = shapes.input_shapes
    x, y = variable(shape=first), variable(shape=second)
    (x + y).backward(np.ones(shapes.result_shape))
    size = int(np.prod(shapes.result_shape))
    for z in (x, y):
        assert z.grad.shape == z.shape
        assert z.grad.sum().item() == size


# Whose array a gradient is


@pytest.mark.parametrize(
    "f",
    [lambda x, y: x + y, lambda x, y: lucid.concatenate([x, y]), lambda x, y: (x + 0) + (y + 0)],
)
def test_gradients_of_different_leaves_never_share_memory(f):
    x, y = variable(1.0, 2.0), variable(3.0, 4.0)
    f(x, y).sum().backward()
    assert not np.shares_memory(x.grad.numpy(), y.grad.numpy())
    x.grad[...] = 7.0
    assert y.grad.tolist() == [1, 1]


def test_a_new_array_from_a_pullback_becomes_the_gradient_without_a_copy():
    stored = lucid.tensor([5.0, 6.0], dtype=lucid.float64)

    @lucid.primitive
    def loss(x):
        return x.detach().numpy().sum(), lambda g, y: (stored,)

    x = variable(1.0, 2.0)
    loss(x).backward()
    assert np.shares_memory(x.grad.numpy(), stored.numpy())


def test_a_pullback_that_stays_alive_keeps_its_array():
    stored = lucid.tensor([5.0, 6.0], dtype=lucid.float64)

    @lucid.primitive
    def loss(x):
        return x.detach().numpy().sum(), lambda g, y: (stored,)

    x = variable(1.0, 2.0)
    y = loss(x)
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [10, 12]
    assert stored.tolist() == [5, 6]


def test_the_gradient_of_a_sum_can_be_written_into():
    x = variable(1.0, 2.0)
    x.sum().backward()
    x.grad[0] = 3.0
    assert x.grad.tolist() == [3, 1]


@pytest.mark.parametrize("retain", [False, True])
def test_gradients_of_intermediate_results_are_the_callers_own(retain):
    x = variable(1.0, 2.0)
    y, z = x * 2, x * 3
    start = lucid.ones(2, dtype=lucid.float64)
    gy, gz = lucid.grad(y + z, [y, z], start, retain_graph=retain)
    gy[...] = 7.0
    assert (gz.tolist(), start.tolist()) == ([1, 1], [1, 1])


def test_the_gradient_of_a_tensor_by_itself_is_the_callers_own():
    x = variable(1.0, 2.0)
    start = lucid.ones(2, dtype=lucid.float64)
    lucid.grad(x, x, start)[0][...] = 7.0
    assert start.tolist() == [1, 1]


def test_no_caller_gets_the_1_that_every_pass_begins_with():
    x = lucid.tensor(2.0, requires_grad=True)
    (one,) = lucid.grad(x, x)
    one.requires_grad_()
    lucid.grad(x * x, x, create_graph=True)[0].backward()
    assert one.grad is None


def test_the_gradient_by_an_intermediate_result_depends_on_its_start():
    x, start = variable(1.0), variable(3.0)
    y = x * 2
    (gy,) = lucid.grad(y + 1, y, start, create_graph=True)
    gy.backward()
    assert start.grad.tolist() == [1]


# What a gradient can be


def test_a_gradient_is_a_tensor():
    x = variable(1.0)
    with pytest.raises(TypeError, match=r"grad: expected a Tensor or None, got ndarray"):
        x.grad = np.ones(1)


def test_integers_have_no_gradient():
    x = lucid.tensor([1])
    with pytest.raises(TypeError, match="grad: only a floating-point tensor can have one"):
        x.grad = lucid.ones(1)


# Higher derivatives


def test_every_derivative_of_a_power():
    x = lucid.tensor(2.0, requires_grad=True)
    y = x**4
    values = []
    for _ in range(5):
        (y,) = lucid.grad(y, x, create_graph=True)
        values.append(y.item())
    assert values == [32, 48, 48, 24, 0]


def test_backward_can_be_differentiated():
    x = variable(3.0)
    (x**3).backward(create_graph=True)
    slope = x.grad
    x.grad = None
    slope.backward()
    assert x.grad.tolist() == [18]


def test_an_ordinary_backward_records_nothing():
    x = variable(3.0)
    (x**3).backward()
    assert not x.grad.requires_grad


def test_a_gradient_penalty_trains():
    w = variable(1.0, 2.0)
    x = variable(3.0, 4.0)
    (slope,) = lucid.grad((w * x).sum(), x, create_graph=True)
    ((slope**2).sum()).backward()
    assert w.grad.tolist() == [2, 4]


# lucid.grad


def test_grad_touches_no_grad_attribute():
    x = variable(2.0)
    (gradient,) = lucid.grad(x * x, x)
    assert gradient.tolist() == [4]
    assert x.grad is None


def test_grad_of_several_outputs_is_that_of_their_sum():
    x, y = variable(2.0), variable(3.0)
    gx, gy = lucid.grad([x * y, x * x], [x, y])
    assert (gx.tolist(), gy.tolist()) == ([7], [2])


def test_grad_takes_a_start_for_each_output():
    x = variable(1.0, 2.0)
    (gradient,) = lucid.grad([x * 2, x.sum()], x, [[1.0, 10.0], None])
    assert gradient.tolist() == [3, 21]


def test_grad_by_an_intermediate_result():
    x = variable(2.0)
    y = x * 3
    gy, gx = lucid.grad(y * y, [y, x])
    assert (gy.tolist(), gx.tolist()) == ([12], [36])


def test_grad_leaves_the_graph_below_its_inputs_alone():
    x = variable(2.0)
    y = x * 3
    (gy,) = lucid.grad(y * y, y)
    y.backward(gy)
    assert x.grad.tolist() == [36]


def test_grad_does_not_run_pullbacks_beside_the_way():
    @lucid.primitive
    def never(x):
        def pullback(g, y):
            raise AssertionError

        return x.detach().numpy() * 1, pullback

    x, other = variable(2.0), variable(3.0)
    (gradient,) = lucid.grad(x * x + never(other), x)
    assert gradient.tolist() == [4]


def test_grad_of_a_tensor_by_itself_is_1():
    x = variable(2.0)
    assert lucid.grad(x, x)[0].tolist() == [1]


def test_grad_refuses_an_unused_input():
    x, y = variable(2.0), variable(3.0)
    with pytest.raises(RuntimeError, match=r"do not depend on inputs\[1\].*allow_unused"):
        lucid.grad(x * x, [x, y])


def test_grad_through_a_freed_graph_is_refused():
    x = variable(2.0)
    y = x * x
    lucid.grad(y, x)
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        lucid.grad(y, x)


def test_grad_gives_none_for_an_unused_input_on_request():
    x, y = variable(2.0), variable(3.0)
    assert lucid.grad(x * x, [x, y], allow_unused=True)[1] is None


def test_grad_refuses_an_input_without_gradient():
    with pytest.raises(RuntimeError, match=r"inputs\[0\] does not require a gradient"):
        lucid.grad(variable(2.0), lucid.ones(1))


def test_grad_wants_as_many_starts_as_outputs():
    x = variable(2.0)
    with pytest.raises(ValueError, match="one for each of the 2 outputs, got 1"):
        lucid.grad([x, x * 2], x, [None])


# What is refused


def test_backward_of_many_elements_wants_a_gradient():
    with pytest.raises(RuntimeError, match=r"shape \(2,\) needs a gradient of that shape"):
        (variable(1.0, 2.0) * 2).backward()


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(
        ValueError, match=r"gradient: expected the tensor's shape \(2,\), got \(3,\)"
    ):
        (variable(1.0, 2.0) * 2).backward(np.ones(3))


def test_backward_without_any_gradient_is_refused():
    with pytest.raises(RuntimeError, match="does not require a gradient"):
        lucid.ones(1).backward()


@pytest.mark.parametrize("f", [lucid.exp, lambda x: x.exp().sum()], ids=["one_op", "two_ops"])
def test_a_second_backward_through_a_freed_graph_is_refused(f):
    y = f(variable(1.0))
    y.backward()
    with pytest.raises(RuntimeError, match="retain_graph=True"):
        y.backward()


def test_a_retained_graph_allows_a_second_backward():
    x = variable(1.0)
    y = (x * 2).sum()
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.tolist() == [4]


def test_a_pullback_with_too_few_gradients_is_refused():
    @lucid.primitive
    def broken(x, y):
        return x.detach().numpy() + y.detach().numpy(), lambda g, z: (g,)

    with pytest.raises(RuntimeError, match="gave 1 gradients for 2 inputs"):
        broken(variable(1.0), variable(1.0)).backward()


def write(x):
    with lucid.no_grad():
        x[...] = 5.0


@pytest.mark.parametrize(
    "write",
    [
        write,
        lambda x: write(x.detach()),
        lambda x: write(x[:1]),
        lambda x: write(x.detach().reshape(2, 1).T),
    ],
    ids=["itself", "detached", "slice", "view_of_view"],
)
def test_an_input_written_into_after_its_use_is_refused(write):
    x = variable(1.0, 2.0)
    y = (x * x).sum()
    write(x)
    with pytest.raises(RuntimeError, match="modified in place after it was used"):
        y.backward()


def test_a_result_written_into_after_its_use_is_refused():
    x = variable(1.0)
    y = x.exp()
    write(y)
    with pytest.raises(RuntimeError, match="modified in place"):
        y.backward()


def test_writing_before_the_use_is_fine():
    x = variable(1.0)
    write(x)
    (x * x).backward()
    assert x.grad.tolist() == [10]


def test_writing_into_a_copy_is_fine():
    x = variable(1.0)
    y = (x * x).sum()
    write(x.clone())
    y.backward()
    assert x.grad.tolist() == [2]


@pytest.mark.parametrize("f", [lambda x, y: x, lambda x, y: x + y], ids=["one_op", "two_ops"])
def test_a_failed_backward_changes_no_gradient_and_no_mode(f):
    @lucid.primitive
    def broken(x):
        def pullback(g, y):
            raise ZeroDivisionError

        return x.detach().numpy() * 1, pullback

    x, y = variable(1.0), variable(2.0)
    with pytest.raises(ZeroDivisionError):
        f(broken(x), y).backward()
    assert x.grad is y.grad is None
    assert lucid.is_grad_enabled()


# no_grad


def test_no_grad_restores_the_mode_after_an_error():
    with pytest.raises(ZeroDivisionError), lucid.no_grad():
        raise ZeroDivisionError
    assert lucid.is_grad_enabled()


def test_no_grad_decorates_recursive_functions():
    modes = []

    @lucid.no_grad()
    def descend(depth):
        if depth:
            descend(depth - 1)
        modes.append(lucid.is_grad_enabled())

    descend(2)
    assert modes == [False] * 3
    assert lucid.is_grad_enabled()


def test_no_grad_belongs_to_its_thread():
    seen = []
    with lucid.no_grad():
        thread = threading.Thread(target=lambda: seen.append(lucid.is_grad_enabled()))
        thread.start()
        thread.join()
    assert seen == [True]


# Memory


@pytest.fixture
def _no_collector():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collector")
@pytest.mark.parametrize("walked", [True, False], ids=["walked", "never_walked"])
def test_a_graph_is_freed_without_the_garbage_collector(walked):
    x = variable(1.0, 2.0)
    middle = (x * 2).exp()
    loss = (middle.softmax() * middle).sum()
    if walked:
        loss.backward()
    gone = weakref.ref(middle)
    del middle
    if not walked:
        del loss
    assert gone() is None


@pytest.mark.usefixtures("_no_collector")
def test_a_gradient_by_grad_leaves_nothing_behind():
    x = variable(1.0, 2.0)
    y = x.exp()
    (slope,) = lucid.grad(y.sum(), x, create_graph=True)
    gone = weakref.ref(y)
    del y, slope
    assert gone() is None


def test_without_recording_inputs_are_not_kept_alive():
    x = lucid.ones(2)
    y = x.exp()
    gone = weakref.ref(x)
    del x
    assert gone() is None
    assert y.is_leaf


def deep(x, depth=100_000):
    for _ in range(depth):
        x = -x
    return x


def test_a_deep_graph_can_be_walked_and_freed():
    x = variable(1.0)
    y = deep(x)
    y.backward()
    assert x.grad.tolist() == [1]
    del y


def test_a_deep_graph_that_was_never_walked_can_be_freed():
    y = deep(variable(1.0))
    gone = weakref.ref(y)
    del y
    assert gone() is None


def test_a_deep_graph_can_be_freed_in_a_thread_with_a_small_stack():
    def build_and_drop():
        deep(variable(1.0))
        done.append(True)

    done = []
    before = threading.stack_size(256 * 1024)
    try:
        thread = threading.Thread(target=build_and_drop)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert done == [True]


def test_grad_walks_a_deep_graph_too():
    x = variable(1.0)
    assert lucid.grad(deep(x, 20_000), x)[0].tolist() == [1]


def test_independent_graphs_in_threads_do_not_disturb_each_other():
    def work(i):
        x = lucid.tensor(float(i), dtype=lucid.float64, requires_grad=True)
        for _ in range(200):
            x.grad = None
            (x * x * x).backward()
        results[i] = x.grad.item()

    results = {}
    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: 3.0 * i * i for i in range(8)}

"""Backward passes: what accumulates where, what is freed when, what is refused."""

import asyncio
import gc
import inspect
import re
import threading
import weakref

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import mutually_broadcastable_shapes

import lucid
from lucid import nn


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


def test_a_gradient_has_the_tensors_shape():
    x = variable(1.0, 2.0, 3.0)
    with pytest.raises(ValueError, match=r"grad: expected the tensor's shape \(3,\), got \(2, 3\)"):
        x.grad = lucid.zeros(2, 3, dtype=lucid.float64)
    assert x.grad is None


def test_a_gradient_has_the_tensors_dtype():
    x = lucid.tensor([1.0], requires_grad=True)
    with pytest.raises(
        TypeError, match=r"dtype float32, got float64: convert .* \.to\('float32'\)"
    ):
        x.grad = lucid.ones(1, dtype=lucid.float64)
    x.grad = lucid.ones(1, dtype=lucid.float64).to("float32")
    assert x.grad.tolist() == [1]


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


# What a primitive returns


def test_a_pullback_with_too_few_gradients_is_refused():
    @lucid.primitive
    def broken(x, y):
        return x.detach().numpy() + y.detach().numpy(), lambda g, z: (g,)

    with pytest.raises(RuntimeError, match="broken: a pullback gave 1 gradients for 2 inputs"):
        broken(variable(1.0), variable(1.0)).backward()


@lucid.primitive
def double(x, *, pullback):
    return x.detach().numpy() * 2, pullback


through = pytest.mark.parametrize(
    "f", [lambda y: y, lambda y: y * 1], ids=["one_op", "two_ops"]
)  # a loss of one leaf takes a short cut back


@through
@pytest.mark.parametrize(
    ("pullback", "got"),
    [
        (lambda g, y: g * 2, r"got a Tensor of shape \(1,\)"),
        (lambda g, y: (g * 2).sum(), r"got a Tensor of shape \(\)"),
        (lambda g, y: g.numpy() * 2, r"got a ndarray of shape \(1,\)"),
        (lambda g, y: 2.0, "got float"),
        (lambda g, y: None, "got NoneType"),
    ],
)
def test_a_pullback_returns_a_tuple(f, pullback, got):
    x = variable(1.0)
    with pytest.raises(TypeError, match=f"double: a pullback must return a tuple .*{got}"):
        f(double(x, pullback=pullback)).backward()
    assert x.grad is None


@through
@pytest.mark.parametrize(
    ("pullback", "got"),
    [
        (lambda g, y: (g.numpy() * 2,), r"got a ndarray of shape \(1,\)"),
        (lambda g, y: (2.0,), "got float"),
    ],
)
def test_a_pullback_returns_tensors(f, pullback, got):
    with pytest.raises(TypeError, match=f"double: a pullback must return Tensors, {got}"):
        f(double(variable(1.0), pullback=pullback)).backward()


@through
@pytest.mark.parametrize("shape", [(3, 2), (6,), (3,), (1, 6), (), (2, 1)])
def test_a_pullback_returns_gradients_of_the_inputs_shapes(f, shape):
    wrong = lucid.ones(*shape, dtype=lucid.float64)
    message = f"double: a pullback gave a gradient of shape {shape} for an input of shape (2, 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        f(double(variable(shape=(2, 3)), pullback=lambda g, y: (wrong,))).sum().backward()


@pytest.mark.parametrize("shape", [(5, 2, 3), (2, 3)])
def test_a_pullback_may_return_what_the_inputs_shape_broadcasts_to(shape):
    x = variable(shape=(2, 3))
    g = lucid.ones(*shape, dtype=lucid.float64)
    double(x, pullback=lambda *_: [g]).sum().backward()
    assert x.grad.sum().item() == g.size


@pytest.mark.parametrize(
    ("result", "got"),
    [
        (np.ones(2), "ndarray"),
        (lucid.ones(2), "Tensor"),
        (3.0, "float"),
        (None, "NoneType"),
        ((np.ones(2),), r"\(ndarray\)"),
        ((np.ones(2), None, None), r"\(ndarray, NoneType, NoneType\)"),
        ((np.ones(2), np.ones(2)), r"\(ndarray, ndarray\)"),
    ],
)
def test_a_primitive_returns_a_value_and_its_pullback(result, got):
    @lucid.primitive
    def bare(x):
        return result

    message = f"bare: a primitive must return a tuple of its value and its pullback.*, got {got}"
    with pytest.raises(TypeError, match=message):
        bare(variable(1.0, 2.0))


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


INDICES = {
    "tensor": lambda i: (lucid.from_numpy(i),) * 2,
    "tuple_of_tensors": lambda i: ((lucid.from_numpy(i), slice(None)), lucid.from_numpy(i)),
    "array": lambda i: (i, i),
    "array_in_a_tuple": lambda i: ((..., i, None, slice(None)), i),
    "list": lambda i: (listed := i.tolist(), listed),
}


@pytest.mark.parametrize("make", INDICES.values(), ids=INDICES)
@pytest.mark.parametrize(
    ("index", "place", "value"),
    [([0, 1], 0, 2), ([True, True, False], 2, True)],
    ids=["integers", "mask"],
)
def test_the_gradient_goes_to_what_was_chosen_whatever_becomes_of_the_index(
    make, index, place, value
):
    x = variable(shape=(3, 1))
    index, memory = make(np.array(index))
    y = x[index]
    memory[place] = value
    y.sum().backward()
    assert x.grad.tolist() == [[1], [1], [0]]


def test_an_embedding_is_trained_where_it_was_looked_up():
    layer, indices = nn.Embedding(4, 1), lucid.tensor([0, 1])
    y = layer(indices)
    indices[0] = 3
    y.sum().backward()
    assert layer.weight.grad.tolist() == [[1], [1], [0], [0]]


def test_an_empty_list_chooses_nothing():
    x = variable(1.0, 2.0)
    x[[]].sum().backward()
    assert x.grad.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("f", "expected"),
    [
        (lambda x, a: x * a, [3, 4]),
        (lambda x, a: a / x, [-3, -1]),
        (lambda x, a: lucid.where(a > 3, x, 0), [0, 1]),
        (lambda x, a: lucid.where(a, x, 0), [1, 1]),
        (lambda x, a: x @ a, [3, 4]),
        (lambda x, a: lucid.linear(a, x.reshape(1, 2)), [3, 4]),
        (lambda x, a: lucid.maximum(x, a), [0, 0]),
        (lambda x, a: x.clip(max=a), [1, 1]),
    ],
)
def test_a_numpy_array_may_be_written_into_between_its_use_and_backward(f, expected):
    x, a = variable(1.0, 2.0), np.array([3.0, 4.0])
    y = f(x, a).sum()
    a[...] = 0.0
    y.backward()
    assert x.grad.tolist() == expected


def test_an_array_is_not_copied_where_nothing_is_recorded():
    a = np.ones(2)
    assert np.shares_memory(lucid.reshape(a, 2, 1).numpy(), a)
    with lucid.no_grad():
        assert lucid.concatenate([variable(1.0), a]).tolist() == [1, 1, 1]


def test_a_gradient_to_start_with_may_be_written_into_afterwards():
    x, start = variable(3.0), np.ones(1)
    (slope,) = lucid.grad(x * x, x, start, create_graph=True)
    start[...] = 7.0
    assert lucid.grad(slope, x)[0].tolist() == [2]


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


def test_no_grad_decorates_without_parentheses_too():
    @lucid.no_grad
    def mode(x, *, y):
        """Text."""
        return x, y, lucid.is_grad_enabled()

    assert mode(1, y=2) == (1, 2, False)
    assert (mode.__name__, mode.__doc__) == ("mode", "Text.")
    assert lucid.is_grad_enabled()


def test_no_grad_decorates_methods():
    class Model:
        @lucid.no_grad()
        def mode(self):
            return self, lucid.is_grad_enabled()

        @staticmethod
        @lucid.no_grad
        def static():
            return lucid.is_grad_enabled()

    model = Model()
    assert model.mode() == (model, False)
    assert not model.static()


def test_one_no_grad_object_serves_again_and_within_itself():
    off = lucid.no_grad()
    for _ in range(2):
        with off:
            with off:
                assert not lucid.is_grad_enabled()
            assert not lucid.is_grad_enabled()
        assert lucid.is_grad_enabled()


def test_one_no_grad_object_serves_several_threads():
    off, inside, done, seen = lucid.no_grad(), threading.Event(), threading.Event(), []

    def other():
        with off:
            inside.set()
            done.wait()
        seen.append(lucid.is_grad_enabled())

    thread = threading.Thread(target=other)
    thread.start()
    inside.wait()
    with off:
        done.set()
        thread.join()
        assert not lucid.is_grad_enabled()
    assert lucid.is_grad_enabled()
    assert seen == [True]


@pytest.mark.parametrize("what", [True, "x", int])
def test_no_grad_decorates_functions_only(what):
    with pytest.raises(TypeError, match="no_grad: expected a function or a method, got"):
        lucid.no_grad(what)


def test_a_generator_under_no_grad_records_nothing_and_what_is_between_its_steps_is_recorded():
    w = variable(1.0)

    @lucid.no_grad()
    def doubles():
        yield w * 2
        yield w * 2

    for y in doubles():
        assert not y.requires_grad
        assert (w * 2).requires_grad


def test_a_generator_under_no_grad_is_driven_as_without():
    modes = []

    @lucid.no_grad
    def echo(first):
        sent = yield first
        modes.append(lucid.is_grad_enabled())
        try:
            yield sent
        except ZeroDivisionError:
            modes.append(lucid.is_grad_enabled())
        try:
            yield "caught"
        finally:
            modes.append(lucid.is_grad_enabled())
        return "end"

    steps = echo("first")
    assert inspect.isgeneratorfunction(echo)
    assert (next(steps), steps.send("sent"), steps.throw(ZeroDivisionError())) == (
        "first",
        "sent",
        "caught",
    )
    with pytest.raises(StopIteration) as stop:
        next(steps)
    assert stop.value.value == "end"
    assert modes == [False, False, False]
    closed = echo("first")
    for _ in range(2):
        next(closed)
    closed.throw(ZeroDivisionError())
    closed.close()
    assert modes == [False] * 6
    assert lucid.is_grad_enabled()


def test_an_error_in_a_generator_under_no_grad_comes_out():
    @lucid.no_grad
    def broken():
        yield 1
        raise ZeroDivisionError

    steps = broken()
    next(steps)
    with pytest.raises(ZeroDivisionError):
        next(steps)
    assert lucid.is_grad_enabled()


def test_generators_that_end_out_of_order_leave_the_mode_as_it_was():
    def pause():
        with lucid.no_grad():
            yield

    first, second = pause(), pause()
    next(first)
    next(second)
    first.close()
    assert not lucid.is_grad_enabled()
    second.close()
    assert lucid.is_grad_enabled()


def test_coroutines_under_no_grad_leave_others_recording():
    modes = {"quiet": [], "other": []}

    async def look(name):
        for _ in range(3):
            modes[name].append(lucid.is_grad_enabled())
            await asyncio.sleep(0)
        return name

    quiet = lucid.no_grad(look)

    async def main():
        return await asyncio.gather(quiet("quiet"), look("other"))

    assert inspect.iscoroutinefunction(quiet)
    assert asyncio.run(main()) == ["quiet", "other"]
    assert modes == {"quiet": [False] * 3, "other": [True] * 3}


def test_an_error_is_caught_within_a_coroutine_under_no_grad():
    @lucid.no_grad
    async def patient():
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            return lucid.is_grad_enabled()

    async def main():
        task = asyncio.ensure_future(patient())
        await asyncio.sleep(0)
        task.cancel()
        return await task

    assert asyncio.run(main()) is False
    assert lucid.is_grad_enabled()


def test_an_asynchronous_generator_under_no_grad_is_driven_as_without():
    modes = []

    @lucid.no_grad
    async def echo(first):
        await asyncio.sleep(0)
        modes.append(lucid.is_grad_enabled())
        sent = yield first
        try:
            yield sent
        except ZeroDivisionError:
            yield "caught"
        finally:
            modes.append(lucid.is_grad_enabled())

    async def main():
        found = [y async for y in echo(1)]
        steps = echo(1)
        found += [await steps.asend(None), await steps.asend(2)]
        found.append(await steps.athrow(ZeroDivisionError()))
        modes.append(not lucid.is_grad_enabled())
        await steps.aclose()
        return found

    assert inspect.isasyncgenfunction(echo)
    assert asyncio.run(main()) == [1, None, 1, 2, "caught"]
    assert modes == [False] * 5
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

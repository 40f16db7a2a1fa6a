"""The memory of a large gradient is used again, but never while anybody can still see it."""

import threading

import numpy as np
import pytest

import lucid
from lucid import multilabel_margin
from lucid.arrays import buffers
from lucid.labels import Labels
from lucid.nn import functional as F

LARGE = (4, 70_000)  # float32: a bit more than is kept
TARGET = np.array([[0], [1], [2], [3]])


@pytest.fixture(autouse=True)
def _nothing_kept(monkeypatch):
    monkeypatch.setattr(buffers, "_kept", [])


def gradient_of(x):
    return multilabel_margin(x, TARGET)[1]


X = np.random.default_rng(0).standard_normal(LARGE).astype(np.float32)
OTHER = -X


def address(array):
    return array.__array_interface__["data"][0]


def test_the_gradient_here_is_large_enough():
    assert X.nbytes > buffers.LARGE


@pytest.mark.parametrize(
    "form", [np.array, np.int32, list, lambda t: Labels.from_padded(t, 70_000)]
)
def test_memory_that_nobody_sees_any_more_is_used_again(form):
    target = form(TARGET)
    _, gradient = multilabel_margin(X, target)
    first = address(gradient)
    del gradient
    assert address(multilabel_margin(OTHER, target)[1]) == first


HOLDERS = {
    "the array": lambda g: g,
    "a view": lambda g: g[1:2, 5:],
    "a view of a view": lambda g: g.reshape(-1)[3:][::2],
    "a transpose": lambda g: g.T,
    "another dtype": lambda g: g.view(np.int32),
    "a memoryview": memoryview,
    "DLPack": np.from_dlpack,
    "a tensor": lucid.from_numpy,
    "a view of a tensor": lambda g: lucid.from_numpy(g)[2:],
}


@pytest.mark.parametrize("holder", HOLDERS)
def test_memory_that_somebody_holds_is_not_written_to(holder):
    gradient = gradient_of(X)
    expected, first = np.array(HOLDERS[holder](gradient.copy())), address(gradient)
    held = HOLDERS[holder](gradient)
    del gradient
    later = [gradient_of(OTHER), gradient_of(OTHER)]
    assert first not in map(address, later)
    np.testing.assert_array_equal(np.asarray(held), expected)


def test_the_gradient_of_a_step_outlives_the_next_step():
    x = lucid.tensor(X, requires_grad=True)
    F.multilabel_margin_loss(x, TARGET).backward()
    first, copy = x.grad, x.grad.numpy().copy()
    x.grad = None
    with lucid.no_grad():
        x[...] = OTHER
    F.multilabel_margin_loss(x, TARGET).backward()
    np.testing.assert_array_equal(first.numpy(), copy)
    assert not np.array_equal(x.grad.numpy(), copy)


def test_a_loss_that_waits_for_its_backward_keeps_its_gradient():
    x, y = lucid.tensor(X, requires_grad=True), lucid.tensor(OTHER, requires_grad=True)
    first, second = F.multilabel_margin_loss(x, TARGET), F.multilabel_margin_loss(y, TARGET)
    first.backward()
    second.backward()
    np.testing.assert_array_equal(x.grad.numpy(), gradient_of(X))
    np.testing.assert_array_equal(y.grad.numpy(), gradient_of(OTHER))


def test_a_gradient_that_accumulates_is_right():
    x = lucid.tensor(X, requires_grad=True)
    for _ in range(3):
        F.multilabel_margin_loss(x, TARGET).backward()
    np.testing.assert_allclose(x.grad.numpy(), 3 * gradient_of(X), rtol=1e-6)


def test_other_shapes_and_dtypes_get_memory_of_their_own_size():
    for x in (X, X[:, :60_000], X.astype(np.float64), X):
        gradient = gradient_of(x)
        assert gradient.shape == x.shape
        assert gradient.dtype == x.dtype


def test_small_gradients_are_not_kept():
    multilabel_margin(np.zeros((1, 5)), [[0]])
    assert buffers._kept == []


def test_no_more_than_one_array_is_kept():
    held = [gradient_of(X) for _ in range(5)]
    del held
    assert len(buffers._kept) == 1


def test_python_threads_at_once_do_not_share_memory():
    wrong = []

    def work(seed):
        x = np.random.default_rng(seed).standard_normal(LARGE).astype(np.float32)
        expected = multilabel_margin(x, TARGET)[1].copy()
        for _ in range(20):
            gradient = multilabel_margin(x, TARGET)[1]
            if not np.array_equal(gradient, expected):
                wrong.append(seed)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


CHANGES = {
    "frozen": lambda g: g.setflags(write=False),
    "of another dtype": lambda g: setattr(g, "dtype", np.int32),
    "of another shape": lambda g: setattr(g, "shape", (2, 140_000)),
}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of NumPy, of setting shapes and dtypes
@pytest.mark.parametrize("change", CHANGES)
def test_a_gradient_that_its_owner_changed_before_it_went_is_not_used_again(change):
    gradient = gradient_of(X)
    expected = gradient.copy()
    CHANGES[change](gradient)
    del gradient
    for _ in range(2):
        assert np.array_equal(gradient_of(X), expected)

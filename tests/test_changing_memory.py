"""What another thread, a signal handler or another library writes during a call crashes nothing.

A wrong number or an error is all that may come of it: what a kernel has checked, it has copied.
"""

import ctypes

import numpy as np
import pytest

import lucid
from lucid import metrics
from lucid._kernels import ranking

FILL = """
import os, signal, threading
import numpy as np
import lucid

C, N = 4096, 64
x = np.random.default_rng(0).standard_normal((N, C))
target = np.full((N, C - 1), -1)
target[:, 0] = 0
full = np.tile(np.arange(C - 1), (N, 1))
"""

BY_A_SIGNAL = """
x, target = np.zeros((4000, C), "f4"), np.full((4000, C - 1), -1)
target[:, 0] = 0
def refill(*_): target[:] = np.arange(C - 1)
signal.signal(signal.SIGALRM, refill)
signal.setitimer(signal.ITIMER_REAL, 0.002)
try: lucid.multilabel_margin(x, target)
except ValueError: pass
"""

BY_A_THREAD = """
stop = False
def refill():
    while not stop:
        target[:, :] = full
        target[:, 1:] = -1
thread = threading.Thread(target=refill)
thread.start()
lucid.set_num_threads(2)
try:
    for _ in range(300):
        try: lucid.multilabel_margin(x, target)
        except ValueError: pass
finally:
    stop = True
    thread.join()
"""


@pytest.mark.parametrize("change", [BY_A_SIGNAL, BY_A_THREAD])
def test_a_target_that_is_refilled_during_the_call_crashes_nothing(change, fresh_python):
    ended = fresh_python(FILL + change)
    assert ended.returncode == 0, ended.stderr


def written(array, value):
    """Write to an array that is read-only, as another library could."""
    address = array.__array_interface__["data"][0]
    ctypes.cast(address, ctypes.POINTER(ctypes.c_int64))[1] = value


@pytest.fixture
def labels():
    return lucid.Labels.from_lists([[0, 2], [1], [3]], num_classes=4)


X = np.array([[0.1, 0.2, 0.3, 0.4], [0.5, 0.4, 0.2, 0.1], [0.0, 0.5, 0.2, 0.3]])


@pytest.mark.parametrize("wrong", [4, 2**40, -7])
@pytest.mark.parametrize("part", ["indices", "indptr"])
def test_the_loss_refuses_labels_that_were_overwritten(labels, part, wrong):
    written(getattr(labels, part), wrong)
    with pytest.raises(ValueError, match="changed after"):
        lucid.multilabel_margin(X, labels)


@pytest.mark.parametrize("wrong", [4, 2**40, -7])
@pytest.mark.parametrize("part", ["indices", "indptr"])
def test_the_ranking_kernel_refuses_labels_that_were_overwritten(labels, part, wrong):
    written(getattr(labels, part), wrong)
    counts = np.zeros(labels.indices.size, np.int64)
    with pytest.raises(ValueError, match="changed after"):
        ranking.count(X, labels.indices, labels.indptr, 1, place=counts)


def test_many_overwritten_labels_are_refused_too():
    x = np.random.default_rng(0).standard_normal((2, 1000))
    labels = lucid.Labels.from_lists([range(500), range(500)], num_classes=1000)
    written(labels.indices, 2**40)
    with pytest.raises(ValueError, match="changed after"):
        metrics.label_ranking_loss(x, labels)


@pytest.mark.parametrize("wrong", [-1.0, np.nan, np.inf, 1e308])
def test_class_weights_that_are_overwritten_between_two_calls_are_refused(wrong):
    weight = np.ones(4)
    criterion = lucid.nn.MultilabelMarginLoss(weight=weight)
    x, target = lucid.tensor(X), np.array([[0], [1], [3]])
    criterion(x, target)
    criterion.weight[3] = wrong
    with pytest.raises(ValueError, match=r"weight must (be finite|not be negative|be at most)"):
        criterion(x, target)


def test_class_weights_that_are_overwritten_between_two_calls_count_as_they_are():
    criterion = lucid.nn.MultilabelMarginLoss(weight=np.ones(4))
    x, target = lucid.tensor(X), np.array([[0], [1], [3]])
    before = criterion(x, target).item()
    criterion.weight *= 2
    assert criterion(x, target).item() == 2 * before

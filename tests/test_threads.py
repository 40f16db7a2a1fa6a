"""Threads: how many, after a fork, from several Python threads, and when Ctrl-C is pressed."""

import ctypes
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from problems import margin_of

import lucid
from lucid import metrics, multilabel_margin
from lucid._kernels import machine
from lucid.system import threads

needs_openmp = pytest.mark.skipif(
    not hasattr(ctypes.CDLL(machine.__file__), "omp_get_max_threads"),
    reason="a build without OpenMP has one thread",
)


# How many.


@pytest.mark.parametrize("n", [1, 2, 7, 1024, np.int64(3)])
def test_the_number_that_is_set_is_the_number_that_is_got(n):
    lucid.set_num_threads(n)
    assert lucid.get_num_threads() == n
    assert type(lucid.get_num_threads()) is int


@pytest.mark.parametrize("n", [0, -1, 1025, 40_000, 2**31, 2**64])
def test_a_number_out_of_range_is_refused(n):
    before = lucid.get_num_threads()
    with pytest.raises(ValueError, match=f"threads must be from 1 to 1024, got {n}"):
        lucid.set_num_threads(n)
    assert lucid.get_num_threads() == before


@pytest.mark.parametrize("n", [1.0, "2", None])
def test_a_number_that_is_no_integer_is_refused(n):
    with pytest.raises(TypeError, match="integer"):
        lucid.set_num_threads(n)


def test_more_threads_than_the_machine_has_give_the_same_bits():
    x = np.random.default_rng(0).standard_normal((300, 200))
    target = np.arange(300)[:, np.newaxis] % 200
    lucid.set_num_threads(1)
    expected = multilabel_margin(x, target)
    lucid.set_num_threads(200)
    for a, b in zip(multilabel_margin(x, target), expected, strict=True):
        assert a.tobytes() == b.tobytes()


AFFINITIES = """
import glob
import numpy as np
import lucid

def allowed():
    files = glob.glob("/proc/self/task/*/status")
    return [line for f in files for line in open(f) if line.startswith("Cpus_allowed_list")]

before = set(allowed())
lucid.set_num_threads(4)
for _ in range(200):
    lucid.multilabel_margin(np.zeros((500, 200), "f4"), np.zeros((500, 1), int))
assert len(allowed()) >= 4 and set(allowed()) == before
"""


@needs_openmp
@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="where threads may run is there")
def test_threads_that_are_moved_apart_may_still_run_anywhere(fresh_python):
    ended = fresh_python(AFFINITIES)
    assert ended.returncode == 0, ended.stderr


FEW_THREADS = """
import resource
import numpy as np
import lucid
from lucid import metrics
from scipy.sparse import random_array

x, target = np.random.default_rng(0).standard_normal((2000, 1000)), np.arange(2000)[:, None] % 1000
features = random_array((500, 300), density=0.1, rng=np.random.default_rng(0)).tocsr()
weight = lucid.ones(5000, 300, dtype="float64")

def results():
    loss, gradient = lucid.multilabel_margin(x, target)
    return loss, gradient, metrics.coverage_error(x, target), lucid.linear(features, weight).numpy()

lucid.set_num_threads(1)
expected = results()
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (200 << 20), size + (200 << 20)))
lucid.set_num_threads(1024)
assert all(np.array_equal(a, b) for a, b in zip(results(), expected))
"""


@needs_openmp
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="the limit is set by its size")
def test_threads_that_cannot_be_created_are_done_without(fresh_python):
    ended = fresh_python(FEW_THREADS)
    assert ended.returncode == 0, ended.stderr


@needs_openmp
def test_the_default_is_that_of_openmp(fresh_python):
    code = "import lucid; print(lucid.get_num_threads())"
    assert fresh_python(code, OMP_NUM_THREADS="3").stdout.strip() == "3"


@needs_openmp
def test_a_default_beyond_all_reason_is_clamped(fresh_python):
    code = "import lucid; print(lucid.get_num_threads())"
    assert fresh_python(code, OMP_NUM_THREADS="40000").stdout.strip() == "1024"


SPINS = """
import os, sys
import lucid
print("GOMP_SPINCOUNT" in os.environ)
"""


@needs_openmp
def test_idle_threads_soon_sleep_unless_the_environment_says_otherwise(fresh_python):
    shown = fresh_python(SPINS, OMP_DISPLAY_ENV="verbose")
    if "GOMP_SPINCOUNT" not in shown.stderr:
        pytest.skip("another OpenMP than GNU's")
    assert "GOMP_SPINCOUNT = '5000'" in shown.stderr
    assert shown.stdout.strip() == "False"  # and nobody else finds it
    shown = fresh_python(SPINS, OMP_DISPLAY_ENV="verbose", GOMP_SPINCOUNT="77")
    assert "GOMP_SPINCOUNT = '77'" in shown.stderr
    shown = fresh_python(SPINS, OMP_DISPLAY_ENV="verbose", OMP_WAIT_POLICY="passive")
    assert "GOMP_SPINCOUNT = '5000'" not in shown.stderr


# After a fork.

FORK = """
import os, signal, time
import numpy as np
import lucid
from lucid import multilabel_margin

def loss():
    return multilabel_margin(np.zeros((4, 50_000), np.float32), [[0]] * 4, "sum")[0]

lucid.set_num_threads(4)
expected = loss()
{before}
pid = os.fork()
if pid == 0:
    os._exit(0 if loss() == expected and lucid.get_num_threads() == 1 else 1)
for _ in range(200):
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        print("exit", os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.1)
else:
    os.kill(pid, signal.SIGKILL)
    print("the child hangs")
assert lucid.get_num_threads() == 4
"""

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")


@needs_fork
def test_a_forked_child_runs_on_one_thread_and_does_not_hang(fresh_python):
    ended = fresh_python(FORK.format(before=""))
    assert ended.stdout == "exit 0\n", ended.stderr


@needs_fork
def test_a_forked_child_stays_on_one_thread_and_says_so(fresh_python):
    code = """
import os, warnings
import lucid
if os.fork() == 0:
    with warnings.catch_warnings(record=True) as caught:
        lucid.set_num_threads(2)
    print(lucid.get_num_threads(), caught[0].message)
    os._exit(sys.stdout.flush() or 0)
os.wait()
"""
    ended = fresh_python("import sys\n" + code)
    assert ended.stdout.startswith("1 this process was forked"), ended.stderr
    assert "the number is 1, not 2" in ended.stdout


@needs_fork
def test_a_child_forked_after_torch_used_openmp_does_not_hang(fresh_python):
    pytest.importorskip("torch")
    use_torch = "import torch; torch.set_num_threads(4); torch.ones(4_000_000).exp().sum()"
    ended = fresh_python(FORK.format(before=use_torch))
    assert ended.stdout == "exit 0\n", ended.stderr


# From several Python threads.


def test_eight_python_threads_at_once_get_the_serial_answers():
    rng = np.random.default_rng(0)
    problems = [
        (rng.standard_normal((rows, classes)), rng.integers(0, classes, (rows, labels)))
        for rows, classes, labels in [(5, 20, 2), (300, 200, 5), (2, 40_000, 30), (40, 1000, 90)]
    ]
    lucid.set_num_threads(2)
    expected = [multilabel_margin(x, target) for x, target in problems]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda n: multilabel_margin(*problems[n % 4]), range(160)))
    for n, answer in enumerate(answers):
        for a, b in zip(answer, expected[n % 4], strict=True):
            assert a.tobytes() == b.tobytes()


def test_other_python_threads_run_during_a_call():
    # Pages of zeros that are only read take no memory, and equal scores are slow to rank.
    x = np.zeros((40, 1 << 20), np.float32)
    target = np.tile(np.arange(5000), (40, 1))
    with ThreadPoolExecutor(1) as pool:
        call = pool.submit(margin_of, x, target, "sum", False)
        naps = 0
        while not call.done():
            time.sleep(0.002)
            naps += 1
    assert naps > 10


# When Ctrl-C is pressed.


# A signal after some work, not some time: other programs may keep the processor busy.
needs_timer = pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="there is no such signal")


def loss_that_takes_seconds():
    # Pages of zeros that are only read take no memory, and equal scores are slow to rank.
    x = np.zeros((500, 1 << 20), np.float32)
    target = np.tile(np.arange(5000), (500, 1))
    return lambda: margin_of(x, target, "sum", False)


def metric_that_takes_seconds():
    x = np.zeros((1000, 20_000), np.float32)
    labels = lucid.Labels.from_padded(np.tile(np.arange(10_000), (1000, 1)), 20_000)
    return lambda: metrics.label_ranking_loss(x, labels)


@pytest.fixture(params=[loss_that_takes_seconds, metric_that_takes_seconds])
def interrupted_call(request):
    """A call that takes seconds, and is interrupted after a tenth of a second of work."""
    run = request.param()

    def call():
        signal.setitimer(signal.ITIMER_VIRTUAL, 0.1)
        run()

    lucid.set_num_threads(1)
    before = signal.signal(signal.SIGVTALRM, signal.default_int_handler)
    yield call
    signal.signal(signal.SIGVTALRM, before)


@needs_timer
def test_ctrl_c_is_noticed_within_half_a_second(interrupted_call):
    begin = time.process_time()
    with pytest.raises(KeyboardInterrupt):
        interrupted_call()
    assert time.process_time() - begin < 0.1 + 0.5


@needs_timer
def test_the_call_after_ctrl_c_works(interrupted_call):
    x, target = np.array([[0.5, 0.25, -1.0, 0.0]]), np.array([[0]])
    expected = multilabel_margin(x, target)
    with pytest.raises(KeyboardInterrupt):
        interrupted_call()
    for a, b in zip(multilabel_margin(x, target), expected, strict=True):
        assert a.tobytes() == b.tobytes()


def test_a_number_of_threads_within_another_gives_that_back():
    lucid.set_num_threads(3)
    with threads.using(2):
        with threads.using(1):
            assert threads.get_num_threads() == 1
        assert threads.get_num_threads() == 2
    assert threads.get_num_threads() == 3


@pytest.mark.parametrize("threads", ["2", 2.0, True])
def test_a_number_of_threads_that_is_no_integer_is_named(threads):
    with pytest.raises(TypeError, match=f"threads must be an integer, got {threads!r}"):
        lucid.set_num_threads(threads)

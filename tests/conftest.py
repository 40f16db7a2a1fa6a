"""What many tests need: CPU levels and thread counts to run at, and a fresh interpreter."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from cpu_levels import CPU_LEVELS
from hypothesis import settings

import lucid
from lucid import _kernels
from lucid.losses import pairs

# The same examples in every run, and no deadline: the machine may be busy.
settings.register_profile("lucid", derandomize=True, deadline=None)
settings.load_profile("lucid")


@pytest.fixture(autouse=True)
def _threads_as_they_were() -> Iterator[None]:
    before = lucid.get_num_threads()
    yield
    lucid.set_num_threads(before)


@pytest.fixture(params=CPU_LEVELS)
def cpu_level(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Run the test with the kernel of each CPU level that this machine has."""
    for name, kernels in pairs.KERNELS.items():
        kernel = _kernels.load(name, request.param)
        monkeypatch.setitem(kernels, "f", getattr(kernel, f"{name}_float32"))
        monkeypatch.setitem(kernels, "d", getattr(kernel, f"{name}_float64"))
    return str(request.param)


@pytest.fixture
def fresh_python(tmp_path: os.PathLike[str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run code in a new interpreter, away from the source tree; fail when it hangs."""

    def run(code: str, timeout: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=tmp_path,
            env={**os.environ, **environment},
        )

    return run

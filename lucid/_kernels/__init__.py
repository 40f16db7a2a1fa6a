"""The compiled kernels, at the highest level that this processor runs.

Buffers in, numbers out: nothing here knows of Tensor or words an error for users. A kernel that
doubts what padded labels mean refuses them, and the layer above decides. Each kernel is one `.pyx`,
compiled once per CPU level; the level is picked here, once.
"""

import importlib
import importlib.util
import os
import types
from collections.abc import Iterator
from contextlib import contextmanager

#: Rounds of GNU OpenMP's waiting loop, about 125 microseconds, before a thread sleeps. Left alone
#: it is 300,000: idle threads would keep others from the cores, between two calls those of NumPy's
#: matrix products (`benchmarks/million_classes.py`), and beside a busy program the very threads
#: that they wait for (`benchmarks/threads.py`). With 2,000 they sleep so soon that two that have
#: come onto one core wake each other up there, call after call, in a virtual machine.
_SPINS = "5000"


@contextmanager
def _short_waits() -> Iterator[None]:
    """Let OpenMP, which reads its settings as it is loaded, find ours, unless there are others."""
    if "GOMP_SPINCOUNT" in os.environ or "OMP_WAIT_POLICY" in os.environ:
        yield
        return
    os.environ["GOMP_SPINCOUNT"] = _SPINS
    try:
        yield
    finally:
        del os.environ["GOMP_SPINCOUNT"]


try:
    with _short_waits():
        from lucid._kernels import machine as machine
except ImportError as error:
    raise ImportError(
        "the kernels of lucid are not compiled in this folder, which seems to be its source: "
        "install it with `pip install .` and start Python in another folder"
    ) from error

_SUPPORTED = {"baseline": True, "x86_64_v3": machine.has_x86_64_v3()}


def _built(level: str) -> bool:
    return importlib.util.find_spec(f"lucid._kernels.margin_{level}") is not None


def _pick_level(forced: str | None) -> str:
    levels = [level for level, supported in _SUPPORTED.items() if supported and _built(level)]
    if forced is None:
        return levels[-1]
    name = forced.lower().replace("-", "_")
    if name not in levels:
        raise ImportError(
            f"LUCID_CPU_LEVEL={forced!r} is not a level that this machine runs: "
            f"choose one of {', '.join(levels)}, or unset it"
        )
    return name


def load(kernel: str, level: str) -> types.ModuleType:
    """Return the module of ``kernel`` compiled for ``level``."""
    return importlib.import_module(f"lucid._kernels.{kernel}_{level}")


#: The level in use, lowest first among the levels of this machine.
CPU_LEVEL = _pick_level(os.environ.get("LUCID_CPU_LEVEL") or None)

margin = load("margin", CPU_LEVEL)
weighted = load("weighted", CPU_LEVEL)
squared = load("squared", CPU_LEVEL)
warp = load("warp", CPU_LEVEL)
exponential = load("exponential", CPU_LEVEL)
soft_margin = load("soft_margin", CPU_LEVEL)
ranking = load("ranking", CPU_LEVEL)
sparse = load("sparse", CPU_LEVEL)
steps = load("steps", CPU_LEVEL)

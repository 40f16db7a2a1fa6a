"""Where the figures come from: the machine, and the versions of what was measured."""

import importlib.metadata
import os
import platform
import time
from pathlib import Path

from lucid import _kernels

#: From so many cores on, others are felt by who needs all.
BUSY = 0.2

PACKAGES = ("lucid-losses", "numpy", "torch", "paddlepaddle", "scikit-learn")


def machine() -> dict[str, str | int]:
    return {
        "processor": _processor(),
        "cores": cores(),
        "level": _kernels.CPU_LEVEL,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions() -> dict[str, str]:
    found = {}
    for package in PACKAGES:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Bystanders:
    """The programs that share the cores with a benchmark, watched from now on (Linux alone tells).

    What processes of the benchmark use counts as others' until they have ended and been waited for.
    """

    def __init__(self) -> None:
        self._start = time.perf_counter(), self._seconds()

    def cores(self) -> float:
        """Return how many cores they have used so far, on average."""
        start, before = self._start
        return max(0.0, (self._seconds() - before) / (time.perf_counter() - start))

    @staticmethod
    def _seconds() -> float:
        """Return the seconds that all programs but this one have used of this one's cores."""
        try:
            stat = Path("/proc/stat").read_text()
        except OSError:
            return 0.0
        used = ticks_used(stat, os.sched_getaffinity(0))
        return used / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])


def ticks_used(stat: str, cpus: set[int]) -> int:
    """Return what has been used of some processors, from the text of /proc/stat."""
    total = 0
    for line in stat.splitlines():
        name, *ticks = line.split()
        if name in {f"cpu{number}" for number in cpus}:
            user, nice, system, _idle, _wait, irq, soft_irq, stolen = map(int, ticks[:8])
            total += user + nice + system + irq + soft_irq + stolen
    return total


def busyness(used: float) -> str | None:
    """Say that the machine is busy, where others use so many cores that a benchmark feels it."""
    if used < BUSY:
        return None
    return f"this machine is busy: other programs use {used:.1f} of {cores()} cores"


def busy_now() -> str | None:
    """Look for half a second whether the machine is busy."""
    bystanders = Bystanders()
    time.sleep(0.5)
    return busyness(bystanders.cores())


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"

"""Where the figures come from: the machine, and the versions of what was measured."""

import importlib.metadata
import os
import platform
from pathlib import Path

from lucid import _kernels

PACKAGES = ("lucid-losses", "numpy", "torch", "paddlepaddle")


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


def busyness() -> str | None:
    """Say how busy the machine is, where other programs would share its cores with a benchmark."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    if load < 0.5 * cores():
        return None
    return f"this machine is busy: a load of {load:.1f} on {cores()} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else "unknown"

"""The CPU levels that are built and that this machine runs, lowest first."""

from lucid import _kernels

CPU_LEVELS = [
    level
    for level, supported in _kernels._SUPPORTED.items()
    if supported and _kernels._built(level)
]

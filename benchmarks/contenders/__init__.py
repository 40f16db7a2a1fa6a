"""The implementations that are compared: one file each, and here what the runner must know.

Each file defines a class ``Loss``, made of float32 scores ``(N, C)`` and labels ``(N, P)``, which
keeps everything in the form that it likes best. ``forward()`` returns the mean loss, and
``forward_backward()`` the mean loss and its gradient.
"""

import importlib
import importlib.util
import math
import sys
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from cases import Array, Case


class Implementation(Protocol):
    def forward(self) -> Any: ...

    def forward_backward(self) -> tuple[Any, Any]: ...


@dataclass(frozen=True)
class Contender:
    """One implementation, and the environment that its process runs in."""

    name: str
    module: str
    dtype: str = "float32"
    environment: dict[str, str] = field(default_factory=dict)
    needs: str = "numpy"
    most_pairs: float = math.inf  # beyond, it takes too much time or memory
    most_labels: float = math.inf
    sums_serially: bool = False  # in float32, one term after another
    checked: bool = True
    python: str = sys.executable  # that of its process

    @property
    def installed(self) -> bool:
        return importlib.util.find_spec(self.needs) is not None

    def suits(self, case: Case) -> bool:
        return case.pairs <= self.most_pairs and case.p <= self.most_labels

    def make(self, scores: Array, labels: Array) -> Implementation:
        module = importlib.import_module(f"contenders.{self.module}")
        implementation: Implementation = module.Loss(scores.astype(self.dtype, copy=False), labels)
        return implementation


LUCID = Contender("lucid", "lucid_loss")
LUCID_BASELINE = Contender(
    "lucid, baseline", "lucid_loss", environment={"LUCID_CPU_LEVEL": "baseline"}
)
LUCID_FLOAT64 = Contender("lucid, float64", "lucid_loss", dtype="float64")
PYTORCH = Contender("PyTorch", "pytorch", needs="torch", most_pairs=1e9, sums_serially=True)
# It broadcasts: beyond, a call takes seconds.
PADDLE = Contender(
    "PaddlePaddle", "paddlepaddle", needs="paddle", most_pairs=1e7, sums_serially=True
)
#: For the soft margin loss, each checked as it is made.
SOFT_MARGIN = Contender("soft margin", "soft_margin", checked=False)
PYTORCH_BCE = Contender("PyTorch BCE", "pytorch_bce", needs="torch", checked=False)
NUMPY = [
    Contender("NumPy, broadcasting", "numpy_broadcast", most_pairs=1.3e8),
    Contender("NumPy, compares", "numpy_compare", most_labels=255),
    Contender("NumPy, searchsorted", "numpy_search"),
    Contender("NumPy, sorted scores", "numpy_sort"),
]
LIMIT = Contender("max / copy", "limit", checked=False)

TABLE = [LUCID, PYTORCH, *NUMPY, PADDLE, LUCID_BASELINE, LIMIT]


def environment(threads: int) -> dict[str, str]:
    """Return what has every library use so many threads; PyTorch asks MKL, whatever OpenMP says."""
    return {
        "OMP_NUM_THREADS": str(threads),
        "OPENBLAS_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
    }


def on_threads(threads: int, contender: Contender = LUCID) -> Contender:
    """Return a contender on ``threads`` threads, whatever the others get."""
    return replace(
        contender,
        name=f"{contender.name}, {threads} thread{'s' if threads > 1 else ''}",
        environment=contender.environment | environment(threads),
    )

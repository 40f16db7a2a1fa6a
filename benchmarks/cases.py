"""What is timed: shapes, distributions of the scores, and the goals set for each."""

import re
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

FORWARD, BOTH = "forward", "forward+backward"
MODES = (FORWARD, BOTH)

#: Bytes of scores that calls go through before they come to the same batch again, and how many
#: batches that are at most.
CACHE = 1 << 19
MOST_BATCHES = 64


@dataclass(frozen=True)
class Goal:
    """How many times faster than PyTorch: at least ``floor``, hopefully ``aim``."""

    floor: float
    aim: float


@dataclass(frozen=True)
class Case:
    """N rows of C scores, P labels each; ``scores`` says how the scores are distributed.

    In ``"randn"`` all are standard normal, as before training: nearly every pair is active. In
    ``"trained"`` labels are N(2, 1) and the rest N(-3, 1): few pairs are.

    Each call has another batch, as in a training, of as many as fit into a cache, unless the same
    is ``repeated``: a processor learns by heart which pairs of a small batch are active, and a loop
    over them with a branch for each is up to three times as fast then.
    """

    n: int
    c: int
    p: int
    scores: str = "randn"
    goals: tuple[Goal, Goal] | None = None  # forward, forward+backward
    repeated: bool = False

    @property
    def name(self) -> str:
        return f"{self.n}x{self.c}x{self.p}-{self.scores}" + ("-repeated" if self.repeated else "")

    @property
    def batches(self) -> int:
        """How many batches calls take in turns."""
        return 1 if self.repeated else max(1, min(MOST_BATCHES, CACHE // (4 * self.n * self.c)))

    @property
    def pairs(self) -> int:
        return self.n * self.c * self.p

    def goal(self, mode: str) -> Goal | None:
        return self.goals[MODES.index(mode)] if self.goals else None

    def draw(self, batch: int = 0) -> tuple[Array, Array]:
        """Return scores ``(N, C)`` in float32 and labels ``(N, P)``, the same at every call."""
        rng = np.random.default_rng(1 + batch)  # 1: with active pairs in the smallest case
        scores = rng.standard_normal((self.n, self.c), dtype=np.float32)
        labels = np.stack([rng.choice(self.c, self.p, replace=False) for _ in range(self.n)])
        if self.scores == "trained":
            scores -= 3
            rows = np.arange(self.n)[:, np.newaxis]
            scores[rows, labels] += 5
        return scores, labels


def _case(
    shape: tuple[int, int, int],
    scores: str,
    forward: tuple[float, float],
    both: tuple[float, float],
) -> Case:
    return Case(*shape, scores, (Goal(*forward), Goal(*both)))


TABLE = [
    _case((1, 5, 2), "randn", (2, 3), (5.5, 8)),
    _case((32, 20, 3), "randn", (2.2, 3.5), (5.5, 8)),
    _case((128, 10, 3), "randn", (2.5, 4), (6, 9)),
    _case((128, 16, 3), "randn", (2.5, 4), (6, 9)),
    _case((128, 100, 5), "randn", (10, 14), (24, 30)),
    _case((512, 80, 3), "randn", (10, 14), (20, 28)),
    _case((256, 1_000, 10), "randn", (25, 60), (50, 130)),
    _case((256, 1_000, 10), "trained", (35, 60), (60, 130)),
    _case((256, 10_000, 20), "randn", (30, 90), (50, 150)),
    _case((256, 10_000, 20), "trained", (60, 90), (60, 150)),
    _case((64, 100_000, 50), "randn", (80, 180), (150, 350)),
    _case((64, 100_000, 50), "trained", (100, 180), (180, 350)),
    _case((256, 1_000, 500), "randn", (60, 150), (120, 350)),
    _case((8, 20_000, 5_000), "randn", (1_000, 3_000), (2_000, 6_000)),
    _case((1, 1_000_000, 10), "randn", (50, 85), (60, 150)),
    _case((1, 1_000_000, 10), "trained", (50, 85), (60, 150)),
    _case((32, 670_000, 5), "randn", (30, 50), (30, 100)),
    _case((32, 670_000, 5), "trained", (20, 50), (20, 100)),
]


#: The small ones again, with both kinds of scores and of batches: for `run.py targets`.
TARGETS = [
    replace(case, scores=scores, repeated=repeated)
    for repeated in (False, True)
    for case in TABLE[:6]
    for scores in ("randn", "trained")
]


def find(name: str) -> Case:
    """Return the case of a table with this name, or any other ``NxCxP-scores[-repeated]``."""
    for case in [*TABLE, *TARGETS]:
        if case.name == name:
            return case
    match = re.fullmatch(r"(\d+)x(\d+)x(\d+)-(randn|trained)(-repeated)?", name)
    if match is None:
        raise ValueError(f"a case is NxCxP-randn or NxCxP-trained, got {name!r}")
    n, c, p = map(int, match.groups()[:3])
    if not (n > 0 and 0 < p < c):
        raise ValueError(f"a case needs rows, and from 1 to C - 1 labels, got {name!r}")
    return Case(n, c, p, match[4], repeated=match[5] is not None)


#: Small batches, over C.
SMALL = [Case(64, c, 3) for c in (5, 10, 20, 50, 100, 300)]

#: For the soft margin loss.
SOFT_MARGIN = [Case(256, 1_000, 10), Case(256, 10_000, 20), Case(64, 100_000, 50)]

#: A line for each P, over C.
CLASSES = [
    Case(16, c, p) for p in (5, 50, 500) for c in (100, 1_000, 10_000, 100_000, 1_000_000) if p < c
]

#: Over P.
LABELS = [Case(8, 100_000, p) for p in (1, 4, 16, 64, 256, 1_000, 4_000, 10_000)]

#: The largest problem that a row can reasonably be.
EXTREME = Case(1, 1_000_000, 100_000)

#: Where peak memory is measured.
MEMORY = Case(32, 670_000, 5)

#: Where one thread is compared with several, and float64 with float32.
LARGE = [
    Case(256, 10_000, 20),
    Case(256, 10_000, 20, "trained"),
    Case(64, 100_000, 50),
    Case(256, 1_000, 500),
    Case(1, 1_000_000, 10),
    MEMORY,
]

"""The losses: an entry for each, that `test_losses.py` goes through.

A loss is added to the tests by an entry in `LOSSES` and its exact formula in `oracle.py`.
"""

import hashlib
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import oracle
from problems import problem

import lucid
from lucid import Labels, nn
from lucid.nn import functional as F

Array = npt.NDArray[Any]
Options = dict[str, Any]


class Loss(NamedTuple):
    """What holds for a loss, and what does not.

    Options are sets worth trying; a function makes an option of the number of classes.
    """

    name: str  # of the function of tensors and of that of arrays
    module: str
    exact: Callable[..., oracle.Row]
    ulps: float  # to which loss and gradient are exact
    options: tuple[Options, ...] = ({},)
    refused: tuple[tuple[str, Any], ...] = ()  # an option, and a value that it cannot have
    peer: str | None = None  # in torch.nn, as a module
    smooth: bool = False  # has a second derivative, and not that of 0 everywhere
    margin: bool = False  # is of the margin family: a fused layer takes it
    divides: str = "by nothing"  # or by the number of "classes", or of "pairs"
    pairs: bool = (
        True  # is one of pairs: only differences of scores count, and no pair costs nothing
    )
    padded: bool = True  # takes padded class indices


class Case(NamedTuple):
    """A loss with options."""

    loss: Loss
    options: Options

    def __str__(self) -> str:
        shown = [f"{k}={getattr(v, '__name__', v)}" for k, v in self.options.items()]
        return f"{self.loss.name}({', '.join(shown)})"

    @property
    def ulps(self) -> float:
        exact = self.options.get("p", 1) == 1 and "weight" not in self.options
        return 1 if self.loss.exact is oracle.hinge and exact else self.loss.ulps

    @property
    def divides(self) -> str:
        return str(self.options.get("normalize", self.loss.divides))

    @property
    def smooth(self) -> bool:
        return self.loss.smooth or self.options.get("p") == 2

    def options_for(self, classes: int) -> Options:
        return {k: v(classes) if callable(v) else v for k, v in self.options.items()}

    def arrays_for(self, classes: int) -> list[str]:
        """The options that are arrays."""
        return [name for name, value in self.options_for(classes).items() if np.ndim(value)]

    def module(self, classes: int, reduction: str = "mean") -> nn.Module:
        cls = getattr(nn, self.loss.module)
        return cls(reduction=reduction, **self.options_for(classes))

    def tensor(self, x: Any, target: Any, reduction: str = "mean", **extra: Any) -> lucid.Tensor:
        """The loss as a tensor."""
        function = getattr(F, self.loss.name)
        options = self.options_for(np.shape(x)[-1])
        return function(x, target, reduction=reduction, **options, **extra)

    def arrays(self, x: Array, target: Any, reduction: str = "mean", **extra: Any) -> Any:
        """Loss and gradient from the function of arrays."""
        function = getattr(lucid.losses, self.loss.name)
        return function(x, target, reduction=reduction, **self.options_for(x.shape[-1]), **extra)

    def solve(
        self, x: Array, target: Any, reduction: str = "mean", **extra: Any
    ) -> tuple[Array, Array]:
        """Loss and gradient from a backward pass; for 'none', each row's of its own loss."""
        leaf = lucid.tensor(x, requires_grad=True)
        loss = self.tensor(leaf, target, reduction, **extra)
        loss.backward(np.ones(loss.shape, loss.dtype))
        return loss.detach().numpy(), leaf.grad.numpy()

    def exact(self, given: "Batch", ask: str = "plain") -> list[oracle.Row]:
        """The exact rows, not yet weighted; those of float16 scores are computed in float32."""
        x = given.x.astype(np.float32) if given.x.dtype == np.float16 else given.x
        unknown = given.unknown if ask == "unknown" else [[]] * len(x)
        options = self.options_for(x.shape[1])
        rows = zip(x, given.labels, unknown, strict=True)
        return [self.loss.exact(*row, **options) for row in rows]

    def only(self, columns: Any, classes: int) -> "Case":
        """The case whose classes are these columns."""
        options = self.options_for(classes)
        options.update({name: options[name][columns] for name in self.arrays_for(classes)})
        return Case(self.loss, options)


def class_margins(classes: int) -> Array:
    return np.random.default_rng(classes).uniform(0.2, 2.0, classes)


def class_weights(classes: int) -> Array:
    """Weights of all sizes, exact in float32; some are 0."""
    rng = np.random.default_rng([classes, 1])
    weights = np.exp(rng.standard_normal(classes)).astype(np.float32).astype(np.float64)
    weights[4::5] = 0
    return weights


BAD_MARGINS = ["a", None, np.nan, np.inf, [1.0, 2.0], [[1.0]], 1j]

LOSSES = [
    Loss(
        "multilabel_margin_loss",
        "MultilabelMarginLoss",
        oracle.hinge,
        ulps=4,
        options=(
            {},
            {"margin": 0.3},
            {"margin": class_margins},
            {"weight": class_weights},
            {"normalize": "pairs"},
            {"p": 2},
            {"p": 2, "margin": class_margins, "weight": class_weights, "normalize": "pairs"},
        ),
        refused=(
            *(("p", p) for p in (0, 3, 1.5, "2", None, [1])),
            *(("margin", m) for m in BAD_MARGINS),
            *(
                ("weight", w)
                for w in ("a", [1.0], -np.ones(7), np.full(7, np.nan), 1j * np.ones(7))
            ),
            *(("normalize", n) for n in ("rows", None, True)),
        ),
        peer="MultiLabelMarginLoss",
        divides="classes",
        margin=True,
    ),
    Loss(
        "warp_loss",
        "WARPLoss",
        oracle.warp,
        ulps=4,
        options=({}, {"margin": 0.3}, {"margin": class_margins}),
        refused=tuple(("margin", m) for m in BAD_MARGINS),
        margin=True,
    ),
    Loss(
        "lsep_loss",
        "LSEPLoss",
        oracle.lsep,
        ulps=8,
        options=({}, {"per_label": True}),
        refused=tuple(("per_label", v) for v in ("yes", None, 2)),
        smooth=True,
    ),
    Loss("zlpr_loss", "ZLPRLoss", oracle.zlpr, ulps=8, smooth=True, pairs=False),
    Loss("bpmll_loss", "BPMLLLoss", oracle.bpmll, ulps=8, smooth=True, divides="pairs"),
    Loss(
        "multilabel_soft_margin_loss",
        "MultiLabelSoftMarginLoss",
        oracle.soft_margin,
        ulps=8,
        options=({}, {"weight": class_weights}),
        refused=tuple(("weight", w) for w in (["a"] * 7, [1.0], 1j * np.ones(7))),
        peer="MultiLabelSoftMarginLoss",
        divides="classes",
        smooth=True,
        pairs=False,
        padded=False,
    ),
]

CASES = [Case(loss, options) for loss in LOSSES for options in loss.options]


#: How a loss may be asked for.
ASKS = ("plain", "unknown", "sample_weight")


class Batch(NamedTuple):
    """Scores ``(N, C)``, and for each row its labels and the classes of which nothing is known."""

    x: Array
    labels: list[list[int]]
    unknown: list[list[int]]

    @property
    def target(self) -> Labels:
        return Labels.from_lists(self.labels, self.x.shape[1])

    def asked(self, ask: str) -> tuple[Labels, Options]:
        """The target, and other arguments."""
        if ask == "unknown":
            return self.target.with_unknown(Labels.from_lists(self.unknown, self.x.shape[1])), {}
        return self.target, {"sample_weight": self.weights} if ask == "sample_weight" else {}

    @property
    def weights(self) -> Array:
        """Weights of the rows, of all sizes; some are 0."""
        weights = np.exp(np.random.default_rng(len(self.x)).standard_normal(len(self.x)))
        weights[3::4] = 0
        return weights

    def first(self, rows: int) -> "Batch":
        return Batch(self.x[:rows], self.labels[:rows], self.unknown[:rows])


def batch(dtype: str = "float64") -> Batch:
    """A few rows of 7 classes: one without labels, one with a label twice, one of labels only."""
    labels = [[0, 3], [2], [], [5, 1, 4], [6, 1, 6], list(range(7)), [4]]
    unknown = [[1, 2], [], [6], [0, 2, 3, 6], [0], [], [5, 0]]
    x = 2 * np.random.default_rng(5).standard_normal((len(labels), 7))
    return Batch(x.astype(dtype), labels, unknown)


@cache
def large(size: str, kind: str, dtype: str, scale: float = 1.0) -> Batch:
    """A problem of `problems.py`, with one in nine of the other classes unknown."""
    x, target = problem(size, kind, dtype, scale)
    labels = [oracle.labels_of(row) for row in target]
    unknown = []
    for n in range(len(x)):
        chosen = np.random.default_rng([n, 9]).random(x.shape[1]) < 1 / 9
        chosen[labels[n]] = False
        unknown.append(np.flatnonzero(chosen).tolist())
    return Batch(x, labels, unknown)


def unaligned(array):
    memory = np.empty(array.nbytes + 1, np.uint8)[1:].view(array.dtype).reshape(array.shape)
    memory[...] = array
    return memory


def read_only(array):
    array = array.copy()
    array.flags.writeable = False
    return array


#: Ways in which an array may lie in memory.
LAYOUTS = {
    "another byte order": lambda a: a.astype(a.dtype.newbyteorder()),
    "Fortran order": np.asfortranarray,
    "every other column": lambda a: np.repeat(a, 2, axis=1)[:, ::2],
    "backwards": lambda a: np.ascontiguousarray(a[::-1, ::-1])[::-1, ::-1],
    "unaligned": unaligned,
    "read-only": read_only,
}


#: Where a kernel may take another way: rows and segments to share, packed blocks, a grid.
REGIMES = [
    (size, kind)
    for size in (
        "many-small-rows",
        "dozens-of-labels",
        "rows-over-segments",
        "segments-and-one",
        "a-shared-row-with-a-grid",
    )
    for kind in ("random", "trained")
]


def bits() -> Iterator[str]:
    """The bits of all losses: a line for each case, size and dtype."""
    for case in CASES:
        for size, kind in REGIMES:
            for dtype in ("float32", "float64"):
                given = large(size, kind, dtype)
                digest = hashlib.sha256()
                for ask in ASKS:
                    target, extra = given.asked(ask)
                    for result in case.solve(given.x, target, "none", **extra):
                        digest.update(result.tobytes())
                yield f"{case} {size} {kind} {dtype} {digest.hexdigest()}"

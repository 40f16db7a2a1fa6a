"""Losses and optimisers by name, with learning rates that suit them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lucid import nn, optim
from lucid.arrays.checks import as_int
from lucid.training.scaling import lengths_of_rows

#: The losses by name; each takes the options of its class.
LOSSES: dict[str, Callable[..., nn.Module]] = {
    "margin": nn.MultilabelMarginLoss,
    "squared-margin": partial(nn.MultilabelMarginLoss, p=2),
    "warp": nn.WARPLoss,
    "lsep": nn.LSEPLoss,
    "zlpr": nn.ZLPRLoss,
    "bpmll": nn.BPMLLLoss,
    "soft-margin": nn.MultiLabelSoftMarginLoss,
}

MOMENTUM = 0.9
#: The optimisers by name: each takes groups of parameters and a learning rate.
OPTIMIZERS: dict[str, Callable[..., optim.Optimizer]] = {
    "sgd": partial(optim.SGD, momentum=MOMENTUM),
    "adam": optim.Adam,
    "adamw": optim.AdamW,
}

#: By loss, for SGD on rows of length 1: a factor, and the power of the number of classes that it is
#: multiplied by. Soft margin is a mean over the classes and BP-MLL one over the pairs: where there
#: are more, gradients are smaller, which Adam evens out and SGD does not.
_RATES = {
    "margin": (0.7, 0.0),
    "squared-margin": (0.35, 0.0),
    "warp": (0.2, 0.0),
    "lsep": (1.0, 0.0),
    "zlpr": (1.0, 0.0),
    "bpmll": (0.05, 1 / 3),
    "soft-margin": (0.15, 1.0),
}
#: For losses whose gradient grows with the loss, as squares and exponentials do: the largest
#: product of the rate and the square of what rows have in one direction. With longer steps,
#: the scores swing ever farther there: for squares from 1 + momentum on.
_STEEPEST = {"squared-margin": 1.5, "bpmll": 0.4}
#: Shorter rows are 0 in float32, in which models are trained: they count as of length 1.
_SHORTEST = 1.2e-38
#: What to take for the length of rows where it is not known: few are longer.
_LONG = 7.0
#: With a hidden layer rows count as at least so long: its outputs are not as short as rows may be.
_LONG_ENOUGH = 3.0
#: What to take for the number of classes where it is not known.
_CLASSES = 100
_RATE_OF_ADAM = 0.01


def make_loss(name: str, **options: Any) -> nn.Module:
    """Return a loss by its name.

    Parameters
    ----------
    name : str
        One of `LOSSES`.
    **options
        Those of its class, such as ``margin`` and ``weight``.

    Returns
    -------
    Module

    Raises
    ------
    ValueError
        If there is no such loss, or an option has a value that it does not take.

    Examples
    --------
    >>> from lucid import training
    >>> training.make_loss("margin", p=2)
    MultilabelMarginLoss(reduction='mean', p=2)
    """
    _check_name("loss", name, LOSSES)
    return LOSSES[name](**options)


def learning_rate(
    loss: str,
    optimizer: str,
    features: Any = None,
    num_classes: int | None = None,
    *,
    hidden: bool = False,
) -> float:
    """Return a learning rate to begin with, which falls to 0 by `linear_decay`.

    It suits a loss, an optimiser and, where this is SGD, the length of the rows: the longer they
    are, the more a step changes their scores. With a hidden layer, whose outputs have a length of
    their own, rows that are shorter than 3 count as of length 3. For losses that are means over the
    classes or over the pairs it is larger where there are more classes: for ``'soft-margin'`` by
    their number, for ``'bpmll'`` by its cube root. Features that are not centred, or one that is
    far larger than the others, make rows that are long in one direction; with ``'bpmll'`` and
    ``'squared-margin'``, which would diverge, the rate is then at most in proportion to 1 over the
    square of that length. From rows that are much shorter than 1, such as of words counted in
    shares of a text, little is learnt at any rate that suits the bias as well, whose input is 1:
    scale them first.

    Parameters
    ----------
    loss : str
        One of `LOSSES`.
    optimizer : str
        One of `OPTIMIZERS`.
    features : scipy.sparse matrix or array, ndarray, or an iterator of these, optional
        Shape ``(N, F)``: those that a model is trained on, or of one piece of them after the other.
        By default the rate suits rows of length 7.
    num_classes : int, optional
        By default the rate suits 100 classes.
    hidden : bool, default False
        Whether the model has a hidden layer.

    Returns
    -------
    float
        With two digits.

    Raises
    ------
    TypeError
        If the number of classes is no integer.
    ValueError
        If there is no loss or optimiser of that name, or no class; if features that are read, as
        for SGD, hold NaN or infinity, or are so large that their squares do.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import training
    >>> training.learning_rate("margin", "adam")
    0.01
    >>> training.learning_rate("margin", "sgd", np.full((5, 4), 3.0))
    0.12
    >>> training.learning_rate("soft-margin", "sgd", np.full((5, 4), 3.0), num_classes=10)
    0.25
    """
    _check_name("loss", loss, LOSSES)
    _check_name("optimizer", optimizer, OPTIMIZERS)
    known = features is not None and optimizer == "sgd"
    lengths = lengths_of_rows(features) if known else None
    return rate_of_lengths(loss, optimizer, lengths, num_classes, hidden=hidden)


def rate_of_lengths(
    loss: str,
    optimizer: str,
    lengths: tuple[float, float] | None,
    num_classes: int | None,
    *,
    hidden: bool,
) -> float:
    """Return the learning rate for rows whose length is known already."""
    classes = _CLASSES if num_classes is None else as_int("num_classes", num_classes)
    if classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {classes}")
    if optimizer != "sgd":
        return _RATE_OF_ADAM
    length, along = (_LONG, 0.0) if lengths is None else lengths
    if length < _SHORTEST:
        length = 1.0
    if hidden:
        length = max(length, _LONG_ENOUGH)
    factor, power = _RATES[loss]
    rate = factor * classes**power / length
    if loss in _STEEPEST and along > 0:
        rate = min(rate, _STEEPEST[loss] / along**2)
    return float(f"{rate:.2g}")


def make_optimizer(
    name: str, module: nn.Module, lr: float, weight_decay: float | None = None
) -> optim.Optimizer:
    """Return an optimiser of the parameters of a module that are trained.

    Parameters
    ----------
    name : str
        One of `OPTIMIZERS`; ``'sgd'`` has a momentum of 0.9.
    module : Module
        Its matrices decay, its biases do not.
    lr : float
        The learning rate.
    weight_decay : float, optional
        By default that of the optimiser's class.

    Returns
    -------
    Optimizer

    Raises
    ------
    ValueError
        If there is no such optimiser, or a number is out of range.

    Examples
    --------
    >>> from lucid import nn, training
    >>> optimizer = training.make_optimizer("sgd", nn.Linear(3, 2), lr=0.1, weight_decay=1e-4)
    >>> [group["weight_decay"] for group in optimizer.param_groups]
    [0.0001, 0.0]
    """
    _check_name("optimizer", name, OPTIMIZERS)
    parameters = [p for p in module.parameters() if p.requires_grad]
    decay = {} if weight_decay is None else {"weight_decay": weight_decay}
    groups: list[dict[str, Any]] = [
        {"params": [p for p in parameters if p.ndim > 1], **decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return OPTIMIZERS[name]([group for group in groups if group["params"]], lr=lr)


def _check_name(what: str, name: str, known: dict[str, Any]) -> None:
    if name not in known:
        raise ValueError(f"{what} must be one of {', '.join(known)}, got {name!r}")

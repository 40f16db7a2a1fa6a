"""Losses and optimisers by name, with learning rates that suit them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from lucid import nn, optim

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

#: By loss, for SGD. Soft margin averages over the classes, so its gradients are smaller, which Adam
#: evens out and SGD does not.
_RATES = {
    "margin": 0.1,
    "squared-margin": 0.05,
    "warp": 0.03,
    "lsep": 0.1,
    "zlpr": 0.1,
    "bpmll": 0.1,
    "soft-margin": 2.0,
}
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


def learning_rate(loss: str, optimizer: str) -> float:
    """Return a learning rate that suits a loss and an optimiser on scaled features.

    Parameters
    ----------
    loss : str
        One of `LOSSES`.
    optimizer : str
        One of `OPTIMIZERS`.

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If there is no loss or optimiser of that name.

    Examples
    --------
    >>> from lucid import training
    >>> training.learning_rate("margin", "adam")
    0.01
    """
    _check_name("loss", loss, LOSSES)
    _check_name("optimizer", optimizer, OPTIMIZERS)
    return _RATES[loss] if optimizer == "sgd" else _RATE_OF_ADAM


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

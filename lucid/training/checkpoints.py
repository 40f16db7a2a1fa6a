"""The state of a training in a file, from which another process goes on."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np

from lucid.arrays.checks import as_int
from lucid.io import DataFileError
from lucid.training import stored
from lucid.training.step import Step
from lucid.training.trainer import Trainer

#: How JSON names an array that is kept beside it, and a dict whose keys are numbers.
_ARRAY, _NUMBERED = "array", "numbered"


def save_training(
    path: str | os.PathLike[str], trainer: Trainer, about: Mapping[str, Any] | None = None
) -> None:
    """Write the state of a training to a ``safetensors`` file, whole or not at all.

    Parameters
    ----------
    path : str or path
        A file that is there already is replaced in one step, so that there is always a whole one,
        whenever the process is killed.
    trainer : Trainer
        What is trained.
    about : mapping, optional
        What else is to be known to go on, whatever JSON can say.

    See Also
    --------
    load_training : The way back.
    Checkpoints : Saves after every so many epochs.

    Examples
    --------
    >>> from lucid import nn, optim
    >>> from lucid.training import Trainer, load_training, save_training
    >>> def trainer_of(model):
    ...     return Trainer(model, nn.WARPLoss(), optim.Adam(model.parameters()))
    >>> save_training("half.safetensors", trainer_of(nn.Linear(3, 2)), {"data": "train.txt"})
    >>> state, about = load_training("half.safetensors")
    >>> trainer = trainer_of(nn.Linear(3, 2))
    >>> trainer.load_state_dict(state)
    >>> about
    {'data': 'train.txt'}
    """
    arrays: dict[str, Any] = {}
    state = _without_arrays(trainer.state_dict(), "", arrays)
    stored.save(path, stored.CHECKPOINT, arrays, {"state": state, "about": dict(about or {})})


def load_training(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Read what `save_training` wrote.

    Parameters
    ----------
    path : str or path
        A ``safetensors`` file.

    Returns
    -------
    state : dict
        For `Trainer.load_state_dict`.
    about : dict
        What else was written.

    Raises
    ------
    DataFileError
        If the file holds something else, or is in a format that this version does not read.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> from lucid import nn, optim
    >>> from lucid.training import Trainer, load_training, save_training
    >>> model = nn.Linear(3, 2)
    >>> trainer = Trainer(model, nn.WARPLoss(), optim.Adam(model.parameters()))
    >>> save_training("half.safetensors", trainer)
    >>> state, _ = load_training("half.safetensors")
    >>> sorted(state["model"])
    ['bias', 'weight']
    """
    arrays, content = stored.load(path, stored.CHECKPOINT)
    try:
        return _with_arrays(content["state"], arrays), dict(content["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataFileError(
            f"{path}: the checkpoint's parts do not fit together: {error}"
        ) from None


class Checkpoints:
    """A listener that saves a training after every so many epochs, and when it ends.

    Parameters
    ----------
    trainer : Trainer
        What is trained.
    path : str or path
        The file, replaced each time.
    every : int, default 1
        After how many epochs.
    about : mapping, optional
        As in `save_training`.

    Raises
    ------
    TypeError
        If `every` is not an integer.
    ValueError
        If `every` is not at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels, nn, optim
    >>> from lucid.io import Dataset
    >>> from lucid.training import Checkpoints, Trainer, load_training
    >>> data = Dataset(np.eye(2, dtype=np.float32), Labels.from_lists([[0], [1]], num_classes=2))
    >>> model = nn.Linear(2, 2)
    >>> trainer = Trainer(model, nn.WARPLoss(), optim.Adam(model.parameters()))
    >>> _ = trainer.fit(data, epochs=5, listeners=[Checkpoints(trainer, "c.safetensors", every=2)])
    >>> state, _ = load_training("c.safetensors")
    >>> len(state["history"])
    5
    """

    def __init__(
        self,
        trainer: Trainer,
        path: str | os.PathLike[str],
        every: int = 1,
        about: Mapping[str, Any] | None = None,
    ) -> None:
        if as_int("every", every) < 1:
            raise ValueError(f"every must be at least 1, got {every}")
        self.trainer = trainer
        self.path = path
        self.every = every
        self.about = about

    def __call__(self, step: Step) -> None:
        """Save if the step ended the training, or an epoch whose turn it is.

        Parameters
        ----------
        step : Step
        """
        if step.last or (step.result is not None and step.epoch % self.every == 0):
            save_training(self.path, self.trainer, self.about)


def _without_arrays(value: Any, name: str, arrays: dict[str, Any]) -> Any:
    """Return what JSON can say; put the arrays aside, each by the name of its place."""
    if isinstance(value, np.ndarray):
        arrays[name] = value
        return {_ARRAY: name}
    if isinstance(value, dict):
        items = {
            str(key): _without_arrays(each, f"{name}.{key}".lstrip("."), arrays)
            for key, each in value.items()
        }
        numbered = bool(value) and all(isinstance(key, int) for key in value)
        return {_NUMBERED: items} if numbered else items
    if isinstance(value, list | tuple):
        return [_without_arrays(each, f"{name}.{i}", arrays) for i, each in enumerate(value)]
    return value


def _with_arrays(value: Any, arrays: Mapping[str, Any]) -> Any:
    if isinstance(value, dict):
        if set(value) == {_ARRAY}:
            return arrays[value[_ARRAY]]
        if set(value) == {_NUMBERED}:
            return {int(k): _with_arrays(each, arrays) for k, each in value[_NUMBERED].items()}
        return {key: _with_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, list):
        return [_with_arrays(each, arrays) for each in value]
    return value

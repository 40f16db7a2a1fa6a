"""The ranker that `lucid train` trains, and its file."""

import json
import os
from typing import Any

import numpy as np
import numpy.typing as npt

import lucid
from lucid import nn
from lucid._optional import require
from lucid.io import DataFileError, load_checkpoint, save_checkpoint

_KIND = "lucid ranker"
_SIZES = ("num_features", "num_classes", "hidden")


class Ranker(nn.Module):
    r"""Scores of ``C`` classes from ``F`` features: scaled, then one linear layer or two.

    .. math:: x \mapsto W z + b \quad\text{or}\quad x \mapsto W_2 \max(0, W_1 z + b_1) + b_2,
        \qquad z = (x - \mathrm{center}) / \mathrm{scale}

    Parameters
    ----------
    num_features, num_classes : int
        ``F`` and ``C``.
    hidden : int, default 0
        The width of the hidden layer; 0 for none.

    Attributes
    ----------
    num_features, num_classes, hidden : int
        As given.
    center, scale : Parameter
        Shape ``(F,)``, learnt by `fit_scaling` and not trained.
    net : Module
        The layers behind the scaling.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> Ranker(num_features=3, num_classes=2).scores(csr_array([[0.5, 0.0, 1.0]])).shape
    (1, 2)
    """

    def __init__(self, num_features: int, num_classes: int, hidden: int = 0) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        self.num_features = num_features
        self.num_classes = num_classes
        self.hidden = hidden
        self.center = nn.Parameter(lucid.zeros(num_features), requires_grad=False)
        self.scale = nn.Parameter(lucid.ones(num_features), requires_grad=False)
        self.net: nn.Module = nn.Linear(num_features, num_classes)
        if hidden:
            self.net = nn.Sequential(
                nn.Linear(num_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
            )

    def fit_scaling(self, features: Any) -> None:
        """Learn center and scale from the CSR features of the training set.

        Each feature gets a range of 1. One that is mostly nonzero is centred on its mean; one that
        is mostly zero keeps its zeros, so that sparse rows stay sparse in effect: centring would
        let every row pull at every weight.

        Parameters
        ----------
        features : scipy.sparse.csr_array
            Shape ``(N, F)``.
        """
        mostly_nonzero = np.diff(features.tocsc().indptr) > features.shape[0] / 2
        highest = features.max(axis=0).toarray().ravel()
        lowest = features.min(axis=0).toarray().ravel()
        mean = np.asarray(features.mean(axis=0)).ravel()
        spread = highest - lowest
        values = {
            "center": np.where(mostly_nonzero, mean, 0.0),
            "scale": np.where(spread > 0, spread, 1.0),
        }
        self.load_state_dict(values, strict=False)

    def scaled(self, features: Any) -> Any:
        """Return ``(features - center) / scale`` of CSR features.

        In CSR form as well, or as an array where that takes less memory. Only features that are
        mostly nonzero are centred, so that at most twice as many values are stored.

        Parameters
        ----------
        features : scipy.sparse.csr_array
            Shape ``(N, F)``.

        Returns
        -------
        scipy.sparse.csr_array or ndarray
            Shape ``(N, F)``.
        """
        center, scale = self.center.numpy(), self.scale.numpy()
        if center.any():
            sparse = require("scipy.sparse", extra="cli", purpose="lucid")
            ones = np.ones((features.shape[0], 1), center.dtype)
            features = features - sparse.csr_array(ones) @ sparse.csr_array(center[np.newaxis])
        values = features.data / scale[features.indices]
        scaled = type(features)((values, features.indices, features.indptr), shape=features.shape)
        return scaled.toarray() if 2 * scaled.nnz > np.prod(scaled.shape) else scaled

    def forward(self, features: Any) -> lucid.Tensor:
        """Return the scores of rows of features.

        Parameters
        ----------
        features : scipy.sparse.csr_array
            Shape ``(N, F)``, as the data files give them: not yet scaled.

        Returns
        -------
        Tensor
            Shape ``(N, C)``.
        """
        scores: lucid.Tensor = self.net(self.scaled(features))
        return scores

    def scores(self, features: Any) -> npt.NDArray[Any]:
        """Return the scores as an array, without a graph.

        Parameters
        ----------
        features : scipy.sparse.csr_array
            Shape ``(N, F)``, as the data files give them: not yet scaled.

        Returns
        -------
        ndarray of float32
            Shape ``(N, C)``.
        """
        with lucid.no_grad():
            scores: npt.NDArray[Any] = self(features).numpy()
        return scores


def save(path: str | os.PathLike[str], model: Ranker) -> None:
    """Write a ranker to a safetensors file, whole or not at all.

    Parameters
    ----------
    path : str or path
        A file that is there already is replaced in one step.
    model : Ranker
        What to write.

    Examples
    --------
    >>> from lucid.cli.model import Ranker
    >>> save("model.safetensors", Ranker(num_features=3, num_classes=2))
    """
    sizes = {name: getattr(model, name) for name in _SIZES}
    arrays = {name: value.numpy() for name, value in model.state_dict().items()}
    # One entry, because safetensors writes several in any order: the same model, the same bytes.
    save_checkpoint(path, arrays, {_KIND: json.dumps(sizes)})


def load(path: str | os.PathLike[str]) -> Ranker:
    """Read a ranker from the file that ``lucid train --save`` or `save` wrote.

    Parameters
    ----------
    path : str or path
        A ``safetensors`` file.

    Returns
    -------
    Ranker

    Raises
    ------
    DataFileError
        If the file holds something else.
    OSError
        If it cannot be read.

    Examples
    --------
    >>> from lucid.cli.model import Ranker, save
    >>> save("model.safetensors", Ranker(num_features=3, num_classes=2))
    >>> load("model.safetensors").num_classes
    2
    """
    arrays, metadata = load_checkpoint(path)
    if _KIND not in metadata:
        raise DataFileError(f"{path}: not a model that `lucid train --save` wrote")
    try:
        sizes = json.loads(metadata[_KIND])
        features, classes, hidden = (sizes[name] for name in _SIZES)
        wanted = 2 * features + (features + 1) * (hidden or classes)
        if hidden:
            wanted += (hidden + 1) * classes
        if sum(array.size for array in arrays.values()) != wanted:
            raise ValueError(f"the sizes are {sizes}")  # and are not made before that is known
        model = Ranker(features, classes, hidden)
        model.load_state_dict(arrays)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataFileError(f"{path}: the model's parts do not fit together: {error}") from error
    return model

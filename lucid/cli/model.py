"""The ranker that `lucid train` trains, and its file."""

import json
import math
import os
from typing import Any

import numpy as np
import numpy.typing as npt

import lucid
from lucid import nn
from lucid.arrays.checks import as_array, kind_of
from lucid.arrays.features import as_csr
from lucid.cli.errors import UsageError
from lucid.io import DataFileError, load_checkpoint, save_checkpoint
from lucid.system.optional import is_sparse, require

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
        Shape ``(F,)``, float64, learnt by `fit_scaling` and not trained.
    net : Module
        The layers after the scaling.

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
        # In float64: what tells the rows apart may be far smaller than what they share.
        center, scale = (make(num_features, dtype="float64") for make in (lucid.zeros, lucid.ones))
        self.center = nn.Parameter(center, requires_grad=False)
        self.scale = nn.Parameter(scale, requires_grad=False)
        self.net: nn.Module
        if hidden:
            self.net = nn.Sequential(
                nn.Linear(num_features, hidden), nn.ReLU(), nn.Linear(hidden, num_classes)
            )
        else:
            self.net = nn.Linear(num_features, num_classes)

    def fit_scaling(self, features: Any) -> None:
        """Learn center and scale from the features of the training set.

        Each feature gets a range of 1. One that is mostly nonzero is centred on its mean; one that
        is mostly zero keeps its zeros, so that sparse rows stay sparse in effect: centring would
        let every row pull at every weight. One that is the same in all rows tells nothing: its
        scale is infinite, so that it is 0 in every row, also where it is another in a test.

        Parameters
        ----------
        features : scipy.sparse matrix or array, or array_like
            Shape ``(N, F)``, finite.

        Raises
        ------
        UsageError
            If a feature has a range that is too large for float64.
        """
        sparse = require("scipy.sparse", extra="cli", purpose="lucid")
        columns = sparse.csc_array(self._checked(features))
        columns.sum_duplicates()
        columns.eliminate_zeros()
        rows = columns.shape[0]
        highest = columns.max(axis=0).toarray().ravel()
        lowest = columns.min(axis=0).toarray().ravel()
        with np.errstate(over="ignore"):
            spread = highest - lowest
        if not np.isfinite(spread).all():
            k = int(np.argmax(np.isinf(spread)))
            raise UsageError(
                f"feature {k} is from {lowest[k]:.3g} to {highest[k]:.3g}: too far apart to scale"
            )
        power = 2.0 ** math.ceil(math.log2(rows))  # divided by it exactly, no sum overflows
        mean = (columns / power).sum(axis=0) / (rows / power)
        mean = np.clip(mean, lowest, highest)  # whatever rounding does
        mostly_nonzero = np.diff(columns.indptr) > rows / 2
        values = {
            "center": np.where(mostly_nonzero, mean, 0.0),
            "scale": np.where(spread > 0, spread, np.inf),
        }
        self.load_state_dict(values, strict=False)

    def _checked(self, features: Any) -> Any:
        """Return features of this model's width in float64: an array, or sparse in CSR form."""
        if is_sparse(features):
            x = as_csr("features", features, np.dtype(np.float64))
            x.prune()  # there may be more room
            values = x.data
        else:
            x = values = as_array("features", features)
            if x.dtype.kind not in "biuf":
                raise TypeError(f"features must hold real numbers, got {kind_of(x)}")
        if x.ndim != 2 or x.shape[1] != self.num_features:
            hint = "; one row is features[np.newaxis]" if x.ndim == 1 else ""
            raise ValueError(
                f"features must have shape (N, {self.num_features}), as those that the model is "
                f"trained on, got {x.shape}{hint}"
            )
        if not np.isfinite(values).all():
            raise ValueError("features must be finite, got NaN or infinity")
        return x.astype(np.float64, copy=False)

    def scaled(self, features: Any) -> Any:
        """Return ``(features - center) / scale``, computed in float64, as float32.

        Sparse features come back in CSR form, or as an array where that takes less memory. Only
        features that are mostly nonzero are centred, so that at most twice as many values are
        stored.

        Parameters
        ----------
        features : scipy.sparse matrix or array, or array_like
            Shape ``(N, F)``, finite.

        Returns
        -------
        scipy.sparse.csr_array or ndarray
            Shape ``(N, F)``.
        """
        x = self._checked(features)
        center, scale = self.center.numpy(), self.scale.numpy()
        if is_sparse(x):
            centred = np.count_nonzero(center)
            stored = np.count_nonzero(center[x.indices] == 0) + centred * x.shape[0]
            if 2 * stored > math.prod(x.shape):
                x = x.toarray()
        if not is_sparse(x):
            return ((x - center) / scale).astype(np.float32)
        if centred:
            ones = type(x)(np.ones((x.shape[0], 1)))
            x = x - ones @ type(x)(center[np.newaxis])
        values = (x.data / scale[x.indices]).astype(np.float32)
        return type(x)((values, x.indices, x.indptr), shape=x.shape)

    def forward(self, features: Any) -> lucid.Tensor:
        """Return the scores of rows of features.

        Parameters
        ----------
        features : scipy.sparse matrix or array, or array_like
            Shape ``(N, F)``, finite, as the data files give them: not yet scaled.

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
        features : scipy.sparse matrix or array, or array_like
            Shape ``(N, F)``, finite, as the data files give them: not yet scaled.

        Returns
        -------
        ndarray of float32
            Shape ``(N, C)``.

        Raises
        ------
        TypeError
            If the features are not real numbers.
        ValueError
            If they are not finite, or not of shape ``(N, F)``.

        Examples
        --------
        >>> Ranker(num_features=3, num_classes=2).scores([[0.5, 0.0, 1.0]]).shape
        (1, 2)
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
        if not all(type(size) is int for size in (features, classes, hidden)):
            raise TypeError(f"the sizes are {sizes}")
        wanted = 2 * features + (features + 1) * (hidden or classes)
        if hidden:
            wanted += (hidden + 1) * classes
        if sum(array.size for array in arrays.values()) != wanted or min(features, classes) < 1:
            raise ValueError(f"the sizes are {sizes}")  # and are not made before that is known
        model = Ranker(features, classes, hidden)
        model.load_state_dict(arrays)
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        raise DataFileError(f"{path}: the model's parts do not fit together: {error}") from error
    return model

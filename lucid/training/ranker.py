"""A ranker: the model that trainings of this library make, and its file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self, SupportsIndex, overload

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_int
from lucid.autograd.creation import ones, zeros
from lucid.autograd.grad_mode import no_grad
from lucid.autograd.random import seeded
from lucid.autograd.tensor import Tensor
from lucid.data.names import check_names
from lucid.io import DataFileError, Dataset
from lucid.labels import Labels
from lucid.metrics import propensities
from lucid.metrics.propensity import propensities_of_pieces
from lucid.nn import Linear, Module, Parameter, ReLU, Sequential
from lucid.system.docstrings import shared
from lucid.training import stored
from lucid.training.best import top_k
from lucid.training.finite import finite_scores
from lucid.training.pieces import Changed, Pieces, pieces_of
from lucid.training.scaling import Scaling, checked_features, scaled

_SIZES = ("num_features", "num_classes", "hidden")

#: `Ranker.top_k` computes about so many scores at once.
_SCORES_AT_ONCE = 1 << 22

#: What the docstrings of the methods say alike.
_PARTS = {
    "features": """
features : scipy.sparse matrix or array, or array_like
    Shape ``(N, F)``, finite, as the data files give them: not yet scaled.""",
    "refused": """
TypeError
    If the features are not real numbers.
ValueError
    If they are not finite, or not of shape ``(N, F)``.""",
    "two_rows": """
>>> from scipy.sparse import csr_array
>>> from lucid import Labels
>>> from lucid.io import Dataset
>>> from lucid.training import Ranker
>>> data = Dataset(csr_array([[0.0, 5.0], [4.0, 6.0]]), Labels.from_lists([[0], [1]], 2))
>>> ranker = Ranker(num_features=2, num_classes=2)""",
}


class Ranker(Module):
    r"""Scores of ``C`` classes from ``F`` features: scaled, then one linear layer or two.

    .. math:: x \mapsto W z + b \quad\text{or}\quad x \mapsto W_2 \max(0, W_1 z + b_1) + b_2,
        \qquad z = (x - \mathrm{center}) / \mathrm{scale}

    Parameters
    ----------
    num_features, num_classes : int
        ``F`` and ``C``.
    hidden : int, default 0
        The width of the hidden layer; 0 for none.
    class_names : sequence of str, optional
        What the ``C`` classes are called.
    settings : mapping, optional
        What the ranker was trained with, to be kept in its file: whatever JSON can say.

    Attributes
    ----------
    num_features, num_classes, hidden, class_names, settings
        As given; ``settings`` is a dict, ``class_names`` a tuple or None.
    center, scale : Parameter
        Shape ``(F,)``, float64, learnt by `fit_scaling` and not trained.
    propensities : Parameter
        Shape ``(C,)``, float64, learnt by `fit_propensities` and not trained.
    net : Module
        The layers after the scaling: what a `Trainer` trains, on `scaled` features.

    Raises
    ------
    TypeError
        If a size is not an integer, or a class name not a str.
    ValueError
        If there is no feature or no class; if there are not as many class names as classes, or two
        are the same.

    Examples
    --------
    >>> from scipy.sparse import csr_array
    >>> from lucid.training import Ranker
    >>> ranker = Ranker(num_features=3, num_classes=2)
    >>> ranker.scores(csr_array([[0.5, 0.0, 1.0]])).shape
    (1, 2)
    """

    def __init__(
        self,
        num_features: int,
        num_classes: int,
        hidden: int = 0,
        class_names: Sequence[str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Initialise the module. See the class docstring for parameter semantics."""
        self.num_features = num_features = _size("num_features", num_features, 1)
        self.num_classes = num_classes = _size("num_classes", num_classes, 1)
        self.hidden = hidden = _size("hidden", hidden, 0)
        self.class_names = None if class_names is None else tuple(class_names)
        if self.class_names is not None:
            check_names(self.class_names, num_classes)
        self.settings = dict(settings or {})
        # In float64: what tells the rows apart may be far smaller than what they share.
        self.center = Parameter(zeros(num_features, dtype="float64"), requires_grad=False)
        self.scale = Parameter(ones(num_features, dtype="float64"), requires_grad=False)
        self.propensities = Parameter(ones(num_classes, dtype="float64"), requires_grad=False)
        self.net: Module
        if hidden:
            self.net = Sequential(Linear(num_features, hidden), ReLU(), Linear(hidden, num_classes))
        else:
            self.net = Linear(num_features, num_classes)

    def fit_scaling(self, features: Any) -> None:
        """Learn center and scale from the features of the training set.

        Each feature gets a range of 1. One that is mostly nonzero is centred on its mean; one that
        is mostly zero keeps its zeros, so that sparse rows stay sparse in effect: centring would
        let every row pull at every weight. One that is the same in all rows tells nothing: its
        scale is infinite, so that it is 0 in every row, also where it is another in a test.

        Parameters
        ----------
        features : scipy.sparse matrix or array, array_like, or an iterator of these
            Shape ``(N, F)``, finite. An iterator yields the features of one piece of the training
            set after the other.

        Raises
        ------
        TypeError
            If the features are not real numbers.
        ValueError
            If they are not finite, or not of shape ``(N, F)``; if there is no row; if a feature has
            a range that is too large for float64.
        """
        scaling = Scaling(self.num_features)
        for piece in features if isinstance(features, Iterator) else (features,):
            scaling.add(piece)
        self._set_scaling(scaling)

    def _set_scaling(self, scaling: Scaling) -> None:
        center, scale = scaling.center_and_scale()
        self.load_state_dict({"center": center, "scale": scale}, strict=False)

    def fit_propensities(self, labels: Any) -> None:
        """Learn how likely each class is to be seen, by `lucid.metrics.propensities`.

        Parameters
        ----------
        labels : Labels, array_like, or an iterator of Labels
            The labels of the training set. An iterator yields those of one piece after the other.
        """
        if isinstance(labels, Iterator):
            values = propensities_of_pieces(labels, self.num_classes)
        else:
            values = propensities(labels, num_classes=self.num_classes)
        self.load_state_dict({"propensities": values}, strict=False)

    @shared(_PARTS)
    def fit_to(self, data: Dataset | Iterable[Dataset]) -> None:
        """Learn scaling and propensities from the training set, in one pass over it.

        Parameters
        ----------
        data : Dataset, or iterable of these
            The training set, or its pieces, of which only one is in memory at a time.

        Raises
        ------
        TypeError, ValueError
            As of `fit_scaling`.

        See Also
        --------
        fit_scaling, fit_propensities : Either alone.

        Examples
        --------
        {two_rows}
        >>> ranker.fit_to(data)
        >>> ranker.scale.tolist()
        [4.0, 1.0]
        """
        scaling = Scaling(self.num_features)

        def labels() -> Iterator[Labels]:
            for piece in pieces_of(data):
                scaling.add(piece.features)
                yield piece.labels

        self.fit_propensities(labels())
        self._set_scaling(scaling)

    @shared(_PARTS)
    def scaled(self, features: Any) -> Any:
        """Return ``(features - center) / scale``, computed in float64, as float32.

        Sparse features come back in CSR form, or as an array where that takes less memory. Only
        features that are mostly nonzero are centred, so that at most twice as many values are
        stored.

        Parameters
        ----------
        {features}

        Returns
        -------
        scipy.sparse.csr_array or ndarray
            Shape ``(N, F)``.

        Raises
        ------
        {refused}
        """
        x = checked_features(features, self.num_features)
        return scaled(x, self.center.numpy(), self.scale.numpy())

    @overload
    def prepared(self, data: Dataset) -> Dataset: ...
    @overload
    def prepared(self, data: Iterable[Dataset]) -> Pieces: ...
    @shared(_PARTS)
    def prepared(self, data: Dataset | Iterable[Dataset]) -> Dataset | Pieces:
        """Return the same rows with `scaled` features: what `net` is trained on.

        Parameters
        ----------
        data : Dataset, or iterable of these
            Rows as the data files give them; or, such as `lucid.io.stream_xmc` reads them, pieces,
            of which only one is in memory at a time.

        Returns
        -------
        Dataset or Pieces
            For a `Trainer`.

        Examples
        --------
        {two_rows}
        >>> ranker.fit_scaling(data.features)
        >>> ranker.prepared(data).features
        array([[ 0. , -0.5],
               [ 1. ,  0.5]], dtype=float32)
        """
        if isinstance(data, Dataset):
            return replace(data, features=self.scaled(data.features))
        return Changed(data, self.prepared)

    @shared(_PARTS)
    def forward(self, features: Any) -> Tensor:
        """Return the scores of rows of features.

        Parameters
        ----------
        {features}

        Returns
        -------
        Tensor
            Shape ``(N, C)``.
        """
        scores: Tensor = self.net(self.scaled(features))
        return scores

    @shared(_PARTS)
    def scores(self, features: Any) -> npt.NDArray[Any]:
        """Return the scores as an array, without a graph.

        Parameters
        ----------
        {features}

        Returns
        -------
        ndarray of float32
            Shape ``(N, C)``.

        Raises
        ------
        {refused}

        Examples
        --------
        >>> from lucid.training import Ranker
        >>> Ranker(num_features=3, num_classes=2).scores([[0.5, 0.0, 1.0]]).shape
        (1, 2)
        """
        with no_grad():
            scores: npt.NDArray[Any] = self(features).numpy()
        return scores

    @shared(_PARTS)
    def top_k(
        self, features: Any, k: SupportsIndex
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
        """Return the `k` highest scores of each row, the highest first, and their classes.

        A few rows are scored at a time, so that no array ``(N, C)`` is held.

        Parameters
        ----------
        {features}
        k : int
            From 1 to ``C``.

        Returns
        -------
        classes : ndarray of int64
            Shape ``(N, k)``. Of equal scores the lowest class comes first, as in the metrics.
        scores : ndarray of float32
            Shape ``(N, k)``.

        Raises
        ------
        TypeError
            If the features are not real numbers.
        ValueError
            If they are not finite, or not of shape ``(N, F)``; if `k` is out of range.
        Diverged
            If a score is not finite.

        Examples
        --------
        >>> from lucid.training import Ranker
        >>> classes, scores = Ranker(num_features=3, num_classes=5).top_k([[0.5, 0.0, 1.0]], k=2)
        >>> classes.shape, scores.shape
        ((1, 2), (1, 2))
        """
        x = self.scaled(features)
        step = max(1, _SCORES_AT_ONCE // self.num_classes)
        starts = range(0, x.shape[0], step) or range(1)
        parts = [
            top_k(finite_scores(self.net, x[start : start + step], start), k) for start in starts
        ]
        classes, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
        return classes, scores

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the ranker to a ``safetensors`` file, whole or not at all.

        Parameters
        ----------
        path : str or path
            A file that is there already is replaced in one step.

        See Also
        --------
        load : The way back.

        Examples
        --------
        >>> from lucid.training import Ranker
        >>> Ranker(num_features=3, num_classes=2).save("model.safetensors")
        """
        about: dict[str, Any] = {name: getattr(self, name) for name in _SIZES}
        if self.class_names is not None:
            about["class_names"] = self.class_names
        if self.settings:
            about["settings"] = self.settings
        arrays = {name: value.numpy() for name, value in self.state_dict().items()}
        stored.save(path, stored.MODEL, arrays, about)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a ranker from the file that `save` or ``lucid train --save`` wrote.

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
            If the file holds something else, or is in a format that this version does not read.
        OSError
            If it cannot be read.

        Examples
        --------
        >>> from lucid.training import Ranker
        >>> Ranker(num_features=3, num_classes=2).save("model.safetensors")
        >>> Ranker.load("model.safetensors").num_classes
        2
        """
        arrays, about = stored.load(path, stored.MODEL)
        if about["format"] == 0 and "propensities" not in arrays:  # those came before the numbers
            raise stored.unreadable(path, stored.MODEL, about)
        try:
            sizes: list[Any] = [about.get(name) for name in _SIZES]
            features, classes, hidden = sizes
            names, settings = about.get("class_names"), about.get("settings", {})
            if not all(type(size) is int for size in (features, classes, hidden)):
                raise TypeError(f"the sizes are {features, classes, hidden}")
            wanted = 2 * features + classes + (features + 1) * (hidden or classes)
            if hidden:
                wanted += (hidden + 1) * classes
            if sum(array.size for array in arrays.values()) != wanted:
                # And are not made before that is known.
                raise ValueError(f"the sizes are {features, classes, hidden}")
            _check_texts(names, settings)
            with seeded(0):  # the user's generator goes on where it was
                ranker = cls(features, classes, hidden, names, settings)
            ranker.load_state_dict(arrays)
        except (AttributeError, KeyError, TypeError, ValueError, RuntimeError) as error:
            raise DataFileError(
                f"{path}: the model's parts do not fit together: {error}"
            ) from error
        return ranker

    def extra_repr(self) -> str:
        """Return the ranker's sizes.

        Returns
        -------
        str
        """
        return ", ".join(f"{name}={getattr(self, name)}" for name in _SIZES)


def _size(name: str, value: SupportsIndex, least: int) -> int:
    size = as_int(name, value)
    if size < least:
        raise ValueError(f"{name} must be at least {least}, got {size}")
    return size


def _check_texts(names: Any, settings: Any) -> None:
    if not isinstance(settings, dict):
        raise TypeError(f"the settings are {settings!r}")
    if names is not None and not (
        isinstance(names, list) and all(isinstance(name, str) for name in names)
    ):
        raise TypeError("the class names are no list of texts")

"""The estimator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length, check_random_state
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from lucid import metrics, nn
from lucid.autograd.random import seeded
from lucid.io import Dataset
from lucid.labels import Labels
from lucid.losses.docs import shared
from lucid.nn.losses.criterion import Criterion
from lucid.sklearn import full_batch, mini_batches
from lucid.sklearn.parameters import checked_loss
from lucid.sklearn.scores import scores_in_parts
from lucid.sklearn.targets import Form
from lucid.sklearn.threshold import Cut, Cuts
from lucid.system import threads
from lucid.training import History, Ranker, Trainer, top_k
from lucid.training.scaling import warn_if_unscaled

Array = npt.NDArray[Any]

#: The thresholds are learnt from as many rows as have so many scores together.
_SCORES_FOR_CUTS = 1 << 28
#: Where the user does not say: epochs, and iterations of L-BFGS, which are cheaper than they need.
_EPOCHS, _ITERATIONS = 15, 1000

#: What the docstrings of the methods say alike.
_PARTS = {
    "X": """
X : array_like, DataFrame, scipy.sparse matrix or array
    Features, shape ``(N, F)``, finite.""",
    "y": """
y : array_like, DataFrame, scipy.sparse matrix or array, Labels, or list of collections
    Labels of the ``N`` rows; see the notes of the class.""",
    "sample_weight": """
sample_weight : array_like, optional
    How much each row counts, shape ``(N,)``, not negative.""",
    "self": """
MultilabelRanker
    The estimator itself.""",
}


def _has_mini_batches(estimator: Any) -> bool:
    return bool(estimator.solver != "lbfgs")


class MultilabelRanker(ClassifierMixin, BaseEstimator):
    r"""A linear ranker, or one with a hidden layer, for scikit-learn.

    It scores every class so that a row's labels come first,

    .. math:: s(x) = W x + b \quad\text{or}\quad s(x) = W_2 \max(0, W_1 x + b_1) + b_2,

    trained with a loss that ranks, and then learns above which score a class is predicted.

    Parameters
    ----------
    loss : str or loss of lucid.nn, default 'margin'
        ``'margin'``, ``'squared-margin'``, ``'warp'``, ``'lsep'``, ``'zlpr'``, ``'bpmll'``,
        ``'soft-margin'``; or a loss with options of its own, such as
        ``nn.MultilabelMarginLoss(margin=0.5)`` or ``nn.LSEPLoss(per_label=True)``.
    hidden : int, default 0
        The width of the hidden layer; 0 for none.
    solver : {'sgd', 'adam', 'adamw', 'lbfgs'}, default 'sgd'
        An optimiser that takes a step for each mini-batch, ``'sgd'`` with a momentum of 0.9; or
        L-BFGS, which takes all rows at once and is for small data and smooth losses.
    learning_rate : float, optional
        By default one that suits the loss, the solver and the length of the rows
        (`lucid.training.learning_rate`). It falls to 0 in a straight line. L-BFGS needs none.
    weight_decay : float, default 0
        L2 regularisation: half of it times the sum of the squared weights, not of the biases, is
        added to the mean loss. In ``'adamw'`` the decay is decoupled.
    max_iter : int, optional
        Epochs, by default 15; or iterations of L-BFGS, by default at most 1000.
    batch_size : int, default 32
        Rows of a mini-batch.
    early_stopping : bool, default False
        Whether to hold rows out of the training, end it when their label ranking average precision
        has not improved for `n_iter_no_change` epochs, and go back to the best epoch. L-BFGS has
        no epochs.
    validation_fraction : float, default 0.1
        The share of rows that is held out.
    n_iter_no_change : int, default 5
        See `early_stopping`.
    threshold : float, optional
        A class with a higher score is predicted. By default it is learnt; see the notes. It may be
        set after the training, too.
    tol : float, default 1e-5
        L-BFGS ends where no element of the gradient is larger.
    threads : int, optional
        Threads of the kernels; by default those of `lucid.get_num_threads`. The result does not
        depend on it.
    random_state : int, RandomState or None, default None
        Of the order of the rows, of those that are held out, and of the first weights of a hidden
        layer.
    verbose : bool, default False
        Whether to print a line for each epoch.

    Attributes
    ----------
    classes_ : ndarray
        Shape ``(C,)``: what the classes are called.
    n_features_in_ : int
        The number of features ``F``.
    feature_names_in_ : ndarray
        Their names, where `X` was a DataFrame whose columns have names.
    n_iter_ : int
        The number of epochs, or of iterations of L-BFGS.
    model_ : lucid.training.Ranker
        The model, which ``model_.save(path)`` writes for ``lucid predict``.
    cut_ : callable
        From scores ``(N, C)`` to the thresholds of the rows ``(N, 1)``; None where ``threshold`` is
        given, and where each row has one label.
    history_ : lucid.training.History
        The mean loss of each epoch, and what was measured on the rows held out.

    Raises
    ------
    ImportError
        If scikit-learn, at least 1.6, is not installed; the extra ``[sklearn]`` brings it.

    See Also
    --------
    lucid.training.Trainer : The same training without scikit-learn.

    Notes
    -----
    **Features** are taken as they are, as all of scikit-learn does it: put a ``StandardScaler`` or
    ``MaxAbsScaler`` before it. Where one is over 100 times larger than the median one, `fit` warns.
    Sparse ones stay sparse.

    **Labels** are given as scikit-learn's multi-hot matrix (dense, a DataFrame with a column for
    each class, or sparse), as `lucid.Labels`, or as a list, tuple or set of names for each row. In
    a dense matrix of floats, NaN is an unknown entry, and so is NA in a DataFrame. One dimension is
    one label for each row, so that it is a binary or multi-class classifier. Predictions have the
    form that `fit` was given.

    **Threshold.** The loss of pairs knows only the order of a row's classes, so where to cut is
    learnt after the training, and changes no order: for each training row the cut of the best F1
    score is a target, and a row's threshold is a linear function of its five highest scores, by
    least squares [1]_. `decision_function` has it subtracted. On four data sets its micro F1 is
    well above that of one-versus-rest logistic regression, and within 0.02 of that of logistic
    regression with a tuned threshold: :doc:`/quality`. ``threshold=0.0`` is right for ``'zlpr'``
    and ``'soft-margin'``, whose scores have a sign that means it.

    **Same result.** With a `random_state`, the same bits come out for every number of threads.
    With ``solver='lbfgs'`` a weight of k is the same as k repetitions of the row; mini-batches are
    drawn by row, so that there it is so on average only.

    **Very many classes.** Where the last layer has 2\ :sup:`28` weights (1 GiB) or more, and the
    loss is one of pairs, the layer takes its step a few classes at a time, by
    `lucid.nn.functional.linear_multilabel_margin_step`: with SGD, a third less memory, the same
    results to rounding. It is not faster, and for smaller layers slower, so there it is not done.

    References
    ----------
    .. [1] A. Elisseeff and J. Weston, "A kernel method for multi-labelled classification", NIPS
       2001.

    Examples
    --------
    >>> from lucid.sklearn import MultilabelRanker
    >>> X = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 0.0, 1.0]]
    >>> tags = [["cat"], ["dog", "grass"], ["grass"], ["cat", "grass"]]
    >>> ranker = MultilabelRanker(max_iter=50, random_state=0).fit(X, tags)
    >>> ranker.predict([[0.0, 1.0, 0.0]])
    [('dog', 'grass')]
    >>> best, scores = ranker.predict_topk([[1.0, 0.0, 0.0], [0.0, 0.0, 0.9]], k=2)
    >>> print(ranker.classes_[best])
    [['cat' 'grass']
     ['grass' 'cat']]
    >>> (scores > 0).tolist()
    [[True, False], [True, False]]
    """

    model_: Ranker
    cut_: Cut | None
    history_: History
    _form: Form
    _cuts: Cuts
    _trainer: Trainer | None

    def __init__(
        self,
        loss: str | nn.Module = "margin",
        *,
        hidden: int = 0,
        solver: str = "sgd",
        learning_rate: float | None = None,
        weight_decay: float = 0.0,
        max_iter: int | None = None,
        batch_size: int = 32,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 5,
        threshold: float | None = None,
        tol: float = 1e-5,
        threads: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
    ) -> None:
        self.loss = loss
        self.hidden = hidden
        self.solver = solver
        self.learning_rate = learning_rate
        self.weight_decay = weight_decay
        self.max_iter = max_iter
        self.batch_size = batch_size
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.threshold = threshold
        self.tol = tol
        self.threads = threads
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        tags.input_tags.sparse = True
        return tags

    # Training.

    @shared(_PARTS)
    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a new model.

        Parameters
        ----------
        {X}
        {y}
        {sample_weight}

        Returns
        -------
        {self}

        Raises
        ------
        ValueError
            If a parameter is out of range, or X and y cannot be read, or do not fit each other.
        lucid.training.Diverged
            If a loss is not finite; most often the learning rate is too large, or the features are.
        """
        criterion = checked_loss(self)
        data = self._first_data(X, y, None, sample_weight)
        warn_if_unscaled(data.features, getattr(self, "feature_names_in_", None))
        random = check_random_state(self.random_state)
        self._new_model(data, random)
        with self._own_threads():
            if self.solver == "lbfgs":
                self._fit_all_rows(data, criterion)
            else:
                epochs = self.max_iter or _EPOCHS
                net = self.model_.net
                self.history_ = mini_batches.fit(self, net, criterion, data, random, epochs)
                self.n_iter_ = len(self.history_)
            self._learn_cut(data)
        return self

    @available_if(_has_mini_batches)
    @shared(_PARTS)
    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train on, for one epoch over these rows: for data that come piece by piece.

        The learning rate does not fall and nothing is held out. The threshold is learnt from the
        rows of all calls, of which only sums are kept. The later a row came, the more it counts:
        what was seen of an early one are scores of a model that has changed since. With
        ``solver='lbfgs'``, which wants all rows at once, there is no such method.

        Parameters
        ----------
        {X}
        {y}
        classes : array_like, optional
            All classes that there will be. The first call needs it where a row's label or labels
            are named; a matrix and `Labels` tell it by their width.
        {sample_weight}

        Returns
        -------
        {self}

        Raises
        ------
        ValueError
            As of `fit`; if `classes` are missing, or others than before.
        """
        criterion = checked_loss(self)
        if not hasattr(self, "model_"):
            data = self._first_data(X, y, classes, sample_weight, partial=True)
            self._new_model(data, check_random_state(self.random_state))
            self.n_iter_ = 0
        else:
            if classes is not None and not np.array_equal(np.unique(classes), self.classes_):
                raise ValueError("classes must be those of the first call")
            data = self._dataset(X, self._form.labels(y), sample_weight, reset=False)
        if self._trainer is None:
            random = check_random_state(self.random_state)
            net = self.model_.net
            self._trainer = mini_batches.new_trainer(self, net, criterion, data.features, random)
        with self._own_threads():
            epochs = self._trainer.epoch + 1
            self.history_ = mini_batches.run(self._trainer, data, epochs, verbose=self.verbose)
            self._learn_cut(data)
        self.n_iter_ += 1
        return self

    def _first_data(
        self, X: Any, y: Any, classes: Any, sample_weight: Any, partial: bool = False
    ) -> Dataset:
        """Read the data that say how many features and classes there are, and what they are."""
        if y is None:
            raise ValueError(
                "This MultilabelRanker estimator requires y to be passed, but the target y is None"
            )
        form = Form.of(y, classes)
        if partial and classes is None and form.kind in ("one", "names"):
            raise ValueError("classes must be passed in the first call of partial_fit")
        if len(form.classes) < 2:
            raise ValueError(f"y must have at least 2 classes, got {len(form.classes)} class")
        data = self._dataset(X, form.labels(y), sample_weight, reset=True)
        if form.kind == "one" and not partial and np.ptp(data.labels.indices) == 0:
            raise ValueError("y must have at least 2 classes with a positive weight, got 1 class")
        self._form = form
        self.classes_ = form.classes
        return data

    def _dataset(self, X: Any, labels: Labels, sample_weight: Any, reset: bool) -> Dataset:
        """Check features and weights, and leave out what has none."""
        x = self._features(X, reset=reset)
        check_consistent_length(x, labels)
        if sample_weight is None:
            return Dataset(x, labels)
        weight = _check_sample_weight(sample_weight, x, dtype=np.float64)
        if (weight < 0).any():
            raise ValueError(f"sample_weight must not be negative, got {weight.min()}")
        if not weight.any():
            raise ValueError("sample_weight must not be zero for all rows")
        rows = np.flatnonzero(weight)
        return Dataset(x, labels, sample_weight=weight)[rows]

    def _features(self, X: Any, reset: bool = False) -> Any:
        if not reset:
            check_is_fitted(self)
        return validate_data(
            self, X, reset=reset, accept_sparse="csr", dtype=(np.float64, np.float32)
        )

    def _new_model(self, data: Dataset, random: np.random.RandomState) -> None:
        names = self.classes_.tolist()
        texts = names if all(isinstance(name, str) for name in names) else None
        sizes = self.n_features_in_, len(self.classes_), self.hidden
        with seeded(random.randint(1 << 31)):
            self.model_ = Ranker(*sizes, class_names=texts)
        if not self.hidden:  # the loss is convex: nothing is gained from a random start
            for p in self.model_.net.parameters():
                p.detach().numpy()[...] = 0.0
        self.cut_ = None
        self._cuts = Cuts()
        self._trainer = None

    def _fit_all_rows(self, data: Dataset, criterion: Criterion) -> None:
        self.model_.net.to(np.float64)
        features = data.features.astype(np.float64, copy=False)
        self.n_iter_ = full_batch.train(
            self.model_.net,
            criterion,
            replace(data, features=features),
            weight_decay=self.weight_decay,
            max_iter=self.max_iter or _ITERATIONS,
            tol=self.tol,
        )

    def _learn_cut(self, data: Dataset) -> None:
        """Learn the thresholds of rows from these rows, and those of earlier calls."""
        if self._form.kind == "one" or self.threshold is not None:
            return
        rows = max(1, _SCORES_FOR_CUTS // len(self.classes_))
        if rows < len(data):
            data = data[np.linspace(0, len(data) - 1, rows).astype(np.int64)]
        weight = np.ones(len(data)) if data.sample_weight is None else data.sample_weight
        self._cuts.fade(weight.sum())
        for part, scores in self._scores(data.features):
            self._cuts.add(scores, data.labels[part], weight[part])
        self.cut_ = self._cuts.fitted()

    def _own_threads(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.threads is None else threads.using(self.threads)

    # Prediction.

    def _scores(self, x: Any) -> Iterator[tuple[slice, Array]]:
        return scores_in_parts(self.model_.net, x, len(self.classes_))

    def _decisions(self, x: Any) -> Iterator[tuple[slice, Array]]:
        """Yield scores above the thresholds, those of classes that are predicted positive."""
        with self._own_threads():
            for part, scores in self._scores(x):
                if self._form.kind == "one":
                    yield part, scores
                elif self.threshold is not None or self.cut_ is None:
                    yield part, scores - float(self.threshold or 0.0)
                else:
                    yield part, scores - self.cut_(scores)

    @shared(_PARTS)
    def decision_function(self, X: Any) -> Array:
        """Return a score for each class; that of a class that is predicted is above 0.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray of float
            Shape ``(N, C)``; where each row has one label, the highest is predicted, and for two
            classes it is ``(N,)``, above 0 for the second one.
        """
        parts = [scores for _, scores in self._decisions(self._features(X))]
        scores: Array = np.concatenate(parts)
        if self._form.kind == "one" and scores.shape[1] == 2:
            return np.asarray(scores[:, 1] - scores[:, 0])
        return scores

    @shared(_PARTS)
    def predict(self, X: Any) -> Any:
        """Return the labels of each row: the classes whose `decision_function` is above 0.

        Parameters
        ----------
        {X}

        Returns
        -------
        ndarray, scipy.sparse matrix or array, Labels, or list of tuples
            In the form of the labels that `fit` was given: an array of their dtype for a dense
            matrix, a list of tuples for collections of names; the one class for one dimension.
        """
        indices, lengths = [], [np.zeros(1, np.int64)]
        for _, scores in self._decisions(self._features(X)):
            if self._form.kind == "one":
                chosen = scores.argmax(axis=1)[:, np.newaxis] == np.arange(scores.shape[1])
            else:
                chosen = scores > 0
            indices.append(np.nonzero(chosen)[1])
            lengths.append(np.count_nonzero(chosen, axis=1))
        indptr = np.cumsum(np.concatenate(lengths))
        return self._form.predicted(Labels(np.concatenate(indices), indptr, len(self.classes_)))

    @shared(_PARTS)
    def predict_topk(self, X: Any, k: int | None = None, *, sparse: bool = False) -> Any:
        """Return the `k` best classes of each row and their scores.

        No array of all scores ``(N, C)`` is made: a few rows are scored at a time.

        Parameters
        ----------
        {X}
        k : int, optional
            From 1 to ``C``; by default 5, or ``C`` if that is less.
        sparse : bool, default False
            Whether to return one sparse matrix, as the :doc:`metrics </api/metrics>` take it.

        Returns
        -------
        indices : ndarray of int64
            Shape ``(N, k)``, the best first: ``classes_[indices]`` are their names.
        scores : ndarray of float
            Shape ``(N, k)``: their `decision_function`. With ``sparse=True`` there is one
            ``scipy.sparse.csr_array`` ``(N, C)`` that stores these scores, in place of both.

        Raises
        ------
        ValueError
            If `k` is out of range.
        """
        x = self._features(X)
        k = min(5, len(self.classes_)) if k is None else k
        parts = [top_k(scores, k) for _, scores in self._decisions(x)]
        indices, scores = (np.concatenate(each) for each in zip(*parts, strict=True))
        if not sparse:
            return indices, scores
        indptr = np.arange(len(indices) + 1) * indices.shape[1]
        shape = len(indices), len(self.classes_)
        matrix = csr_array((scores.ravel(), indices.ravel(), indptr), shape=shape)
        matrix.sort_indices()
        return matrix

    @shared(_PARTS)
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how well it ranks: the label ranking average precision, at most 1.

        Where each row has one label, it is the accuracy, as of scikit-learn's classifiers.

        Parameters
        ----------
        {X}
        {y}
        {sample_weight}

        Returns
        -------
        float
        """
        x = self._features(X)
        if self._form.kind == "one":
            return float(super().score(X, y, sample_weight))
        labels = self._form.labels(y)
        check_consistent_length(x, labels, sample_weight)
        total = weights = 0.0
        for part, scores in self._decisions(x):
            weight = None if sample_weight is None else np.asarray(sample_weight)[part]
            share = len(scores) if weight is None else weight.sum()
            if share:
                total += share * metrics.label_ranking_average_precision_score(
                    scores, labels[part], sample_weight=weight
                )
                weights += share
        return total / weights

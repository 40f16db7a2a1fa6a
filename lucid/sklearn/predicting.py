"""Predicting: what an estimator that is fitted does with its model and its thresholds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import csr_array
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_consistent_length

from lucid import metrics
from lucid.arrays.checks import refuse_masked
from lucid.labels import Labels
from lucid.sklearn.docs import PARTS
from lucid.sklearn.inputs import checked_features
from lucid.sklearn.parameters import checked_threshold
from lucid.sklearn.scores import scores_in_parts
from lucid.sklearn.targets import Form
from lucid.system import threads
from lucid.system.docstrings import shared
from lucid.training import Ranker, top_k
from lucid.training.pieces import weightless

Array = npt.NDArray[Any]


class Predicting(ClassifierMixin, BaseEstimator):
    """The methods that predict."""

    threshold: float | None
    threads: int | None
    classes_: Array
    model_: Ranker
    cut_: Callable[[Array], Array] | None
    _form: Form

    @shared(PARTS)
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
        parts = [scores for _, scores in self._decisions(checked_features(self, X))]
        scores: Array = np.concatenate(parts)
        if self._form.kind == "one" and scores.shape[1] == 2:
            return np.asarray(scores[:, 1] - scores[:, 0])
        return scores

    @shared(PARTS)
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
        for _, scores in self._decisions(checked_features(self, X)):
            if self._form.kind == "one":
                chosen = scores.argmax(axis=1)[:, np.newaxis] == np.arange(scores.shape[1])
            else:
                chosen = scores > 0
            indices.append(np.nonzero(chosen)[1])
            lengths.append(np.count_nonzero(chosen, axis=1))
        indptr = np.cumsum(np.concatenate(lengths))
        return self._form.predicted(Labels(np.concatenate(indices), indptr, len(self.classes_)))

    @shared(PARTS)
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
        x = checked_features(self, X)
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

    @shared(PARTS)
    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return how well it ranks: the label ranking average precision, at most 1.

        Where each row has one label, it is the accuracy, as of scikit-learn's classifiers. A label
        that the estimator was not fitted with, as of a rare class in a fold of a cross-validation,
        counts as missed: it is warned of, and adds 0 to the precisions that a row is the mean of.

        Parameters
        ----------
        {X}
        {y}
        {sample_weight}

        Returns
        -------
        float

        Raises
        ------
        ValueError
            If X, y or the weights cannot be read, do not fit each other, or no row has a weight.
        """
        x = checked_features(self, X)
        refuse_masked("sample_weight", sample_weight)
        if self._form.kind == "one":
            return float(super().score(X, y, sample_weight))
        labels, known = self._form.labels_to_score(y)
        check_consistent_length(x, labels, sample_weight)
        weight = np.ones(len(labels)) if sample_weight is None else np.asarray(sample_weight)
        if not np.any(weight):
            raise weightless("to score")
        counted = weight if known is None else weight * known
        total = 0.0
        for part, scores in self._decisions(x):
            share = counted[part].sum()
            if share:
                total += share * metrics.label_ranking_average_precision_score(
                    scores, labels[part], sample_weight=counted[part]
                )
        return float(total / weight.sum())

    def _scores(self, x: Any) -> Iterator[tuple[slice, Array]]:
        return scores_in_parts(self.model_.net, x, len(self.classes_))

    def _decisions(self, x: Any) -> Iterator[tuple[slice, Array]]:
        """Yield scores above the thresholds, those of classes that are predicted positive."""
        threshold = checked_threshold(self.threshold)
        with self._own_threads():
            for part, scores in self._scores(x):
                if self._form.kind == "one":
                    yield part, scores
                elif threshold is not None or self.cut_ is None:
                    yield part, scores - (threshold or 0.0)
                else:
                    yield part, scores - self.cut_(scores)

    def _own_threads(self) -> AbstractContextManager[Any]:
        if self.threads is None:
            return nullcontext()
        return threads.using(threads.checked_threads(self.threads))  # it may be set at any time

"""What an estimator is given: features, labels and weights, checked once."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from lucid.arrays.checks import refuse_masked
from lucid.io import Dataset
from lucid.labels import Labels
from lucid.sklearn.targets import Form
from lucid.training.pieces import check_weights


def first_data(
    estimator: Any, X: Any, y: Any, classes: Any, sample_weight: Any, *, partial: bool
) -> tuple[Form, Dataset]:
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
    labels = form.labels(y)
    data = _dataset(_learnable(estimator, X, reset=True), labels, sample_weight)
    if form.kind == "one" and not partial and np.ptp(data.labels.indices) == 0:
        raise ValueError("y must have at least 2 classes with a positive weight, got 1 class")
    return form, data


def further_data(estimator: Any, form: Form, X: Any, y: Any, sample_weight: Any) -> Dataset:
    """Read more data, which have the features and the classes of the first."""
    labels = form.labels(y)
    return _dataset(_learnable(estimator, X), labels, sample_weight)


def checked_features(estimator: Any, X: Any, *, reset: bool = False) -> Any:
    """Return features as floats, dense or in CSR form, as many as before unless they are first."""
    if not reset:
        check_is_fitted(estimator)
    refuse_masked("X", X)
    return validate_data(
        estimator, X, reset=reset, accept_sparse="csr", dtype=(np.float64, np.float32)
    )


def _learnable(estimator: Any, X: Any, *, reset: bool = False) -> Any:
    """Return features that can be learnt from: mini-batches are in float32, L-BFGS is not."""
    x = checked_features(estimator, X, reset=reset)
    if estimator.solver != "lbfgs":
        largest = max(x.max(), x.min(), key=abs)
        if abs(largest) > np.finfo(np.float32).max:
            raise ValueError(
                f"X must hold numbers that fit float32, got {largest:.3g}: scale the features first"
            )
    return x


def _dataset(x: Any, labels: Labels, sample_weight: Any) -> Dataset:
    """Check the weights, and leave out what has none."""
    check_consistent_length(x, labels)
    if sample_weight is None:
        return Dataset(x, labels)
    refuse_masked("sample_weight", sample_weight)
    weight = _check_sample_weight(sample_weight, x, dtype=np.float64)
    if (weight < 0).any():
        raise ValueError(f"sample_weight must not be negative, got {weight.min()}")
    data = Dataset(x, labels, sample_weight=weight)
    check_weights(data, "to train on")
    return data[np.flatnonzero(weight)]

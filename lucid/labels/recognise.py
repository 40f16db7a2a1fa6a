"""Labels of any form: where losses and metrics bring in what users hold."""

from typing import Any

import numpy as np

from lucid.labels.forms import label_array, of_any_form
from lucid.labels.labels import Labels
from lucid.labels.lists import are_lists, of_plain_lists
from lucid.labels.multi_hot import of_multi_hot
from lucid.labels.padded import of_plain_padded
from lucid.system.optional import is_sparse


def as_labels(labels: Any, shape: tuple[int, ...], name: str = "labels") -> Labels:
    """Bring any form of labels that cannot be mistaken into `Labels`.

    Parameters
    ----------
    labels : Labels, array_like, scipy.sparse matrix or array, or list of lists
        Integer arrays are padded indices, bool arrays are multi-hot, sparse matrices are
        multi-hot, and lists of different lengths (or sets) are indices. Masked entries of a bool
        array are unknown, as is what is missing in a table of bools.
    shape : tuple of int
        ``(N, C)`` or ``(C,)``, that of the scores that the labels belong to.
    name : str
        What the caller's user knows the labels as, for the errors.

    Returns
    -------
    Labels

    Raises
    ------
    TypeError
        If the labels are floats or complex numbers.
    ValueError
        If their rows or classes are not those of the scores, or a label is out of range.

    Examples
    --------
    >>> as_labels([[0, 2], [1]], shape=(2, 3)) == as_labels([[0, 2], [1, -1]], shape=(2, 3))
    True
    """
    if len(shape) == 1:
        shape = (1, *shape)
        if is_array_like(labels):
            labels = np.atleast_2d(label_array(name, labels))
        elif isinstance(labels, (list, tuple)) and not labels:
            labels = [[]]
    known = any_form(name, labels, num_classes=shape[1])
    if known.shape != shape:
        hint = "; are they transposed?" if known.shape == shape[::-1] else ""
        raise ValueError(
            f"{name}: labels of shape {known.shape} (rows, classes) do not fit scores of shape "
            f"{shape}{hint}"
        )
    return known


def any_form(name: str, labels: Any, num_classes: int | None) -> Labels:
    """Bring any form of labels into `Labels`; some forms bring their own number of classes."""
    if isinstance(labels, Labels):
        return labels
    return Labels._checked(*of_any_form(name, labels, num_classes))


def multi_hot_labels(name: str, multi_hot: Any) -> Labels:
    """Bring a multi-hot matrix into `Labels`; errors name what the caller's user knows it as."""
    return Labels._checked(*of_multi_hot(name, multi_hot))


def plain_labels(labels: Any, shape: tuple[int, ...]) -> Labels | None:
    """Bring lists of ints or padded rows into `Labels`, if nothing needs a closer look."""
    known = None
    if type(labels) is list and shape[:-1] == (len(labels),):
        known = of_plain_lists(labels, shape[1])
    elif type(labels) is np.ndarray and labels.dtype.kind == "i" and labels.ndim == len(shape) == 2:
        known = of_plain_padded(labels, shape[1]) if len(labels) == shape[0] else None
    return None if known is None else Labels._checked(*known)


def is_array_like(labels: Any) -> bool:
    """Whether labels are an array, or nested lists that NumPy makes one of."""
    return not (isinstance(labels, Labels) or is_sparse(labels) or are_lists(labels))

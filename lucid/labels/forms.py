"""Labels in any form that cannot be mistaken, told apart by what it is."""

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.labels.entries import dense, integers
from lucid.labels.lists import are_lists, of_lists
from lucid.labels.multi_hot import of_multi_hot
from lucid.labels.objects import bools_of
from lucid.labels.padded import doubt, of_padded
from lucid.labels.sparse import of_sparse
from lucid.system.optional import is_sparse


def of_any_form(name: str, labels: Any, num_classes: int | None) -> tuple[Any, ...]:
    """Read labels in any form but `Labels`; some forms bring their own number of classes."""
    if is_sparse(labels):
        return of_sparse(name, labels)
    array = None if are_lists(labels) else label_array(name, labels)
    if array is not None and array.dtype == np.bool_:
        return of_multi_hot(name, array)
    if num_classes is None:
        if array is not None:
            integers(name, array, ndim=2)
        maker = "from_lists" if array is None else "from_padded"
        raise TypeError(
            f"{name} are class indices, which need num_classes; multi-hot ones are passed as bool, "
            f"and these as Labels.{maker}({name}, num_classes)"
        )
    if array is None:
        return of_lists(name, labels, num_classes)
    indices, indptr, classes = of_padded(name, array, num_classes)
    doubt(name, array, indptr, classes)
    return indices, indptr, classes


def label_array(name: str, labels: Any) -> npt.NDArray[Any]:
    """Return an array; one of bools keeps its mask, for a masked entry is unknown."""
    if isinstance(labels, np.ma.MaskedArray) and labels.dtype == np.bool_:
        return labels
    array = dense(name, labels)
    return bools_of(array) if array.dtype == object else array

"""Labels: the one form that all label inputs become.

The labels of row ``i`` are ``indices[indptr[i]:indptr[i + 1]]``, as in a CSR matrix without its
values; entries of which nobody knows whether they are labels are kept the same way. Whatever users
hold is brought into this form, and checked, once; the losses and metrics then read it without
another look.
"""

from lucid.labels.forms import label_array
from lucid.labels.labels import Labels
from lucid.labels.objects import missing, numbers_of
from lucid.labels.recognise import (
    any_form,
    as_labels,
    is_array_like,
    multi_hot_labels,
    plain_labels,
)

__all__ = [
    "Labels",
    "any_form",
    "as_labels",
    "is_array_like",
    "label_array",
    "missing",
    "multi_hot_labels",
    "numbers_of",
    "plain_labels",
]

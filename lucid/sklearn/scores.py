"""Scores of rows, some rows at a time, so that no array of all rows and classes is held."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.autograd.grad_mode import no_grad
from lucid.nn import Module
from lucid.system.optional import is_sparse

Array = npt.NDArray[Any]

#: So many scores are held at once, unless one row has more: for each part, all weights are read.
_SCORES_AT_ONCE = 1 << 22


def scores_in_parts(net: Module, x: Any, num_classes: int) -> Iterator[tuple[slice, Array]]:
    """Yield the scores of some rows at a time.

    Those of dense rows are computed in float64, so that they do not depend on what other rows there
    are.
    """
    dtype = np.float32 if is_sparse(x) else np.float64
    step = max(1, _SCORES_AT_ONCE // num_classes)
    for start in range(0, x.shape[0], step):
        part = slice(start, start + step)
        with no_grad():
            yield part, net(x[part].astype(dtype, copy=False)).numpy()

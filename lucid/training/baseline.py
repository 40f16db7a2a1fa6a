"""What a ranker is to be judged against."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.autograd.tensor import Tensor
from lucid.nn import Module


class MostFrequent(Module):
    """A ranker that looks at no features: frequent classes come first, in every row.

    Parameters
    ----------
    propensities : array_like
        Shape ``(C,)``: the scores of the classes. As `lucid.metrics.propensities` returns them,
        they rise with the number of rows that have the class.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid import Labels
    >>> from lucid.metrics import propensities
    >>> from lucid.training import MostFrequent, top_k
    >>> train = Labels.from_lists([[0, 1], [1], [1, 2], [2]], num_classes=3)
    >>> scores = MostFrequent(propensities(train))(np.zeros((2, 5)))
    >>> top_k(scores.numpy(), k=2)[0]
    array([[1, 2],
           [1, 2]])
    """

    def __init__(self, propensities: npt.ArrayLike) -> None:
        self.propensities = np.asarray(propensities)

    def forward(self, features: Any) -> Tensor:
        """Return the same scores for each row of features.

        Parameters
        ----------
        features : scipy.sparse matrix or array, or ndarray
            ``N`` rows.

        Returns
        -------
        Tensor
            Shape ``(N, C)``.
        """
        rows = features.shape[0]
        return Tensor(np.broadcast_to(self.propensities, (rows, self.propensities.size)).copy())

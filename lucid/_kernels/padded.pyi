from typing import Any

import numpy as np
import numpy.typing as npt

def count(
    target: npt.NDArray[np.signedinteger[Any]], num_classes: int, indptr: npt.NDArray[np.int64]
) -> int: ...
def fill(
    target: npt.NDArray[np.signedinteger[Any]],
    num_classes: int,
    indptr: npt.NDArray[np.int64],
    total: int,
    indices: npt.NDArray[np.int64],
) -> bool: ...

import numpy as np
import numpy.typing as npt

def count(rows: list[object], indptr: npt.NDArray[np.int64]) -> int: ...
def fill(
    rows: list[object], num_classes: int, total: int, indices: npt.NDArray[np.int64]
) -> bool: ...

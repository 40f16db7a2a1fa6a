import numpy as np
import numpy.typing as npt

OK: int
BAD_LABEL: int
BAD_FEATURE: int
BAD_VALUE: int
LABEL_RANGE: int
FEATURE_RANGE: int
TOO_MANY_ROWS: int

def scan(
    text: bytes,
    start: int,
    svmlight: bool,
    first_feature: int,
    num_features: int,
    num_classes: int,
    labels: npt.NDArray[np.int64],
    label_indptr: npt.NDArray[np.int64],
    features: npt.NDArray[np.int64],
    feature_indptr: npt.NDArray[np.int64],
    values: npt.NDArray[np.float32] | npt.NDArray[np.float64],
) -> tuple[int, int, int]: ...

import numpy as np
import numpy.typing as npt

def sum_of_weights(weight: npt.NDArray[np.float64]) -> float: ...

# The interface of squared_baseline and squared_x86_64_v3, which are compiled from squared.pyx:
# squares of pairs.

import numpy as np

from lucid._kernels.margin import Kernel

squared_float32: Kernel[np.float32]
squared_float64: Kernel[np.float64]

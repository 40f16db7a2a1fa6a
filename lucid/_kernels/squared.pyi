# The interface of squared_baseline and squared_x86_64_v3, which are compiled from squared.pyx:
# squares of pairs.

import numpy as np

from lucid._kernels.margin import PairsKernel

squared_float32: PairsKernel[np.float32]
squared_float64: PairsKernel[np.float64]

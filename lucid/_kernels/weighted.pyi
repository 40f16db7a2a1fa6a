# The interface of weighted_baseline and weighted_x86_64_v3, which are compiled from weighted.pyx:
# pairs with a weight for each label.

import numpy as np

from lucid._kernels.margin import Kernel

weighted_float32: Kernel[np.float32]
weighted_float64: Kernel[np.float64]

# The interface of warp_baseline and warp_x86_64_v3, which are compiled from warp.pyx:
# pairs that WARP weighs.

import numpy as np

from lucid._kernels.margin import Kernel

warp_float32: Kernel[np.float32]
warp_float64: Kernel[np.float64]

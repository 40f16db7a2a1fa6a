# The interface of warp_baseline and warp_x86_64_v3, which are compiled from warp.pyx:
# pairs that WARP weighs.

import numpy as np

from lucid._kernels.margin import PairsKernel

warp_float32: PairsKernel[np.float32]
warp_float64: PairsKernel[np.float64]

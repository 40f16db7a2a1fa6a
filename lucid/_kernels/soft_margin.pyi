# The interface of soft_margin_baseline and soft_margin_x86_64_v3, compiled from soft_margin.pyx.

import numpy as np

from lucid._kernels.margin import Kernel

soft_margin_float32: Kernel[np.float32]
soft_margin_float64: Kernel[np.float64]

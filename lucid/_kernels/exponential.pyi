# The interface of exponential_baseline and exponential_x86_64_v3, compiled from exponential.pyx.

import numpy as np

from lucid._kernels.margin import Kernel

lsep_float32: Kernel[np.float32]
lsep_float64: Kernel[np.float64]
lsep_per_label_float32: Kernel[np.float32]
lsep_per_label_float64: Kernel[np.float64]
zlpr_float32: Kernel[np.float32]
zlpr_float64: Kernel[np.float64]
bpmll_float32: Kernel[np.float32]
bpmll_float64: Kernel[np.float64]

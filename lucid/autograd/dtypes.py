"""The dtype names: ``lucid.float32`` is ``numpy.dtype("float32")``, and so on."""

import numpy as np

__all__ = ["bool", "float16", "float32", "float64", "int8", "int16", "int32", "int64", "uint8"]

bool = np.dtype(np.bool_)
uint8 = np.dtype(np.uint8)
int8 = np.dtype(np.int8)
int16 = np.dtype(np.int16)
int32 = np.dtype(np.int32)
int64 = np.dtype(np.int64)
float16 = np.dtype(np.float16)
float32 = np.dtype(np.float32)
float64 = np.dtype(np.float64)

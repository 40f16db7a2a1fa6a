"""Data files in, checkpoints in and out.

Sparse multi-label data comes as text (`read_xmc`, `read_svmlight`) or as two SciPy files
(`read_npz_pair`).
"""

from lucid.data.checkpoint import load_checkpoint, save_checkpoint
from lucid.data.dataset import DataFileError, Dataset
from lucid.data.npz import read_npz_pair
from lucid.data.svmlight import read_svmlight
from lucid.data.xmc import read_xmc

__all__ = [
    "DataFileError",
    "Dataset",
    "load_checkpoint",
    "read_npz_pair",
    "read_svmlight",
    "read_xmc",
    "save_checkpoint",
]

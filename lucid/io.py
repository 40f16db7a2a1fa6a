"""Data files in and out, predictions out, checkpoints in and out.

Sparse multi-label data comes as text, features and labels together (`read_xmc`, `read_svmlight`) or
apart (`read_xmc_pair`), or as two SciPy files (`read_npz_pair`). A file that is larger than memory
comes in pieces (`stream_xmc`, `stream_svmlight`).
"""

from lucid.data.checkpoint import load_checkpoint, save_checkpoint
from lucid.data.dataset import DataFileError, Dataset
from lucid.data.names import read_names
from lucid.data.npz import read_npz_pair
from lucid.data.predictions import PredictionWriter
from lucid.data.streams import DataStream
from lucid.data.svmlight import read_svmlight, stream_svmlight, write_svmlight
from lucid.data.xmc import read_xmc, stream_xmc, write_xmc
from lucid.data.xmc_pair import read_filter_pairs, read_xmc_pair
from lucid.system.listing import lists

__all__ = [
    "DataFileError",
    "DataStream",
    "Dataset",
    "PredictionWriter",
    "load_checkpoint",
    "read_filter_pairs",
    "read_names",
    "read_npz_pair",
    "read_svmlight",
    "read_xmc",
    "read_xmc_pair",
    "save_checkpoint",
    "stream_svmlight",
    "stream_xmc",
    "write_svmlight",
    "write_xmc",
]

__dir__ = lists(__all__)

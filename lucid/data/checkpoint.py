"""Checkpoints: ``safetensors`` files that are either written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array
from lucid.data.dataset import DataFileError
from lucid.data.files import FilePath, opened
from lucid.system.atomic import replacing
from lucid.system.optional import require

_LONGEST_HEADER = 100_000_000  # of safetensors


def save_checkpoint(
    path: FilePath,
    arrays: Mapping[str, npt.ArrayLike],
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write named arrays to a ``safetensors`` file, whole or not at all.

    Parameters
    ----------
    path : str or path
        A file that is there already is replaced in one step; if saving fails, it stays as it was.
        A process that is killed while it saves leaves ``.lucid-<16 digits>.tmp`` beside it, which
        the next save into the folder removes.
    arrays : mapping of str to array_like
        For instance ``model.state_dict()``.
    metadata : mapping of str to str, optional
        Kept in the file's header.

    Raises
    ------
    TypeError
        If a name, or a key or value of the metadata, is not a str; if an array holds what the
        format has no type for: objects, text, numbers of more than 64 bits.
    ValueError
        If a text cannot be written as UTF-8, an array is named ``'__metadata__'``, or nested lists
        have different lengths.
    OSError
        If the file cannot be written.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("model.safetensors", {"bias": np.zeros(3)}, {"loss": "margin"})
    >>> arrays, metadata = load_checkpoint("model.safetensors")
    >>> arrays["bias"], metadata
    (array([0., 0., 0.]), {'loss': 'margin'})
    """
    safetensors = require("safetensors.numpy", extra="cli", purpose="saving a checkpoint")
    notes = dict(metadata or {})
    for text in (*arrays, *notes, *notes.values()):
        _check_text(text)
    if "__metadata__" in arrays:
        raise ValueError("arrays: '__metadata__' is a name that safetensors keeps for itself")
    values = {name: _stored(f"arrays[{name!r}]", array) for name, array in arrays.items()}
    content = safetensors.save(values, metadata=notes)
    with replacing(path) as file:
        file.write(content)


def _check_text(text: Any) -> None:
    if not isinstance(text, str):
        raise TypeError(f"names and metadata must be str, got {text!r}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"names and metadata must be valid Unicode, got {text!r}") from None


def _stored(name: str, values: Any) -> npt.NDArray[Any]:
    array = as_array(name, values)
    if array.dtype.kind not in "biufc" or array.dtype.itemsize > 8:
        raise TypeError(f"{name} must hold numbers of at most 64 bits, got {array.dtype}")
    # safetensors writes the buffer as it lies in memory, so it must lie in C order.
    return np.asarray(array, order="C")


def load_checkpoint(path: FilePath) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """Read what `save_checkpoint` wrote.

    Parameters
    ----------
    path : str or path
        A ``safetensors`` file.

    Returns
    -------
    arrays : dict of str to ndarray
        The arrays by name.
    metadata : dict of str to str
        Empty if the file has none.

    Raises
    ------
    DataFileError
        If the file is not a whole ``safetensors`` file, or holds a type that NumPy lacks, such as
        bfloat16, or a shape, such as one of 65 axes.
    OSError
        If it cannot be read, or is no regular file.
    ImportError
        If safetensors is not installed.

    Examples
    --------
    >>> import numpy as np
    >>> from lucid.io import load_checkpoint, save_checkpoint
    >>> save_checkpoint("model.safetensors", {"weight": np.eye(2)})
    >>> load_checkpoint("model.safetensors")[0]["weight"]
    array([[1., 0.],
           [0., 1.]])
    """
    safetensors = require("safetensors", extra="cli", purpose="loading a checkpoint")
    with opened(path) as file:  # an OSError names the file, as one of safetensors does not
        size = os.fstat(file.fileno()).st_size
    try:
        with safetensors.safe_open(path, framework="numpy") as content:
            np.empty(size, np.uint8)  # a MemoryError, where safetensors would panic
            names = content.keys()
            return {n: _read_array(path, content, n) for n in names}, content.metadata() or {}
    except safetensors.SafetensorError as error:
        raise DataFileError(f"{path}: not a whole safetensors file: {error}") from error


def metadata_of(path: FilePath) -> dict[str, str] | None:
    """Return the metadata of a ``safetensors`` file; None of any other file.

    Only the header is read: its length in 8 bytes, and JSON.
    """
    with opened(path) as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _LONGEST_HEADER:
            return None
        text = file.read(length)
    try:
        header = json.loads(text)
        return dict(header.get("__metadata__", {}))
    except (AttributeError, RecursionError, TypeError, ValueError):
        return None


def _read_array(path: FilePath, content: Any, name: str) -> npt.NDArray[Any]:
    try:
        array: npt.NDArray[Any] = content.get_tensor(name)
    except (AttributeError, TypeError) as error:  # safetensors asks NumPy for the type by its name
        raise DataFileError(f"{path}: {name:.60} has a type that NumPy lacks: {error}") from error
    except ValueError as error:
        raise DataFileError(f"{path}: {name:.60} has a shape that NumPy lacks: {error}") from error
    return array

"""The classes that a model ranks highest, written row by row."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import IO, Any, Literal, Self, get_args

import numpy as np
import numpy.typing as npt

from lucid.arrays.checks import as_array, kind_of
from lucid.arrays.sparse import checked_csr
from lucid.data.files import FilePath
from lucid.data.names import check_word
from lucid.data.writing import shortest, written
from lucid.system.optional import is_sparse

Form = Literal["text", "csv", "jsonl"]

#: The form that a file name's end says, without that of the packing.
_FORMS: dict[str, Form] = {".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}


class PredictionWriter:
    """Write the classes that a model ranks highest in each row, a batch of rows at a time.

    Used as a context manager. The file takes its place when the context ends without an error;
    until then, and after an error, a file of that name stays as it was. Memory does not grow with
    the number of rows.

    Parameters
    ----------
    file : str, path or binary file
        Where to write. A name that ends in ``.gz``, ``.bz2`` or ``.xz`` is packed so. A binary file
        that is open already, such as ``sys.stdout.buffer``, is written to as rows come.
    form : {'text', 'csv', 'jsonl'}, optional
        By default what the name says: ``.csv``, or ``.jsonl`` for JSON lines, and else text.

        * ``'text'``: a line for each row, ``label:score label:score ...``, best first; an empty
          line for a row without a prediction.
        * ``'csv'``: a line for each prediction, under the header ``row,rank,label,score``; rows
          count from 0, ranks from 1.
        * ``'jsonl'``: an object for each row, ``{"labels": [...], "scores": [...]}``.
    class_names : sequence of str, optional
        The names of the classes by their numbers, written in place of these.

    Raises
    ------
    TypeError
        If a name is not a str.
    ValueError
        If `form` is none of the three; if a name is to be written as text and has a blank in it or
        is empty.

    See Also
    --------
    lucid.io.read_names : Names from a file, one a line.

    Examples
    --------
    >>> from pathlib import Path
    >>> from lucid.io import PredictionWriter
    >>> with PredictionWriter("best.txt") as writer:
    ...     writer.write([[3, 0], [1, -1]], [[0.75, 0.5], [2.0, 0.0]])
    >>> print(Path("best.txt").read_text(), end="")
    3:0.75 0:0.5
    1:2
    >>> with PredictionWriter("best.csv", class_names=["art", "birds", "cars", "dogs"]) as writer:
    ...     writer.write([[3, 0]], [[0.75, 0.5]])
    >>> print(Path("best.csv").read_text(), end="")
    row,rank,label,score
    0,1,dogs,0.75
    0,2,art,0.5
    """

    def __init__(
        self,
        file: FilePath | IO[bytes],
        form: Form | None = None,
        *,
        class_names: Sequence[str] | None = None,
    ) -> None:
        self._target = file
        self.form: Form = _form_of(file) if form is None else form
        if self.form not in get_args(Form):
            raise ValueError(f"form must be one of {get_args(Form)}, got {form!r}")
        self.class_names = None if class_names is None else list(class_names)
        for name in self.class_names or ():
            if not isinstance(name, str):
                raise TypeError(f"class_names must hold str, got {name!r}")
            if self.form == "text":
                check_word(name)
        self._rows = 0  # written so far
        self._file: IO[bytes] | None = None
        self._open = ExitStack()

    def __enter__(self) -> Self:
        if isinstance(self._target, str | os.PathLike):
            self._file = self._open.enter_context(written(self._target))
        else:
            self._file = self._target
        if self.form == "csv":
            self._file.write(b"row,rank,label,score\n")
        return self

    def __exit__(self, *error: Any) -> bool | None:
        self._file = None
        return self._open.__exit__(*error)

    def write(self, classes: Any, scores: npt.ArrayLike | None = None) -> None:
        """Write the predictions of further rows.

        Parameters
        ----------
        classes : array_like of int, or scipy.sparse matrix or array
            Shape ``(N, K)``, the classes of each row, best first; -1 stands for none. Or a sparse
            matrix of scores, shape ``(N, C)``: what is stored is predicted, best first.
        scores : array_like, optional
            Shape ``(N, K)``, finite: the scores of these classes. A sparse matrix brings its own.

        Raises
        ------
        TypeError
            If the classes are no integers, or the scores no real numbers.
        ValueError
            If the two have different shapes, a class is below -1 or has no name, or a score is not
            finite. Nothing of these rows is written then.
        RuntimeError
            If the writer is not open: outside of its ``with`` block.
        """
        if self._file is None:
            raise RuntimeError("write() needs an open writer: use it in a `with` block")
        rows = _of_csr(classes) if is_sparse(classes) else _of_arrays(classes, scores)
        self._file.write(self._text(*self._checked(*rows)).encode())

    def _checked(
        self, chosen: npt.NDArray[Any], scores: npt.NDArray[Any], lengths: npt.NDArray[Any]
    ) -> tuple[list[Any], list[str], list[int]]:
        """Return labels as they are written, texts of scores, and how many each row has."""
        if not np.isfinite(scores).all():
            wrong = scores[~np.isfinite(scores)][0]
            raise ValueError(f"scores must be finite, got {wrong}")
        labels: list[Any] = chosen.tolist()
        if self.class_names is not None:
            if chosen.size and chosen.max() >= len(self.class_names):
                raise ValueError(
                    f"classes must be below {len(self.class_names)}, the number of names, "
                    f"got {chosen.max()}"
                )
            labels = [self.class_names[c] for c in labels]
        return labels, shortest(scores), lengths.tolist()

    def _text(self, labels: list[Any], scores: list[str], lengths: list[int]) -> str:
        lines = io.StringIO()
        table = csv.writer(lines, lineterminator="\n")
        for row, start, end in _spans(lengths, self._rows):
            pairs = zip(labels[start:end], scores[start:end], strict=True)
            if self.form == "text":
                lines.write(" ".join(f"{label}:{score}" for label, score in pairs) + "\n")
            elif self.form == "csv":
                table.writerows((row, n, label, score) for n, (label, score) in enumerate(pairs, 1))
            else:
                of_row = json.dumps(labels[start:end], ensure_ascii=False)
                lines.write(f'{{"labels": {of_row}, "scores": [{", ".join(scores[start:end])}]}}\n')
        self._rows += len(lengths)
        return lines.getvalue()


def _form_of(file: Any) -> Form:
    if not isinstance(file, str | os.PathLike):
        return "text"
    name = os.fspath(file)
    for packed in (".gz", ".bz2", ".xz"):
        name = name.removesuffix(packed)
    return _FORMS.get(os.path.splitext(name)[1].lower(), "text")


def _spans(lengths: list[int], first: int) -> Iterator[tuple[int, int, int]]:
    """Go through rows: the number of each, and where its entries begin and end."""
    start = 0
    for row, length in enumerate(lengths, first):
        yield row, start, start + length
        start += length


def _of_arrays(classes: Any, scores: Any) -> tuple[npt.NDArray[Any], ...]:
    chosen = as_array("classes", classes)
    if chosen.size == 0 and chosen.dtype == np.float64:
        chosen = chosen.astype(np.int64)  # NumPy makes floats of an empty list
    if chosen.dtype.kind not in "iu":
        raise TypeError(f"classes must hold integers, got {kind_of(chosen)}")
    if scores is None:
        raise TypeError("scores must be given, but for a sparse matrix")
    values = _real(as_array("scores", scores))
    if chosen.ndim != 2 or values.shape != chosen.shape:
        raise ValueError(
            f"classes and scores must have one shape (N, K), got {chosen.shape} and {values.shape}"
        )
    if chosen.size and chosen.dtype.kind == "i" and chosen.min() < -1:
        raise ValueError(f"classes must be at least -1, got {chosen.min()}")
    there = chosen >= 0
    return chosen[there], values[there], there.sum(axis=1)


def _of_csr(matrix: Any) -> tuple[npt.NDArray[Any], ...]:
    csr = checked_csr("classes", matrix)
    csr.sum_duplicates()
    lengths = np.diff(csr.indptr)
    entries = slice(csr.indptr[-1])
    chosen, values = csr.indices[entries], _real(csr.data[entries])
    # Best first, and among equals the lowest class, as the metrics rank them.
    order = np.lexsort((chosen, -values, np.repeat(np.arange(lengths.size), lengths)))
    return chosen[order], values[order], lengths


def _real(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if values.dtype.kind not in "iuf" or values.dtype.itemsize > 8:
        raise TypeError(f"scores must hold real numbers of up to 64 bits, got {kind_of(values)}")
    return values if values.dtype == np.float32 else values.astype(np.float64)

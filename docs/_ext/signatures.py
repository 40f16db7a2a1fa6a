"""Signatures as they are written in the source, with words in place of the longest types.

autodoc would evaluate the annotations, and show what NumPy's ``ArrayLike`` is a union of.
"""

import inspect
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, get_origin

import numpy.typing as npt
from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature
from sphinx.util.typing import ExtensionMetadata, stringify_annotation

WORDS = {
    "Array": "ndarray",
    "Callable[..., Result]": "Callable",
    "Callable[..., Tensor]": "Callable",
    "Axis": "int | tuple[int, ...] | None",
    "FilePath": "str | PathLike",
    "ClassNames": "bool | Sequence[str]",
    "Function": "Callable",
    "Int64Array": "ndarray",
    "Listener": "Callable",
    "Metrics": "Mapping[str, Callable]",
    "Parameters": "iterable",
    "Reduction": "Literal['none', 'mean', 'sum']",
    "Schedule": "Callable",
    "TensorLike": "Tensor | array_like",
    "Values": "ndarray",
    "_Values": "ndarray",
    "npt.ArrayLike": "array_like",
    "npt.DTypeLike": "dtype_like",
}
WORD = re.compile(r"(?<![\w.])(" + "|".join(map(re.escape, WORDS)) + r")(?!\w)")


def in_words(annotation: Any, scope: Mapping[str, Any]) -> Any:
    if annotation == npt.ArrayLike:
        return "array_like"
    if isinstance(annotation, str):
        for name, value in scope.items():  # the values that are taken, not what they are called
            if get_origin(value) is Literal:
                annotation = re.sub(
                    rf"\b{name}\b", stringify_annotation(value, "smart"), annotation
                )
        annotation = re.sub(r"npt\.NDArray\[[\w.]+(\[\w+\])?\]", "ndarray", annotation)
        return WORD.sub(lambda match: WORDS[match[0]], annotation)
    return annotation


class Name:
    """What is shown as it is called."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def default_in_words(default: Any) -> Any:
    """Return a default that is Python when it is shown: Sphinx reads it."""
    if isinstance(default, type):
        return default if default is inspect.Parameter.empty else Name(default.__name__)
    return Name("...") if repr(default) == "<factory>" else default


def written(
    app: Sphinx,
    what: str,
    name: str,
    obj: Any,
    options: object,
    text: str | None,
    returns: str | None,
) -> tuple[str, str] | None:
    if text is None or not callable(obj):
        return None
    signature = inspect.signature(obj)
    scope = vars(sys.modules[obj.__module__])
    parameters = [
        p.replace(annotation=in_words(p.annotation, scope), default=default_in_words(p.default))
        for p in signature.parameters.values()
    ]
    if what == "method" and not inspect.ismethod(obj):
        parameters = parameters[1:]  # self
    result = (
        inspect.Signature.empty if what == "class" else in_words(signature.return_annotation, scope)
    )
    signature = signature.replace(parameters=parameters, return_annotation=result)
    shown = stringify_signature(signature, unqualified_typehints=True)
    arguments, _, result = shown.partition(" -> ")
    return arguments, result


def setup(app: Sphinx) -> ExtensionMetadata:
    """Have the last word on signatures."""
    app.connect("autodoc-process-signature", written)
    return {"version": "1", "parallel_read_safe": True}

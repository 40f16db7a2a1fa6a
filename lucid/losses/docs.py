"""What the docstrings of all losses say alike, written once.

The parts are put in their places by `lucid.system.docstrings`. What a function of arrays says holds
for the function of tensors that is made from it, but for the parts that `TENSORS` has of its own.
"""

import inspect
import re
from collections.abc import Callable
from typing import Any

from lucid.system.docstrings import T, fill
from lucid.system.docstrings import shared as shared

#: How users call it, by the function of tensors in `lucid.nn.functional`.
ARRAYS = {
    "x": """
x : array_like
    Scores, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16; lists, of ints too, are
    taken as float64.""",
    "target": """
target : array_like of int, or Labels
    Labels of each row, shape ``(N, K)`` or ``(K,)``, any ``K``: class indices, ended by a -1 or
    by the end of the row. Any other form that `lucid.Labels` is made from is taken too; classes
    that these labels call unknown are left out of the row.""",
    "reduction": """
reduction : {'none', 'mean', 'sum'}, default 'mean'
    Return the loss of each row, their mean or their sum.""",
    "sample_weight": """
sample_weight : array_like, optional
    A weight for each row, shape ``(N,)``, not negative: a row of weight 2 counts as if it were
    there twice, one of weight 0 as if it were not. ``'mean'`` divides by their sum.""",
    "returns": """
loss : numpy.ndarray
    Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype of `x`.
gradient : numpy.ndarray
    The gradient of the loss with respect to `x`, of its shape and dtype; for ``'none'``, each
    row holds the gradient of that row's loss.""",
    "raises": """
TypeError
    If an argument has a dtype that cannot be meant.
ValueError
    If shapes do not fit, a label is out of range, a weight is negative or above the largest
    float32, `reduction` is none of the three, or an option has a value that it does not take.""",
}

TENSORS = ARRAYS | {
    "x": """
x : Tensor or array_like
    Scores, shape ``(N, C)`` or ``(C,)``, float32, float64 or float16; lists, of ints too, are
    taken as float32.""",
    "target": ARRAYS["target"].replace("target : array_like", "target : Tensor, array_like"),
    "returns": """
Tensor
    Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype of `x`.""",
}

MODULES = {
    "shapes": """
* Input `x`: ``(N, C)`` or ``(C,)``, float32, float64 or float16 (computed in float32).
* Target `y`: ``(N, K)`` or ``(K,)`` of any width ``K``; ``K = C`` is PyTorch's form. Integer
  class indices of the labels; -1 entries pad the list. `lucid.Labels` lists the other forms.
* Output: a scalar for ``'mean'`` and ``'sum'``; ``(N,)`` for ``'none'`` and ``x`` ``(N, C)``.
* A class that the labels call unknown is left out: as if its column were deleted from the row.""",
    "reduction": ARRAYS["reduction"].replace("row", "sample"),
}


def _template(arrays: Callable[..., Any]) -> tuple[str | None, dict[str, str]]:
    """Return a docstring with its places, but without examples, and the parts that are its own."""
    template, parts = getattr(arrays, "__template__", (None, {}))
    if template is None:
        return None, {}
    own = {name: part for name, part in parts.items() if part is not ARRAYS.get(name)}
    return inspect.cleandoc(template).partition("\nExamples\n")[0], own


def for_tensors(arrays: Callable[..., Any], example: str) -> str | None:
    """Return the docstring of the function of tensors: that of arrays, with another example."""
    text, own = _template(arrays)
    if text is None:
        return None
    text = text.replace(" of arrays, and its gradient", "", 1)
    text = text.replace("lucid.nn.functional.", "lucid.losses.").replace(
        "The same of tensors", "The same of arrays, with the gradient"
    )
    return f"{fill(text, TENSORS | own)}\nExamples\n--------\n{inspect.cleandoc(example)}\n"


TORCH = ARRAYS | {
    "x": """
x : torch.Tensor
    Scores, shape ``(N, C)`` or ``(C,)``, float32, float64, float16 or bfloat16 (the last two are
    computed in float32).""",
    "target": ARRAYS["target"].replace(
        "target : array_like", "target : torch.Tensor, TensorLabels, array_like"
    ),
    "returns": """
torch.Tensor
    Shape ``(N,)`` for ``'none'`` and scores ``(N, C)``, otherwise ``()``; the dtype and the device
    of `x`, but float32 for half-precision scores within ``torch.autocast``.""",
}


def for_torch(arrays: Callable[..., Any], example: str) -> str | None:
    """Return the docstring of the function of PyTorch's tensors."""
    text, own = _template(arrays)
    if text is None:
        return None
    text = text.replace(" of arrays, and its gradient", " of PyTorch's tensors", 1)
    text = text.replace("The same of tensors", "The same of lucid's tensors")
    return f"{fill(text, TORCH | own)}\nExamples\n--------\n{inspect.cleandoc(example)}\n"


def for_torch_module(peer: type) -> Callable[[T], T]:
    """Return a decorator that gives a module of PyTorch's the docstring of lucid's own.

    What it has is the example. The notes are told once, at the other one.
    """

    def decorate(documented: T) -> T:
        if documented.__doc__ is not None and peer.__doc__ is not None:
            text = inspect.cleandoc(peer.__doc__).partition("\nSee Also\n")[0]
            text = text.replace(" : Tensor or", " : torch.Tensor or")
            text = re.sub(r",? as in \[\d+\]_|\s*\[\d+\]_", "", text)  # of references left behind
            documented.__doc__ = (
                f"{text}\nSee Also\n--------\nlucid.nn.{peer.__name__} : The same of lucid's "
                "tensors; there are its notes and edge cases.\n"
                f"\nExamples\n--------\n{inspect.cleandoc(documented.__doc__)}\n"
            )
        return documented

    return decorate

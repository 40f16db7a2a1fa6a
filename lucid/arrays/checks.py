"""What the losses accept, and the words for what they do not.

These checks run when a kernel has refused its input, or where one look is enough; a call whose
arguments are as the kernel wants them pays for none of the wording.
"""

from numbers import Real
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt

from lucid.system.integers import as_int as as_int  # here, with the other checks, too
from lucid.system.optional import is_sparse

Array = npt.NDArray[Any]

#: How the losses of the rows become the result.
Reduction = Literal["none", "mean", "sum"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)


def check_reduction(reduction: str) -> None:
    """Refuse what is not one of `REDUCTIONS`."""
    if not isinstance(reduction, str) or reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def as_number(name: str, value: Any) -> float:
    """Return a real number as a float, or say which argument is none."""
    if type(value) is float:
        return value
    if not isinstance(value, Real) or isinstance(value, bool):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must fit a float64, got a larger number") from None


def as_array(name: str, values: Any) -> Array:
    """Return an array, or say which argument cannot be one."""
    if type(values) is np.ndarray:
        return values
    if is_sparse(values):
        raise TypeError(
            f"{name} must be dense, got {type(values).__name__}: sparse features go through "
            "nn.Linear or linear_multilabel_margin_loss"
        )
    refuse_masked(name, values)
    try:
        return np.asarray(values)
    except ValueError as error:  # NumPy's, which names no argument
        raise ValueError(f"{name} must have rows of one length: {error}") from None
    except (TypeError, RuntimeError) as error:  # such as PyTorch's
        hint = "; NumPy has no bfloat16: call .float() first" if "BFloat16" in str(error) else ""
        if "requires grad" in str(error):
            hint = " PyTorch differentiates the loss in lucid.torch."
        raise TypeError(f"{name} cannot be read as an array: {error}{hint}") from None


def refuse_masked(name: str, values: Any, instead: str = "by .filled(number)") -> None:
    """Refuse masked entries, of an array or of arrays in lists.

    NumPy would go on with what is under the mask.
    """
    if isinstance(values, np.ma.MaskedArray):
        if np.ma.is_masked(values):
            raise ValueError(f"{name} has masked entries: fill them first, {instead}")
    elif isinstance(values, list | tuple) and values and hasattr(values[0], "__len__"):
        for row in values:
            # A list of numbers is passed over sooner than it is asked.
            if type(row) is not list or (row and hasattr(row[0], "__len__")):
                refuse_masked(name, row, instead)


def refuse_huge(name: str, array: Array) -> None:
    """Refuse integers that no dtype holds, of which NumPy makes objects."""
    if array.dtype == object:
        for value in array.flat:
            if type(value) is int and not -(2**63) <= value < 2**63:
                raise ValueError(f"{name} must hold integers in the range of int64, got {value}")


def kind_of(array: Any) -> str:
    """Return what to call the entries in an error: their dtype, or the type of what is no array."""
    if array.dtype == object and array.ndim == 0:
        return type(array.item()).__name__
    return str(array.dtype)


def hint_for_names(labels: Array) -> str:
    """Return what to do with names of classes, where their numbers are wanted."""
    if labels.dtype.kind not in "UST":
        return ""
    return (
        "; names become multi-hot by scikit-learn's MultiLabelBinarizer, for Labels.from_multi_hot"
    )


def _hint_for_tables(target: Array) -> str:
    """Return what to do with a table whose columns may be empty, where labels are wanted."""
    if target.dtype != object or target.ndim != 2:
        return ""
    return "; for a multi-hot table use Labels.from_multi_hot"


def guess_of(name: str, values: Array) -> str:
    """Guess from its values what an array as wide as the classes was meant as."""
    call = f"Labels.from_multi_hot({name}"
    known = values[values == values]
    if known.min(initial=0) >= 0 and known.max(initial=0) <= 1:
        if known.size < values.size:
            return f"if NaN is unknown, use {call})"
        return "if they are multi-hot, pass them as bool or through Labels.from_multi_hot"
    above = f"if those above 0 are labels, use {call} > 0)"
    if (padding := unsigned_padding(name, values)) is not None:
        return f"{padding}; {above}"
    other = np.unique(known[(known != 0) & (known != 1)])
    if other.size == 1 and other[0] < 0 and (known == 0).any():
        return f"if {other[0]} is unknown, use {call}, unknown={other[0]}); {above}"
    graded = known.max() > 1
    return f"{above}; grades are not supported" if graded else above


def unsigned_padding(name: str, labels: Array) -> str | None:
    """Guess that the largest number of an unsigned dtype was -1, if there is one."""
    if labels.dtype.kind != "u" or labels.max(initial=0) < np.iinfo(labels.dtype).max:
        return None
    return (
        f"if {labels.max()} was -1, which {labels.dtype} lacks, use "
        f"np.where({name} == {labels.max()}, -1, {name}.astype(int))"
    )


def check_scores(x: Array) -> None:
    """Refuse what is not floating-point scores of shape ``(N, C)`` or ``(C,)``, 1 <= C < 2**31."""
    _check_float("x", x)
    if x.ndim not in (1, 2):
        raise ValueError(f"x must have shape (N, C) or (C,), got {x.shape}")
    if not 1 <= x.shape[-1] < 2**31:  # the kernel counts in 32 bits
        raise ValueError(f"x must have from 1 to 2**31 - 1 classes, got shape {x.shape}")


def _check_float(name: str, x: Any) -> None:
    if x.dtype.kind != "f" or x.dtype.itemsize > 8:
        raise TypeError(f"{name} must be float32, float64 or float16, got {kind_of(x)}")


def check_target(target: Array, shape: tuple[int, ...]) -> None:
    """Refuse a target that is not integers or bools, or that does not fit scores of ``shape``."""
    if target.dtype.kind not in "iub" and target.size > 0:
        refuse_huge("target", target)
        hint = hint_for_names(target) or _hint_for_tables(target)
        if target.dtype == object and not hint:
            hint = "; lists of labels go through Labels.from_lists"
        elif target.dtype.kind == "f":
            known = target[target == target]
            if np.all(known == np.round(known)):
                hint = "; if they are class indices, convert them with int"
                if target.shape == shape and np.abs(known).max(initial=0) <= 1:
                    hint = f"; {guess_of('target', target)}"
                elif known.size < target.size:
                    hint = "; lists of labels that differ in length need no NaN: Labels.from_lists"
        raise TypeError(
            "target must hold integer class indices, or bools as multi-hot, "
            f"got {kind_of(target)}{hint}"
        )
    if target.ndim == len(shape) and target.shape[:-1] == shape[:-1]:
        return
    hint = ""
    fits = (
        target.shape[::-1] == shape if target.dtype == np.bool_ else target.shape[1:] == shape[:1]
    )
    if target.ndim == 2 == len(shape) and fits:
        hint = "; if it is transposed, target.T fits"
    expected = "(K,)" if len(shape) == 1 else "(N, K) with N the rows of x"
    raise ValueError(
        f"target must have shape {expected}: got target {target.shape} for x {shape}{hint}"
    )


def check_layer(features: Any, weight: Any, bias: Any) -> None:
    """Refuse a linear layer whose parts are not floating-point, or of shapes that do not fit."""
    for name, x in (("features", features), ("weight", weight), ("bias", bias)):
        _check_float(name, x)
    if weight.ndim != 2 or len(weight) == 0:
        raise ValueError(f"weight must have shape (C, D), C >= 1, got {weight.shape}")
    if features.ndim not in (1, 2) or features.shape[-1] != weight.shape[1]:
        raise ValueError(
            f"features must have shape (N, D) or (D,), D = {weight.shape[1]} as in weight "
            f"{weight.shape}, got {features.shape}"
        )
    if bias.shape != weight.shape[:1]:
        raise ValueError(
            f"bias must have shape (C,), C = {len(weight)} as in weight {weight.shape}, "
            f"got {bias.shape}"
        )


def check_probabilities(target: Array, x: Array) -> None:
    """Refuse a target that is not of the shape of ``x``, with values from 0 to 1, or NaN."""
    if target.dtype.kind not in "iufb":
        raise TypeError(
            f"target must hold numbers from 0 to 1, got {kind_of(target)}{_hint_for_tables(target)}"
        )
    padded = target.dtype.kind in "iu"
    hint = "; padded class indices go through Labels.from_padded" if padded else ""
    if target.shape != x.shape:
        raise ValueError(f"target must have the shape of x, {x.shape}, got {target.shape}{hint}")
    outside = target[(target < 0) | (target > 1)]
    if outside.size:
        guess = guess_of("target", target)
        raise ValueError(f"target must have values from 0 to 1, got {outside[0]}; {guess}{hint}")

"""What the losses accept, and the words for what they do not.

These checks run when a kernel has refused its input, or where one look is enough; a call whose
arguments are as the kernel wants them pays for none of the wording.
"""

from typing import Any, Literal, NoReturn, get_args

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

#: How the losses of the rows become the result.
Reduction = Literal["none", "mean", "sum"]
REDUCTIONS: tuple[str, ...] = get_args(Reduction)


def check_reduction(reduction: str) -> None:
    """Refuse what is not one of `REDUCTIONS`."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"reduction must be 'none', 'mean' or 'sum', got {reduction!r}")


def check_scores(x: Array) -> None:
    """Refuse what is not floating-point scores of shape ``(N, C)`` or ``(C,)``, C >= 1."""
    if x.dtype not in (np.float32, np.float64, np.float16):
        raise TypeError(f"x must be float32, float64 or float16, got {x.dtype}")
    if x.ndim not in (1, 2):
        raise ValueError(f"x must have shape (N, C) or (C,), got {x.shape}")
    if x.shape[-1] == 0:
        raise ValueError(f"x must have at least one class, got shape {x.shape}")


def check_padded(target: Array, x: Array) -> None:
    """Refuse a padded target that is not integers of shape ``(N, K)``, or ``(K,)`` for one row."""
    if target.dtype.kind not in "iu" and target.size > 0:
        raise TypeError(
            f"target must hold integer class indices (or bools, as multi-hot), got {target.dtype}"
        )
    if target.ndim == x.ndim and target.shape[:-1] == x.shape[:-1]:
        return
    hint = ""
    if target.ndim == 2 == x.ndim and target.shape[1] == x.shape[0]:
        hint = "; target.T would fit"
    expected = "(K,)" if x.ndim == 1 else "(N, K) with N the rows of x"
    raise ValueError(
        f"target must have shape {expected}: got target {target.shape} for x {x.shape}{hint}"
    )


def refuse_label(target: Array, num_classes: int) -> NoReturn:
    """Word the error for the first label of a padded target ``(N, K)`` that is out of range."""
    live = np.logical_and.accumulate(target != -1, axis=1)
    wrong = live & ((target < 0) | (target >= num_classes))
    row, column = (int(i) for i in np.argwhere(wrong)[0])
    labels = target[live]
    hint = ""
    if labels.min() == 1 and labels.max() == num_classes:
        hint = ": labels count from 0, yours seem to count from 1"
    raise ValueError(
        f"target[{row}, {column}] is {target[row, column]}, which is not a class: expected "
        f"0 <= label < {num_classes}, or -1 where the row's labels end{hint}"
    )

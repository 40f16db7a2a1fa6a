"""A target of any form, as what kernels, operators and other devices read."""

# Without `annotations` of `__future__`, which a `NamedTuple` shows as forward references.

from typing import Any, NamedTuple, SupportsIndex, TypeAlias

import numpy as np
import torch

from lucid.arrays.checks import as_int
from lucid.labels import Labels, any_form
from lucid.losses.problem import Loss
from lucid.torch.exchange import array_at
from lucid.torch.versions import untraced

#: Indices, indptr, and both of unknown classes; or a dense target and three times None.
Parts: TypeAlias = "tuple[torch.Tensor | None, ...]"


class TensorLabels(NamedTuple):
    """The labels of a batch as tensors: what a compiled function can be given.

    It is a tuple, so that PyTorch's compiler and transforms see the tensors in it.

    Parameters
    ----------
    indices : torch.Tensor
        int64, all labels: those of row ``n`` are ``indices[indptr[n]:indptr[n + 1]]``.
    indptr : torch.Tensor
        int64, shape ``(N + 1,)``.
    unknown_indices, unknown_indptr : torch.Tensor, optional
        The same for the classes of which nothing is known.
    num_classes : int, optional
        The number of classes, which that of the scores must be; by default any that holds them.

    See Also
    --------
    tensor_labels : Makes them of labels in any form.

    Examples
    --------
    >>> import torch
    >>> from lucid.torch import TensorLabels, lsep_loss
    >>> labels = TensorLabels(torch.tensor([0, 3, 2]), torch.tensor([0, 2, 3]))
    >>> lsep_loss(torch.zeros(2, 5), labels, "none")
    tensor([1.9459, 1.6094])
    """

    indices: torch.Tensor
    indptr: torch.Tensor
    unknown_indices: torch.Tensor | None = None
    unknown_indptr: torch.Tensor | None = None
    num_classes: int | None = None


def tensor_labels(
    labels: Any,
    num_classes: SupportsIndex | None = None,
    device: torch.device | str | None = None,
) -> TensorLabels:
    """Bring labels of any form into tensors, which compiled and transformed functions take.

    Parameters
    ----------
    labels : torch.Tensor, array_like, scipy.sparse matrix or array, list of lists, or Labels
        Any form that a loss takes as its target: class indices padded with -1, bool multi-hot,
        sparse, lists of different lengths.
    num_classes : int, optional
        The number of classes; class indices need it, while `Labels`, multi-hot and sparse ones
        know theirs.
    device : torch.device or str, optional
        Where the tensors are to be; by default where the labels are.

    Returns
    -------
    TensorLabels

    Raises
    ------
    TypeError
        If the labels have a dtype that cannot be meant, or need `num_classes`.
    ValueError
        If a label is out of range, or `num_classes` is another number than that of the labels.

    Examples
    --------
    >>> from lucid.torch import tensor_labels
    >>> labels = tensor_labels([[0, 3], [], [2]], num_classes=5)
    >>> labels.indices
    tensor([0, 3, 2])
    >>> labels.indptr
    tensor([0, 2, 2, 3])
    """
    if device is None:
        device = labels.device if isinstance(labels, torch.Tensor) else "cpu"
    classes = None if num_classes is None else as_int("num_classes", num_classes)
    known = any_form("labels", readable("labels", labels, classes), classes)
    if classes not in (None, known.num_classes):
        raise ValueError(f"num_classes must be {known.num_classes}, as in labels, got {classes}")
    return of_labels(known, device)


def of_labels(labels: Labels, device: torch.device | str) -> TensorLabels:
    """Return the arrays of labels as tensors."""
    parts = (labels.indices, labels.indptr, labels.unknown_indices, labels.unknown_indptr)
    # A copy, for the arrays are read-only, which tensors cannot be.
    tensors = [p if p is None else torch.tensor(p, device=device) for p in parts]
    return TensorLabels._make([*tensors, labels.num_classes])


def readable(name: str, target: Any, num_classes: int | None) -> Any:
    """Return a target as the rest of the library reads it: tensors as arrays, or as `Labels`."""
    if isinstance(target, torch.Tensor):
        if target.layout is not torch.strided:
            return _of_sparse(name, target)
        return array_of(name, target)
    if isinstance(target, TensorLabels):
        unknown = (p if p is None else array_of(name, p) for p in target[2:4])
        indices, indptr = array_of(name, target.indices), array_of(name, target.indptr)
        classes: Any = num_classes if target.num_classes is None else target.num_classes
        return Labels(indices, indptr, classes, *unknown)
    return target


def array_of(name: str, tensor: torch.Tensor) -> Any:
    """Return the array of a tensor, its memory if it is on the CPU."""
    array = array_at(tensor)
    if array is not None:
        return array
    if _is_freed(tensor):
        raise TypeError(f"{name} cannot be read as an array: its storage is empty")
    with torch._C._DisableFuncTorch():  # a transform wraps even what is not its argument
        try:
            return tensor.detach().numpy() if tensor.requires_grad else tensor.numpy()
        except (RuntimeError, TypeError):  # it is elsewhere, or negated; or it cannot be
            try:
                return tensor.detach().cpu().resolve_neg().numpy()
            except (RuntimeError, TypeError) as error:  # PyTorch's, which names no argument
                raise TypeError(f"{name} cannot be read as an array: {error}") from None


def _is_freed(tensor: torch.Tensor) -> bool:
    """Whether a tensor has no memory, or gave it back, which NumPy does not notice."""
    try:
        if tensor._is_zerotensor():
            return True
        return bool(tensor.numel()) and tensor.untyped_storage().nbytes() == 0
    except RuntimeError:  # it never had any of its own
        return False


def constant(name: str, value: Any) -> Any:
    """Return an argument that is not differentiated: the array of a tensor, else as it is."""
    if not isinstance(value, torch.Tensor):
        return value
    if value.requires_grad and torch.is_grad_enabled():
        raise ValueError(f"{name} must not require a gradient, which would be lost: detach() it")
    return array_of(name, value.double() if value.dtype is torch.bfloat16 else value)


def _of_sparse(name: str, target: torch.Tensor) -> Labels:
    """Read a sparse tensor, where each nonzero entry is a label."""
    target = target.detach().cpu()
    num_rows, num_classes = target.shape if target.ndim == 2 else (1, target.shape[-1])
    if target.layout is torch.sparse_csr and target.ndim == 2:
        columns, indptr = target.col_indices().numpy(), target.crow_indices().numpy()
        Labels(columns, indptr, num_classes)  # an error if they are not rows of classes
        rows, values = np.repeat(np.arange(num_rows), np.diff(indptr)), target.values()
    elif target.layout is torch.sparse_coo and target.ndim == target.sparse_dim() <= 2:
        *row, columns = target._indices().numpy()
        rows, values = row[0] if row else np.zeros_like(columns), target._values()
    else:
        raise TypeError(
            f"{name} must be dense, sparse_coo or sparse_csr of shape (N, C), got {target.layout} "
            f"of shape {tuple(target.shape)}"
        )
    numbers = array_of(name, values)
    if numbers.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold bools or real numbers, got {numbers.dtype}")
    if not (numbers >= 0).all():
        raise ValueError(
            f"{name} must hold nonzeros for labels, got {numbers[~(numbers >= 0)][0]}: what is "
            "unknown goes through Labels.with_unknown"
        )
    rows, columns = rows[numbers != 0], columns[numbers != 0]
    order = np.lexsort((columns, rows))
    if rows.size and not 0 <= rows[order[0]] <= rows[order[-1]] < num_rows:
        raise ValueError(f"{name} has entries outside of its {num_rows} rows")
    lengths = np.bincount(rows, minlength=num_rows)
    indptr = np.concatenate([[0], lengths.cumsum()])
    return Labels(columns[order], indptr, num_classes).drop_duplicates()


def parts_of(loss: Loss, target: Any, x: torch.Tensor) -> Parts:
    """Return a target as operators take it, for scores ``x`` of shape (N, C), or (C,) for one row.

    The four tensors of `TensorLabels`; or a dense target, whose form the operator finds out, and
    three times None.
    """
    if isinstance(target, TensorLabels):
        *parts, num_classes = target
        if num_classes is not None and num_classes != x.shape[-1]:
            raise ValueError(
                f"target: labels of {num_classes} classes do not fit scores of shape "
                f"{tuple(x.shape)}"
            )
        return tuple(part if part is None else part.to(x.device) for part in parts)
    if isinstance(target, torch.Tensor) and target.layout is torch.strided:
        if x.ndim in (1, 2) and target.ndim != x.ndim:
            wanted = "(K,)" if x.ndim == 1 else "(N, K) with N the rows of x"
            raise ValueError(
                f"target must have shape {wanted}: got target {tuple(target.shape)} for x "
                f"{tuple(x.shape)}"
            )
        # It may be on the CPU, as labels in other forms are.
        return (target.unsqueeze(0) if x.ndim == 1 else target).to(x.device), None, None, None
    found: Parts = _tensor_labels_before_graphs(loss, target, tuple(x.shape), x.device)
    return found


@untraced(
    "a target that is not a dense tensor cannot be traced: convert it before the compiled "
    "function is called, with lucid.torch.tensor_labels(target, num_classes)"
)
def _tensor_labels_before_graphs(
    loss: Loss, target: Any, shape: tuple[int, ...], device: torch.device
) -> Parts:
    known = loss.read_target(readable("target", target, shape[-1]), scores_of(shape))
    if isinstance(known, Labels):
        return of_labels(known, device)[:4]
    return torch.tensor(known, device=device), None, None, None


def scores_of(shape: tuple[int, ...]) -> Any:
    """Return scores for which a target can be read: only their shape counts."""
    return np.broadcast_to(np.float64(0), shape)


def known_of(parts: Parts, num_classes: int) -> Any:
    """Return the array or the `Labels` of what `parts_of` has given."""
    target, indptr, unknown_indices, unknown_indptr = parts
    assert target is not None
    if indptr is None:
        return array_of("target", target)
    return readable(
        "target", TensorLabels(target, indptr, unknown_indices, unknown_indptr), num_classes
    )

"""`grad`: gradients handed back rather than added to the leaves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from lucid.autograd.graph import backpropagate, between
from lucid.autograd.tensor import Tensor, TensorLike, seed_of

__all__ = ["grad"]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: TensorLike | Sequence[TensorLike | None] | None = None,
    *,
    create_graph: bool = False,
    retain_graph: bool | None = None,
    allow_unused: bool = False,
) -> tuple[Tensor | None, ...]:
    r"""Return the gradient of the sum of `outputs` with respect to each of `inputs`.

    .. math:: \sum_k g_k \, \frac{\partial y_k}{\partial x}

    No tensor's ``.grad`` is touched.

    Parameters
    ----------
    outputs : Tensor or sequence of Tensor
        What to differentiate.
    inputs : Tensor or sequence of Tensor
        What to differentiate by: leaves, or results on the way to `outputs`.
    grad_outputs : Tensor or sequence of Tensor or None, optional
        The gradient `g` to start with: one for a single output, a sequence for several. By
        default 1, for outputs with one element.
    create_graph : bool, default False
        Record the computation, so that the gradients can be differentiated again.
    retain_graph : bool, optional
        Keep the graph for another pass; by default as `create_graph`.
    allow_unused : bool, default False
        Return None, instead of raising, for an input that `outputs` do not depend on.

    Returns
    -------
    tuple of Tensor
        One gradient for each input.

    Raises
    ------
    RuntimeError
        As `Tensor.backward`, and for an input that does not require a gradient or that the outputs
        do not depend on.
    ValueError
        If `grad_outputs` do not match `outputs` in number or shape.

    Examples
    --------
    >>> import lucid
    >>> x = lucid.tensor(2.0, requires_grad=True)
    >>> (slope,) = lucid.grad(x**3, x, create_graph=True)
    >>> slope
    tensor(12., requires_grad=True)
    >>> lucid.grad(slope, x)
    (tensor(12.),)
    """
    if isinstance(outputs, Tensor):
        outputs, starts = [outputs], [cast("TensorLike | None", grad_outputs)]
    elif grad_outputs is None:
        starts = [None] * len(outputs)
    else:
        starts = list(cast("Sequence[TensorLike | None]", grad_outputs))
    if len(starts) != len(outputs):
        raise ValueError(
            f"grad_outputs: expected one for each of the {len(outputs)} outputs, got {len(starts)}"
        )
    inputs = [inputs] if isinstance(inputs, Tensor) else list(inputs)
    for i, x in enumerate(inputs):
        if not x.requires_grad:
            raise RuntimeError(f"inputs[{i}] does not require a gradient")
    seeds: dict[Tensor, Tensor] = {}
    for y, g in zip(outputs, starts, strict=True):
        seed = seed_of(y, g)
        seeds[y] = seeds[y] + seed if y in seeds else seed
    gradients = backpropagate(
        seeds,
        create_graph,
        create_graph if retain_graph is None else retain_graph,
        path=between(outputs, inputs),
        keep=set(inputs),
    )
    if not allow_unused:
        for i, x in enumerate(inputs):
            if x not in gradients:
                raise RuntimeError(
                    f"the outputs do not depend on inputs[{i}], or the graph between them was "
                    f"freed: pass allow_unused=True to get None for it, or retain_graph=True to "
                    f"the pass before"
                )
    return tuple(gradients.get(x) for x in inputs)

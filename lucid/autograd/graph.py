"""The graph behind a Tensor, and the walk back through it.

A tensor that an op made holds a `Node`: the op's inputs and its *pullback*, the function that
turns the gradient of the output into those of the inputs. Every node is numbered when it is made,
so walking from high numbers to low visits each tensor after all that was computed from it. A heap
does that without recursion: the depth of a graph is limited by memory alone.

References point from outputs to inputs only. A graph that nobody holds any more is therefore
freed at once by reference counting, walked or not.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from heapq import heapify, heappop, heappush
from typing import TYPE_CHECKING, Any

from lucid.autograd.grad_mode import grad_mode

if TYPE_CHECKING:
    from lucid.autograd.tensor import Tensor

#: Maps the output's gradient, and the output itself, to one gradient (or None) for each input.
#: The output is handed in, not captured: output -> node -> pullback -> output would be a cycle.
Pullback = Callable[["Tensor", "Tensor"], "Sequence[Tensor | None]"]


_numbers = itertools.count()


class Node:
    """How one tensor was made: from which inputs, and how its gradient goes back to them."""

    __slots__ = ("inputs", "name", "number", "pullback", "version")

    def __init__(
        self, inputs: tuple[Tensor, ...], pullback: Pullback, output: Tensor, name: str
    ) -> None:
        self.inputs = inputs
        self.pullback: Pullback | None = pullback
        self.name = name  # of the op, for errors
        self.number = next(_numbers)
        self.version = _version(inputs, output)

    def pull(self, gradient: Tensor, output: Tensor) -> Sequence[Tensor | None]:
        """Return the gradients of the inputs, given that of the output."""
        if self.pullback is None:
            raise RuntimeError(
                "this graph was freed by an earlier backward: pass retain_graph=True to the first "
                "backward if you need a second one"
            )
        if self.version != _version(self.inputs, output):
            raise RuntimeError(
                "a tensor that this gradient needs was modified in place after it was used: "
                "clone() it before the change, or change it after backward()"
            )
        gradients = self.pullback(gradient, output)
        if not isinstance(gradients, (tuple, list)):
            raise TypeError(
                f"{self.name}: a pullback must return a tuple with a Tensor or None for each "
                f"input, got {_what(gradients)}"
            )
        if len(gradients) != len(self.inputs):
            raise RuntimeError(
                f"{self.name}: a pullback gave {len(gradients)} gradients for "
                f"{len(self.inputs)} inputs"
            )
        return gradients

    def free(self) -> None:
        self.pullback = None
        self.inputs = ()


def _what(x: Any) -> str:
    """Return what to call in an error that which should be a Tensor, or several."""
    shape = getattr(x, "shape", None)
    return type(x).__name__ if shape is None else f"a {type(x).__name__} of shape {shape}"


def _version(inputs: tuple[Tensor, ...], output: Tensor) -> int:
    # Versions only ever grow, so their sum is unchanged exactly when each of them is.
    total = output._version[0]
    for x in inputs:
        total += x._version[0]
    return total


def backpropagate(
    seeds: Mapping[Tensor, Tensor],
    create_graph: bool,
    retain_graph: bool,
    *,
    path: AbstractSet[Tensor] | None = None,
    keep: Collection[Tensor] = (),
) -> dict[Tensor, Tensor]:
    """Return the gradients of the leaves, and of the tensors in `keep`, given those of `seeds`.

    With `path`, gradients flow through these tensors only. No gradient shares memory with another,
    nor with a seed.
    """
    gradients = dict(seeds)
    queue = [(-y._node.number, y) for y in gradients if y._node is not None]
    heapify(queue)
    before = grad_mode.enabled
    grad_mode.enabled = create_graph
    try:
        for y in keep:
            if y in gradients:
                gradients[y] = gradients[y].clone()
        while queue:
            y = heappop(queue)[1]
            node = y._node
            assert node is not None
            g = gradients[y] if y in keep else gradients.pop(y)
            if path is not None and path.isdisjoint(node.inputs):
                continue
            for x, gx in zip(node.inputs, node.pull(g, y)):  # noqa: B905 (pull checks the lengths)
                if gx is None or not x.requires_grad or (path is not None and x not in path):
                    continue
                gx = _fit(gx, x, node)
                if x in gradients:
                    gradients[x] = gradients[x] + gx
                    continue
                if x._node is not None:
                    heappush(queue, (-x._node.number, x))
                if x._node is None or x in keep:
                    # It outlives the walk. A pullback that stays alive may hold the array.
                    gx = gx.clone() if retain_graph else _own(gx, g)
                gradients[x] = gx
            if not retain_graph:
                node.free()
    finally:
        grad_mode.enabled = before
    return gradients


def pull_to_leaf(y: Tensor, g: Tensor) -> dict[Tensor, Tensor]:
    """Do what `backpropagate` does for `y` made of one leaf: the loss of given scores.

    In a small problem the general walk would take longer than the gradient itself.
    """
    node = y._node
    assert node is not None
    (x,) = node.inputs
    before = grad_mode.enabled
    grad_mode.enabled = False
    try:
        (gx,) = node.pull(g, y)
        gradients = {} if gx is None else {x: _own(_fit(gx, x, node), g)}
    finally:
        grad_mode.enabled = before
    node.free()
    return gradients


def _own(gx: Tensor, g: Tensor) -> Tensor:
    """Give a gradient that outlives the walk an array that nobody else sees."""
    return gx.clone() if gx._data is g._data or gx._data.base is not None else gx


def _fit(gradient: Tensor, x: Tensor, node: Node) -> Tensor:
    """Undo the broadcasting and the change of dtype that `x` went through in an op."""
    try:
        shape = gradient._data.shape
        if shape == x._data.shape and gradient._data.dtype == x._data.dtype:
            return gradient
    except AttributeError:
        raise TypeError(
            f"{node.name}: a pullback must return Tensors, got {_what(gradient)}: "
            f"compute with tensors, not with their arrays"
        ) from None
    new = gradient.ndim - x.ndim
    if new < 0 or any(n not in (1, m) for n, m in zip(x.shape, shape[new:], strict=True)):
        raise ValueError(
            f"{node.name}: a pullback gave a gradient of shape {shape} for an input of shape "
            f"{x.shape}: expected that shape, or one that it broadcasts to"
        )
    stretched = tuple(
        axis
        for axis, size in enumerate(shape)
        if axis < new or (size != 1 and x.shape[axis - new] == 1)
    )
    if stretched:
        gradient = gradient.sum(axis=stretched)
    return gradient.reshape(x.shape).to(x.dtype)


def between(outputs: Collection[Tensor], inputs: Collection[Tensor]) -> set[Tensor]:
    """Return the tensors through which `outputs` depend on `inputs`, both included."""
    reached = set(outputs)
    todo = list(reached)
    while todo:
        node = todo.pop()._node
        new = set(node.inputs) - reached if node is not None else set()
        reached |= new
        todo += new
    made = [(y._node.number, y) for y in reached if y._node is not None]
    path = set(inputs)
    for _, y in sorted(made):  # whatever y was made from comes before y
        assert y._node is not None
        if not path.isdisjoint(y._node.inputs):
            path.add(y)
    return path

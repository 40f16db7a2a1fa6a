"""What not every version of PyTorch has, from 2.4 on; nothing else asks for a version."""

from __future__ import annotations

from collections.abc import Callable
from inspect import signature
from typing import Any, TypeVar

import torch

F = TypeVar("F", bound=Callable[..., Any])

#: Whether the backward pass that runs leaves the graph for another one. PyTorch asks the same where
#: its compiler reuses memory; where it is not to be had, as in 2.4, every graph counts as kept.
graph_is_kept: Callable[[], bool] = getattr(
    getattr(torch._C, "_autograd", None), "_get_current_graph_task_keep_graph", lambda: True
)

#: The tags of an operator that a CUDA graph cannot record: it waits for the device.
UNRECORDED = (torch.Tag.cudagraph_unsafe,) if hasattr(torch.Tag, "cudagraph_unsafe") else ()


def untraced(reason: str) -> Callable[[F], F]:
    """Let the compiler end a graph before a function, or say why it cannot.

    PyTorch 2.7 takes no reason: its error has the name of the function alone.
    """
    disable: Any = torch.compiler.disable
    options = {"reason": reason} if "reason" in signature(disable).parameters else {}
    return lambda function: disable(function, **options)


def register_vmap(op: Any, rule: Callable[..., tuple[Any, Any]], library: Any) -> None:
    """Register what an operator does with a batch; 2.4 calls it for each member."""
    if hasattr(torch.library, "register_vmap"):
        torch.library.register_vmap(op, rule, lib=library)


@torch.compiler.assume_constant_result  # 2.7 cannot trace it
def in_autocast(device: str) -> bool:
    """Whether this runs in autocast for a type of devices: not all of them have that."""
    return bool(torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device))

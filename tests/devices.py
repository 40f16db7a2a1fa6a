"""The devices of PyTorch's that tests run on: the CPU, and a GPU where there is one."""

import importlib.util

DEVICES = ["cpu"]
if importlib.util.find_spec("torch") is not None:
    import torch

    if torch.cuda.is_available():
        DEVICES.append("cuda")


def here(target):
    """Return a target that was made without a device, with its tensors on the default one."""
    if isinstance(target, torch.Tensor):
        return target.to(torch.get_default_device())
    if isinstance(target, tuple) and hasattr(target, "_fields"):
        return type(target)(*(here(part) for part in target))
    return target

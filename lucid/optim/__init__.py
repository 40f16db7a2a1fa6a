"""Optimisers: they change parameters in place, in the direction that the gradients say.

A step reads and writes each number once, in a kernel (``lucid/_kernels/steps.pyx``), for weights
have megabytes and are updated thousands of times.
"""

from lucid.optim.adam import Adam, AdamW
from lucid.optim.optimizer import Optimizer
from lucid.optim.sgd import SGD
from lucid.system.listing import lists

__all__ = ["SGD", "Adam", "AdamW", "Optimizer"]

__dir__ = lists(__all__)

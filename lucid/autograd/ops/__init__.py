"""Every differentiable operation, its value and its pullback together.

`primitive` turns a function that returns both into an op. What a file lists in `__all__` is public
in `lucid`; `method` makes an op a method of Tensor too, which declares its signature.
"""

from lucid.autograd.ops import operators as operators

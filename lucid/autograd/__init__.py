"""Tensors, the operations on them, and the backward pass."""

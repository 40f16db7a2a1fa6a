"""Losses of arrays: scores and labels in, loss and gradient out."""

"""lucid, through its public module."""

from typing import Any

import lucid
from cases import Array
from contenders.padding import pad
from lucid import nn

#: Above so many scores the target is as narrow as the labels; below, it has PyTorch's form.
WIDE = 3_000_000


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = lucid.from_numpy(labels if scores.size > WIDE else pad(labels, scores.shape))
        self.x = lucid.from_numpy(scores)
        self.leaf = lucid.from_numpy(scores).requires_grad_()
        self.criterion = nn.MultilabelMarginLoss()

    def forward(self) -> Any:
        return self.criterion(self.x, self.target)

    def forward_backward(self) -> tuple[Any, Any]:
        self.leaf.grad = None
        loss = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

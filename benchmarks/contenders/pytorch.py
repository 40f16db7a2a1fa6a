"""PyTorch, eager. Its target is int64 and as wide as the scores; there is no other form."""

from typing import Any

import torch

from cases import Array
from contenders.padding import pad


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = torch.from_numpy(pad(labels, scores.shape))
        self.x = torch.from_numpy(scores)
        self.leaf = torch.from_numpy(scores).requires_grad_()
        self.criterion = torch.nn.MultiLabelMarginLoss()

    def forward(self) -> Any:
        return self.criterion(self.x, self.target)

    def forward_backward(self) -> tuple[Any, Any]:
        self.leaf.grad = None
        loss = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

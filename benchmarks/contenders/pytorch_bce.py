"""PyTorch's binary cross entropy of logits, eager. Its target is as large as the scores."""

from typing import Any

import torch

from cases import Array
from contenders.bce import check


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = torch.zeros(scores.shape).scatter_(1, torch.from_numpy(labels), 1.0)
        self.x = torch.from_numpy(scores)
        self.leaf = torch.from_numpy(scores).requires_grad_()
        self.criterion = torch.nn.BCEWithLogitsLoss()
        check(self.forward().item(), scores, labels)

    def forward(self) -> Any:
        return self.criterion(self.x, self.target)

    def forward_backward(self) -> tuple[Any, Any]:
        self.leaf.grad = None
        loss = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

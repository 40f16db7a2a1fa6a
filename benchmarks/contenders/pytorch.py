"""PyTorch, eager. Its target is int64 and as wide as the scores; there is no other form."""

import torch

from cases import Array
from contenders.padding import pad


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = torch.from_numpy(pad(labels, scores.shape))
        self.x = torch.from_numpy(scores)
        self.leaf = torch.from_numpy(scores).requires_grad_()
        self.criterion = torch.nn.MultiLabelMarginLoss()

    def forward(self) -> torch.Tensor:
        loss: torch.Tensor = self.criterion(self.x, self.target)
        return loss

    def forward_backward(self) -> tuple[torch.Tensor, torch.Tensor | None]:
        self.leaf.grad = None
        loss: torch.Tensor = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

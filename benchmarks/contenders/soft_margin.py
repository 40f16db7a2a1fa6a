"""lucid's soft margin loss, of labels alone."""

from typing import Any

import lucid
from cases import Array
from contenders.bce import check
from lucid import Labels, nn


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = Labels.from_padded(labels, scores.shape[1])
        self.x = lucid.tensor(scores)
        self.leaf = lucid.tensor(scores, requires_grad=True)
        self.criterion = nn.MultiLabelSoftMarginLoss()
        check(self.forward().item(), scores, labels)

    def forward(self) -> Any:
        return self.criterion(self.x, self.target)

    def forward_backward(self) -> tuple[Any, Any]:
        self.leaf.grad = None
        loss = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

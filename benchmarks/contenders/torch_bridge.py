"""lucid through its bridge to PyTorch, in place of PyTorch's own loss and with the same target."""

import lucid.torch
from cases import Array
from contenders import pytorch


class Loss(pytorch.Loss):
    def __init__(self, scores: Array, labels: Array) -> None:
        super().__init__(scores, labels)
        self.criterion = lucid.torch.MultiLabelMarginLoss()

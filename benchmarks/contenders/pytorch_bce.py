"""PyTorch's binary cross entropy of logits, eager. Its target is as large as the scores."""

import torch

from cases import Array
from contenders import pytorch
from contenders.bce import check


class Loss(pytorch.Loss):
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = torch.zeros(scores.shape).scatter_(1, torch.from_numpy(labels), 1.0)
        self.x = torch.from_numpy(scores)
        self.leaf = torch.from_numpy(scores).requires_grad_()
        self.criterion = torch.nn.BCEWithLogitsLoss()
        check(self.forward().item(), scores, labels)

"""lucid's soft margin loss, of labels alone."""

import lucid
from cases import Array
from contenders import lucid_loss
from contenders.bce import check
from lucid import Labels, nn


class Loss(lucid_loss.Loss):
    def __init__(self, scores: Array, labels: Array) -> None:
        self.target = Labels.from_padded(labels, scores.shape[1])
        self.x = lucid.tensor(scores)
        self.leaf = lucid.tensor(scores, requires_grad=True)
        self.criterion = nn.MultiLabelSoftMarginLoss()
        check(self.forward().item(), scores, labels)

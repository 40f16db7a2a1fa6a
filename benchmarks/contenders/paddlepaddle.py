"""PaddlePaddle, eager. It broadcasts over all pairs, and takes a narrow target."""

from typing import Any

import paddle

from cases import Array


class Loss:
    def __init__(self, scores: Array, labels: Array) -> None:
        paddle.device.set_device("cpu")
        self.target = paddle.to_tensor(labels)
        self.x = paddle.to_tensor(scores)
        self.leaf = paddle.to_tensor(scores, stop_gradient=False)
        self.criterion = paddle.nn.MultiLabelMarginLoss()

    def forward(self) -> Any:
        return self.criterion(self.x, self.target)

    def forward_backward(self) -> tuple[Any, Any]:
        self.leaf.clear_gradient(False)
        loss = self.criterion(self.leaf, self.target)
        loss.backward()
        return loss, self.leaf.grad

"""The losses for models in PyTorch, which goes on differentiating.

Loss and gradient come from the compiled kernels where scores are on the CPU. Scores and targets are
read where they lie.
"""

from lucid.system.optional import require

require("torch", extra="torch", purpose="lucid.torch")

from lucid.torch.functions import multilabel_margin_loss  # noqa: E402
from lucid.torch.modules import MultiLabelMarginLoss, MultilabelMarginLoss  # noqa: E402

__all__ = ["MultiLabelMarginLoss", "MultilabelMarginLoss", "multilabel_margin_loss"]

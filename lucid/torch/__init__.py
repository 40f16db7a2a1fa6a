"""The losses for models in PyTorch: its operators, functions and modules.

Loss and gradient come from the compiled kernels. What nothing traces goes to them directly;
what PyTorch traces, transforms or compiles goes through operators that it knows.
"""

from lucid.system.listing import lists
from lucid.system.optional import require

require("torch", extra="torch", purpose="lucid.torch")

from lucid.torch.functions import (  # noqa: E402
    bpmll_loss,
    lsep_loss,
    multilabel_margin_loss,
    multilabel_soft_margin_loss,
    warp_loss,
    zlpr_loss,
)
from lucid.torch.linear import linear_multilabel_margin_loss  # noqa: E402
from lucid.torch.modules import (  # noqa: E402
    BPMLLLoss,
    LSEPLoss,
    MultiLabelMarginLoss,
    MultilabelMarginLoss,
    MultiLabelSoftMarginLoss,
    WARPLoss,
    ZLPRLoss,
)
from lucid.torch.sharded import (  # noqa: E402
    sharded_multilabel_margin_loss,
    sharded_warp_loss,
)
from lucid.torch.targets import TensorLabels, tensor_labels  # noqa: E402

__all__ = [
    "BPMLLLoss",
    "LSEPLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultilabelMarginLoss",
    "TensorLabels",
    "WARPLoss",
    "ZLPRLoss",
    "bpmll_loss",
    "linear_multilabel_margin_loss",
    "lsep_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "sharded_multilabel_margin_loss",
    "sharded_warp_loss",
    "tensor_labels",
    "warp_loss",
    "zlpr_loss",
]

__dir__ = lists(__all__)

"""Multi-label ranking margin loss, exact and near-linear, and what research needs around it."""

import typing as _typing

from lucid import io as io
from lucid import losses as losses
from lucid import metrics as metrics
from lucid import nn as nn
from lucid import optim as optim
from lucid import testing as testing
from lucid.autograd.creation import *
from lucid.autograd.dtypes import *
from lucid.autograd.grad import *
from lucid.autograd.grad_mode import *
from lucid.autograd.ops.arithmetic import *
from lucid.autograd.ops.choices import *
from lucid.autograd.ops.elementwise import *
from lucid.autograd.ops.products import *
from lucid.autograd.ops.reductions import *
from lucid.autograd.ops.shaping import *
from lucid.autograd.primitive import *
from lucid.autograd.random import *
from lucid.autograd.tensor import *
from lucid.labels import Labels as Labels
from lucid.system.threads import *

__version__ = "0.1.0"

#: The first of the losses of arrays has a name here, too.
multilabel_margin = losses.multilabel_margin_loss

#: What is public beside `__all__`; those that need other packages are there once imported.
_MODULES = {"io", "losses", "metrics", "nn", "optim", "sklearn", "testing", "torch", "training"}

if not _typing.TYPE_CHECKING:  # type checkers take the public names from the imports above
    from inspect import ismodule as _ismodule

    __all__ = sorted(n for n, v in vars().items() if n[0] != "_" and not _ismodule(v))

    def __dir__() -> list[str]:
        return [*__all__, "__version__", *_MODULES & globals().keys()]

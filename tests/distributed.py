"""What processes do that `test_torch_distributed.py` starts: each writes down what it found."""

import datetime
import os
import sys
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import lucid.torch as lt
from lucid import Labels
from lucid.torch import sharded

N, D, C = 6, 4, 13
LABELS = Labels.from_lists([[0, 3, 3, 12], [2], [], [5, 7, 6], [12, 11], [1, 0]], C)
UNKNOWN = LABELS.with_unknown([[1], [3, 12], [0], [], [0, 1], [4]])
WEIGHT = np.linspace(0, 2, C)
SAMPLE_WEIGHT = np.array([1, 0, 2, 0.5, 1, 1])

#: Where the classes of each process end.
CUTS = {1: [0, C], 2: [0, 5, C], 3: [0, 4, 4, C]}

CASES = {
    "hinge": ("multilabel_margin_loss", {}),
    "weighted": ("multilabel_margin_loss", {"weight": WEIGHT, "margin": WEIGHT}),
    "pairs": ("multilabel_margin_loss", {"normalize": "pairs"}),
    "squares": ("multilabel_margin_loss", {"p": 2, "weight": WEIGHT, "normalize": "pairs"}),
    "warp": ("warp_loss", {}),
    "warp of margins": ("warp_loss", {"margin": WEIGHT}),
}


def scores(dtype=torch.float32):
    x = torch.randn(N, C, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return x.to(dtype)


def broken():
    x = scores()
    x[0, 1], x[1, 2], x[3, 12] = torch.nan, -torch.inf, torch.inf
    return x


def upstream():
    return torch.rand(N, generator=torch.Generator().manual_seed(1))


def solve(function, x, target, options, **extra):
    """The losses of rows and their gradient under other weights; and the mean."""
    x = x.detach().clone().requires_grad_()
    loss = function(x, target, reduction="none", **options, **extra)
    loss.backward(upstream().to(loss.dtype))
    mean = function(x.detach(), target, sample_weight=SAMPLE_WEIGHT, **options, **extra)
    return loss.detach(), x.grad, mean


def targets():
    """Labels in every shard, unknown classes, labels in the last shard alone, none at all."""
    last = [[12], [11, 12], [12], [], [9], [10]]
    return {
        "labels": LABELS,
        "unknown": UNKNOWN,
        "last": torch.tensor(Labels.from_lists(last, C).to_padded(), dtype=torch.int32),
        "none": torch.full((N, 2), -1),
    }


def sharded_losses(rank, world, group):
    here = slice(CUTS[world][rank], CUTS[world][rank + 1])
    found = {}
    for name, (loss, options) in CASES.items():
        function = getattr(lt, f"sharded_{loss}")
        for kind, target in targets().items():
            found[name, kind] = solve(function, scores()[:, here], target, options, group=group)
    for dtype in (torch.float64, torch.bfloat16):
        found[dtype] = solve(lt.sharded_warp_loss, scores(dtype)[:, here], LABELS, {}, group=group)
    found["broken"] = solve(
        lt.sharded_multilabel_margin_loss, broken()[:, here], LABELS, {}, group=group
    )
    found["transformed"] = transformed(scores()[:, here], group)
    found["bytes"] = {name: counted(name, here, group) for name in CASES}
    found["errors"] = [
        message_of(*call, group)
        for call in ((scores()[rank:, here], LABELS), (scores()[:, here], [[C]] * N))
    ]
    return found


def transformed(x, group):
    """The gradient of the sum and the Jacobian, by `torch.func`; and what vmap says."""

    def loss(x, reduction="sum"):
        return lt.sharded_multilabel_margin_loss(x, LABELS, group=group, reduction=reduction)

    try:
        torch.func.vmap(loss)(x[None])
    except NotImplementedError as error:
        message = str(error)
    return torch.func.grad(loss)(x), torch.func.jacrev(loss)(x, "none"), message


def counted(name, here, group):
    """The bytes that are added up for the labels and rows of one call, by what they are."""
    loss, options = CASES[name]
    sizes = []
    before = sharded._sum_over
    sharded._sum_over = lambda values, group: (sizes.append(values.nbytes), before(values, group))[
        1
    ]
    getattr(lt, f"sharded_{loss}")(scores()[:, here], LABELS, group=group, **options)
    sharded._sum_over = before
    return sizes


def message_of(x, target, group):
    try:
        lt.sharded_multilabel_margin_loss(x, target, group=group)
    except ValueError as error:
        return str(error)
    return None


ROWS = torch.randn(23, D, generator=torch.Generator().manual_seed(2))
ROW_LABELS = (ROWS @ torch.randn(D, C, generator=torch.Generator().manual_seed(3))).topk(3).indices


def trained(rank, world, group=None):
    """The weights after training on batches of 8, of which each process has its part."""
    torch.manual_seed(4)
    model = torch.nn.Linear(D, C)
    replica = DistributedDataParallel(model, process_group=group) if group else model
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        for start in range(0, len(ROWS), 8):  # the last batch has 7 rows
            batch = slice(start, min(start + 8, len(ROWS)))
            mine = slice(batch.start + rank, batch.stop, world)
            loss = lt.multilabel_margin_loss(replica(ROWS[mine]), ROW_LABELS[mine], "sum")
            loss = loss * (world / (batch.stop - batch.start))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return [parameter.detach() for parameter in model.parameters()]


def main(rank, folder):
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=3,
        timeout=datetime.timedelta(seconds=200),
    )
    for world in (1, 2, 3):  # the first of the three processes
        group = dist.new_group(list(range(world)))
        if rank < world:
            found = {"sharded": sharded_losses(rank, world, group)}
            found["trained"] = trained(rank, world, group)
            torch.save(found, Path(folder) / f"{rank}of{world}.pt")
    dist.barrier()
    dist.destroy_process_group()


if __name__ == "__main__":
    main(int(sys.argv[1]), os.path.abspath(sys.argv[2]))

"""Train on several processes at once, each with its part of every batch.

    torchrun --standalone --nproc-per-node=2 examples/torch_data_parallel.py

DistributedDataParallel takes the mean of the gradients over processes. That is the gradient of the
joined batch only where all parts have the same number of rows, which the last batch of an epoch
seldom has. So the loss here is a sum, and divided by the rows of all parts: the weights become
those that one process would find. (A sampler that repeats rows to make parts equal trains on these
rows twice.)

Needs PyTorch: pip install torch
"""

import argparse

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

from lucid.torch import MultilabelMarginLoss


def make_data(rows: int, features: int, classes: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Draw features, and the 3 classes that a hidden linear map ranks highest; always the same."""
    draw = torch.Generator().manual_seed(0)
    x = torch.randn(rows, features, generator=draw)
    hidden = torch.randn(features, classes, generator=draw)
    return x, (x @ hidden).topk(3).indices


def train(arguments: argparse.Namespace) -> None:
    rank, world = dist.get_rank(), dist.get_world_size()
    x, target = make_data(arguments.rows, arguments.features, arguments.classes)
    torch.manual_seed(0)
    model = DistributedDataParallel(torch.nn.Linear(arguments.features, arguments.classes))
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    criterion = MultilabelMarginLoss(reduction="sum")

    for epoch in range(arguments.epochs):
        order = torch.randperm(len(x), generator=torch.Generator().manual_seed(epoch))
        total = torch.zeros(())
        for batch in order.split(arguments.batch):  # the same in every process
            mine = batch[rank::world]
            loss = criterion(model(x[mine]), target[mine])
            total += loss.detach()
            optimizer.zero_grad()
            # The mean over processes of world / rows * sum is the sum over all rows, over rows.
            (loss * world / len(batch)).backward()
            optimizer.step()
        dist.all_reduce(total)
        if rank == 0:
            print(f"loss of epoch {epoch + 1} in {world} processes: {total / len(x):.4f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Data-parallel training with torchrun.")
    parser.add_argument("--rows", type=int, default=10_000)
    parser.add_argument("--features", type=int, default=50)
    parser.add_argument("--classes", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--epochs", type=int, default=5)
    arguments = parser.parse_args()
    dist.init_process_group("gloo")  # "nccl" on GPUs
    train(arguments)
    dist.barrier()  # nobody leaves while another process still talks to it
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

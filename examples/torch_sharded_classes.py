"""Train a classifier of a million classes whose last layer is divided among processes.

    torchrun --standalone --nproc-per-node=2 examples/torch_sharded_classes.py

Each process has the same encoder and the same batch, and of the last layer, the weights and the
scores, its own share of the classes. The loss is that of all classes; the processes tell each other
no more than the scores of the labels and how many other classes come too close to these. What the
shares of the layer make of the gradient is added up where the encoder's output comes in, so that
the encoders stay alike.

Needs PyTorch: pip install torch
"""

import argparse
import time
from typing import Any

import torch
import torch.distributed as dist

from lucid.torch import sharded_multilabel_margin_loss


class AddUpGradients(torch.autograd.Function):
    """Hand on what every process has alike; its gradient is the sum of what each makes of it."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor) -> torch.Tensor:
        return hidden.view_as(hidden)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> torch.Tensor:
        gradient = gradient.contiguous()
        dist.all_reduce(gradient)
        return gradient


def share_of(classes: int, rank: int, world: int) -> int:
    """Return how many classes a process has, in the order of ranks and as equal as can be."""
    return classes // world + (rank < classes % world)


def main() -> None:
    parser = argparse.ArgumentParser(description="A last layer that no process has as a whole.")
    parser.add_argument("--classes", type=int, default=1_000_000)
    parser.add_argument("--rows", type=int, default=64)
    parser.add_argument("--features", type=int, default=100)
    parser.add_argument("--hidden", type=int, default=64)
    parser.add_argument("--steps", type=int, default=20)
    arguments = parser.parse_args()

    dist.init_process_group("gloo")  # "nccl" on GPUs
    rank, world = dist.get_rank(), dist.get_world_size()

    torch.manual_seed(0)  # what is alike in all processes
    features = torch.randn(arguments.rows, arguments.features)
    target = torch.randint(arguments.classes, (arguments.rows, 5))
    encoder = torch.nn.Linear(arguments.features, arguments.hidden)

    torch.manual_seed(1 + rank)  # what is not
    layer = torch.nn.Linear(arguments.hidden, share_of(arguments.classes, rank, world))
    optimizer = torch.optim.SGD([*encoder.parameters(), *layer.parameters()], lr=5.0)

    for step in range(arguments.steps):
        start = time.perf_counter()
        hidden = AddUpGradients.apply(torch.tanh(encoder(features)))
        loss = sharded_multilabel_margin_loss(layer(hidden), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if rank == 0 and step in (0, arguments.steps - 1):
            seconds = time.perf_counter() - start
            print(f"loss of step {step + 1} ({seconds:.2f} s, {world} processes): {loss:.4f}")
    dist.barrier()  # nobody leaves while another process still talks to it
    dist.destroy_process_group()


if __name__ == "__main__":
    main()

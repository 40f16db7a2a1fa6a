"""lucid.torch on a device of PyTorch's, and the fused layer: times and peak memory.

    python benchmarks/torch_devices.py                  # on a GPU, beside PyTorch's CUDA loss
    python benchmarks/torch_devices.py --device cpu     # PyTorch's operations on the CPU
    python benchmarks/torch_devices.py --layer fused    # 64 rows, 256 features, a million classes
    python benchmarks/torch_devices.py --layer two-steps
    python benchmarks/torch_devices.py --layer both     # by turns, and their ratio

Contenders take turns; the least time of the rounds is shown. The first compares values, too. Peak
memory of a layer is that of the process, so that each form needs a process of its own.
"""

import argparse
import resource
import statistics
import sys
import time
from collections.abc import Callable

import torch

from lucid.torch import linear_multilabel_margin_loss, multilabel_margin_loss, solving

FORMS = ("fused", "two-steps")

#: Rows, classes, labels.
CELLS = [(256, 1000, 10), (256, 10_000, 20), (64, 100_000, 50)]


def synchronize(device: torch.device) -> None:
    if device.type != "cpu":
        getattr(torch, device.type).synchronize()


def seconds_of(device: torch.device, call: Callable[..., object], *arguments: object) -> float:
    synchronize(device)
    start = time.perf_counter()
    call(*arguments)
    synchronize(device)
    return time.perf_counter() - start


def step(loss: Callable[..., torch.Tensor], x: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    x.grad = None
    value = loss(x, target)
    value.backward()
    return value.detach()


def compare_losses(device: torch.device, rounds: int) -> None:
    solving.has_kernels = lambda x: False  # on the CPU, too, PyTorch's operations
    for rows, classes, labels in CELLS:
        x = torch.randn(rows, classes, device=device, requires_grad=True)
        narrow = torch.rand(rows, classes, device=device).topk(labels).indices
        wide = torch.full((rows, classes), -1, device=device)
        wide[:, :labels] = narrow
        contenders = {
            "torch": (torch.nn.functional.multilabel_margin_loss, wide),
            "lucid": (multilabel_margin_loss, narrow),
            "lucid, wide target": (multilabel_margin_loss, wide),
            "lucid, compiled": (torch.compile(multilabel_margin_loss), narrow),
        }
        values = [step(loss, x, target) for loss, target in contenders.values()]
        torch.testing.assert_close(values[1:], [values[0]] * 3, rtol=1e-4, atol=0)
        best = dict.fromkeys(contenders, float("inf"))
        for _ in range(rounds):
            for name, (loss, target) in contenders.items():
                best[name] = min(best[name], seconds_of(device, step, loss, x, target))
        shown = ", ".join(f"{name} {1e3 * seconds:.3f} ms" for name, seconds in best.items())
        print(f"({rows}, {classes}, {labels}) forward and backward: {shown}")


def measure_layer(form: str, device: torch.device, rounds: int, classes: int) -> None:
    x = torch.randn(64, 256, device=device, requires_grad=True)
    weight = torch.randn(classes, 256, device=device).div_(16).requires_grad_()
    bias = torch.zeros(classes, device=device, requires_grad=True)
    target = torch.randint(classes, (64, 5), device=device)

    def run(form: str) -> None:
        x.grad = weight.grad = bias.grad = None
        if form == "fused":
            loss = linear_multilabel_margin_loss(x, weight, target, bias)
        else:
            scores = torch.nn.functional.linear(x, weight, bias)
            loss = multilabel_margin_loss(scores, target)
        loss.backward()

    forms = FORMS if form == "both" else (form,)
    for each in forms:
        run(each)
    seconds = [[seconds_of(device, run, each) for each in forms] for _ in range(rounds)]
    if device.type == "cuda":
        peak = torch.cuda.max_memory_allocated()
    else:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        peak *= 1 if sys.platform == "darwin" else 1024
    for each, taken in zip(forms, zip(*seconds, strict=True), strict=True):
        print(f"64 x 256 x {classes}, {each}: {1e3 * min(taken):.1f} ms a step", end="")
        print("" if form == "both" else f", peak memory {peak / 1e9:.2f} GB")
    if form == "both":
        ratios = sorted(fused / two_steps for fused, two_steps in seconds)
        median = statistics.median(ratios)
        print(f"ratio {median:.2f}, in {rounds} rounds from {ratios[0]:.2f} to {ratios[-1]:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description="lucid.torch on a device of PyTorch's.")
    parser.add_argument("--device", type=torch.device, default=None)
    parser.add_argument("--layer", choices=(*FORMS, "both"))
    parser.add_argument("--classes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    device = arguments.device or torch.device("cuda" if torch.cuda.is_available() else "cpu")
    print(f"PyTorch {torch.__version__}, {device}, {torch.get_num_threads()} threads")
    if arguments.layer:
        measure_layer(arguments.layer, device, arguments.rounds, arguments.classes)
    else:
        compare_losses(device, arguments.rounds)


if __name__ == "__main__":
    main()

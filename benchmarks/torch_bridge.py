"""lucid within PyTorch against PyTorch's own loss: python benchmarks/torch_bridge.py [--all]

Both get the same tensors, through their modules. The last column is the time of a module that adds
up the scores, which is what PyTorch's own calls and its backward pass take around any loss. Times
are the least; ratios are medians over rounds, with the least and the greatest.
"""

import argparse
import contextlib
import os
import statistics

from cases import MODES, TABLE, find
from contenders import PYTORCH, Contender
from machine import machine
from measure import measure
from pool import Pool

#: Where the overhead counts; --all takes those of the benchmark.
SMALL = ["1x5x2-randn", "32x20x3-randn", "128x10x3-randn"]

BRIDGE = Contender("lucid.torch", "torch_bridge", needs="torch")
SUM = Contender("sum of the scores", "torch_sum", needs="torch", checked=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--all", action="store_true", help="also the large cases")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    print(f"{machine()['processor']}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':24}{'PyTorch':>10}{'lucid.torch':>13}{'ratio':>24}{'of sum()':>12}")
    names = SMALL + [case.name for case in TABLE if arguments.all and case.name not in SMALL]
    contenders = [PYTORCH, BRIDGE, SUM]
    with contextlib.closing(Pool(arguments.threads)) as pool:
        for name in names:
            found = measure(pool, find(name), contenders, arguments.rounds)["seconds"]
            for mode in MODES:
                theirs, ours, least = (found[each.name].get(mode, []) for each in contenders)
                ratios = sorted(a / b for a, b in zip(theirs, ours, strict=False))
                spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f}"
                print(
                    f"{name:16}{mode[:8]:8}{min(theirs) * 1e6:7.1f} us{min(ours) * 1e6:10.1f} us"
                    f"{statistics.median(ratios):8.2f} ({spread}){min(least) * 1e6:9.1f} us"
                )


if __name__ == "__main__":
    main()

"""Compare two commits, case by case.

    python benchmarks/compare.py BASE         # with the commit that is checked out
    python benchmarks/compare.py BASE OTHER --threads 1 --dtype float64 --case 128x10x3-randn

Builds each in an environment of its own in a temporary folder, which takes minutes, checks its
answers and times both in turns. Prints how many times faster the second is, as the median over
rounds of the ratio within a round, with the lowest and the highest, and a verdict.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import cases
from cases import MODES
from contenders import Contender
from machine import cores, machine
from measure import measure
from pool import Pool
from run import QUICK_PAIRS
from summary import Ratio, ratio

ROOT = Path(__file__).parents[1]

#: A median so near to 1 is no difference; nor is one where rounds do not agree on its side.
NOISE = 0.03


def verdict(times_faster: Ratio) -> str:
    """Say in a word what a ratio of times means."""
    if times_faster.low > 1 and times_faster.median > 1 + NOISE:
        return "faster"
    if times_faster.high < 1 and times_faster.median < 1 - NOISE:
        return "SLOWER"
    return "same"


def build(commit: str, folder: Path, dtype: str) -> Contender:
    """Install a commit into an environment of its own."""
    source, environment = folder / "source", folder / "environment"
    git = ["git", "-C", str(ROOT), "worktree"]
    subprocess.run([*git, "add", "--quiet", "--detach", str(source), commit], check=True)
    try:
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
        python = str(environment / "bin" / "python")
        subprocess.run([python, "-m", "pip", "install", "-q", str(source)], check=True)
    finally:
        subprocess.run([*git, "remove", "--force", str(source)], check=True)
    return Contender(commit, "lucid_loss", dtype=dtype, python=python)


def main() -> None:
    arguments = _arguments()
    wanted = arguments.case or [case for case in cases.TABLE if case.pairs <= QUICK_PAIRS]
    pool = Pool(arguments.threads)
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    with tempfile.TemporaryDirectory() as folder:
        base, other = (
            build(commit, Path(folder, str(number)), arguments.dtype)
            for number, commit in enumerate((arguments.base, arguments.other))
        )
        print(f"| case | pass | {base.name}, µs | {other.name}, µs | times faster | |")
        print("|---|---|--:|--:|--:|---|", flush=True)
        try:
            for case in wanted:
                result = measure(pool, case, [base, other], arguments.rounds)
                for mode in MODES:
                    least = [1e6 * min(result["seconds"][c.name][mode]) for c in (base, other)]
                    found = ratio(result, mode, base.name, other.name)
                    cells = [case.name, mode, *(f"{time:,.1f}" for time in least), found]
                    print(f"| {' | '.join(map(str, cells))} | {verdict(found)} |", flush=True)
        finally:
            pool.close()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Two commits of lucid, one against the other.")
    parser.add_argument("base", help="a commit")
    parser.add_argument("other", nargs="?", default="HEAD", help="another; default: HEAD")
    parser.add_argument("--case", action="append", type=cases.find, metavar="NxCxP-randn")
    parser.add_argument("--rounds", type=int, default=9, help="default: 9")
    parser.add_argument("--threads", type=int, default=min(2, cores()), help="default: 2")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    return parser.parse_args()


if __name__ == "__main__":
    main()

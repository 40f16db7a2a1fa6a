"""Compare two commits, case by case.

    python benchmarks/compare.py BASE         # with the commit that is checked out
    python benchmarks/compare.py BASE OTHER --threads 1 --dtype float64 --case 128x10x3-randn

Builds each in an environment of its own in a temporary folder, which takes minutes and leaves
nothing behind, checks its answers and times both in turns, in fresh processes a few times. Prints
how many times faster the second is, as the median over these runs, with the lowest and the highest,
and a verdict.
"""

import argparse
import contextlib
import math
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cases
from cases import MODES
from contenders import Contender
from machine import Bystanders, busyness, cores, machine
from measure import measure_runs
from pool import Pool
from run import QUICK_PAIRS
from summary import Ratio, over_runs, seconds

ROOT = Path(__file__).parents[1]

#: A median so near to 1 is no difference.
NOISE = 0.03


def verdict(times_faster: Ratio) -> str:
    """Say in a word what a ratio of times means, of which there is one for each run."""
    if abs(times_faster.median - 1) <= NOISE:
        return "same"
    distance = abs(math.log(times_faster.median))
    if distance <= math.log(times_faster.high / times_faster.low):
        return "unclear"  # runs are not nearer to each other than to 1
    return "faster" if times_faster.median > 1 else "SLOWER"


def build(name: str, commit: str, folder: Path, dtype: str) -> Contender:
    """Install a commit into an environment of its own."""
    folder.mkdir()
    archive, source = folder / "source.zip", folder / "source"
    environment, scratch = folder / "environment", folder / "scratch"
    _run(["git", "-C", str(ROOT), "archive", "--output", str(archive), commit])
    shutil.unpack_archive(archive, source)
    scratch.mkdir()
    _run([sys.executable, "-m", "venv", str(environment)])
    python = str(environment / "bin" / "python")
    _run([python, "-m", "pip", "install", "-q", str(source)], TMPDIR=str(scratch))
    return Contender(f"{name} {commit}", "lucid_loss", dtype=dtype, python=python)


def build_both(base: str, other: str, folder: Path, dtype: str) -> list[Contender]:
    return [
        build(name, commit, folder / name, dtype)
        for name, commit in {"base": base, "other": other}.items()
    ]


def _run(command: list[str], **environment: str) -> None:
    """Run a command; whoever stops the wait for it stops it too, with all that it has started."""
    process = subprocess.Popen(command, env=os.environ | environment, start_new_session=True)
    try:
        returned = process.wait()
    except BaseException:
        with contextlib.suppress(ProcessLookupError):  # when all are gone
            os.killpg(process.pid, signal.SIGTERM)
            process.wait()
            for _ in range(1000):
                os.killpg(process.pid, 0)
                time.sleep(0.01)
        raise
    if returned:
        raise SystemExit(f"{shlex.join(command)} failed")


def main() -> None:
    arguments = _arguments()
    wanted = arguments.case or [case for case in cases.TABLE if case.pairs <= QUICK_PAIRS]
    print(", ".join(f"{key} {value}" for key, value in machine().items()))
    pool = Pool(arguments.threads)
    with tempfile.TemporaryDirectory(prefix="lucid-compare-") as folder:
        try:
            base, other = build_both(arguments.base, arguments.other, Path(folder), arguments.dtype)
            bystanders = Bystanders()
            print(f"| case | pass | {base.name}, µs | {other.name}, µs | times faster | |")
            print("|---|---|--:|--:|--:|---|", flush=True)
            for case in wanted:
                runs = measure_runs(pool, case, [base, other], arguments.rounds, arguments.runs)
                for mode in MODES:
                    least = [
                        1e6 * min(seconds(run, mode, each.name) for run in runs)
                        for each in (base, other)
                    ]
                    found = over_runs(runs, mode, base.name, other.name)
                    cells = [case.name, mode, *(f"{time:,.1f}" for time in least), found]
                    print(f"| {' | '.join(map(str, cells))} | {verdict(found)} |", flush=True)
        finally:
            pool.close()
    if (busy := busyness(bystanders.cores())) is not None:
        print(f"\n{busy}: runs are further apart than on an idle one")


def commit_of(name: str) -> str:
    """Return the short hash of a commit."""
    done = subprocess.run(
        ["git", "-C", str(ROOT), "rev-parse", "--short", "--verify", f"{name}^{{commit}}"],
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise argparse.ArgumentTypeError(f"{name!r} is not a commit of this repository")
    return done.stdout.strip()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Two commits of lucid, one against the other.")
    parser.add_argument("base", type=commit_of, help="a commit")
    parser.add_argument(
        "other", type=commit_of, nargs="?", default="HEAD", help="another; default: HEAD"
    )
    parser.add_argument(
        "--case",
        action="append",
        type=cases.find,
        metavar="NxCxP-randn",
        help="may be repeated; default: those of run.py --quick",
    )
    parser.add_argument("--runs", type=int, default=5, help="in fresh processes; default: 5")
    parser.add_argument("--rounds", type=int, default=3, help="timings in each run; default: 3")
    parser.add_argument("--threads", type=int, default=min(2, cores()), help="default: 2")
    parser.add_argument("--dtype", default="float32", choices=["float32", "float64"])
    return parser.parse_args()


if __name__ == "__main__":
    main()

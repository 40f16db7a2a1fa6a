"""Count the instructions of small calls, on one thread: python benchmarks/instructions.py [BASE]

    python benchmarks/instructions.py           # of what is installed
    python benchmarks/instructions.py BASE      # of a commit, and of the one that is checked out

Valgrind's callgrind counts them, those of Python and NumPy too; whatever else a machine does, they
are the same to a few in a thousand. A call is that of the whole batch, a row what each after the
first adds to it. Instructions are not time, but they show what timings on a noisy machine do not.
"""

import argparse
import itertools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import calls
from calls import CALLS, CASES, SECTIONS
from cases import MODES, Case
from compare import build_both, commit_of
from contenders import LUCID, Contender, environment

#: Instructions of a call, by section.
Counts = dict[tuple[Case, int | None, str], float]


def count(contender: Contender) -> Counts:
    with tempfile.TemporaryDirectory(prefix="lucid-callgrind-") as folder:
        options = [f"--callgrind-out-file={folder}/out", f"--dump-before={calls.MARK.__name__}"]
        called = subprocess.run(
            ["valgrind", "--tool=callgrind", *options, contender.python, calls.__file__],
            env=os.environ | environment(threads=1),
            capture_output=True,
            text=True,
        )
        if called.returncode:
            sys.exit(f"{contender.name} failed:\n{called.stderr}")
        # The files count from 1, and every second one is of a warm-up.
        dumps = [Path(folder, f"out.{2 * number + 2}") for number in range(len(SECTIONS))]
        return {
            section: total(dump.read_text()) / CALLS
            for section, dump in zip(SECTIONS, dumps, strict=True)
        }


def total(dump: str) -> int:
    """Return the instructions that a file of callgrind's sums up."""
    (line,) = (line for line in dump.splitlines() if line.startswith("totals: "))
    return int(line.split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description="Instructions of small calls.")
    parser.add_argument("base", nargs="?", type=commit_of, help="a commit to compare with")
    base = parser.parse_args().base
    if shutil.which("valgrind") is None:
        sys.exit("valgrind counts them, and is not installed")
    with tempfile.TemporaryDirectory(prefix="lucid-compare-") as folder:
        contenders = build_both(base, "HEAD", Path(folder), LUCID.dtype) if base else [LUCID]
        counted = {contender.name: count(contender) for contender in contenders}
    heads = [f"{name}, {what}" for name in counted for what in ("a call", "a row")]
    print(f"| case | pass | {' | '.join(heads)} |")
    print(f"|---|---|{len(heads) * '--:|'}")
    for case, mode in itertools.product(CASES, MODES):
        cells = []
        for counts in counted.values():
            batch, first = counts[case, None, mode], counts[case, 1, mode]
            cells += [f"{batch:,.0f}", f"{(batch - first) / (case.n - 1):,.0f}"]
        print(f"| {case.name} | {mode} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

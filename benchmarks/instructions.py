"""Count the instructions of small calls, on one thread: python benchmarks/instructions.py [BASE]

    python benchmarks/instructions.py           # of what is installed
    python benchmarks/instructions.py BASE      # of a commit, and of the one that is checked out

Valgrind's callgrind counts them, those of Python and NumPy too, and whatever else a machine does,
they are the same to a few. A call is that of the whole batch, a row what each after the first adds
to it. Instructions are not time, but they show what timings on a noisy machine do not.
"""

import argparse
import itertools
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cases import BOTH, FORWARD, MODES, TARGETS
from compare import build, commit_of
from contenders import LUCID, Contender, environment

CASES = [case for case in TARGETS if case.n > 1]

#: What is counted, in this order: the passes of a whole batch, and of its first row.
SECTIONS = list(itertools.product(CASES, (None, 1), MODES))

#: Calls that are counted, after as many that warm up.
CALLS = 20

#: Called before and after them, and by nothing else; callgrind writes a file at each of its calls.
MARK = os.getppid


def make_calls() -> None:
    """Call all that is counted: what runs in callgrind."""
    for case, rows, mode in SECTIONS:
        scores, labels = case.draw()
        problem = LUCID.make(scores[:rows], labels[:rows])
        call = {FORWARD: problem.forward, BOTH: problem.forward_backward}[mode]
        for _ in range(2):
            for _ in range(CALLS):
                call()
            MARK()


def count(contender: Contender) -> list[float]:
    """Return the instructions of a call in each of the sections."""
    with tempfile.TemporaryDirectory(prefix="lucid-callgrind-") as folder:
        options = [f"--callgrind-out-file={folder}/out", f"--dump-before={MARK.__name__}"]
        called = subprocess.run(
            ["valgrind", "--tool=callgrind", *options, contender.python, __file__, "--calls"],
            env=os.environ | environment(threads=1),
            capture_output=True,
            text=True,
        )
        if called.returncode:
            sys.exit(f"{contender.name} failed:\n{called.stderr}")
        dumps = [Path(folder, f"out.{2 * n}").read_text() for n in range(1, len(SECTIONS) + 1)]
    totals = [re.search(r"^totals: (\d+)$", dump, re.MULTILINE) for dump in dumps]
    return [int(total[1]) / CALLS for total in totals if total]


def main() -> None:
    parser = argparse.ArgumentParser(description="Instructions of small calls.")
    parser.add_argument("base", nargs="?", type=commit_of, help="a commit to compare with")
    parser.add_argument("--calls", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.calls:
        return make_calls()
    if shutil.which("valgrind") is None:
        sys.exit("valgrind counts them, and is not installed")
    with tempfile.TemporaryDirectory(prefix="lucid-compare-") as folder:
        contenders = [LUCID]
        if arguments.base:
            commits = {"base": arguments.base, "other": "HEAD"}
            contenders = [
                build(name, commit, Path(folder, name), LUCID.dtype)
                for name, commit in commits.items()
            ]
        counted = [count(contender) for contender in contenders]
    names = [contender.name for contender in contenders]
    heads = [f"{name}, {what}" for name in names for what in ("a call", "a row")]
    print(f"| case | pass | {' | '.join(heads)} |")
    print(f"|---|---|{len(heads) * '--:|'}")
    for case, mode in itertools.product(CASES, MODES):
        cells = []
        for counts in counted:
            batch, first = (counts[SECTIONS.index((case, rows, mode))] for rows in (None, 1))
            cells += [f"{batch:,.0f}", f"{(batch - first) / (case.n - 1):,.0f}"]
        print(f"| {case.name} | {mode} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()

"""The calls that `instructions.py` counts: what runs in callgrind, of any commit of the library."""

import itertools
import os

from cases import BOTH, FORWARD, MODES, TARGETS
from contenders import LUCID

CASES = [case for case in TARGETS if case.n > 1 and not case.repeated]

#: What is counted, in this order: the passes of a whole batch, and of its first row.
SECTIONS = list(itertools.product(CASES, (None, 1), MODES))

#: Calls that are counted, after as many that warm up.
CALLS = 20

#: Called after each of both, and by nothing else: callgrind writes a file at each of its calls.
MARK = os.getppid


def main() -> None:
    for case, rows, mode in SECTIONS:
        scores, labels = case.draw()
        problem = LUCID.make(scores[:rows], labels[:rows])
        call = {FORWARD: problem.forward, BOTH: problem.forward_backward}[mode]
        for _ in range(2):
            for _ in range(CALLS):
                call()
            MARK()


if __name__ == "__main__":
    main()

"""Run the benchmark: python benchmarks/run.py [targets | --quick | --case NAME] [--json FILE]

Everything takes less than ten minutes on two cores, --quick less than one, and
--case 256x1000x10-randn reruns one line. What it measures is in results.json then.

`targets` are the small cells alone: on one thread and on two, at both CPU levels, in three runs of
fresh processes. They take less than five minutes, and are in targets.json then.
"""

import argparse
import importlib.util
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cases
import contenders
import epoch
from cases import BOTH, MODES, Case
from contenders import (
    LUCID,
    LUCID_BASELINE,
    LUCID_FLOAT64,
    NUMPY,
    PADDLE,
    PYTORCH,
    Contender,
)
from machine import Bystanders, busy_now, busyness, cores, machine, versions
from measure import measure, peak_memory
from pool import Pool
from summary import verdicts
from table import RESULTS, TARGETS, WIDE_HEAD, targets_table, wide_row

#: What --quick leaves out: PyTorch takes a second and more for each call.
QUICK_PAIRS = 6e7

#: What PyTorch is spared in the sweeps.
SWEEP_PAIRS = 2.5e8

#: How many rounds small batches have, at least.
SMALL_ROUNDS = 31

#: How often targets are measured in fresh processes.
RUNS = 3


def main() -> None:
    arguments = _arguments()
    start = time.perf_counter()
    if (busy := busy_now()) is not None:
        print(f"{busy}: wait until it is idle, or trust the ratios alone, with their spread")
    bystanders = Bystanders()
    pool = Pool(arguments.threads)
    results: dict[str, Any] = {
        "machine": machine(),
        "versions": versions(),
        "settings": {
            "threads": arguments.threads,
            "rounds": arguments.rounds,
            "environment": pool.environment,
        },
    }
    for group in ("machine", "versions", "settings"):
        print(f"{group}: " + ", ".join(f"{k} {v}" for k, v in results[group].items()))
    try:
        if arguments.targets:
            _run_targets(pool, arguments, results)
        else:
            _run_table(pool, arguments, results)
        if arguments.whole:
            _run_rest(pool, arguments, results)
    finally:
        pool.close()
    print()
    used = results["settings"]["others' cores"] = bystanders.cores()
    if (busy := busyness(used)) is not None:
        print(f"{busy}: no verdicts\n")
    if arguments.targets:
        print(targets_table([results]))
    else:
        for verdict in verdicts(results):
            print(verdict.told(busy is not None))
        for line in _asides(results):
            print(line)
    print(f"\n{time.perf_counter() - start:.0f} s")
    if arguments.json:
        arguments.json.write_text(json.dumps(_rounded(results), indent=1) + "\n")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="lucid's loss against what else there is.")
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "targets", nargs="?", choices=["targets"], help="the small cells, in all settings"
    )
    what.add_argument("--quick", action="store_true", help="the smaller cases, in few rounds")
    what.add_argument(
        "--case", type=_case, metavar="NAME", help="one line: NxCxP-randn or -trained"
    )
    parser.add_argument("--rounds", type=int, help="timings of each contender; default 5, quick 2")
    parser.add_argument("--threads", type=int, default=min(2, cores()), help="default: 2")
    optional = [PYTORCH.name, PADDLE.name]
    parser.add_argument("--without", action="append", default=[], choices=optional)
    parser.add_argument(
        "--json",
        type=Path,
        metavar="FILE",
        help="default: results.json here for a whole run, targets.json for targets",
    )
    arguments = parser.parse_args()
    if arguments.targets and not PYTORCH.installed:
        parser.error("targets are in times of PyTorch, which is not installed")
    arguments.whole = not (arguments.targets or arguments.quick or arguments.case)
    if arguments.rounds is None:
        arguments.rounds = 2 if arguments.quick else 5
    if arguments.json is None and not (arguments.quick or arguments.case):
        arguments.json = TARGETS if arguments.targets else RESULTS
    return arguments


def _case(name: str) -> Case:
    try:
        return cases.find(name)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _present(wanted: list[Contender], arguments: argparse.Namespace) -> list[Contender]:
    return [each for each in wanted if each.installed and each.name not in arguments.without]


def _run_table(pool: Pool, arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    wanted = [arguments.case] if arguments.case else cases.TABLE
    if arguments.quick:
        wanted = [case for case in wanted if case.pairs <= QUICK_PAIRS]
    present = _present(contenders.TABLE, arguments)
    results["cases"] = []
    print(f"\n{WIDE_HEAD}", flush=True)
    for case in wanted:
        result = measure(pool, case, present, arguments.rounds)
        results["cases"].append(result)
        for mode in MODES:
            print(wide_row(result, mode), flush=True)


def _run_targets(pool: Pool, arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """The small cells, on each number of threads and at both CPU levels."""
    threads = list(range(1, arguments.threads + 1))
    who = [
        contenders.on_threads(t, each) for t in threads for each in (LUCID, LUCID_BASELINE, PYTORCH)
    ]
    results["settings"]["threads"] = threads
    results["runs"] = []
    for number in range(RUNS):
        pool.close()  # where memory lies differs between processes
        print(f"\nrun {number + 1}:", end="", flush=True)
        results["runs"].append([])
        for case in cases.TARGETS:
            results["runs"][-1].append(measure(pool, case, who, arguments.rounds))
            print(f" {case.name}", end="", flush=True)
    print()


def _run_rest(pool: Pool, arguments: argparse.Namespace, results: dict[str, Any]) -> None:
    """What the plots and the other promises need."""
    rivals = _present([LUCID, PYTORCH, *NUMPY[1:]], arguments)
    threads = [t for t in (1, 2, 4, 8, 16, 32, 64) if t <= cores()]
    siblings = _present([contenders.SOFT_MARGIN, contenders.PYTORCH_BCE], arguments)
    ours = [LUCID, LUCID_FLOAT64, *map(contenders.on_threads, threads)]
    for name, sweep, who, modes in (
        ("small", cases.SMALL, _present([LUCID, PYTORCH], arguments), MODES),
        ("classes", cases.CLASSES, rivals, (BOTH,)),
        ("labels", cases.LABELS, rivals, (BOTH,)),
        ("large", cases.LARGE, ours, MODES),
        ("soft margin", cases.SOFT_MARGIN, siblings, MODES),
    ):
        print(f"\n{name}:", end="", flush=True)
        results[name] = []
        for case in sweep:
            spared = [each for each in who if each is not PYTORCH or case.pairs <= SWEEP_PAIRS]
            # A small batch is over at once, and what else happens is felt.
            rounds = max(arguments.rounds, SMALL_ROUNDS) if name == "small" else arguments.rounds
            results[name].append(measure(pool, case, spared, rounds, modes))
            print(f" {case.name}", end="", flush=True)
    if importlib.util.find_spec("sklearn") is not None:
        import metrics

        results["metrics"] = metrics.measure(arguments.rounds, arguments.threads)
    results["extreme"] = measure(pool, cases.EXTREME, [LUCID], arguments.rounds)
    results["memory"] = peak_memory(pool, cases.MEMORY, _present([LUCID, PYTORCH], arguments))
    if PYTORCH in rivals:
        results["epoch"] = epoch.compare(None, arguments.threads, rounds=2)
    print()


def _asides(results: dict[str, Any]) -> Iterator[str]:
    """What is measured and promised nothing about."""
    if "memory" in results:
        memory = results["memory"]
        peaks = [
            f"{name} {peak / memory['gradient']:.2f}" for name, peak in memory["peaks"].items()
        ]
        yield f"peak memory at {memory['case']}, in sizes of the gradient: {', '.join(peaks)}"
    if "epoch" in results:
        times = {name: statistics.median(t) for name, t in results["epoch"]["seconds"].items()}
        yield "an epoch: " + ", ".join(f"{name} {time:.2f} s" for name, time in times.items())


def _rounded(value: Any) -> Any:
    """Return ``value`` with its floats cut to the digits that mean something."""
    if isinstance(value, float):
        return float(f"{value:.4g}")
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list) else value


if __name__ == "__main__":
    main()

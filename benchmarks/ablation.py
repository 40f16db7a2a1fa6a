"""Switch off each part of the kernel once, and see what it brings.

    python benchmarks/ablation.py

Compiles a variant of the kernel for each part, with one line of its source replaced, in a temporary
folder (Cython, setuptools and a C compiler are needed). Prints how many times slower each variant
is, on one thread, as the median over interleaved rounds of forward + gradient; and 1 beside what a
case does not use.
"""

import importlib.util
import os
import shutil
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path
from types import ModuleType

import numpy as np

from cases import Case

KERNELS = Path(__file__).parents[1] / "lucid" / "_kernels"
ROUNDS = 7

#: What is switched off: the file, the text of the source, and what stands in its place.
VARIANTS = {
    "as it is": ("pairs/scan.pxd", "", ""),
    "no queue: blocks with few active scores are ranked whole": (
        "pairs/scan.pxd",
        "if MANY * active > m:",
        "if active > 0:",
    ),
    "queue always: blocks with many active scores are packed too": (
        "pairs/scan.pxd",
        "if MANY * active > m:",
        "if m <= SMALL:",
    ),
    "all thresholds are compared": ("pairs/ranks.pxd", "FEW_BYTES = 256 ", "FEW_BYTES = 1 << 30"),
    "all thresholds go into a grid": ("pairs/ranks.pxd", "FEW_BYTES = 256 ", "FEW_BYTES = 0 "),
    "one bucket a threshold": ("pairs/ranks.pxd", "BUCKETS = 2 ", "BUCKETS = 1 "),
    "four buckets a threshold": ("pairs/ranks.pxd", "BUCKETS = 2 ", "BUCKETS = 4 "),
    "no way of their own for small rows": (
        "margin.pyx",
        "hinge_of_label[float], small_rows[float])",
        "hinge_of_label[float], NULL)",
    ),
}

CASES = [
    Case(128, 20, 3, "randn"),
    Case(128, 100, 5, "randn"),
    Case(256, 1000, 10, "randn"),
    Case(256, 1000, 500, "randn"),
    Case(64, 10000, 20, "randn"),
    Case(64, 10000, 20, "trained"),
    Case(8, 100000, 100, "randn"),
    Case(8, 20000, 5000, "randn"),
    Case(4, 670000, 5, "trained"),
]


def build(number: int, file: str, old: str, new: str, folder: Path) -> ModuleType:
    """Compile the kernel with ``old`` replaced by ``new`` in one of its files."""
    source = folder / "lucid" / "_kernels"
    shutil.copytree(KERNELS, source, ignore=shutil.ignore_patterns("*.py*c*"))
    (source.parent / "__init__.py").touch()
    changed = source / file
    text = changed.read_text()
    if old:
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {file}"
        changed.write_text(text.replace(old, new))
    name = f"variant{number}"
    c_file, library = folder / f"{name}.c", folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(folder), "--module-name", name]
    subprocess.run([*cython, str(source / "margin.pyx"), "-o", str(c_file)], check=True)
    flags = ["-O3", "-fPIC", "-shared", "-fopenmp", "-DNDEBUG", "-falign-loops=32", "-w"]
    flags += ["-DCYTHON_INLINE=inline __attribute__((always_inline))"]
    flags += ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-march=x86-64-v3"]
    include = sysconfig.get_paths()["include"]
    compiler = os.environ.get("CC", "cc")
    flags += [f"-I{include}", f"-I{source}"]
    subprocess.run([compiler, *flags, str(c_file), "-o", str(library)], check=True)
    spec = importlib.util.spec_from_file_location(name, library)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def seconds(module: ModuleType, x: np.ndarray, labels: np.ndarray, gradient: np.ndarray) -> float:
    """Time one call; short ones are repeated."""
    calls = max(1, int(2e6) // x.size)
    start = time.perf_counter()
    for _ in range(calls):
        module.margin_float32(x, labels, None, 1, None, gradient, 1)
    return (time.perf_counter() - start) / calls


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        modules = [
            build(number, *variant, Path(folder) / str(number))
            for number, variant in enumerate(VARIANTS.values())
        ]
        print("| switched off | " + " | ".join(case.name for case in CASES) + " |")
        print("|---|" + "--:|" * len(CASES))
        columns = []
        for case in CASES:
            x, labels = case.draw()
            expected, gradient = np.empty_like(x), np.empty_like(x)
            seconds(modules[0], x, labels, expected)
            for module in modules:
                seconds(module, x, labels, gradient)
                assert np.array_equal(gradient, expected)
            # One gradient for all: where in memory it lies is felt, too.
            rounds = [[seconds(m, x, labels, gradient) for m in modules] for _ in range(ROUNDS)]
            columns.append(
                [statistics.median(r[k] / r[0] for r in rounds) for k in range(len(modules))]
            )
        for name, row in zip(VARIANTS, zip(*columns, strict=True), strict=True):
            print(f"| {name} | " + " | ".join(f"{ratio:.2f}" for ratio in row) + " |", flush=True)


if __name__ == "__main__":
    main()

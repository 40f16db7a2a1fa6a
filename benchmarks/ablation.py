"""Switch off each part of the kernel once, and see what it brings.

    python benchmarks/ablation.py

Compiles a variant of the kernel for each part, with one line of its source replaced, in a temporary
folder (Cython, setuptools and a C compiler are needed). Prints how many times slower each variant
is, on one thread, as the median over interleaved rounds of forward + gradient.
"""

import importlib.util
import os
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

#: What is switched off: the text of the source, and what stands in its place.
VARIANTS = {
    "as it is": ("", ""),
    "no queue: blocks with few active scores are ranked whole": (
        "if 4 * active > m:",
        "if active > 0:",
    ),
    "queue always: blocks with many active scores are packed too": (
        "if 4 * active > m:",
        "if False:",
    ),
    "every block is copied": (
        "if row.block_start[b] < row.block_start[b + 1]:",
        "if True:",
    ),
    "no comparing: few labels go through the grid too": ("FEW = 24 ", "FEW = 0 "),
    "no grid: many labels are compared too": ("FEW = 24 ", "FEW = 1 << 30 "),
    "four buckets a threshold": ("BUCKETS = 2 ", "BUCKETS = 4 "),
}

CASES = [
    Case(128, 100, 5, "randn"),
    Case(256, 1000, 10, "randn"),
    Case(256, 1000, 500, "randn"),
    Case(64, 10000, 20, "randn"),
    Case(64, 10000, 20, "trained"),
    Case(8, 20000, 5000, "randn"),
    Case(4, 670000, 5, "trained"),
]


def build(number: int, old: str, new: str, folder: Path) -> ModuleType:
    """Compile the kernel with ``old`` replaced by ``new``."""
    source = folder / "lucid" / "_kernels"
    source.mkdir(parents=True)
    for package in (source.parent, source):
        (package / "__init__.py").touch()
    row = (KERNELS / "margin_row.pxd").read_text()
    assert old == "" or row.count(old) == 1, f"{old!r} stands {row.count(old)} times in the kernel"
    (source / "margin_row.pxd").write_text(row.replace(old, new) if old else row)
    (source / "margin.pyx").write_text((KERNELS / "margin.pyx").read_text())
    name = f"variant{number}"
    c_file, library = folder / f"{name}.c", folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    cython = [sys.executable, "-m", "cython", "-3", "-I", str(folder), "--module-name", name]
    subprocess.run([*cython, str(source / "margin.pyx"), "-o", str(c_file)], check=True)
    flags = ["-O3", "-fPIC", "-shared", "-fopenmp", "-DNDEBUG", "-DCYTHON_INLINE=", "-w"]
    flags += ["-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math", "-march=x86-64-v3"]
    include = sysconfig.get_paths()["include"]
    compiler = os.environ.get("CC", "cc")
    subprocess.run([compiler, *flags, f"-I{include}", str(c_file), "-o", str(library)], check=True)
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
        module.margin_float32(x, labels, None, x.shape[1], None, gradient, 1)
    return (time.perf_counter() - start) / calls


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        modules = [
            build(number, old, new, Path(folder) / str(number))
            for number, (old, new) in enumerate(VARIANTS.values())
        ]
        print("| switched off | " + " | ".join(case.name for case in CASES) + " |")
        print("|---|" + "--:|" * len(CASES))
        columns = []
        for case in CASES:
            x, labels = case.draw()
            results = [np.empty_like(x) for _ in modules]
            for module, result in zip(modules, results, strict=True):
                seconds(module, x, labels, result)
                assert np.array_equal(result, results[0])
            rounds = [
                [seconds(m, x, labels, g) for m, g in zip(modules, results, strict=True)]
                for _ in range(ROUNDS)
            ]
            columns.append(
                [statistics.median(r[k] / r[0] for r in rounds) for k in range(len(modules))]
            )
        for name, row in zip(VARIANTS, zip(*columns, strict=True), strict=True):
            print(f"| {name} | " + " | ".join(f"{ratio:.2f}" for ratio in row) + " |", flush=True)


if __name__ == "__main__":
    main()

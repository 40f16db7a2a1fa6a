"""The examples run, on small settings, and show what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("scipy")

ROOT = Path(__file__).parents[1]


def output_of(script, *arguments, cwd):
    """Run a script as a user does, away from the source tree."""
    done = subprocess.run(
        [sys.executable, str(ROOT / script), *arguments],
        capture_output=True,
        text=True,
        cwd=cwd,
        timeout=120,
        # Threads of two libraries that wait for each other are slow on a busy machine.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def numbers_after(name, text):
    """Return the numbers in the line that begins with a name."""
    line = next(line for line in text.splitlines() if line.startswith(name))
    return [float(number) for number in re.findall(r"\d+\.\d+", line)]


def test_scipy_optimize_improves_the_ranking_of_new_rows(tmp_path):
    small = ["--rows", "300", "--classes", "20", "--iterations", "50"]
    shown = output_of("examples/scipy_optimize.py", *small, cwd=tmp_path)
    before, after = numbers_after("ranking loss", shown)
    assert after < before / 3
    before, after = numbers_after("objective", shown)
    assert after < before / 3


def test_tagging_trains_and_draws_the_precision(tmp_path):
    pytest.importorskip("matplotlib")
    small = ["--rows", "500", "--epochs", "3"]
    shown = output_of("examples/tagging.py", *small, cwd=tmp_path)
    assert numbers_after("epoch  3", shown) < numbers_after("epoch  1", shown)
    assert numbers_after("ranking loss", shown)[0] < 0.1
    assert (tmp_path / "precision.svg").read_text().startswith("<?xml")


def test_tagging_reads_files_of_training_and_test_data(tmp_path):
    pytest.importorskip("matplotlib")
    file = tmp_path / "documents.txt"
    file.write_text("4 3 2\n0 0:1\n1 1:1\n0,1 0:1 1:1\n 2:1\n")
    shown = output_of(
        "examples/tagging.py", str(file), "--test", str(file), "--epochs", "1", cwd=tmp_path
    )
    assert "Dataset(rows=4, features=3, classes=2), tested on 4 rows" in shown


@pytest.mark.parametrize("form", ["step", "fused", "two-steps"])
def test_a_layer_of_many_classes_learns(form, tmp_path):
    small = ["--classes", "5000", "--rows", "64", "--form", form]
    shown = output_of("benchmarks/million_classes.py", *small, cwd=tmp_path)
    before, after = numbers_after("epoch's loss", shown)
    assert after < before


def test_many_classes_learns_from_pieces_and_writes_predictions(tmp_path):
    small = ["--rows", "512", "--classes", "5000", "--epochs", "4", "--lr", "0.02"]
    shown = output_of("examples/many_classes.py", *small, cwd=tmp_path)
    first, last = (numbers_after(f"epoch {epoch}", shown)[0] for epoch in (1, 4))
    assert last < first / 10
    assert numbers_after("precision at 1", shown)[0] > 0.1
    assert len((tmp_path / "best.txt").read_text().splitlines()) == 128

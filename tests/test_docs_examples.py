"""Every example in the README and on the pages of the documentation does what it shows."""

import doctest
import importlib.util
from pathlib import Path

import pytest

import lucid

ROOT = Path(__file__).parents[1]
HAS_TORCH = importlib.util.find_spec("torch") is not None


def pages() -> list[Path]:
    written = (path for path in (ROOT / "docs").rglob("*.rst") if "_build" not in path.parts)
    return [ROOT / "README.md", *sorted(path for path in written if "generated" not in path.parts)]


def page_test(page: Path) -> doctest.DocTest:
    text = page.read_text(encoding="utf-8").replace("```", "")  # a fence is no example's output
    return doctest.DocTestParser().get_doctest(text, {}, page.stem, str(page), 0)


def without_torch(examples: list[doctest.Example]) -> list[doctest.Example]:
    """Leave out what follows ``import torch``, up to the next import of or from ``lucid``."""
    kept, in_torch = [], False
    for example in examples:
        if example.source.startswith(("import torch", "import lucid", "from lucid import")):
            in_torch = example.source.startswith("import torch")
        if not in_torch:
            kept.append(example)
    return kept


@pytest.fixture(autouse=True)
def _leave_no_trace(tmp_path, monkeypatch):
    threads = lucid.get_num_threads()
    monkeypatch.chdir(tmp_path)
    yield
    lucid.set_num_threads(threads)


TESTS = {test.name: test for test in map(page_test, pages()) if test.examples}


@pytest.mark.parametrize("page", TESTS)
def test_the_examples_of(page):
    test = TESTS[page]
    if not HAS_TORCH:
        test.examples = without_torch(test.examples)
    report = []
    failed, _ = doctest.DocTestRunner().run(test, out=report.append)
    assert failed == 0, "".join(report)


def test_the_pages_are_found():
    assert {"README", "getting_started", "labels", "explained", "design"} <= TESTS.keys()

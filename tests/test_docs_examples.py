"""Every example on the pages of the documentation, and in the README, does what it shows."""

import doctest
import importlib.util
from pathlib import Path

import lucid
import pytest

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.rst"))]
PAGES = [page for page in PAGES if "_build" not in page.parts and "generated" not in page.parts]
HAS_TORCH = importlib.util.find_spec("torch") is not None


def examples_of(page: Path) -> list[doctest.Example]:
    text = page.read_text(encoding="utf-8").replace("```", "")  # a fence is not an example's output
    return doctest.DocTestParser().get_examples(text, str(page))


def without_torch(examples: list[doctest.Example]) -> list[doctest.Example]:
    """Leave out what follows ``import torch``, up to the next ``import lucid``."""
    kept, in_torch = [], False
    for example in examples:
        if example.source.startswith(("import torch", "import lucid")):
            in_torch = example.source.startswith("import torch")
        if not in_torch:
            kept.append(example)
    return kept


@pytest.fixture(autouse=True)
def _threads_as_before():
    threads = lucid.get_num_threads()
    yield
    lucid.set_num_threads(threads)


@pytest.mark.parametrize("page", [page for page in PAGES if examples_of(page)], ids=lambda p: p.stem)
def test_examples_do_what_they_show(page: Path) -> None:
    examples = examples_of(page)
    if not HAS_TORCH:
        examples = without_torch(examples)
    name = page.relative_to(ROOT).as_posix()
    test = doctest.DocTest(examples, {}, name, str(page), 0, None)
    report: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=report.append)
    assert not failed, "".join(report)


def test_pages_have_examples() -> None:
    assert {"README", "getting_started", "labels", "explained"} <= {
        page.stem for page in PAGES if examples_of(page)
    }

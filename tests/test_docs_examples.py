"""Every example in the README, on the pages of the documentation and in the docstrings of public
names does what it shows, when it is copied as it stands.
"""

import doctest
import importlib
import importlib.util
from pathlib import Path

import pytest

import lucid

ROOT = Path(__file__).parents[1]
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.rst"))]
    if not {"_build", "generated"} & set(page.parts)
]
MODULES = [
    importlib.import_module(name)
    for name in (
        "lucid",
        "lucid.io",
        "lucid.metrics",
        "lucid.nn",
        "lucid.nn.functional",
        "lucid.optim",
        "lucid.testing",
    )
]
HAS_TORCH = importlib.util.find_spec("torch") is not None


def page_test(page: Path) -> doctest.DocTest:
    text = page.read_text(encoding="utf-8").replace("```", "")  # a fence is no example's output
    return doctest.DocTestParser().get_doctest(text, {}, page.stem, str(page), 0)


def docstring_tests() -> list[doctest.DocTest]:
    """Return the tests of all public names; an example gets no other name for nothing."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    return [
        test
        for module in MODULES
        for name in module.__all__
        if callable(value := getattr(module, name))
        for test in finder.find(
            value, f"{module.__name__}.{name}", module=False, globs={name: value}
        )
    ]


def without_torch(examples: list[doctest.Example]) -> list[doctest.Example]:
    """Leave out what follows ``import torch``, up to the next ``import lucid``."""
    kept, in_torch = [], False
    for example in examples:
        if example.source.startswith(("import torch", "import lucid")):
            in_torch = example.source.startswith("import torch")
        if not in_torch:
            kept.append(example)
    return kept


def run(test: doctest.DocTest) -> None:
    report: list[str] = []
    failed, _ = doctest.DocTestRunner().run(test, out=report.append)
    assert not failed, "".join(report)


@pytest.fixture(autouse=True)
def _leave_no_trace(tmp_path, monkeypatch):
    threads = lucid.get_num_threads()
    monkeypatch.chdir(tmp_path)
    yield
    lucid.set_num_threads(threads)


PAGE_TESTS = [test for test in map(page_test, PAGES) if test.examples]


@pytest.mark.parametrize("test", PAGE_TESTS, ids=lambda test: test.name)
def test_page_examples_do_what_they_show(test: doctest.DocTest) -> None:
    if not HAS_TORCH:
        test.examples = without_torch(test.examples)
    run(test)


@pytest.mark.parametrize("test", docstring_tests(), ids=lambda test: test.name)
def test_docstring_examples_do_what_they_show(test: doctest.DocTest) -> None:
    run(test)


def test_the_pages_are_found() -> None:
    assert {"README", "getting_started", "labels", "explained", "design"} <= {
        test.name for test in PAGE_TESTS
    }

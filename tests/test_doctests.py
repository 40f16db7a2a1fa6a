"""The examples in the docstrings of all modules, private ones too, do what they show.

Each knows the name of what it is an example of, and has to import the rest: it can be copied.
"""

import doctest
import importlib
import pkgutil

import pytest

import lucid


def modules():
    for found in pkgutil.walk_packages(lucid.__path__, "lucid."):
        if not found.name.startswith("lucid._kernels."):
            try:
                yield importlib.import_module(found.name)
            except ImportError:
                if found.name != "lucid.torch":  # the one module that needs an extra
                    raise


def examples():
    """Return the examples of each function and class, also where a decorator wraps it."""
    finder = doctest.DocTestFinder(exclude_empty=True)
    for module in modules():
        for name, value in vars(module).items():
            if callable(value) and getattr(value, "__module__", None) == module.__name__:
                name = f"{module.__name__}.{name}"
                yield from finder.find(value, name, module=False, globs={value.__name__: value})


EXAMPLES = {example.name: example for example in examples()}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_examples_of(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # where those that write files write them
    report = []
    failed, _ = doctest.DocTestRunner().run(EXAMPLES[name], out=report.append)
    assert failed == 0, "".join(report)


def test_examples_are_found_in_functions_classes_methods_and_ops():
    assert {
        "lucid.losses.margin.multilabel_margin_loss",
        "lucid.labels.labels.Labels",
        "lucid.labels.conversions.Conversions.to_csr",
        "lucid.autograd.ops.elementwise.exp",
        "lucid.nn.losses.margin.MultilabelMarginLoss",
    } <= EXAMPLES.keys()

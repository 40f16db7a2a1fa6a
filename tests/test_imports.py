"""Imports point down the layers, never up or sideways; so each file can be read on its own."""

import ast
import re
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


def layers_of_readme():
    """Return what the README's table names, from the bottom up: the modules of each layer."""
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("\n| layer | files |")[1]
    rows = table.split("\n\n")[0].splitlines()[2:]
    files = [re.findall(r"`(\w+)(?:/|\.py)`", row.split("|")[2]) for row in reversed(rows)]
    return [["lucid" if f == "__init__" else f"lucid.{f}" for f in layer] for layer in files]


#: A module imports only from lower layers; inside a package of several files the only rule is that
#: there is no cycle.
LAYERS = layers_of_readme()


def name_of(file):
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(file): file for file in sorted((ROOT / "lucid").rglob("*.py"))}


def package_of(module):
    """Return the entry of LAYERS that a module belongs to, such as lucid.nn; None for none."""
    name = ".".join(module.split(".")[:2])
    return name if any(name in layer for layer in LAYERS) else None


def layer_of(module):
    return next(n for n, layer in enumerate(LAYERS) if package_of(module) in layer)


def imports_of(module):
    """Return the modules of this library that a module imports, in functions too."""
    tree = ast.parse(FILES[module].read_text(encoding="utf-8"))
    found = set()
    for node in without_type_checking(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} has a relative import"
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in FILES else node.module)
    return {name for name in found if name.partition(".")[0] == "lucid"}


def without_type_checking(node):
    """Walk a syntax tree, past what only type checkers see."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from without_type_checking(child)


def test_the_walk_finds_imports():
    assert "lucid.labels" in imports_of("lucid.data.dataset")
    assert "lucid.autograd.primitive" in imports_of("lucid.autograd.ops.elementwise")
    assert "lucid.system.threads" in imports_of("lucid.losses.tiles")  # from lucid.system


def test_the_table_names_what_is_there():
    named = [name for layer in LAYERS for name in layer]
    assert sorted(named) == sorted({package_of(module) for module in FILES})


@pytest.mark.parametrize("module", FILES)
def test_every_file_has_its_layer(module):
    assert package_of(module) is not None, f"put {module} into the README's table"


@pytest.mark.parametrize("module", [m for m in FILES if package_of(m)])
def test_imports_point_down(module):
    for imported in imports_of(module):
        same_package = package_of(imported) == package_of(module)
        assert same_package or layer_of(imported) < layer_of(module), f"{module} imports {imported}"


def test_there_is_no_cycle():
    TopologicalSorter({module: imports_of(module) - {module} for module in FILES}).prepare()

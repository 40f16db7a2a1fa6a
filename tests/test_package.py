"""What is installed: all of the source, the version, and names that exist and are explained."""

import importlib
import importlib.metadata
import inspect
import re
import shutil
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import lucid

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "lucid"
INSTALLED = Path(lucid.__file__).parent

PUBLIC_MODULES = [
    "lucid",
    "lucid.io",
    "lucid.losses",
    "lucid.metrics",
    "lucid.nn",
    "lucid.nn.functional",
    "lucid.optim",
    "lucid.testing",
    "lucid.training",
]


#: Those that need another package.
OPTIONAL_MODULES = ["lucid.sklearn", "lucid.torch"]

PUBLIC_NAMES = [
    (module, name) for module in PUBLIC_MODULES for name in importlib.import_module(module).__all__
]


@pytest.mark.skipif(INSTALLED == SOURCE, reason="an editable install is the source itself")
@pytest.mark.parametrize("suffix", [".py", ".pyi", ".pxd", ".typed"])
def test_every_source_file_is_installed(suffix):
    def files(folder):
        return {str(file.relative_to(folder)) for file in folder.rglob(f"*{suffix}")}

    assert files(SOURCE)
    assert files(SOURCE) <= files(INSTALLED)


def test_the_version_is_the_same_everywhere():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    build = (ROOT / "meson.build").read_text(encoding="utf-8")
    assert importlib.metadata.version("lucid-losses") == project["version"]
    assert re.search(r"version: '(.*?)'", build)[1] == project["version"]


def test_the_changelog_tells_of_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert f"## [{importlib.metadata.version('lucid-losses')}]" in changelog


def test_importing_the_library_imports_numpy_alone(fresh_python):
    ended = fresh_python(
        "import sys; before = set(sys.modules); import lucid, lucid.nn, lucid.optim;"
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    third_party = {
        name
        for name in set(ended.stdout.split()) - sys.stdlib_module_names
        if not name.startswith(("_cython", "cython_runtime"))  # part of every compiled module
    }
    assert third_party == {"lucid", "numpy"}, ended.stderr


def test_numpy_is_all_that_is_required():
    required = [
        requirement
        for requirement in importlib.metadata.requires("lucid-losses")
        if "extra ==" not in requirement
    ]
    assert required == ["numpy>=2"]


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_every_public_module_has_names(module):
    assert [name for owner, name in PUBLIC_NAMES if owner == module]


@pytest.mark.parametrize(("module", "name"), PUBLIC_NAMES)
def test_public_names_exist_and_are_explained(module, name):
    value = getattr(importlib.import_module(module), name)
    if not isinstance(value, np.dtype):
        assert inspect.getdoc(value).strip()


@pytest.mark.parametrize(("module", "name"), PUBLIC_NAMES)
def test_public_methods_are_explained(module, name):
    value = getattr(importlib.import_module(module), name)
    if inspect.isclass(value):
        for method, member in inspect.getmembers(value, inspect.isroutine):
            if not method.startswith("_") and hasattr(member, "__code__"):
                assert inspect.getdoc(member), method


@pytest.mark.parametrize("module", [*PUBLIC_MODULES, *OPTIONAL_MODULES])
def test_dir_lists_the_public_names_alone(module):
    if module in OPTIONAL_MODULES:
        pytest.importorskip(module.partition(".")[2])
    public = importlib.import_module(module)
    modules = [m for m in [*PUBLIC_MODULES, *OPTIONAL_MODULES] if m.count(".") == 1]
    more = ["__version__", *(m.partition(".")[2] for m in modules if m in sys.modules)]
    assert dir(public) == sorted([*public.__all__, *(more if module == "lucid" else [])])


def functions_of(value):
    """Return a function, or those of a class that users call, as far as they are from here."""
    public = [
        member
        for name, member in inspect.getmembers(value, lambda m: hasattr(m, "__code__"))
        if name in ("__init__", "__new__", "__call__") or not name.startswith("_")
    ]
    functions = public if inspect.isclass(value) else [value]
    ours = "lucid", "namedtuple_"
    return [f for f in functions if getattr(f, "__module__", "").startswith(ours)]


@pytest.mark.parametrize("module", [*PUBLIC_MODULES, *OPTIONAL_MODULES])
def test_signatures_can_be_read(module):
    if module in OPTIONAL_MODULES:
        pytest.importorskip(module.partition(".")[2])
    public = importlib.import_module(module)
    for name in public.__all__:
        for function in filter(callable, functions_of(getattr(public, name))):
            signature = str(inspect.signature(function))
            long = re.search(r"numpy\._|Union\[|Optional\[|ForwardRef|: <class", signature)
            assert long is None, f"{name}: {function.__qualname__}{signature}"


def test_the_source_tree_without_kernels_says_what_to_do(tmp_path, fresh_python):
    shutil.copytree(SOURCE, tmp_path / "lucid", ignore=shutil.ignore_patterns("*.so", "*.pyd"))
    libraries = str(Path(np.__file__).parents[1])
    ended = fresh_python(
        "import sys\n"
        f"sys.path[:] = {[str(tmp_path), *sys.path, libraries]!r}\n"
        "sys.meta_path = [f for f in sys.meta_path if isinstance(f, type)]  # no editable install\n"
        "import lucid"
    )
    assert "ImportError: the kernels of lucid are not compiled in this folder" in ended.stderr
    assert "pip install ." in ended.stderr

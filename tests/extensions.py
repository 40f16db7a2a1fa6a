"""Small extensions that are built against the installed package, as users build theirs."""

import importlib.util
import subprocess
import sys
import sysconfig
from pathlib import Path

import lucid

SETUP = """
from Cython.Build import cythonize
from setuptools import Extension, setup
extensions = [Extension({name!r}, [{file!r}])]
setup(name={name!r}, ext_modules=cythonize(extensions, include_path={path!r}))
"""


def build(folder, name, source):
    """Build an extension of one file, and import it."""
    (folder / f"{name}.pyx").write_text(source)
    path = [str(Path(lucid.__file__).parents[1])]
    (folder / "setup.py").write_text(SETUP.format(name=name, file=f"{name}.pyx", path=path))
    command = [sys.executable, "setup.py", "build_ext", "--inplace"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    file = folder / (name + sysconfig.get_config_var("EXT_SUFFIX"))
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Compile a Cython baseline of this folder, as a plain `cythonize` would, and import it."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

from Cython.Build import cythonize
from setuptools import Distribution, Extension

HERE = Path(__file__).resolve().parent


def build(name: str) -> ModuleType:
    """The module of `<name>.pyx` beside this file, built under build/bench at its first use."""
    target = HERE.parents[1] / "build" / "bench"
    extension = Extension(name, [str(HERE / f"{name}.pyx")])
    distribution = Distribution(
        {"ext_modules": cythonize([extension], build_dir=str(target / "c"), quiet=True)}
    )
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(target), str(target / "objects")
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location(name, command.get_ext_fullpath(name))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} was built but cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

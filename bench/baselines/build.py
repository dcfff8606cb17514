"""Compile the baselines of this folder, under build/bench, and load them."""

from __future__ import annotations

import ctypes
import importlib.util
import subprocess
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from Cython.Build import cythonize
from setuptools import Distribution, Extension

from centernet.models.networks.DCNv2.build import find_compiler

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "build" / "bench"


def shared_library(name: str, include: Iterable[Path]) -> ctypes.CDLL:
    """The library of `<name>.cpp` beside this file, compiled with -O3 if it is newer."""
    source, target = HERE / f"{name}.cpp", TARGET / f"{name}.so"
    if not target.exists() or target.stat().st_mtime < source.stat().st_mtime:
        target.parent.mkdir(parents=True, exist_ok=True)
        flags = ["-O3", "-DNDEBUG", "-std=c++17", "-shared", "-fPIC", *(f"-I{p}" for p in include)]
        subprocess.run([find_compiler(), *flags, str(source), "-o", str(target)], check=True)
    return ctypes.CDLL(str(target))


def build(name: str) -> ModuleType:
    """The module of `<name>.pyx` beside this file, as a plain `cythonize` would build it."""
    extension = Extension(name, [str(HERE / f"{name}.pyx")])
    distribution = Distribution(
        {"ext_modules": cythonize([extension], build_dir=str(TARGET / "c"), quiet=True)}
    )
    command = distribution.get_command_obj("build_ext")
    command.build_lib, command.build_temp = str(TARGET), str(TARGET / "objects")
    command.ensure_finalized()
    command.run()
    spec = importlib.util.spec_from_file_location(name, command.get_ext_fullpath(name))
    if spec is None or spec.loader is None:
        raise ImportError(f"{name} was built but cannot be imported")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module

"""Compile the CPU kernels on the machine that runs them, once, into a per-user cache.

At first use rather than at install: an isolated `pip install` sees no torch to build against, a
prebuilt library breaks when torch is upgraded, and only here may the compiler use every instruction
that the processor has. One call of the compiler, so that neither ninja nor setuptools is needed.

`python -m centernet.models.networks.DCNv2` builds ahead of time and prints where.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from filelock import FileLock

from centernet.io.files import atomic_write
from centernet.runtime.private import CACHE, cache_folder, why_not_private
from centernet.runtime.processor import processor_lines

SOURCES = Path(__file__).parent / "csrc"


class BuildError(Exception):
    """Why there is no compiled kernel: one line, with the remedy where there is one."""


def library() -> Path:
    """The compiled kernels for this torch, processor and source, built if they are not there.

    Raises BuildError. Safe to call from several processes at once: one builds, the others wait.
    """
    folder = cache_folder()
    path = folder / f"dcn-{_key()}.so"
    if path.exists():
        if why := why_not_private(path):
            raise BuildError(f"{path} is not loaded: {why}; delete it")
        return path
    compiler = find_compiler()
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with FileLock(path.with_suffix(".lock")):
            if not path.exists():
                _build(compiler, path)
    except OSError as error:
        raise BuildError(f"{folder} cannot be written ({error}); set {CACHE} to a folder") from None
    return path


def find_compiler() -> str:
    """The C++ compiler: CXX, else the usual names. Raises BuildError where there is none."""
    if os.name != "posix":
        raise BuildError("compiled only on Linux and macOS")
    for name in filter(None, (os.environ.get("CXX"), "g++", "clang++", "c++")):
        if found := shutil.which(name):
            return found
    raise BuildError("no C++ compiler found; install g++ or clang++ (or set CXX)")


def _key() -> str:
    """Changes with whatever the library depends on: torch, sources, this file and processor."""
    digest = hashlib.sha256()
    torch_build = torch.__version__ + torch.__config__.show()  # of its headers and C++ ABI
    for part in (torch_build, platform.machine(), _processor()):
        digest.update(part.encode() + b"\0")
    for path in (Path(__file__), *sorted(SOURCES.iterdir())):
        digest.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def _processor() -> str:
    """What -march=native depends on; a home folder may be shared by unlike machines."""
    lines = processor_lines("model name", "flags", "Features", "CPU implementer", "CPU part")
    return "\n".join(sorted(set(lines))) or platform.processor()


def _flags() -> list[list[str]]:
    """Compiler flags, best first; a compiler that refuses the first set is given the next."""
    # Safe parts of -ffast-math alone: no reordering, infinities and NaN as they are.
    common = ["-O3", "-std=c++20", "-fPIC", "-fno-math-errno", "-fno-trapping-math"]
    wide = ["-mprefer-vector-width=512"] if platform.machine() in ("x86_64", "AMD64") else []
    return [
        [*common, "-fopenmp", "-march=native", *wide],
        [*common, "-fopenmp"],
        [*common, "-Wno-unknown-pragmas"],
    ]


def _build(compiler: str, path: Path) -> None:
    print("DCNv2: compiling the CPU kernels (once) ...", file=sys.stderr, flush=True)
    start = time.monotonic()
    failures = []
    for flags in _flags():
        with TemporaryDirectory() as folder:
            built, message = _compile(compiler, flags, Path(folder))
            if built is not None:
                with atomic_write(path) as temporary:
                    shutil.copyfile(built, temporary)
                seconds = time.monotonic() - start
                print(f"DCNv2: compiled in {seconds:.0f} s: {path}", file=sys.stderr, flush=True)
                return
        failures.append(f"{compiler} {shlex.join(flags)}\n{message}")
    log = path.with_suffix(".log")
    log.write_text("\n".join(failures), encoding="utf-8")
    raise BuildError(f"{compiler} failed, see {log}")


def _compile(compiler: str, flags: list[str], folder: Path) -> tuple[Path | None, str]:
    """The library, or None and what the compiler said."""
    installed = Path(torch.__file__).parent
    units = sorted(SOURCES.glob("*.cpp"))
    objects = [folder / f"{unit.stem}.o" for unit in units]
    commands = [
        [compiler, *flags, f"-isystem{installed / 'include'}", "-c", str(unit), "-o", str(target)]
        for unit, target in zip(units, objects, strict=True)
    ]
    with ThreadPoolExecutor(len(commands)) as pool:
        messages = [message for message in pool.map(_call, commands) if message]
    if messages:
        return None, "\n".join(messages)
    # Not linked with OpenMP: torch brings its own, and a second one beside it would stall threads.
    target = folder / "dcn.so"
    shared = ["-dynamiclib", "-undefined", "dynamic_lookup"]
    link = shared if sys.platform == "darwin" else ["-shared"]
    libraries = [f"-L{installed / 'lib'}", "-ltorch_cpu", "-lc10"]
    message = _call([compiler, *link, *map(str, objects), *libraries, "-o", str(target)])
    return (None, message) if message else (target, "")


def _call(command: list[str]) -> str:
    """Run a compiler; nothing where it succeeds, what it said where it fails."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        return str(error)
    return "" if done.returncode == 0 else (done.stderr or f"exit status {done.returncode}")

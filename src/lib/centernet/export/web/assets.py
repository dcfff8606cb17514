"""ONNX Runtime for browsers, fetched once by npm and kept."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from centernet.io.files import digest_of
from centernet.runtime.errors import UserError

VERSION = "1.30.0"
ARCHIVE = f"onnxruntime-web-{VERSION}.tgz"
SHA256 = "d2228df7e4616bc3348bf504ee888f3bec43789a273f0a63f3e68d203ce3bf71"


@dataclass(frozen=True)
class Runtime:
    """The script, an ECMAScript module, the WebAssembly that it starts, the licence."""

    script: bytes
    wasm: bytes
    license: str


def cache_folder() -> Path:
    """Where the package is kept."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "centernet"


def web_runtime() -> Runtime:
    """The package's parts; UserError where it is neither kept nor to be had."""
    path = cache_folder() / ARCHIVE
    if not path.is_file():
        _fetch(path)
    if digest_of(path) != SHA256:
        raise UserError(f"{path}: is not onnxruntime-web {VERSION} as published; delete it")
    with tarfile.open(path) as archive:

        def part(name: str) -> bytes:
            member = archive.extractfile(f"package/{name}")
            assert member is not None
            return member.read()

        return Runtime(
            part("dist/ort.wasm.bundle.min.mjs"),
            part("dist/ort-wasm-simd-threaded.wasm"),
            LICENSE,
        )


def _fetch(path: Path) -> None:
    """Let npm pack it; it is renamed into its place when it is whole."""
    by_hand = f"fetch {ARCHIVE} from the npm registry and put it into {path.parent}"
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"--format html: npm is not installed (apt install npm); or {by_hand}")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        done = subprocess.run(
            [npm, "pack", "--silent", f"onnxruntime-web@{VERSION}"],
            cwd=folder,
            capture_output=True,
            text=True,
            check=False,
        )
        found = Path(folder) / ARCHIVE
        if done.returncode or not found.is_file():
            why = (done.stderr.strip().splitlines() or ["no file came"])[-1]
            raise UserError(f"--format html: npm cannot fetch onnxruntime-web ({why}); {by_hand}")
        os.replace(found, path)


LICENSE = """MIT License. Copyright (c) Microsoft Corporation.
https://github.com/microsoft/onnxruntime/blob/main/LICENSE"""

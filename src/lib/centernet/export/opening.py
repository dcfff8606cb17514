"""Exported files by their suffix: which runtime opens one, and what it says of itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from centernet.export.runtimes.runtime import Runtime
from centernet.runtime.errors import UserError


def _onnxruntime(path: Path, threads: int, providers: Sequence[str]) -> Runtime:
    from centernet.export.runtimes.onnxruntime import OnnxRuntime

    return OnnxRuntime(path, threads=threads, providers=providers)


def _openvino(path: Path, threads: int, providers: Sequence[str]) -> Runtime:
    from centernet.export.runtimes.openvino import OpenVino

    precision = providers[0] if providers else "f32"
    return OpenVino(path, threads=threads, precision="" if precision == "auto" else precision)


def _torch(path: Path, threads: int, providers: Sequence[str]) -> Runtime:
    from centernet.export.runtimes.torch_files import open_torch

    return open_torch(path, threads)


def _executorch(path: Path, threads: int, providers: Sequence[str]) -> Runtime:
    from centernet.export.runtimes.executorch import ExecuTorch

    return ExecuTorch(path)


def _litert(path: Path, threads: int, providers: Sequence[str]) -> Runtime:
    from centernet.export.runtimes.litert import LiteRt

    return LiteRt(path, threads=threads)


Opener = Callable[[Path, int, Sequence[str]], Runtime]
# Of each suffix the runtimes that open it, the usual one first.
RUNTIMES: Mapping[str, Mapping[str, Opener]] = {
    ".onnx": {"onnxruntime": _onnxruntime, "openvino": _openvino},
    ".xml": {"openvino": _openvino},
    ".torchscript": {"torch": _torch},
    ".pt2": {"torch": _torch},
    ".pte": {"executorch": _executorch},
    ".tflite": {"litert": _litert},
}


def is_exported(path: str | Path | None) -> bool:
    """Whether `path` has the suffix of a file to run rather than of a checkpoint."""
    return path is not None and Path(path).suffix.lower() in RUNTIMES


def open_file(
    path: str | Path, runtime: str = "", *, threads: int = 0, providers: Sequence[str] = ()
) -> Runtime:
    """The exported file `path` made ready by the runtime of that name, by default its usual one.

    `threads` 0 leaves their number to the runtime. `providers` are ONNX Runtime's; of OpenVINO the
    precision (f32, bf16, f16, or auto for its own choice). UserError for a file that is missing,
    damaged or of another program, and for a runtime that is not installed or does not open it.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    fitting = RUNTIMES[path.suffix.lower()]
    name = runtime or next(iter(fitting))
    if name not in fitting:
        raise UserError(f"--runtime {name}: {path.name} is opened by {' or '.join(fitting)}")
    return fitting[name](path, threads, providers)


def facts_of(path: str | Path) -> dict[str, Any]:
    """What an exported file says in the words of a checkpoint's description."""
    card = open_file(path).card
    return {
        **card.description,
        "mean": card.mean,
        "std": card.std,
        "input_size": card.input_size,
        "keep_res": card.framing == "keep_res",
    }

"""Packages that only some formats need, imported where they are used."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from centernet.runtime.errors import UserError

INSTALL = {
    "onnx": "pip install onnx onnxscript onnxruntime",
    "onnxscript": "pip install onnx onnxscript onnxruntime",
    "onnxruntime": "pip install onnxruntime",
    "openvino": "pip install openvino",
    "litert_torch": "pip install litert-torch",
    "ai_edge_litert": "pip install ai-edge-litert",
    "executorch": "pip install --no-deps executorch",
    "pnnx": "pip install pnnx ncnn",
    "ncnn": "pip install ncnn",
    "coremltools": "pip install coremltools",
    "tensorrt": "pip install tensorrt",
    "pyarrow": "pip install pyarrow",
    "ray": "pip install 'ray[data]'",
}


def extra(module: str) -> Any:
    """The module of that name; UserError with the line that installs it where it is missing."""
    package = module.partition(".")[0]
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.partition(".")[0] != package:
            raise UserError(
                f"{package} is installed, but {error.name} that it needs is not:"
                f" pip install {error.name.partition('.')[0]}"
            ) from None
        raise UserError(f"{package} is not installed: {INSTALL[package]}") from None


def installed(module: str) -> bool:
    """Whether `extra` would find it."""
    try:
        extra(module)
    except UserError:
        return False
    return True

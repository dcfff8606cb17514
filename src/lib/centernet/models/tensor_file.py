"""Files of safetensors: tensors and texts, nothing that could be executed."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from centernet.runtime.errors import UserError

SUFFIX = ".safetensors"


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of the file `path`, on the CPU.

    UserError where it is damaged, or safetensors (which comes with timm) is not installed.
    """
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError as error:
        raise UserError(
            f'{path}: needs safetensors, which is not installed; pip install "centernet[timm]"'
        ) from error
    try:
        return load_file(path)
    except (SafetensorError, ValueError) as error:
        raise UserError(
            f"{path}: cannot be read as safetensors ({str(error).splitlines()[0]}); it may be"
            " truncated: delete it and download it again"
        ) from error

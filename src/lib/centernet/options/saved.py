"""What --resume reads back from the opt.json of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from centernet.io import meaning
from centernet.io.door import shown
from centernet.io.run_folder import OPTIONS, RunFolder
from centernet.options.flag import Flag
from centernet.runtime.errors import UserError

# What is asked again at each start.
# fmt: off
NOT_RESTORED = frozenset([
    "resume", "load_model", "weights", "test", "debug", "root", "demo", "output", "show", "exp_id",
    "dry_run", "offline", "config",
])
# Those of them that a run goes by until its first checkpoint is there.
RESTORED_BEFORE_FIRST_CHECKPOINT = frozenset(["load_model", "weights"])
# What belongs to the network, also when it is tested or shown.
MODEL_FLAGS = frozenset([
    "arch", "backbone", "neck", "neck_channels", "neck_upsample", "neck_conv", "neck_fusion",
    "frozen_stages", "head_conv", "head_depth", "head_norm", "prior", "down_ratio", "input_res",
    "input_h", "input_w", "dataset",
    "data_dir", "train_json", "val_json", "test_json", "image_dir", "box_format",
    "class_map", "kitti_split",
])
# fmt: on


def remembered(folder: RunFolder, flags: Sequence[Flag]) -> dict[str, Any]:
    """{flag: value} of the `flags` that the run in `folder` was started with, as far as known."""
    try:
        saved = folder.options()
    except UserError as error:
        raise UserError(f"{error}; run without --resume") from error
    try:
        return {flag.name: _typed(flag, saved[flag.name]) for flag in flags if flag.name in saved}
    except (ValueError, TypeError) as error:
        path = folder.file(OPTIONS)
        raise UserError(f"{path}: cannot be read ({error}); run without --resume") from error


def _typed(flag: Flag, value: Any) -> Any:
    """The value in the flag's type; ValueError, naming both, where it cannot be meant so."""
    if value is None:
        return None
    try:
        if not flag.many:
            return _one(flag.kind, value)
        if not isinstance(value, list | tuple):
            raise ValueError("no list")
        return tuple(_one(flag.kind, item) for item in value)
    except (ValueError, TypeError, OverflowError):
        what = f"a list of {flag.kind.__name__}" if flag.many else flag.kind.__name__
        raise ValueError(f"{flag.name} is {shown(value)}, where {what} is expected") from None


def _one(kind: type, value: Any) -> Any:
    if kind is bool:
        if not isinstance(value, bool):
            raise ValueError("no truth value")
        return value
    if kind is int:
        return meaning.whole(value)
    if kind is float:
        found = meaning.number(value)
        if math.isnan(found):
            raise ValueError("not a number")
        return found
    if not isinstance(value, str) or "\0" in value:
        raise ValueError("no text")
    return kind(value)


def as_flags(values: Mapping[str, Any]) -> str:
    """Values by flag as a command line gives them."""
    return " ".join(f"--{name} {written(value)}".rstrip() for name, value in values.items())


def differences(
    saved: Mapping[str, Any], given: Mapping[str, Any], flags: Sequence[Flag]
) -> list[str]:
    """What to tell: which flags are read back, and which of those given contradict the run."""
    usual = {flag.name: flag.default for flag in flags}
    again = {n: v for n, v in saved.items() if n not in given and v != usual[n]}
    lines = [f"resumed with {as_flags(again)}"] if again else []
    return lines + [
        f"--{name} is {written(given[name])} now, the run had {written(value)}"
        for name, value in saved.items()
        if name in given and given[name] != value
    ]


def written(value: Any) -> str:
    """A value as it is written on the command line."""
    if isinstance(value, bool):
        return "" if value else "off"
    return ",".join(map(str, value)) if isinstance(value, tuple) else str(value)

"""From a checkpoint to a detector."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.export.opening import is_exported, open_file
from centernet.models.checkpoint import Checkpoint, load_weights, read_checkpoint
from centernet.models.description import describe, info_of, options_of, spec_of
from centernet.models.model import CenterNet, create_model
from centernet.models.spec import ModelSpec
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS, Task


def load_detector(
    checkpoint: str | Path | Checkpoint,
    *,
    task: str | None = None,
    arch: str | ModelSpec | None = None,
    head_conv: int | None = None,
    info: Info | None = None,
    flags: Mapping[str, Any] | None = None,
    **settings: Any,
) -> Detector:
    """A detector with the weights of `checkpoint`.

    A checkpoint of this library says itself what it is. For a published one name its `task` and
    `arch` ("ctdet", "dla_34"), and the facts of its data (`info`) unless it learned the set that
    the task is published with. `flags` are the task's own; `settings` those of Detector
    (input_size, flip_test, scales, device, ...).

        from centernet.detectors.load import load_detector
        detector = load_detector("model_best.pth")
        found = detector.detect("photo.jpg")
        found.save("photo_found.jpg")

    The network that runs, `detector.engine.model`, is made for testing: batch normalisation is
    folded into its convolutions. With `fuse=False` it has the weights of the file, under their
    names.

    An exported file (.onnx, .xml, ...) stands in the place of a checkpoint; `settings` are then
    those of `file_detector`, the `runtime` that opens it, its `threads` and `providers`.

    Raises UserError when the file does not fit what was named, or does not say enough.
    """
    if not isinstance(checkpoint, Checkpoint) and is_exported(checkpoint):
        return _file_detector(checkpoint, task, info, flags or {}, settings)
    if not isinstance(checkpoint, Checkpoint):
        checkpoint = read_checkpoint(checkpoint)
    said = checkpoint.description
    kind = _named_task(checkpoint, task)
    info = info or info_of(said) or PUBLISHED.get(kind.Options.default_dataset)
    if info is None:
        raise UserError(f"{checkpoint.name}: does not say what its classes are; pass info=")
    _check_flags(kind, flags or {})
    built = kind(info, options_of(kind.Options, said, flags or {}, checkpoint.name))
    model = load_model(built, checkpoint, arch, head_conv)
    for name in ("mean", "std"):
        settings.setdefault(name, tuple(said[name]) if name in said else getattr(info, name))
    own_size = built.resolution(info, built.options)
    settings.setdefault("input_size", tuple(said.get("input_size", own_size)))
    settings.setdefault("keep_res", said.get("keep_res", False))
    return Detector.of(built, model, in_place=True, **settings)


def _file_detector(
    path: str | Path,
    task: str | None,
    info: Info | None,
    flags: Mapping[str, Any],
    settings: dict[str, Any],
) -> Detector:
    """A detector that runs an exported file; `settings` as for `file_detector` and `open_file`."""
    from centernet.export.file_engine import file_detector

    opening = {n: settings.pop(n) for n in ("runtime", "threads", "providers") if n in settings}
    opened = open_file(path, **opening)
    own = opened.card.description.get("task")
    if task not in (None, own):
        raise UserError(f"{path}: is of task {own}, not {task}; run {own} with it")
    if info is not None:
        raise UserError(f"{path}: says itself what its classes are; leave out info=")
    return file_detector(opened, str(path), flags=flags, **settings)


def _check_flags(kind: type[Task], flags: Mapping[str, Any]) -> None:
    known = [field.name for field in fields(kind.Options)]
    for name in flags:
        if name not in known:
            raise UserError(f"flags: {kind.name} has no {name!r}; it has {', '.join(known)}")


def _named_task(checkpoint: Checkpoint, task: str | None) -> type[Task]:
    name = task or checkpoint.description.get("task")
    if name is None:
        raise UserError(f"{checkpoint.name}: does not say its task; name one of {', '.join(TASKS)}")
    if name not in TASKS:
        raise UserError(f"{checkpoint.name}: unknown task '{name}'; there are {', '.join(TASKS)}")
    check_task(checkpoint, name)
    return TASKS[name]


def check_task(checkpoint: Checkpoint, task: str) -> None:
    """Raise UserError when the checkpoint says that it is of another task."""
    own = checkpoint.description.get("task", task)
    if own != task:
        raise UserError(f"{checkpoint.name}: is of task {own}, not {task}; run {own} with it")


def load_model(
    task: Task,
    checkpoint: Checkpoint,
    arch: str | ModelSpec | None = None,
    head_conv: int | None = None,
) -> CenterNet:
    """The network of `checkpoint` for `task`, every tensor of it; UserError if one does not fit.

    What is not named (`arch`, `head_conv`) is as the checkpoint says.
    """
    said = checkpoint.description
    spec = arch if isinstance(arch, ModelSpec) else spec_of(said, arch)
    if spec is None:
        raise UserError(f"{checkpoint.name}: does not say its architecture; name it with --arch")
    if head_conv in (None, -1):
        head_conv = said.get("head_conv", -1)
    model = create_model(spec, task.heads, head_conv)
    size = said.get("input_size", task.resolution(task.info, task.options))
    wanted = describe(task, model, spec, head_conv, size)
    load_weights(model, checkpoint, strict=True, wanted=wanted)
    return model

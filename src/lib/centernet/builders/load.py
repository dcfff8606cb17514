"""From a checkpoint to a detector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch

from centernet.builders.find import check_task, read_known
from centernet.datasets.colour import Triple
from centernet.datasets.published import PUBLISHED
from centernet.datasets.source import Info
from centernet.detectors.detector import Detector
from centernet.export.file_engine import file_detector
from centernet.export.opening import is_exported, open_file
from centernet.geometry.view import Size
from centernet.models.checkpoint import Checkpoint, load_weights
from centernet.models.create import create_model
from centernet.models.description import describe, info_of, options_of, spec_of
from centernet.models.model import CenterNet
from centernet.models.spec import ModelSpec
from centernet.models.zoo import locate
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
    folder: str | Path = "models",
    offline: bool = False,
    mean: Triple | None = None,
    std: Triple | None = None,
    input_size: Size | None = None,
    keep_res: bool | None = None,
    flip_test: bool = False,
    scales: Sequence[float] = (1.0,),
    nms: bool = False,
    k: int | None = None,
    limit: int = 100,
    batch_size: int = 1,
    device: str | torch.device | None = None,
    amp: str | None = None,
    channels_last: bool = False,
    fuse: bool = True,
    runtime: str = "",
    threads: int = 0,
    providers: Sequence[str] = (),
) -> Detector:
    """A detector with the weights of `checkpoint`.

        from centernet import load_detector
        detector = load_detector("model_best.pth")         # or "ctdet_coco_dla_2x", or an address
        found = detector.detect("photo.jpg")
        found.save("photo_found.jpg")

    Args:
        checkpoint: a file, the name of a published one or an http(s) address, as --load_model takes
            it; or one that has been read.
        task, arch: what a file that does not say so itself is ("ctdet", "dla_34"). Files of this
            library and published names say it.
        head_conv: width of the heads' hidden layer, where the file does not say it.
        info: facts of the data, unless the file says them or learned the set that its task is
            published with.
        flags: options of the task that differ, by name.
        folder, offline: where published files are kept and downloaded to, and whether they are.
        mean, std: of colours in [0, 1], BGR; those of the checkpoint or of its data by default.
        input_size: (height, width) that the network sees; that of the checkpoint by default.
        keep_res: let the network see each image in its own size; as the checkpoint by default.
        flip_test: average the maps of each image and of its mirror image.
        scales: test scales, merged by soft-NMS; `nms` does that for one scale too.
        k: candidates taken from the maps of an image at one scale (100).
        limit: detections kept of an image, but for ties; 0 keeps all.
        batch_size: images of one shape that go through the network together.
        device: "cpu", "cuda", "cuda:1" ...; None takes CUDA if there is one.
        amp: None (float32), "bf16" or "fp16".
        channels_last: the memory layout that some devices compute faster in; always if `fuse`.
        fuse: fold batch normalisation into the convolutions. `detector.engine.model`, the network
            that runs, has the weights of the file under their names only without.
        runtime, threads, providers: what opens an exported file (.onnx, .xml, ...) that stands in
            the place of a checkpoint, as for `open_file`. Such a file has its own network, colours
            and `k`, which no argument changes.

    UserError when the file cannot be had, does not fit what was named, or does not say enough.
    """
    if isinstance(checkpoint, Checkpoint):
        found = checkpoint
    else:
        path, known = locate(str(checkpoint), folder, offline=offline)
        if is_exported(path):
            _refuse(path, arch=arch, head_conv=head_conv, info=info, mean=mean, std=std)
            _refuse(path, k=k, device=device, amp=amp, channels_last=channels_last or None)
            _refuse(path, fuse=None if fuse else False)
            opened = open_file(path, runtime, threads=threads, providers=providers)
            check_task(Checkpoint({}, opened.card.description, path=path), task)
            return file_detector(
                opened,
                str(path),
                flags=flags,
                input_size=input_size,
                keep_res=keep_res,
                flip_test=flip_test,
                scales=scales,
                nms=nms,
                limit=limit,
                batch_size=batch_size,
            )
        found = read_known(path, known)
    if runtime or threads or providers:
        raise UserError(
            f"{found.name}: runtime, threads and providers are for exported files alone"
        )
    said = found.description
    built = _task_of(found, task, info, flags or {})
    return Detector.of(
        built,
        load_model(built, found, arch, head_conv),
        mean=mean or _triple(said.get("mean", built.info.mean)),
        std=std or _triple(said.get("std", built.info.std)),
        input_size=input_size or _size(said),
        keep_res=said.get("keep_res", False) if keep_res is None else keep_res,
        flip_test=flip_test,
        device=device,
        amp=amp,
        channels_last=channels_last,
        fuse=fuse,
        in_place=True,
        scales=scales,
        nms=nms,
        k=100 if k is None else k,
        limit=limit,
        batch_size=batch_size,
    )


def _refuse(path: Path, **decided: object) -> None:
    """Raise UserError for what is given although an exported file decides it."""
    for name, value in decided.items():
        if value is not None:
            raise UserError(f"{path}: an exported file has its own {name}; leave out {name}=")


def _task_of(
    checkpoint: Checkpoint, name: str | None, info: Info | None, flags: Mapping[str, Any]
) -> Task:
    """The task of a checkpoint, with the facts and options that it says or that are given."""
    said = checkpoint.description
    kind = _named_task(checkpoint, name)
    info = info or info_of(said) or PUBLISHED.get(kind.Options.default_dataset)
    if info is None:
        raise UserError(f"{checkpoint.name}: does not say what its classes are; pass info=")
    _check_flags(kind, flags)
    return kind(info, options_of(kind.Options, said, flags, checkpoint.name))


def _size(said: Mapping[str, Any]) -> Size | None:
    """(height, width) that a checkpoint was trained on, if it says so."""
    if "input_size" not in said:
        return None
    height, width = said["input_size"]
    return height, width


def _triple(values: Sequence[float]) -> Triple:
    b, g, r = values
    return b, g, r


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
    model = create_model(spec, task.heads, head_conv, task.inputs)
    size = said.get("input_size", task.resolution(task.info, task.options))
    wanted = describe(task, spec, model.head_conv, size)
    load_weights(model, checkpoint, strict=True, wanted=wanted)
    return model

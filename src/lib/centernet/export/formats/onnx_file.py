"""ONNX: the file that most other formats and runtimes start from."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from centernet.export.card import Card
from centernet.export.extras import extra
from centernet.export.job import DECOMPOSED, Job
from centernet.export.program import CAMERA
from centernet.export.rules import faults, tensorrt_faults
from centernet.export.settings import Settings
from centernet.io.files import atomic_write
from centernet.models.inputs import PREVIOUS
from centernet.runtime.errors import UserError

DCN_OPSET = 19  # the first with DeformConv


def write_onnx(job: Job, path: Path, settings: Settings) -> None:
    """Write `job` to `path`; UserError for an opset that lacks an operator."""
    save(onnx_model(job, settings.opset), job.card, path)


def describe_onnx(job: Job, path: Path) -> None:
    """Let the file say what the card of `job` says."""
    save(extra("onnx").load(str(path)), job.card, path)


def write_tensorrt(job: Job, path: Path, settings: Settings) -> None:
    """An ONNX file that TensorRT's parser takes, and the command that makes an engine of it."""
    model = onnx_model(job, settings.opset)
    for fault in tensorrt_faults(model):
        print(f"tensorrt: {fault}")
    save(model, job.card, path)
    print(trtexec_line(job.card, path))


def trtexec_line(card: Card, path: Path) -> str:
    """The command that builds an engine of the file, for the sizes that the card names."""
    low = card.sizes.smallest
    height, width = card.sizes.fixed or card.input_size

    def shapes(count: int, size: tuple[int, int]) -> str:
        h, w = size
        picture = f"{count}x{h}x{w}x3" if card.colours_inside else f"{count}x3x{h}x{w}"
        every = {card.inputs[0]: picture, PREVIOUS: picture, CAMERA: f"{count}x3x4"}
        return ",".join(f"{n}:{every.get(n, f'{count}x1x{h}x{w}')}" for n in card.inputs)

    line = f"trtexec --onnx={path.name} --saveEngine={path.stem}.engine"
    if card.precision == "fp16":
        line += " --stronglyTyped"
    if card.sizes.fixed and card.sizes.batch:
        return line
    least = card.sizes.fixed or (low, low)
    most = card.sizes.fixed or (2 * height, 2 * width)
    count = card.sizes.batch
    return (
        f"{line} --minShapes={shapes(count or 1, least)}"
        f" --optShapes={shapes(count or 1, (height, width))}"
        f" --maxShapes={shapes(count or 8, most)}"
    )


def onnx_model(job: Job, opset: int = 20) -> Any:
    """An onnx.ModelProto of `job`, without metadata."""
    extra("onnx")
    extra("onnxscript")
    native = job.has_dcn and job.card.dcn != DECOMPOSED
    if native and opset < DCN_OPSET:
        raise UserError(
            f"--opset {opset}: DeformConv came with opset {DCN_OPSET};"
            f" --opset {DCN_OPSET}, or --dcn decompose for runtimes without it"
        )
    with _quiet():
        program = torch.onnx.export(
            job.exported,
            input_names=list(job.card.inputs),
            output_names=list(job.card.outputs),
            opset_version=opset,
            dynamo=True,
            external_data=False,
            optimize=True,
            verbose=False,
            custom_translation_table=_deformable() if native else None,
        )
    assert program is not None
    model = program.model_proto
    _name_sizes(model, job.card)
    wrong = faults(model, decomposed_dcn=job.card.dcn == DECOMPOSED)
    if wrong:
        raise RuntimeError(f"operators that a file must not have: {', '.join(sorted(set(wrong)))}")
    return model


def save(model: Any, card: Card, path: Path) -> None:
    """Write an onnx.ModelProto with what `card` says."""
    onnx = extra("onnx")
    onnx.helper.set_model_props(model, card.metadata())
    with atomic_write(path) as temporary:
        onnx.save(model, str(temporary))


def _deformable() -> dict[Callable[..., Any], Callable[..., Any]]:
    """DeformConv for torchvision's operator: PyTorch before 2.13 has no translation of its own."""
    import torchvision  # noqa: F401  (registers the operator)

    op = extra("onnxscript").opset19

    def deform_conv2d(
        x: Any,
        weight: Any,
        offset: Any,
        mask: Any,
        bias: Any,
        stride_h: int,
        stride_w: int,
        pad_h: int,
        pad_w: int,
        dilation_h: int,
        dilation_w: int,
        groups: int,
        offset_groups: int,
        use_mask: bool,
    ) -> Any:
        return op.DeformConv(
            x,
            weight,
            offset,
            bias,
            mask if use_mask else None,
            dilations=[dilation_h, dilation_w],
            group=groups,
            kernel_shape=list(weight.shape[2:]),
            offset_group=offset_groups,
            pads=[pad_h, pad_w, pad_h, pad_w],
            strides=[stride_h, stride_w],
        )

    return {torch.ops.torchvision.deform_conv2d.default: deform_conv2d}


def _name_sizes(model: Any, card: Card) -> None:
    """Free sizes are called batch, height and width, as a reader of the file expects."""
    picture = model.graph.input[0].type.tensor_type.shape.dim
    names = ["batch", "height", "width", ""] if card.colours_inside else ["batch", "", "height"]
    names = names if card.colours_inside else [*names, "width"]
    called = {d.dim_param: n for d, n in zip(picture, names, strict=True) if d.dim_param}
    for value in (*model.graph.input, *model.graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if not dim.dim_param:
                continue
            if dim.dim_param in called:
                dim.dim_param = called[dim.dim_param]
            else:
                dim.Clear()  # a formula of those
    del model.graph.value_info[:]


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the exporter's remarks on how it works."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "onnx_ir")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

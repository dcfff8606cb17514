"""`export`: export.py, the command that writes a network and its decoding as one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option

FORMATS = (
    *("onnx", "openvino", "torchscript", "exported_program", "aoti", "executorch", "litert"),
    *("ncnn", "tensorrt", "coreml", "html"),
)


@dataclass(frozen=True)
class Export:
    """The file"""

    format: str = option("onnx", "kind of file", FORMATS)
    output: Path | None = option(
        None, "file to write (not given: beside the checkpoint, with the suffix of the format)"
    )
    fixed: bool = option(False, "take one size of input alone, that of --input_res")
    batch: int = option(0, "take this many images at once; 0 for any number", at_least=0)
    floats: bool = option(
        False, "take `images`, normalised float32 NCHW, not `image`, uint8 NHWC as OpenCV reads it"
    )
    raw: bool = option(False, "give the network's maps, not detections")
    precision: str = option("fp32", "of the network; decoding is float32 always", ("fp32", "fp16"))
    decompose_dcn: bool = option(
        False, "spell deformable convolutions out, for runtimes without DeformConv (slower)"
    )
    opset: int = option(20, "version of ONNX's operators", at_least=17)
    triton: Path | None = option(
        None, "write a model repository for Triton and OpenVINO Model Server into this folder"
    )


def run(options: Options) -> None:
    """Write a network and its decoding as one file, and compare that with the network."""
    from centernet.commands.jobs import export

    export.run(options)


VERB = Verb(
    name="export",
    help="Write a network with its decoding as a file for other programs",
    groups=(
        Export,
        groups.Place,
        groups.Data,
        groups.Model,
        groups.Input,
        groups.Test,
    ),
    run=run,
    program="export.py",
    details=(
        "The file is compared with the network on drawn pictures of three sizes; the differences"
        " are printed and written into it. demo.py and test.py take it as --load_model."
    ),
    partly={
        groups.Data: ("dataset",),
        groups.Model: ("arch", "head_conv", "load_model", "offline", "down_ratio"),
        groups.Test: ("flip_test", "K"),
    },
)

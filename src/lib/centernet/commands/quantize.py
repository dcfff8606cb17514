"""`quantize`: quantize.py, the command that makes 8-bit files and says what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from centernet.options import groups
from centernet.options.options import Options
from centernet.options.verbs import Verb
from centernet.runtime.option import option


@dataclass(frozen=True)
class Quantize:
    """The 8-bit file"""

    calibration: tuple[str, ...] = option(
        ("minmax",), "how ranges are found: minmax, percentile, kl, or several of them"
    )
    calib_images: int = option(50, "images that are shown to find the ranges", at_least=1)
    images: str = option(
        "", "folder or pattern of images to show (not given: training part of the data set)"
    )
    output_dir: Path | None = option(None, "folder for the files (not given: the checkpoint's)")
    weight_bits: int = option(
        7, "bits of the weights: 8 only where every processor has VNNI, others overflow", (7, 8)
    )
    sensitivity: bool = option(
        False, "measure each layer by itself and leave the worst in float where maps need it"
    )
    fp16_too: bool = option(False, "make a file in half precision, too, to compare with")
    no_evaluation: bool = option(False, "do not evaluate the files on the validation part")


def run(options: Options) -> None:
    """Make 8-bit files of a checkpoint, and a report on their size, speed and AP."""
    from centernet.commands.jobs import quantize

    quantize.run(options)


VERB = Verb(
    name="quantize",
    help="Make 8-bit files of a network and report what they cost",
    groups=(
        Quantize,
        groups.Place,
        groups.Data,
        groups.Model,
        groups.Input,
        groups.Test,
        groups.Batches,
        groups.Machine,
    ),
    run=run,
    program="quantize.py",
    details=(
        "Writes NAME.onnx, NAME.int8-CALIBRATION.onnx for each calibration, and a report as"
        " NAME.quantized.md and .json: size, time in ONNX Runtime and OpenVINO, the data set's"
        " measure, and the interval of the difference."
    ),
    partly={
        groups.Model: ("arch", "head_conv", "load_model", "offline", "down_ratio"),
        groups.Test: ("flip_test", "K"),
        groups.Machine: ("threads",),
        groups.Batches: ("test_batch_size",),
    },
)

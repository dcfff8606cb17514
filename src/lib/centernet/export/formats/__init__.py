"""The formats by name: how a Job becomes a file, and how that file learns what was measured."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from centernet.export.job import Job
from centernet.export.settings import Settings


@dataclass(frozen=True)
class Format:
    """A kind of file: `module` holds `write_NAME` and, if it can be run here, `describe_NAME`.

    suffix: of the file. runs: whether `opening` has a runtime for it here. fixed: whether it takes
    one size and batch alone. raw_alone: whether it holds maps, not detections. remark: what is to
    be said of it.
    """

    name: str
    suffix: str
    module: str
    runs: bool = True
    fixed: bool = False
    raw_alone: bool = False
    remark: str = ""

    def write(self, job: Job, path: Path, settings: Settings) -> None:
        """Write `job` to `path`; UserError if a package is missing or the job does not fit."""
        self._call("write", job, path, settings)

    def describe(self, job: Job, path: Path) -> None:
        """Let the file at `path` say what the card of `job` says."""
        self._call("describe", job, path)

    def _call(self, verb: str, *arguments: object) -> None:
        module = import_module(f"centernet.export.formats.{self.module}")
        getattr(module, f"{verb}_{self.name}")(*arguments)


FORMATS = {
    each.name: each
    for each in (
        Format("onnx", ".onnx", "onnx_file"),
        Format("openvino", ".xml", "openvino_file"),
        Format("torchscript", ".torchscript", "torch_files"),
        Format("exported_program", ".pt2", "torch_files"),
        Format("aoti", ".aoti.pt2", "torch_files", fixed=True),
        Format("executorch", ".pte", "phones", fixed=True),
        Format("litert", ".tflite", "phones", fixed=True),
        Format(
            "ncnn",
            ".ncnn.param",
            "phones",
            runs=False,
            fixed=True,
            raw_alone=True,
            remark="ncnn computes in half precision by default; decoding is the caller's",
        ),
        Format(
            "tensorrt",
            ".onnx",
            "onnx_file",
            runs=False,
            remark="needs TensorRT and a GPU; the line above builds the engine there",
        ),
        Format("coreml", ".mlpackage", "phones", runs=False, fixed=True, remark="runs on macOS"),
        Format("html", ".html", "html", runs=False, remark="open it in a browser"),
    )
}

"""Every other format than ONNX: run here, against PyTorch; its card comes back with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from centernet.export.card import Card
from centernet.export.extras import installed
from centernet.export.formats import FORMATS
from centernet.export.making import compared
from centernet.export.opening import open_file
from centernet.export.runtimes.runtime import Runtime
from centernet.export.settings import Settings
from centernet.runtime.errors import UserError
from tests.export.planted import job_of, lively, task_of
from tests.export.test_onnx import check

NEEDS = {
    "onnx": ("onnx", "onnxscript", "onnxruntime"),
    "openvino": ("onnx", "onnxscript", "openvino"),
    "executorch": ("executorch",),
    "litert": ("litert_torch", "ai_edge_litert"),
    "ncnn": ("pnnx", "ncnn"),
    "coreml": ("coremltools",),
}
TASKS_HERE = ("ctdet", "multi_pose", "ddd")
SIZE = (64, 96)


def need(name: str) -> None:
    """Skip, saying so, where a package of the format is not installed."""
    for module in NEEDS.get(name, ()):
        if not installed(module):
            pytest.skip(f"{module} is not installed, which --format {name} needs")


@pytest.mark.parametrize("task_name", TASKS_HERE)
@pytest.mark.parametrize(
    "name",
    [
        "openvino",
        "torchscript",
        "exported_program",
        pytest.param("aoti", marks=pytest.mark.slow),
        "executorch",
        "litert",
    ],
)
def test_format(name: str, task_name: str, tmp_path: Path) -> None:
    need(name)
    form, task = FORMATS[name], task_of(task_name)
    fixed = {"fixed": SIZE, "batch": 1} if form.fixed else {}
    job = job_of(task, lively("unet", task), **fixed)
    path = tmp_path / f"file{form.suffix}"
    form.write(job, path, Settings())
    runtime = open_file(path)
    check(compared(job, runtime))
    assert runtime.card == job.card
    job.card = job.with_parity(compared(job, runtime, 1))
    form.describe(job, path)
    again = open_file(path)
    assert again.card == job.card
    assert again.card.parity["lost"] == 0
    _refuses_other_sizes(again)


def _refuses_other_sizes(runtime: Runtime) -> None:
    height = runtime.card.sizes.smallest + 1
    camera = np.zeros((1, 3, 4), np.float32)
    pictures = {"image": np.zeros((1, height, 96, 3), np.uint8), "calib": camera}
    with pytest.raises(UserError, match="must be multiples of"):
        runtime.run(pictures)


def test_ncnn_gives_the_maps(tmp_path: Path) -> None:
    need("ncnn")
    ncnn = pytest.importorskip("ncnn")
    task = task_of("ctdet")
    job = job_of(task, lively("unet", task), raw=True, floats=True, fixed=SIZE, batch=1)
    path = tmp_path / "maps.ncnn.param"
    FORMATS["ncnn"].write(job, path, Settings())
    net = ncnn.Net()
    net.opt.use_fp16_arithmetic = net.opt.use_fp16_storage = net.opt.use_fp16_packed = False
    net.load_param(str(path))
    net.load_model(str(path.with_suffix(".bin")))
    inputs = job.pictures(1, SIZE)
    with net.create_extractor() as extractor:
        extractor.input("in0", ncnn.Mat(inputs["images"][0]).clone())
        found = [np.array(extractor.extract(f"out{i}")[1]) for i in range(len(task.heads))]
    for (name, wanted), given in zip(job.reference(inputs).items(), found, strict=True):
        np.testing.assert_allclose(given, wanted[0], atol=1e-3, err_msg=name)
    assert Card.from_json(path.with_name(path.name + ".json").read_text(), "x") == job.card


@pytest.mark.parametrize("task_name", TASKS_HERE)
def test_coreml_converts(task_name: str, tmp_path: Path) -> None:
    """It runs on macOS alone; here it is converted and read back."""
    need("coreml")
    coremltools = pytest.importorskip("coremltools")
    task = task_of(task_name)
    job = job_of(task, lively("unet", task), fixed=SIZE, batch=1)
    path = tmp_path / "file.mlpackage"
    FORMATS["coreml"].write(job, path, Settings())
    spec = coremltools.models.MLModel(str(path), skip_model_load=True).get_spec()
    assert [each.name for each in spec.description.input] == list(job.card.inputs)
    assert [each.name for each in spec.description.output] == list(job.card.outputs)

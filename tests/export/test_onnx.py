"""ONNX files of every task and network: the numbers of PyTorch at any size and batch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from centernet.export.formats import FORMATS
from centernet.export.job import Job
from centernet.export.making import compared
from centernet.export.parity import Parity
from centernet.export.rules import faults, tensorrt_faults
from centernet.export.runtimes.onnxruntime import OnnxRuntime
from centernet.export.runtimes.openvino import OpenVino
from centernet.export.settings import Settings
from centernet.models.networks import BACKBONES
from centernet.tasks import TASKS
from tests.export.planted import (
    Opened,
    job_of,
    lively,
    planted_input,
    planted_job,
    task_alone,
    task_of,
    toy,  # noqa: F401
)
from tests.long import LONG

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

SCORE, PIXELS, METRES = 1e-5, 0.01, 1e-4
MOVED = ("centers", "displacements")  # of the task tracking
TOLERANCES = {
    **dict.fromkeys(("boxes", "keypoints", "extremes", "centres", *MOVED), PIXELS),
    **dict.fromkeys(("depths", "dimensions", "locations"), METRES),
    **dict.fromkeys(("alphas", "rotations"), 1e-4),
}
READY = list(TASKS)
QUICK = {("ctdet", "unet"), ("ctdet", "resdcn_18")}
# Every network with one task, the tasks in turn, and every task with a network of each kind: heads
# read the feature map alone. --long tries all pairs.
KINDS = ("unet", "resdcn_18", "hourglass_52")
IN_TURN = {(READY[number % len(READY)], arch) for number, arch in enumerate(BACKBONES)}


def check(parity: Parity, rows: int = 10) -> None:
    """Every output within its tolerance, no row lost or out of order, and enough of them."""
    for name, difference in parity.differences.items():
        assert difference <= TOLERANCES.get(name, SCORE), (name, str(parity))
    assert (parity.lost, parity.moved) == (0, 0), str(parity)
    assert parity.rows >= rows, str(parity)


def written(job: Job, path: Path) -> Any:
    """The file's model, which consists of nothing but what is allowed."""
    FORMATS["onnx"].write(job, path, Settings())
    model = onnx.load(path)
    assert faults(model, decomposed_dcn=job.card.dcn == "decompose") == []
    return model


@pytest.mark.parametrize(
    "name", [n if n == "ctdet" else pytest.param(n, marks=pytest.mark.slow) for n in READY]
)
def test_decoding_finds_what_was_planted(name: str, toy: Opened, tmp_path: Path) -> None:  # noqa: F811
    source = toy(name)
    task = task_alone(name, source.info)
    job = planted_job(task)
    path = tmp_path / "decoding.onnx"
    model = written(job, path)
    assert [v.name for v in model.graph.output] == list(job.card.outputs)
    assert tensorrt_faults(model) == []
    for runtime in (OnnxRuntime(path), *([OpenVino(path)] if _has_openvino() else [])):
        parity, first, seen = Parity(), 0, 0
        for batch, size in (*job.trials(), *job.trials()):  # other images the second time
            inputs = job.pictures(batch, size)
            inputs[job.card.inputs[0]] = planted_input(task, source, batch, size, first)
            wanted = job.reference(inputs)
            seen += int((wanted["scores"] > 0.5).sum())
            parity.see(wanted, runtime.run(inputs))
            first += batch
        assert seen >= 6  # the objects themselves are among the rows
        check(parity)


@pytest.mark.parametrize(
    "name", [n if n == "ctdet" else pytest.param(n, marks=pytest.mark.slow) for n in READY]
)
def test_flip_test_inside(name: str, tmp_path: Path) -> None:
    job = planted_job(task_of(name), flip_test=True)
    written(job, tmp_path / "flip.onnx")
    check(compared(job, OnnxRuntime(tmp_path / "flip.onnx")))


def _has_openvino() -> bool:
    try:
        import openvino  # noqa: F401
    except ModuleNotFoundError:
        return False
    return True


def networks() -> list[Any]:
    """(task, network), of which most take long."""
    pairs = [(task, arch) for arch in BACKBONES for task in READY]
    pairs = [p for p in pairs if LONG or p in IN_TURN | QUICK or p[1] in KINDS]
    return [pytest.param(*p, marks=[] if p in QUICK else pytest.mark.slow) for p in pairs]


@pytest.mark.parametrize(("name", "arch"), networks())
def test_network(name: str, arch: str, tmp_path: Path) -> None:
    task = task_of(name)
    job = job_of(task, lively(arch, task))
    path = tmp_path / "network.onnx"
    model = written(job, path)
    (deep,) = (each.version for each in model.opset_import)
    assert deep >= 19
    check(compared(job, OnnxRuntime(path)))
    if _has_openvino():
        check(compared(job, OpenVino(path)))


@pytest.mark.slow
def test_decomposed_deformable_convolution(tmp_path: Path) -> None:
    task = task_of("ctdet")
    job = job_of(task, lively("resdcn_18", task), dcn="decompose", fixed=(64, 96), batch=1)
    model = written(job, tmp_path / "plain.onnx")
    assert not any(node.op_type == "DeformConv" for node in model.graph.node)
    check(compared(job, OnnxRuntime(tmp_path / "plain.onnx")))


def test_faults_are_found() -> None:
    """The allow-list refuses what it is there to refuse."""
    helper = onnx.helper
    nodes = [
        helper.make_node("NonZero", ["x"], ["a"]),
        helper.make_node("Shape", ["x"], ["k"]),
        helper.make_node("TopK", ["x", "k"], ["b", "c"]),
        helper.make_node("Fancy", ["x"], ["d"], domain="own"),
        helper.make_node("DeformConv", ["x", "x", "x"], ["e"]),
    ]
    value = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [4])
    model = helper.make_model(
        helper.make_graph(nodes, "g", [value], []), opset_imports=[helper.make_opsetid("", 18)]
    )
    found = " ".join(faults(model))
    for word in ("NonZero", "K is computed", "domain own", "opset 18"):
        assert word in found


def test_parity_sees_what_is_wrong() -> None:
    one = {
        "boxes": np.array([[[0, 0, 9, 9], [5, 5, 7, 7.0]]]),
        "scores": np.array([[0.9, 0.5]]),
        "classes": np.array([[0, 1]]),
    }
    same, lost, moved, shifted = Parity(), Parity(), Parity(), Parity()
    same.see(one, one)
    assert (same.rows, same.lost, same.moved, same.differences["boxes"]) == (2, 0, 0, 0)
    lost.see(one, one | {"classes": np.array([[1, 1]])})
    assert lost.lost == 1
    moved.see(one, {name: value[:, ::-1] for name, value in one.items()})
    assert moved.moved == 2
    shifted.see(one, one | {"boxes": one["boxes"] + 0.25})
    assert shifted.differences["boxes"] == 0.25

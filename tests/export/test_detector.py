"""An exported file in the place of a checkpoint; the program of the documents; servers' files."""

from __future__ import annotations

import ast
import json
import re
import runpy
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet import cli, load_detector
from centernet.models.checkpoint import save_checkpoint
from centernet.models.description import describe
from tests.export.planted import lively, task_of

for module in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(module)

ROOT = Path(__file__).resolve().parents[2]
SIZE = (128, 128)


def program() -> str:
    """The one Python program of docs/export.md."""
    text = (ROOT / "docs" / "export.md").read_text(encoding="utf-8")
    (found,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    return found


@pytest.fixture(scope="module", params=["ctdet"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with model.pth, model.onnx beside it, the repository of a server, and photo.jpg."""
    folder = tmp_path_factory.mktemp(request.param)
    task = task_of(request.param)
    model = lively("unet", task)
    said = describe(task, "unet", -1, SIZE)
    path = save_checkpoint(folder / "model.pth", model, said)
    rng = np.random.default_rng(1)
    photo = cv2.resize(rng.integers(0, 256, (12, 20, 3)).astype(np.uint8), (300, 170))
    cv2.imwrite(str(folder / "photo.png"), photo)
    words = [request.param, "--load_model", str(path), "--root", str(folder)]
    assert cli.main(["export", *words, "--triton", str(folder / "served")]) in (0, None)
    return folder


def test_the_documents_program_gives_the_demos_boxes(
    exported: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = program().strip().splitlines()
    assert len(lines) <= 12
    imports = {a.name for n in ast.walk(ast.parse(program())) for a in getattr(n, "names", [])}
    assert imports <= {"json", "cv2", "numpy", "onnxruntime"}
    script = exported / "program.py"
    script.write_text(program().replace("photo.jpg", "photo.png"), encoding="utf-8")
    monkeypatch.chdir(exported)
    found = runpy.run_path(str(script))
    detector = load_detector("model.pth", device="cpu")
    wanted = detector.detect("photo.png")
    scores = found["found"]["scores"][0]
    np.testing.assert_allclose(scores, wanted.scores, atol=1e-4)
    if detector.task.name != "ddd":  # whose boxes are drawn around the cuboids
        near = np.abs(found["boxes"][:, None] - wanted.boxes[None]).max(2).min(1)
        assert near.max() < 0.05


def test_the_file_stands_for_the_checkpoint(exported: Path) -> None:
    one = load_detector(exported / "model.pth", device="cpu").detect(exported / "photo.png")
    two = load_detector(exported / "model.onnx").detect(exported / "photo.png")
    np.testing.assert_allclose(two.scores, one.scores, atol=1e-5)
    near = np.abs(two.boxes[:, None] - one.boxes[None]).max(2).min(1)
    assert near.max() < 0.05
    assert two.class_names == one.class_names


def test_the_repository_of_a_server(exported: Path) -> None:
    text = (exported / "served" / "model" / "config.pbtxt").read_text()
    assert text.count("{") == text.count("}")
    assert 'name: "image"\n  data_type: TYPE_UINT8\n  dims: [-1, -1, 3]' in text
    assert "max_batch_size: 8" in text
    assert 'name: "boxes"\n  data_type: TYPE_FP32\n  dims: [100, 4]' in text
    fields = set(re.findall(r"^(\w+)", text, re.MULTILINE))
    assert fields <= {
        *("name", "backend", "max_batch_size", "input", "output", "dynamic_batching"),
        "parameters",
    }
    served = json.loads((exported / "served" / "config.json").read_text())
    (each,) = served["model_config_list"]
    assert each["config"]["base_path"] == "/models/model"
    model = exported / "served" / "model" / "1" / "model.onnx"
    assert model.read_bytes() == (exported / "model.onnx").read_bytes()

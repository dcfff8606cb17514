"""The examples of docs/examples: each is registered from outside, trained, tested and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from torchvision.models import shufflenet_v2_x1_0

from centernet import cli
from centernet.datasets import SOURCES, open_source
from centernet.datasets.source import Info
from centernet.geometry.view import View
from centernet.heads.head_map import dense
from centernet.models.create import create_model
from centernet.models.networks import BACKBONES, create_backbone
from centernet.models.networks.necks import NECKS, NeckOptions
from centernet.models.pretrained import initialise
from centernet.options.verbs import VERBS
from centernet.runtime.errors import UserError
from centernet.structures.objects import Objects
from centernet.tasks import TASKS
from tests.tiny_coco import write_tiny_coco

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "examples"
QUICK = "--input_res 64 --batch_size 4 --num_workers 0 --gpus -1 --weights none"


@pytest.fixture(autouse=True)
def _registries() -> Iterator[None]:
    """What an example registers is gone after its test."""
    registries = (TASKS, BACKBONES, NECKS, SOURCES, VERBS)
    before = [dict(registry) for registry in registries]
    yield
    for registry, entries in zip(registries, before, strict=True):
        registry.clear()
        registry.update(entries)


def load(name: str) -> ModuleType:
    spec = spec_from_file_location(f"example_{name}", FOLDER / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their types up
    spec.loader.exec_module(module)
    return module


def works(root: Path, task: str, words: list[str], image: Path) -> dict:
    """Train two epochs, test, and detect in `image`; what the demo wrote of it."""
    run = ["--root", str(root), "--gpus", "-1"]
    line = [task, *words, *run, *QUICK.split(), "--num_epochs", "2", "--lr", "1e-3"]
    assert cli.main(["train", *line]) == 0
    text = (root / "exp" / task / "default" / "metrics.jsonl").read_text()
    rows = [json.loads(row) for row in text.splitlines()]
    losses = [row["loss"] for row in rows if row["phase"] == "train"]
    assert len(losses) == 2
    assert losses[1] < losses[0]
    assert cli.main(["test", task, *words, *run, "--resume"]) == 0
    assert cli.main(["demo", task, *run, "--resume", "--demo", str(image), "--output",
                     str(root / "out")]) == 0  # fmt: skip
    (found,) = json.loads((root / "out" / "results.json").read_text())
    assert found["objects"]
    return found


def test_a_task(tmp_path: Path) -> None:
    circle = load("task").Circle
    words = ["--arch", "mobilenetv3", "--radius_weight", "0.2", *write_tiny_coco(tmp_path / "d")]
    found = works(tmp_path, "circle", words, tmp_path / "d" / "images" / "9.png")
    for entry in found["objects"]:
        x1, y1, x2, y2 = entry["box"]
        assert x2 - x1 == pytest.approx(y2 - y1, abs=0.02)
    assert circle.name == "circle"


def test_a_task_reads_what_it_writes() -> None:
    info = Info("cells", ("red", "white"), (1, 2), max_objects=3)
    task = load("task").Circle(info)
    boxes = np.array([[2.5, 3, 8.5, 9], [10, 12, 14, 16], [30, 1, 40, 11]], np.float32)
    targets = task.encode(Objects(boxes=boxes, classes=np.array([1, 0, 0])), (20, 24))
    assert targets["reg_mask"].tolist() == [1, 1, 0]  # the centre of the third is outside
    maps = {"hm": torch.from_numpy(targets["hm"])[None]}
    for name, channels in (("radius", 1), ("reg", 2)):
        flat = torch.zeros(1, channels, 20 * 24)
        flat[0, :, targets["ind"][:2]] = torch.from_numpy(targets[name][:2].T.copy())
        maps[name] = flat.view(1, channels, 20, 24)
    decoded = task.decode(dense(maps), 2)
    order = decoded["classes"][0].argsort(descending=True)
    torch.testing.assert_close(decoded["boxes"][0][order], torch.from_numpy(boxes[:2]))


def test_a_part(tmp_path: Path) -> None:
    load("part")
    words = ["--arch", "mobilenetv3", "--trunc_weight", "0.2", *write_tiny_coco(tmp_path / "d")]
    found = works(tmp_path, "cut", words, tmp_path / "d" / "images" / "9.png")
    assert all(0 <= entry["truncation"] <= 1 for entry in found["objects"])


def test_a_part_reads_what_it_writes() -> None:
    task = load("part").Cut(Info("cells", ("red", "white"), (1, 2), max_objects=3))
    boxes = np.array([[2, 3, 8, 9], [-5, 4, 5, 14], [-9, -9, -1, -1]], np.float32)
    targets = task.encode(Objects(boxes=boxes, classes=np.array([1, 0, 0])), (20, 24))
    assert targets["trunc"].ravel().tolist() == pytest.approx([0, 0.5, 0])
    assert targets["reg_mask"].tolist() == [1, 1, 0]  # nothing of the third is inside
    wanted = frozenset({"wh", "reg", "trunc"})
    true = task.truth({n: torch.from_numpy(v) for n, v in targets.items()}, (20, 24), wanted)
    maps = {"hm": torch.from_numpy(targets["hm"])[None]} | {n: v[None] for n, v in true.items()}
    maps["trunc"] = torch.sigmoid(maps["trunc"])
    decoded = task.decode(dense(maps), 2)
    order = decoded["classes"][0].argsort(descending=True)
    assert decoded["truncation"][0][order].tolist() == pytest.approx([0, 0.5], abs=1e-6)
    arrays = {name: value.numpy() for name, value in decoded.items()}
    (placed,) = task.postprocess(arrays, [View((12.0, 10.0), 24.0)], (20, 24))
    half = placed.select(placed.classes == 0)
    assert half.columns["truncation"].tolist() == pytest.approx([0.5], abs=1e-6)
    assert half.to_dict()["objects"][0]["truncation"] == pytest.approx(0.5)


def test_a_backbone(tmp_path: Path) -> None:
    load("backbone")
    words = ["--arch", "shufflenetv2", *write_tiny_coco(tmp_path / "d")]
    works(tmp_path, "ctdet", words, tmp_path / "d" / "images" / "9.png")


def test_a_backbone_takes_its_published_weights(tmp_path: Path) -> None:
    load("backbone")
    published = shufflenet_v2_x1_0(weights=None).state_dict()  # the file's keys, other numbers
    torch.save(published, tmp_path / "classifier.pth")
    backbone = create_backbone("shufflenetv2")
    assert initialise(backbone, tmp_path / "classifier.pth", tmp_path).startswith("backbone: ")
    torch.testing.assert_close(backbone.state_dict()["stage4.0.branch1.0.weight"],
                               published["stage4.0.branch1.0.weight"])  # fmt: skip
    model = create_model("shufflenetv2", {"hm": 1})
    (maps,) = model(torch.zeros(1, 3, 64, 96))
    assert maps["hm"].shape == (1, 1, 16, 24)


def test_a_neck(tmp_path: Path) -> None:
    hypercolumn = load("neck").Hypercolumn
    words = ["--arch", "resnet18+hypercolumn", *write_tiny_coco(tmp_path / "d")]
    works(tmp_path, "ctdet", words, tmp_path / "d" / "images" / "9.png")
    neck = hypercolumn((8, 16, 24, 32), (4, 8, 16, 32), NeckOptions((8,)), 8)
    maps = [torch.rand(1, 8 * n, 128 >> n, 64 >> n) for n in (1, 2, 3, 4)]
    assert neck(maps).shape == (1, 8, 32, 16)
    with pytest.raises(UserError, match="--neck_fusion concat: Hypercolumn has sum"):
        hypercolumn((8, 16), (16, 32), NeckOptions(fusion="concat"), 16)


def write_csv(folder: Path) -> None:
    """The tiny set of the other tests as csv files."""
    write_tiny_coco(folder)
    for part in ("train", "val"):
        data = json.loads((folder / f"{part}.json").read_text())
        files = {row["id"]: row["file_name"] for row in data["images"]}
        names = {row["id"]: row["name"] for row in data["categories"]}
        lines = []
        for row in data["annotations"]:
            x, y, w, h = row["bbox"]
            cells = (files[row["image_id"]], x, y, x + w, y + h, names[row["category_id"]])
            lines.append(",".join(map(str, cells)))
        (folder / f"{part}.csv").write_text("\n".join(lines) + "\n")


def test_a_data_set(tmp_path: Path) -> None:
    load("dataset")
    write_csv(tmp_path / "d")
    words = ["--arch", "mobilenetv3", "--dataset", "csv", "--data_dir", str(tmp_path / "d")]
    works(tmp_path, "ctdet", words, tmp_path / "d" / "images" / "9.png")


def test_a_data_set_tells_its_faults(tmp_path: Path) -> None:
    load("dataset")
    with pytest.raises(UserError, match=r"train\.csv cannot be read"):
        open_source("csv", "train", tmp_path)
    (tmp_path / "images").mkdir()
    for name in ("a.png", "b.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((20, 30, 3), np.uint8))
    (tmp_path / "train.csv").write_text("a.png,1,2,11,12,cat\nb.png,,,,,\na.png,9,9,5,9,cat\n")
    (tmp_path / "val.csv").write_text("a.png,1,2,x,12,cat\na.png,1,2,5,6,dog\n")
    said: list[str] = []
    train = open_source("csv", "train", tmp_path, log=said.append)
    assert [train.path(n).name for n in range(2)] == ["a.png", "b.png"]
    np.testing.assert_array_equal(train.objects(0).boxes, [[1, 2, 11, 12]])
    assert len(train.objects(1)) == 0
    open_source("csv", "val", tmp_path, log=said.append)
    assert said == [
        "train.csv: annotation 3, 'a.png': width -4, dropped (--strict to stop)",
        "val.csv: row 1, 'a.png': no box of 4 numbers, dropped (--strict to stop)",
        "val.csv: row 2, 'a.png': class 'dog', dropped (--strict to stop)",
    ]
    (tmp_path / "val.csv").write_text("a.png,1,2\n")
    with pytest.raises(UserError, match=r"val\.csv, row 1: 3 columns, not file,x1"):
        open_source("csv", "val", tmp_path)


@pytest.mark.parametrize(
    ("name", "words", "said"),
    [
        ("task", ["train", "circle", "--help"], "--radius_weight"),
        ("backbone", ["info", "ctdet"], "| shufflenetv2 |"),
        ("neck", ["info", "ctdet", "--arch", "resnet18+hypercolumn"], "| resnet18+hypercolumn |"),
        ("dataset", ["train", "ctdet", "--help"], "csv"),
        ("part", ["train", "cut", "--help"], "--trunc_weight"),
    ],
)
def test_they_are_programs(name: str, words: list[str], said: str) -> None:
    command = [sys.executable, str(FOLDER / f"{name}.py"), *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert said in done.stdout


def test_the_guide_shows_all_of_them() -> None:
    guide = (FOLDER.parent / "extending.md").read_text(encoding="utf-8")
    for path in FOLDER.glob("*.py"):
        assert f"examples/{path.name}" in guide


def test_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load("command")
    data = write_tiny_coco(tmp_path / "tiny")
    words = ["count", "ctdet", *data, "--root", str(tmp_path)]
    assert cli.main([*words, "--part", "val"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["val", "dark", "bright"]
    assert all(line.endswith(" in 4 images") for line in lines[1:])
    assert cli.main([*words, "--part", "vals"]) == 2
    assert "count: --part: unknown value 'vals'; did you mean val?" in capsys.readouterr().err
    assert cli.main([*words, "--lr", "1"]) == 0  # as any command that takes a task

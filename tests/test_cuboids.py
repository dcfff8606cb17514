"""3D boxes from the command line: KITTI folders train, test and are drawn; cameras; mistakes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import cv2
import pytest

from centernet import cli
from centernet.datasets.evaluate.kitti_labels import read_labels
from centernet.datasets.toy import write_toy
from centernet.models.checkpoint import read_checkpoint

TINY = ("--input_h", "32", "--input_w", "96", "--num_iters", "1", "--val_intervals", "0")
QUICK = (
    "ddd --dataset kitti --arch mobilenetv3 --weights none --input_h 64 --input_w 192"
    " --batch_size 2 --num_workers 0 --gpus -1 --num_epochs 1"
)


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn folder with the layout of KITTI: 4 frames to train on, 2 to validate on."""
    folder = tmp_path_factory.mktemp("streets")
    return write_toy(folder, parts=["cuboids"], counts={"cuboids": (4, 2)}) / "cuboids"


@pytest.fixture
def root(streets: Path, tmp_path: Path) -> Path:
    (tmp_path / "data").mkdir()
    shutil.copytree(streets, tmp_path / "data" / "kitti")
    return tmp_path


def train(root: Path, *more: str) -> int:
    return cli.train([*QUICK.split(), *more], root)


def test_kitti_trains_tests_and_is_drawn(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(root, "--num_iters", "1", "--val_intervals", "1") == 0
    run = root / "exp" / "ddd" / "default"
    said = read_checkpoint(run / "model_last.pth").description
    assert said["heads"] == {"hm": 3, "dep": 1, "rot": 8, "dim": 3, "wh": 2, "reg": 2}
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"hm_loss", "dep_loss", "dim_loss", "rot_loss", "wh_loss", "off_loss"} <= rows[0].keys()
    words = ["ddd", "--resume", "--gpus", "-1", "--peak_thresh", "0", "--debug", "1"]
    assert cli.test([*words, "--flip_test", "--test_scales", "1,1.5", "--nms"], root) == 0
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert 0 <= rows[-1]["AP"] <= 1
    assert {"Car_3D_0.7", "Car_BEV_0.5", "Cyclist_3D_0.25", "Car_AOS_0.7"} <= rows[-1].keys()
    frames = (root / "data" / "kitti" / "ImageSets" / "val.txt").read_text().split()
    for frame in frames:
        found = read_labels(run / "results" / f"{frame}.txt", scored=True)
        assert 0 < len(found) <= 100
        assert (run / "debug" / f"{frame}_above.jpg").is_file()
    demo = f"ddd --load_model {run / 'model_last.pth'} --gpus -1 --vis_thresh 0 --peak_thresh 0"
    picture = root / "data" / "kitti" / "training" / "image_2" / f"{frames[0]}.png"
    capsys.readouterr()
    for camera in ("", "470,470,384,100", str(picture.parents[1] / "calib" / f"{frames[0]}.txt")):
        shutil.rmtree(run / "results")
        chosen = ["--calib", camera] if camera else []
        assert cli.demo([*demo.split(), "--demo", str(picture), *chosen], root) == 0
        assert ("CAMERA UNKNOWN" in capsys.readouterr().err) == (not camera)
        drawn = cv2.imread(str(run / "results" / f"{frames[0]}.png"))
        assert drawn.shape == (256, 768, 3)
        assert (run / "results" / f"{frames[0]}_above.png").is_file()
        written = json.loads((run / "results" / "results.json").read_text())
        assert set(written[0]["objects"][0]["cuboid"]) >= {"dimensions", "locations", "rotations"}


@pytest.mark.parametrize(
    "flags",
    [
        *("--not_reg_bbox", "--rect_mask", "--aug_ddd 1", "--mse_loss", "--reg_loss sl1"),
        *("--keep_res", "--not_reg_offset", "--dep_weight 0.1 --dim_weight 2 --rot_weight 0"),
    ],
)
def test_every_switch_trains(root: Path, flags: str) -> None:
    assert train(root, *TINY, *flags.split()) == 0


def test_the_error_budget_knows_depth(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train(root, *TINY) == 0
    assert cli.test(["ddd", "--resume", "--gpus", "-1", "--error_budget"], root) == 0
    said = capsys.readouterr().out.splitlines()
    start = next(n for n, line in enumerate(said) if line.startswith("perfect "))
    names = [line.split()[0] for line in said[start + 1 : start + 9]]
    assert names == ["nothing", "hm", "dep", "rot", "dim", "wh", "offset", "everything"]


def fault(root: Path, capsys: pytest.CaptureFixture[str], *more: str) -> str:
    assert train(root, *more) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def test_a_set_without_cuboids_is_one_line(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    image = next((root / "data" / "kitti" / "training" / "image_2").iterdir())
    labels = root / "labels.json"
    entry = {"id": 1, "file_name": image.name, "width": 768, "height": 256}
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [1, 1, 9, 9], "area": 81}
    labels.write_text(json.dumps({
        "images": [entry], "annotations": [box], "categories": [{"id": 1, "name": "car"}],
    }))  # fmt: skip
    flags = ["--train_json", str(labels), "--val_json", str(labels)]
    line = fault(root, capsys, "--dataset", "custom", *flags, "--image_dir", str(image.parent))
    assert "task ddd needs cuboids" in line
    assert "--dataset kitti or toy" in line


def test_bad_rows_and_cameras_are_named(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    training = root / "data" / "kitti" / "training"
    name = (root / "data" / "kitti" / "ImageSets" / "train.txt").read_text().split()[0]
    label, camera = (training / part / f"{name}.txt" for part in ("label_2", "calib"))
    rows = label.read_text()
    label.write_text(rows + "Car 0.00 0 1.55 10 8 30 20 1.57 1.73 4.15 1.00 1.75 13.22\n")
    row = len(rows.splitlines()) + 1
    wanted = f"{label}: row {row}: 14 fields where an annotation has 15"
    assert wanted in fault(root, capsys, "--strict")
    assert train(root, *TINY) == 0
    assert wanted in capsys.readouterr().out
    camera.unlink()
    assert f"{camera}: no such calibration file" in fault(root, capsys, "--strict")
    assert train(root, *TINY, "--exp_id", "b") == 0
    assert f"{camera}: no such calibration file" in capsys.readouterr().out

"""Poses from the command line: any skeleton trains, tests and is drawn; mistakes are one line."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import pytest

from centernet import cli
from centernet.models.checkpoint import read_checkpoint
from tests.tiny_coco import write_tiny_coco

QUICK = (
    "multi_pose --arch mobilenetv3 --weights none --input_res 64 --batch_size 4 --num_workers 0"
    " --gpus -1 --num_epochs 1 --val_intervals 1"
)
SKELETONS = {
    4: ["top", "left", "bottom", "right"],
    13: ["head", *(f"{side}_{part}" for part in "abcdef" for side in ("left", "right"))],
    17: [f"point{number}" for number in range(17)],
}
PAIRS = {4: ((1, 3),), 13: tuple((n, n + 1) for n in range(1, 13, 2)), 17: ()}


def train(root: Path, data: list[str], *more: str) -> int:
    return cli.train([*QUICK.split(), *data, *more], root)


@pytest.mark.parametrize("joints", SKELETONS)
def test_any_skeleton_trains_tests_and_is_drawn(joints: int, tmp_path: Path) -> None:
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[joints])
    assert train(tmp_path, data) == 0
    run = tmp_path / "exp" / "multi_pose" / "default"
    said = read_checkpoint(run / "model_last.pth").description
    assert list(said["joints"]) == SKELETONS[joints]
    assert tuple(map(tuple, said["flip_pairs"])) == PAIRS[joints]
    assert said["heads"] == {
        **{"hm": 2, "wh": 2, "hps": 2 * joints, "reg": 2, "hm_hp": joints},
        "hp_offset": 2,
    }
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert {"hp_loss", "hm_hp_loss", "hp_offset_loss"} <= rows[0].keys()
    assert {"AP", "box_AP"} <= rows[-1].keys()
    words = ["multi_pose", "--resume", "--gpus", "-1", "--flip_test", "--test_scales", "1,1.5"]
    assert cli.test([*words, *data], tmp_path) == 0
    results = json.loads((run / "results.json").read_text())
    assert {len(row["keypoints"]) for row in results} == {3 * joints}
    picture = tmp_path / "tiny" / "images" / "1.png"
    demo = f"multi_pose --load_model {run / 'model_last.pth'} --gpus -1 --vis_thresh 0"
    assert cli.demo([*demo.split(), "--demo", str(picture)], tmp_path) == 0
    drawn = next(path for path in (run / "results").iterdir() if path.suffix in (".jpg", ".png"))
    assert cv2.imread(str(drawn)).shape == (64, 64, 3)
    written = json.loads(next((run / "results").glob("*.json")).read_text())
    found = written[0]["objects"]
    assert len(found) > 0
    assert all(len(one["keypoints"]) == joints for one in found)


@pytest.mark.parametrize(
    "flags",
    [
        *("--dense_hp", "--not_hm_hp", "--not_reg_hp_offset", "--not_reg_bbox", "--mse_loss"),
        *("--aug_rot 1 --rotate 30", "--not_reg_offset --reg_loss sl1"),
    ],
)
def test_every_switch_trains(flags: str, tmp_path: Path) -> None:
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[4])
    assert train(tmp_path, data, *flags.split()) == 0


def test_the_error_budget_is_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[4])
    assert train(tmp_path, data, "--num_iters", "1", "--val_intervals", "0") == 0
    words = ["multi_pose", "--resume", "--gpus", "-1", *data]
    assert cli.test([*words, "--error_budget"], tmp_path) == 0
    said = capsys.readouterr().out.splitlines()
    start = said.index("perfect           AP    gain")
    table = {line.split()[0]: float(line.split()[1]) for line in said[start + 1 : start + 9]}
    names = ["hm", "wh", "kps", "offset", "hmhp", "hp_offset"]  # in the order of the heads
    assert list(table) == ["nothing", *names, "everything"]
    assert table["everything"] > 0.99
    assert table["nothing"] < 0.1
    every = [f"--eval_oracle_{name}" for name in names]
    assert cli.test([*words, *every], tmp_path) == 0
    rows = (tmp_path / "exp" / "multi_pose" / "default" / "metrics.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["AP"] > 0.99
    capsys.readouterr()
    assert cli.test([*words, "--error_budget", "--eval_oracle_hm"], tmp_path) == 2
    assert "--error_budget tries every" in capsys.readouterr().err
    assert cli.test([*words, "--eval_oracle_dep"], tmp_path) == 2
    assert "multi_pose has no head for it" in capsys.readouterr().err


def test_data_without_keypoints_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(tmp_path, write_tiny_coco(tmp_path / "tiny")) == 2
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert "task multi_pose needs keypoints, but data set train has only boxes" in said[0]
    assert "--dataset coco_hp or toy" in said[0]


def test_keypoints_of_the_wrong_length_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[4])
    path = tmp_path / "tiny" / "train.json"
    content = json.loads(path.read_text())
    content["annotations"][3]["keypoints"].pop()
    path.write_text(json.dumps(content))
    fault = "train.json: annotation 21, '2.png': 11 keypoint numbers, 12 wanted (4 joints)"
    assert train(tmp_path, data, "--strict") == 2
    assert capsys.readouterr().err.strip().endswith(f"{fault} (without --strict it is dropped)")
    assert train(tmp_path, data) == 0
    assert f"{fault}, dropped (--strict to stop)" in capsys.readouterr().out


def test_joints_must_be_the_same_in_both_parts(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Too many were written beyond the targets' arrays; in another order each was another."""
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[4])
    for name, joints in (("more", SKELETONS[13]), ("turned", SKELETONS[4][::-1])):
        other = write_tiny_coco(tmp_path / name, joints=joints)
        mixed = [*data[:4], *other[4:6], *data[6:]]
        for flags in ([], ["--trainval"]):
            assert train(tmp_path, mixed, *flags) == 2
            said = capsys.readouterr().err.splitlines()[-1]
            assert (
                "(train) has 4 joints (top, left, bottom, right), the validation part (val)" in said
            )
            assert f"{len(joints)} joints ({joints[0]}, " in said


def test_a_test_on_other_joints_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_tiny_coco(tmp_path / "tiny", joints=SKELETONS[4])
    assert train(tmp_path, data, "--num_iters", "1", "--val_intervals", "0") == 0
    others = tuple(name.upper() for name in SKELETONS[4])
    renamed = write_tiny_coco(tmp_path / "renamed", joints=others)
    turned = write_tiny_coco(tmp_path / "turned", joints=SKELETONS[4][::-1])
    more = write_tiny_coco(tmp_path / "more", joints=SKELETONS[13])
    words = ["multi_pose", "--resume", "--gpus", "-1"]
    told = "learned 4 joints (top, left, bottom, right), the data has 4 joints (TOP, LEFT, "
    for own, expected in ((data, False), (renamed, True)):
        capsys.readouterr()
        assert cli.test([*words, *own], tmp_path) == 0
        assert (told in capsys.readouterr().out) == expected
    assert cli.test([*words, *turned], tmp_path) == 2
    assert "has the joints in the order top, left, bottom, right, " in capsys.readouterr().err
    assert cli.test([*words, *more], tmp_path) == 2
    assert "model_last.pth has 4 joints (top, left, bottom, right)" in capsys.readouterr().err

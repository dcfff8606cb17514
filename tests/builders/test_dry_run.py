"""--dry_run of the commands themselves: what it says, what it refuses, that it writes nothing."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet import cli
from centernet.datasets.toy import write_toy
from centernet.models.networks import create_backbone
from tests.tiny_coco import write_tiny_coco

NET = "ctdet --arch mobilenetv3 --input_res 64 --num_workers 0 --gpus -1"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a run `a` of one epoch and pictures to look at."""
    folder = tmp_path_factory.mktemp("root")
    words = [*NET.split(), "--weights", "none", "--batch_size", "4", *tiny(folder)]
    assert cli.train([*words, "--exp_id", "a", "--num_epochs", "1"], folder) == 0
    (folder / "pictures").mkdir()
    for name in ("one.png", "two.png"):
        cv2.imwrite(str(folder / "pictures" / name), np.zeros((40, 60, 3), np.uint8))
    return folder


def tiny(root: Path) -> list[str]:
    return write_tiny_coco(root / "tiny")


def state(root: Path) -> dict[Path, tuple[int, int]]:
    """Time of the last change and size of everything under `root`."""
    return {p: (p.stat().st_mtime_ns, p.stat().st_size) for p in root.rglob("*")}


def dry(
    root: Path, verb: str, line: str, capsys: pytest.CaptureFixture[str]
) -> tuple[int, str, str]:
    """(exit code, standard output, standard error); fails if a file has changed."""
    words = [*line.replace("TINY", " ".join(tiny(root))).split(), "--dry_run"]
    before = state(root)
    code = cli.call(verb, words, root)
    assert state(root) == before
    told = capsys.readouterr()
    return code, told.out, told.err


class TestTraining:
    def test_of_a_new_run(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = f"{NET} TINY --weights none --batch_size 2 --accumulate 2 --exp_id new"
        code, said, _ = dry(root, "train", line, capsys)
        assert code == 0
        backbone = create_backbone("mobilenetv3")
        assert "mobilenetv3," in said
        assert sum(p.numel() for p in backbone.parameters()) / 1e6 < millions(said)
        assert "input 64 x 64" in said
        assert "train, 8 images to train on, 4 to validate on, 2 classes" in said
        assert "epoch 1 to 140, 4 batches each, batch 2 x 2 over 1 device" in said
        assert f"writes: {root / 'exp' / 'ctdet' / 'new'} (new)" in said

    def test_of_a_run_to_be_resumed(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, said, _ = dry(root, "train", "ctdet --exp_id a --resume --num_epochs 3", capsys)
        assert code == 0
        assert "epoch 2 to 3" in said
        assert said.rstrip().endswith(f"writes: {root / 'exp' / 'ctdet' / 'a'}")

    def test_classifiers_are_not_downloaded(
        self, root: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line = "ctdet --arch res_18 --input_res 64 --batch_size 4 --num_workers 0 --gpus -1 TINY"
        code, said, _ = dry(root, "train", line, capsys)
        assert code == 0
        assert "weights: https://download.pytorch.org/models/resnet18-" in said
        assert f"downloaded to {root / 'models' / 'resnet18-'}" in said

    def test_the_toy_set_is_not_drawn(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for verb, more in (("train", ""), ("test", " --exp_id a --resume --gpus -1")):
            code, said, _ = dry(root, verb, f"ctdet --dataset toy{more}", capsys)
            assert code == 0
            assert f"data: {root / 'data' / 'toy' / 'shapes'} is drawn first" in said

    def test_a_drawn_toy_set_is_read(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        write_toy(tmp_path / "data" / "toy", parts=["shapes"], counts={"shapes": (6, 2)})
        line = f"{NET} --dataset toy --weights none --batch_size 2"
        _, said, _ = dry(tmp_path, "train", line, capsys)
        assert "toy, 6 images to train on, 2 to validate on" in said

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            (f"{NET} TINY --weights none --batch_size 99", "fewer than one batch of 99"),
            (f"{NET} TINY --weights nowhere.pth", "nowhere.pth: no such file"),
            (f"{NET} TINY --load_model nowhere.pth", "nowhere.pth: no such checkpoint"),
            ("ctdet --dataset coco", "instances_train2017.json"),
            ("ctdet --arch res_18 TINY --weights none --input_res 100", "multiples of 32"),
            ("multi_pose TINY --weights none", "needs keypoints"),
            ("ctdet --lr fast", "--lr: takes a number"),
        ],
    )
    def test_what_would_stop_it(
        self, root: Path, line: str, complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        code, _, said = dry(root, "train", line, capsys)
        assert code == 2
        assert complaint in said
        assert len(said.splitlines()) == 1


class TestTesting:
    def test_of_a_run(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        line = "ctdet --exp_id a --resume --flip_test --test_scales 0.5,1 --gpus -1"
        code, said, _ = dry(root, "test", line, capsys)
        assert code == 0
        assert "val, 4 images to test on" in said
        assert "model_last.pth, epoch 1" in said
        assert "scales 0.5, 1, with mirroring" in said
        assert f"writes: {root / 'exp' / 'ctdet' / 'a'}" in said

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("ctdet", "--load_model FILE"),
            ("ctdet TINY --exp_id none --resume", "model_last.pth: no such checkpoint"),
            ("ctdet TINY --load_model LAST --arch res_18", "add --arch mobilenetv3"),
            ("ctdet --dataset coco --load_model LAST", "instances_val2017.json"),
        ],
    )
    def test_what_would_stop_it(
        self, root: Path, line: str, complaint: str, capsys: pytest.CaptureFixture[str]
    ) -> None:
        last = root / "exp" / "ctdet" / "a" / "model_last.pth"
        code, _, said = dry(root, "test", line.replace("LAST", str(last)), capsys)
        assert code == 2
        assert complaint in said
        assert len(said.splitlines()) == 1


class TestDemo:
    def line(self, root: Path, *more: str) -> str:
        model = root / "exp" / "ctdet" / "a" / "model_last.pth"
        demo = f"--demo {root / 'pictures'}"
        return " ".join(["ctdet", demo, "--load_model", str(model), "--gpus", "-1", *more])

    def test_of_a_folder(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        code, said, _ = dry(root, "demo", self.line(root), capsys)
        assert code == 0
        assert f"pictures: {root / 'pictures'}, 2 in all" in said
        assert f"writes: {root / 'exp' / 'ctdet' / 'default' / 'results'}" in said

    def test_what_would_stop_it(self, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
        for line, complaint in (
            (self.line(root, "--output", str(root / "pictures")), "results would overwrite"),
            (f"ctdet --demo {root / 'none'}", "no such file or folder"),
            (f"ctdet --demo {root / 'pictures'}", "--load_model FILE"),
        ):
            code, _, said = dry(root, "demo", line, capsys)
            assert code == 2
            assert complaint in said
            assert len(said.splitlines()) == 1


def test_a_dry_run_is_not_remembered(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    dry(root, "train", "ctdet --exp_id a --resume --num_epochs 2", capsys)
    line = "ctdet --exp_id a --resume --num_epochs 2 --num_iters 1"
    assert cli.train(line.split(), root) == 0
    assert "dry run" not in capsys.readouterr().out


def millions(said: str) -> float:
    """Parameters of the network, as they are told."""
    return float(said.partition("million parameters")[0].split()[-1])

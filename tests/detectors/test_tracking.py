"""Tracking by the commands: a demo on videos, a test on videos with truth."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from centernet import cli
from centernet.builders.tracking import make_tracker
from centernet.datasets.toy.mot_files import write_mot
from centernet.datasets.toy.motion import draw_motion
from centernet.drawing.traces import Traces
from centernet.io.video_file import VideoFile
from centernet.options.groups import Track
from centernet.structures.detections import Detections
from centernet.trackers import (
    ByteTracker,
    CenterTracker,
    LightningTracker,
    OffsetByteTracker,
    PerClass,
    ReidTracker,
)
from centernet.trackers.shaped import Shaped
from tests.tiny_coco import write_tiny_coco

QUICK = (
    "ctdet --arch mobilenetv3 --weights none --input_res 64 --batch_size 4 --num_workers 0"
    " --gpus -1 --val_intervals 0 --num_epochs 1 --exp_id a"
)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with a trained run `a` and a folder of two videos."""
    folder = tmp_path_factory.mktemp("root")
    assert cli.train([*QUICK.split(), *write_tiny_coco(folder / "tiny")], folder) == 0
    (folder / "videos").mkdir()
    for seed, name in enumerate(("one", "two")):
        with VideoFile(folder / "videos" / f"{name}.mp4", 12) as video:
            for frame in draw_motion(np.random.default_rng(seed))[:4]:
                video.write(frame.image)
    return folder


def _demo(root: Path, line: str) -> int:
    words = f"ctdet --exp_id a --resume --gpus -1 {line}".split()
    return cli.demo(words, root)


def test_a_folder_of_videos_each_by_itself(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = (
        f"--demo {root}/videos --tracker byte --track_thresh 0.02 --new_thresh 0.02 --out_thresh"
        f" 0.01 --show_trace --track_files mot,kitti,coco --vis_thresh 0.02 --output {tmp_path}"
    )
    assert _demo(root, line) == 0
    assert "| track " in capsys.readouterr().out
    for name in ("one", "two"):
        found = {path.name for path in (tmp_path / name).iterdir()}
        wanted = {f"{name}.mp4", f"{name}_mot.txt", f"{name}_kitti.txt", f"{name}_coco.json"}
        assert found == wanted | {"results.json"}
        rows = json.loads((tmp_path / name / "results.json").read_text())
        assert len(rows) == 4
        first = [each["identity"] for each in rows[0]["objects"]]
        assert sorted(first) == list(range(1, len(first) + 1))  # of each video from 1
        lines = (tmp_path / name / f"{name}_mot.txt").read_text().splitlines()
        assert len(lines) == sum(len(row["objects"]) for row in rows) > 0


def test_a_dry_run_counts_the_frames_of_all_videos(
    root: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _demo(root, f"--demo {root}/videos --dry_run --output {tmp_path}/out") == 0
    assert ", 8 in all" in capsys.readouterr().out
    assert not (tmp_path / "out").exists()


def test_what_the_tracker_needs_is_told(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = f"--demo {root}/videos/one.mp4 --tracker center --output {root}/out"
    assert _demo(root, line) == 2
    assert "--tracker center needs displacements of every object" in capsys.readouterr().err


def test_still_images_have_no_tracks(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = [*map(str, write_tiny_coco(root / "tiny"))]
    words = "ctdet --exp_id a --resume --gpus -1 --num_workers 0 --tracker byte"
    assert cli.test([*words.split(), *data], root) == 2
    assert "has no videos" in capsys.readouterr().err


def test_a_test_with_a_tracker_ends_well(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    films = [draw_motion(np.random.default_rng(seed))[:6] for seed in range(2)]
    write_mot(tmp_path / "mot17", "train", films)
    data = f"--dataset mot --data_dir {tmp_path}"
    chosen = "--val_intervals 1 --tracker byte --metric HOTA"
    assert cli.train(f"{QUICK} {data} {chosen}".split(), tmp_path) == 0
    assert (tmp_path / "exp/ctdet/a/model_best.pth").is_file()
    assert cli.train(f"{QUICK} {data} {chosen} --metric AP --exp_id b".split(), tmp_path) == 2
    assert "--metric: unknown metric 'AP'" in capsys.readouterr().err
    line = f"ctdet --exp_id a --resume --gpus -1 --num_workers 0 --tracker byte {data}"
    assert cli.test(f"{line} --track_thresh 0.02 --out_thresh 0.01".split(), tmp_path) == 0
    out = capsys.readouterr().out
    assert "association per image: track" in out
    assert "HOTA" in out
    assert isinstance(json.loads((tmp_path / "exp/ctdet/a/results.json").read_text()), list)


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (Track(), type(None)),
        (Track(tracker="byte"), ByteTracker),
        (Track(tracker="byte", motion="offset"), OffsetByteTracker),
        (Track(tracker="center"), CenterTracker),
        (Track(tracker="reid"), ReidTracker),
        (Track(tracker="lightning"), LightningTracker),
    ],
)
def test_trackers_by_name(asked: Track, kind: type) -> None:
    assert isinstance(make_tracker(asked), kind)


def test_flags_reach_the_tracker() -> None:
    asked = Track(tracker="byte", track_thresh=0.3, out_thresh=0.2, track_buffer=10)
    tracker = make_tracker(asked, rate=15)
    assert isinstance(tracker, ByteTracker)
    assert (tracker.rule.track_thresh, tracker.rule.low_thresh) == (0.3, 0.2)
    assert tracker.rule.memory == 5
    shaped = make_tracker(Track(tracker="byte", min_box_area=100, max_box_ratio=1.6))
    assert isinstance(shaped, Shaped)
    assert (shaped.least_area, shaped.widest) == (100, 1.6)
    several = make_tracker(asked, classes=3)
    assert isinstance(several, PerClass)
    assert isinstance(make_tracker(Track(tracker="center"), classes=3), CenterTracker)


def test_tails_end_in_their_objects_and_are_forgotten() -> None:
    traces, black = Traces(), np.zeros((100, 100, 3), np.uint8)
    for frame in range(10):
        box = [[10 + 5 * frame, 40, 20 + 5 * frame, 60]]
        found = Detections(box, [0.9], [0], identities=np.array([3]))
        picture = traces.draw(black, found, 0.3)
    assert not black.any()
    seen = np.flatnonzero(picture.any(axis=(0, 2)))
    assert seen.min() <= 16
    assert 58 <= seen.max() <= 62
    for _ in range(40):
        traces.draw(black, Detections.empty(), 0.3)
    assert not traces._ways


def test_pictures_of_a_folder_are_one_video(root: Path, tmp_path: Path) -> None:
    (tmp_path / "frames").mkdir()
    for number, frame in enumerate(draw_motion(np.random.default_rng(3))[:3]):
        cv2.imwrite(str(tmp_path / "frames" / f"{number:03d}.png"), frame.image)
    line = f"--demo {tmp_path}/frames --tracker byte --output {tmp_path}/out"
    assert _demo(root, line) == 0
    assert (tmp_path / "out" / "images_mot.txt").is_file()

"""KITTI's folders as a data set: reading them, what is wrong in them, judging results."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from centernet.datasets import open_source
from centernet.datasets.evaluate.kitti import LOOSE, evaluate
from centernet.datasets.evaluate.kitti_labels import read_folder
from centernet.datasets.kitti import KittiSource
from centernet.datasets.toy import write_toy
from centernet.runtime.errors import UserError
from centernet.structures.detections import Detections
from centernet.structures.objects import Cuboids
from tests import real_data
from tests.datasets.made_up import write_image

CAR = "Car 0.00 0 1.55 10.00 8.00 30.00 20.00 1.57 1.73 4.15 1.00 1.75 13.22 1.62"
VAN = "Van 0.00 1 1.50 40.00 9.00 50.00 20.00 2.00 1.90 5.00 3.00 1.80 20.00 1.60"
STUFF = "DontCare -1 -1 -10 1.00 2.00 5.00 6.00 -1 -1 -1 -1000 -1000 -1000 -10"
P2 = "P2: 700 0 30 45 0 700 20 -0.3 0 0 1 0.005\n"


def write_frame(data: Path, name: str, labels: str = CAR, calib: str = P2) -> None:
    part = data / "kitti" / "training"
    write_image(part / "image_2" / f"{name}.png")
    for folder, text in (("label_2", labels), ("calib", calib)):
        (part / folder).mkdir(exist_ok=True)
        (part / folder / f"{name}.txt").write_text(text)


def write_list(data: Path, *names: str, folder: str = "ImageSets_3dop", split: str = "val") -> None:
    path = data / "kitti" / folder / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{name}\n" for name in names))


def opened(data: Path, split: str = "val", **flags: object) -> tuple[KittiSource, list[str]]:
    said: list[str] = []
    source = open_source("kitti", split, data, log=said.append, **flags)
    assert isinstance(source, KittiSource)
    return source, said


def perfect(source: KittiSource) -> dict[int | str, Detections]:
    """The annotations of all classes as detections."""
    results: dict[int | str, Detections] = {}
    for index in range(len(source)):
        objects = source.objects(index)
        own = objects.select(objects.classes >= 0)
        results[source.image_id(index)] = Detections(
            own.boxes,
            np.ones(len(own)),
            own.classes,
            source.info.class_names,
            cuboids=own.cuboids,
        )
    return results


def test_frames_are_read(tmp_path: Path) -> None:
    write_frame(tmp_path, "000007", "\n".join([CAR, VAN, STUFF]) + "\n")
    write_list(tmp_path, "000007")
    source, said = opened(tmp_path)
    assert said == []
    assert (len(source), source.image_id(0)) == (1, "000007")
    assert source.image(0).shape == (40, 60, 3)
    objects = source.objects(0)
    assert objects.classes.tolist() == [1, -3, -1]
    assert objects.boxes[0].tolist() == [10, 8, 30, 20]
    assert isinstance(objects.cuboids, Cuboids)
    assert objects.cuboids.depths[:2].tolist() == pytest.approx([13.22, 20])
    assert objects.calibration[0].tolist() == [700, 0, 30, 45]


def test_other_types_are_ignored_for_what_they_look_like(tmp_path: Path) -> None:
    types = ("Pedestrian", "Car", "Cyclist", "Van", "Truck", "Person_sitting", "Tram", "Misc")
    rows = [CAR.replace("Car", name) for name in (*types, "Spaceship")]
    write_frame(tmp_path, "000007", "\n".join(rows))
    write_list(tmp_path, "000007")
    source, _ = opened(tmp_path)
    assert source.objects(0).classes.tolist() == [0, 1, 2, -3, -3, -2, -99, -99, -99]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (f"{CAR.rsplit(' ', 1)[0]}", "14 fields where an annotation has 15"),
        (f"{CAR} 0.9", "16 fields where an annotation has 15"),
        (CAR.replace("1.57", "tall"), "height 'tall' is not a finite number"),
        (CAR.replace("13.22", "nan"), "z 'nan' is not a finite number"),
    ],
)
def test_a_bad_row_is_named_and_nothing_else_is_lost(
    tmp_path: Path, rows: str, reason: str
) -> None:
    write_frame(tmp_path, "000007", f"{CAR}\n{rows}\n{STUFF}\n")
    write_list(tmp_path, "000007")
    source, (line,) = opened(tmp_path)
    assert "000007.txt: row 2: " in line
    assert reason in line
    assert "\n" not in line
    assert source.objects(0).classes.tolist() == [1, -1]
    with pytest.raises(UserError, match=f"row 2: .*{reason}"):
        opened(tmp_path, strict=True)


@pytest.mark.parametrize(
    ("part", "text", "reason"),
    [
        ("calib/000007.txt", None, "no such calibration file"),
        ("calib/000007.txt", "P2: 700 0 30\n", r"row 1: P2 has 3 numbers"),
        ("label_2/000007.txt", None, "needs its file of annotations"),
        ("image_2/000007.png", None, r"frame 000007: no image of it in .*image_2"),
    ],
)
def test_a_frame_that_is_not_whole(
    tmp_path: Path, part: str, text: str | None, reason: str
) -> None:
    write_frame(tmp_path, "000001")
    write_frame(tmp_path, "000007")
    path = tmp_path / "kitti" / "training" / part
    if text is None:
        path.unlink()
    else:
        path.write_text(text)
    write_list(tmp_path, "000001", "000007")
    source, said = opened(tmp_path)
    assert len(source) == 1
    assert len(said) == 1
    with pytest.raises(UserError, match=reason) as raised:
        opened(tmp_path, strict=True)
    assert "\n" not in str(raised.value)


def test_many_absent_frames_are_counted(tmp_path: Path) -> None:
    write_frame(tmp_path, "000000")
    write_list(tmp_path, *(f"{number:06d}" for number in range(40)))
    source, said = opened(tmp_path)
    assert len(source) == 1
    assert len(said) == 11
    assert said[-1] == "kitti: ... and 29 more; dropped in all: 39 listed but absent"


def test_nothing_to_read(tmp_path: Path) -> None:
    remedy = f"fetch it with: centernet get_data kitti --data_dir {re.escape(str(tmp_path))};"
    with pytest.raises(UserError, match=f"--dataset kitti: no .*kitti; {remedy}"):
        opened(tmp_path)
    write_frame(tmp_path, "000000")
    with pytest.raises(UserError, match=rf"no .*ImageSets_3dop/val\.txt; {remedy}"):
        opened(tmp_path)
    write_list(tmp_path, "000005")
    with pytest.raises(UserError, match=r"val\.txt: not one of its 1 frames .* frame 000005"):
        opened(tmp_path)
    with pytest.raises(UserError, match="--kitti_split: choose from 3dop, subcnn, not 'mine'"):
        opened(tmp_path, kitti_split="mine")


def test_the_lists_of_both_published_splits(tmp_path: Path) -> None:
    for name in ("000000", "000001"):
        write_frame(tmp_path, name)
    write_list(tmp_path, "000000")
    write_list(tmp_path, "000001", folder="ImageSets_subcnn")
    assert opened(tmp_path)[0].image_id(0) == "000000"
    assert opened(tmp_path, kitti_split="subcnn")[0].image_id(0) == "000001"
    shutil.rmtree(tmp_path / "kitti" / "ImageSets_3dop")
    write_list(tmp_path, "000000", "000001", folder="ImageSets")
    source, (line,) = opened(tmp_path)
    assert len(source) == 2
    assert line.startswith("kitti: no ")
    assert "ImageSets_3dop" in line


def test_test_frames_have_no_annotations(tmp_path: Path) -> None:
    write_frame(tmp_path, "000003")
    root = tmp_path / "kitti"
    (root / "training").rename(root / "testing")
    shutil.rmtree(root / "testing" / "label_2")
    write_list(tmp_path, "000003", split="test")
    source, _ = opened(tmp_path, split="test")
    assert len(source.objects(0)) == 0
    assert source.objects(0).calibration[0, 0] == 700
    assert source.evaluate({}, tmp_path / "out").metrics == {"AP": -1.0}
    assert (tmp_path / "out" / "results" / "000003.txt").read_text() == ""


@pytest.mark.parametrize("name", ["kitti", "kitti_jpeg"])
def test_the_annotations_as_detections_are_perfect(name: str, tmp_path: Path) -> None:
    real = real_data.folder(name)
    (tmp_path / "kitti").mkdir()
    for part in ("training", "ImageSets"):
        (tmp_path / "kitti" / part).symlink_to(real / part)
    source, _ = opened(tmp_path, split="train")
    metrics = source.evaluate(perfect(source), tmp_path).metrics
    assert metrics["AP"] == pytest.approx(1)
    assert next(iter(metrics)) == "AP"
    assert {"Car_3D_0.7", "Car_BEV_0.7", "Car_2D_0.7", "Car_AOS_0.7"} <= metrics.keys()
    judged = [v for k, v in metrics.items() if k.startswith("Car")]
    np.testing.assert_allclose(judged, 1)
    table = json.loads((tmp_path / "kitti.json").read_text())
    assert table["R40"]["Car_3D_0.5"] == pytest.approx([100, 100, 100])
    assert set(table) == {"R40", "R11"}


def test_the_files_are_what_is_judged(tmp_path: Path) -> None:
    """A fresh reading of the result files gives the same numbers; worse results give worse ones."""
    real = real_data.folder("kitti")
    (tmp_path / "kitti").symlink_to(real)
    source, said = opened(tmp_path, split="val")
    assert "listed but absent" in said[-1]
    results = perfect(source)
    for key, found in results.items():
        solid = found.cuboids
        assert solid is not None
        moved = solid.locations + np.array([0.0, 0.0, 0.6])
        results[key] = replace(found, cuboids=replace(solid, locations=moved))
    metrics = source.evaluate(results, tmp_path).metrics
    assert 0 < metrics["AP"] < 1
    names = [frame.name for frame in source.frames]
    truth = read_folder(real / "training" / "label_2", names, scored=False)
    found = read_folder(tmp_path / "results", names, scored=True)
    again = evaluate(truth, found, LOOSE, fill_recall=True).ap(40)
    assert metrics["AP"] == pytest.approx(again["Car", "3D"][1] / 100)


def test_flat_detections_are_judged_in_the_image(tmp_path: Path) -> None:
    (tmp_path / "kitti").symlink_to(real_data.folder("kitti_jpeg"))
    source, _ = opened(tmp_path)
    results = {key: replace(found, cuboids=None) for key, found in perfect(source).items()}
    metrics = source.evaluate(results, tmp_path).metrics
    assert metrics["AP"] == pytest.approx(1)
    assert not any("3D" in name or "AOS" in name for name in metrics)


def test_the_toy_streets_are_read_as_kitti(tmp_path: Path) -> None:
    write_toy(tmp_path / "toy", parts=["cuboids"], counts={"cuboids": (3, 6)})
    source = open_source("toy", "val", tmp_path, wanted={"boxes", "cuboids"})
    assert isinstance(source, KittiSource)
    assert len(source) == 6
    assert source.image(0).shape == (256, 768, 3)
    assert source.evaluate(perfect(source), tmp_path).metrics["AP"] == pytest.approx(1)

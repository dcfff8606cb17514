"""KITTI's evaluation against the recorded output of the devkit, and rule by rule."""

from __future__ import annotations

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from centernet.datasets.evaluate import kitti
from centernet.datasets.evaluate.kitti_labels import Labels, read_folder
from tests import real_data
from tests.parity_cases import folder as parity

RECORDED_NAMES = {
    "detection": "2D",
    "orientation": "AOS",
    "detection_ground": "BEV",
    "detection_3d": "3D",
}
FRAMES = 50  # more than the 41 recalls of the devkit


def recorded_cases():
    path = parity() / "kitti" / "kitti.json"
    if not path.is_file():
        reason = f"{path} is absent (set CENTERNET_PARITY to a folder that has it)"
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=reason))]
    cases = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return [pytest.param(case, id=name) for name, case in cases.items()]


def ours(recorded):
    """{(class, metric): value} of {"car_detection_3d": value}."""
    keys = (key.split("_", 1) for key in recorded)
    return {
        (name.capitalize(), RECORDED_NAMES[metric]): np.array(value)
        for (name, metric), value in zip(keys, recorded.values(), strict=True)
    }


@pytest.mark.parametrize("case", recorded_cases())
def test_recorded(case, tmp_path):
    with zipfile.ZipFile(parity() / "kitti" / case["zip"]) as archive:
        archive.extractall(tmp_path)
    frames = sorted(path.stem for path in (tmp_path / "label").iterdir())
    assert len(frames) == case["num_images"]
    table = kitti.evaluate(
        read_folder(tmp_path / "label", frames, scored=False),
        read_folder(tmp_path / "results", frames, scored=True),
        kitti.LOOSE,
    )
    expected = ours(case["AP"])
    assert set(table.curves) == set(expected)
    for key, value in table.ap(points=11).items():
        np.testing.assert_allclose(value, expected[key], atol=2e-5, rtol=0)
    for key, curves in ours(case["precision"]).items():
        np.testing.assert_allclose(table.curves[key], curves, atol=6e-7, rtol=0)


def row(name="Car", score=1.0, left=100.0, height=50.0, **changes) -> tuple[str, list[float]]:
    """One easy object: 60 px wide, seen straight ahead, 4 m long, 20 m away."""
    values = dict(
        truncated=0.0, occluded=0.0, alpha=0.3, left=left, top=150.0, right=left + 60,
        bottom=150 + height, height=1.5, width=1.6, length=4.0, x=left / 40, y=1.6, z=20.0,
        rotation_y=0.4, score=score,
    )  # fmt: skip
    values.update(changes)
    return name, list(values.values())


def labels(*rows) -> Labels:
    values = np.array([values for _, values in rows], np.float64).reshape(-1, 15)
    return Labels(tuple(name for name, _ in rows), values)


def dont_care(left=400.0) -> tuple[str, list[float]]:
    nowhere = dict.fromkeys(("x", "y", "z"), -1000.0)
    sizes = dict.fromkeys(("height", "width", "length"), -1.0)
    values = dict(truncated=-1.0, occluded=-1.0, alpha=-10.0, rotation_y=-10.0)
    name, numbers = row("DontCare", left=left, **values, **nowhere)
    return name, [*numbers[:7], *sizes.values(), *numbers[10:]]


def evaluate(truth, found, overlaps=kitti.OFFICIAL, frames=FRAMES, **options):
    """The same frame again and again, so that every recall is reached."""
    return kitti.evaluate([truth] * frames, [found] * frames, overlaps, **options)


def ap(table, name="Car", metric="2D", points=40):
    return table.ap(points)[name, metric].tolist()


@pytest.mark.parametrize("points", [11, 40])
@pytest.mark.parametrize("overlaps", [kitti.OFFICIAL, kitti.LOOSE], ids=["official", "loose"])
def test_ground_truth_as_detections_is_perfect(points, overlaps):
    truth = labels(row(), row("Pedestrian", left=300), row("Cyclist", left=500), dont_care(700))
    table = evaluate(
        truth,
        labels(*[row(n, left=x) for n, x in (("Car", 100), ("Pedestrian", 300), ("Cyclist", 500))]),
        overlaps,
    )
    assert set(table.curves) == {(name, m) for name in kitti.OFFICIAL for m in kitti.METRICS}
    for value in table.ap(points).values():
        np.testing.assert_array_equal(value, [100, 100, 100])


@pytest.mark.parametrize("name", ["kitti", "kitti_jpeg"])
def test_real_annotations_as_detections_are_perfect(name):
    """Every class, metric and difficulty that the frames have an object for reaches 100."""
    folder = real_data.folder(name) / "training" / "label_2"
    frames = sorted(path.stem for path in folder.glob("*.txt"))
    truth = read_folder(folder, frames, scored=False)
    found = [frame_without(frame, "DontCare") for frame in truth]
    table = kitti.evaluate(truth, found, fill_recall=True)
    assert {name for name, _ in table.curves} == set(kitti.OFFICIAL)
    values = np.stack(list(table.ap(40).values()))
    assert set(np.unique(values)) <= {0.0, 100.0}
    np.testing.assert_array_equal(table.ap(40)["Car", "3D"], [100, 100, 100])
    shifted = [moved(frame, 40.0) for frame in found]
    assert kitti.evaluate(truth, shifted).ap(40)["Car", "3D"].max() == 0


def frame_without(frame: Labels, name: str) -> Labels:
    keep = [index for index, own in enumerate(frame.names) if own != name]
    return Labels(tuple(frame.names[index] for index in keep), frame.values[keep])


def moved(frame: Labels, metres: float) -> Labels:
    values = frame.values.copy()
    values[:, 12] += metres
    return Labels(frame.names, values)


def test_few_objects_cannot_reach_100_in_the_devkit_and_can_when_filled():
    truth, found = labels(row()), labels(row())
    assert ap(evaluate(truth, found, frames=10))[0] == pytest.approx(100 * 9 / 40)
    assert ap(evaluate(truth, found, frames=10, fill_recall=True)) == [100, 100, 100]
    assert ap(evaluate(truth, found, frames=1, fill_recall=True)) == [100, 100, 100]


@pytest.mark.parametrize("frames", [41, 50, 97, 200])
def test_filling_changes_nothing_for_larger_sets(frames):
    random = np.random.default_rng(frames)
    truth = [labels(row())] * frames
    found = [
        labels(row(score=score, left=100 if hit else 900))
        for score, hit in zip(random.random(frames), random.random(frames) < 0.7, strict=True)
    ]
    plain, filled = (kitti.evaluate(truth, found, fill_recall=fill) for fill in (False, True))
    np.testing.assert_array_equal(plain.curves["Car", "2D"], filled.curves["Car", "2D"])
    assert 0 < plain.ap()["Car", "2D"][0] < 100


def test_a_false_positive_above_every_right_one_halves_precision():
    truth = labels(row())
    found = labels(row(score=0.5), row(score=0.9, left=900))
    assert ap(evaluate(truth, found)) == [50, 50, 50]
    below = labels(row(score=0.5), row(score=0.4, left=900))
    assert ap(evaluate(truth, below)) == [100, 100, 100]


def test_missed_objects_end_the_curve():
    truth = labels(row(), row(left=300))
    table = evaluate(truth, labels(row()))
    np.testing.assert_allclose(ap(table), 50, atol=2.5)
    assert table.curves["Car", "2D"][0, -1] == 0


@pytest.mark.parametrize(
    ("extra", "harmless"),
    [(dont_care(900), True), (row("Van", left=900), True), (row("Truck", left=900), False)],
    ids=["DontCare", "Van", "Truck"],
)
def test_what_a_stray_detection_may_lie_on(extra, harmless):
    table = evaluate(labels(row(), extra), labels(row(score=0.5), row(score=0.9, left=900)))
    assert ap(table) == [100 if harmless else 50] * 3


def test_difficulties():
    """A low box, an occluded and a truncated object count from moderate or hard on."""
    far = row(left=300, height=30)
    hidden = row(left=500, occluded=2.0)
    cut = row(left=700, truncated=0.4)
    truth = labels(row(), far, hidden, cut)
    table = evaluate(truth, labels(row()))
    easy, moderate, hard = ap(table)
    assert easy == 100
    assert moderate == pytest.approx(50, abs=2.5)
    assert hard == pytest.approx(25, abs=2.5)
    small = labels(row(score=0.5), row(score=0.9, left=900, height=24))
    assert ap(evaluate(labels(row()), small)) == [100, 100, 100]  # too low to be wrong


@pytest.mark.parametrize(("turn", "expected"), [(0, 100), (np.pi / 2, 50), (np.pi, 0)])
def test_orientation_similarity(turn, expected):
    found = labels(row(alpha=0.3 + turn))
    assert ap(evaluate(labels(row()), found), metric="AOS") == pytest.approx([expected] * 3)
    assert ap(evaluate(labels(row()), found), metric="2D") == [100, 100, 100]


def test_one_missing_alpha_takes_orientation_away():
    truth = labels(row(), row("Cyclist", left=300))
    table = evaluate(truth, labels(row(), row("Cyclist", left=300, alpha=-10.0)))
    assert {metric for _, metric in table.curves} == {"2D", "BEV", "3D"}


def test_ground_and_space_have_their_own_overlaps():
    """Half a metre along a car of 4 m leaves 3.5 / 4.5 = 0.78, one metre 0.6."""

    def found(shift, lift=0.0):
        x, z = 2.5 + shift * np.cos(0.4), 20 - shift * np.sin(0.4)
        return labels(row(x=x, z=z, y=1.6 + lift))

    truth = labels(row())
    assert ap(evaluate(truth, found(0.5)), metric="BEV") == [100, 100, 100]
    assert ap(evaluate(truth, found(1.0)), metric="BEV") == [0, 0, 0]
    assert ap(evaluate(truth, found(1.0), kitti.LOOSE), metric="BEV") == [100, 100, 100]
    lifted = evaluate(truth, found(0.0, lift=0.5))  # 1 m of 2 m in common: 0.5
    assert ap(lifted, metric="BEV") == [100, 100, 100]
    assert ap(lifted, metric="3D") == [0, 0, 0]


def test_detections_without_a_place_are_only_evaluated_in_the_image():
    flat = dict(height=-1.0, width=-1.0, length=-1.0, x=-1000.0, y=-1000.0, z=-1000.0)
    name, values = row()
    fields = ["truncated", "occluded", "alpha", "left", "top", "right", "bottom"]
    found = labels((name, [*values[: len(fields)], *flat.values(), *values[13:]]))
    table = evaluate(labels(row()), found)
    assert set(table.curves) == {("Car", "2D"), ("Car", "AOS")}


def test_nothing_found_and_nothing_there():
    empty = labels()
    assert not evaluate(labels(row()), empty).curves
    assert ap(evaluate(empty, labels(row()))) == [0, 0, 0]
    assert not kitti.evaluate([], []).curves


def test_each_object_is_found_once():
    twice = labels(row(score=0.9), row(score=0.8))
    table = evaluate(labels(row()), twice)
    assert ap(table) == [100, 100, 100]  # the second comes below every threshold
    table = evaluate(labels(row()), labels(row(score=0.9), row(score=0.9)))
    assert ap(table) == [50, 50, 50]


def test_frame_numbers_must_agree():
    with pytest.raises(ValueError, match="2 annotated frames but 1"):
        kitti.evaluate([labels(row())] * 2, [labels(row())])


def test_table_prints_both_averages_and_the_overlaps():
    table = evaluate(labels(row()), labels(row(score=0.5), row(score=0.9, left=900)), kitti.LOOSE)
    text = str(table)
    assert "50 frames" in text.splitlines()[0]
    line = next(line for line in text.splitlines() if line.startswith("Car") and "BEV" in line)
    assert line.split() == ["Car", "BEV", "0.50", *["50.00"] * 6]
    with pytest.raises(ValueError, match="11 or 40"):
        replace(table).ap(12)

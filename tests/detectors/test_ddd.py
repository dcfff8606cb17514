"""3D detection from image to cuboids: the recorded runs, flips, scales and cameras."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from centernet.datasets.calibration import assumed_calibration
from centernet.detectors.detector import Detector
from centernet.models.create import create_model
from centernet.models.published import published_key
from centernet.structures.detections import Detections
from tests import parity_cases
from tests.detectors.recorded import fill, image_of
from tests.parity_cases import cases
from tests.tasks.recorded import cuboid_rows, make_task, without_turns

# What the published detector takes where it is told nothing: the camera of one KITTI frame.
KITTI_CAMERA = np.array(
    [[707.0493, 0, 604.0814, 45.75831], [0, 707.0493, 180.5066, -0.3454157], [0, 0, 1, 0.004981016]]
)


def detector_of(case: Any, **settings: Any) -> Detector:
    params = case.params
    task = make_task("ddd", "kitti", params["args"])
    model = create_model(params["arch"], task.heads)
    fill(model, params["weights_seed"], params["feature_scale"])
    state = {published_key(key): value for key, value in model.state_dict().items()}
    for key, value in case.inputs.items():
        state[key.removeprefix("override.")].copy_(torch.from_numpy(np.array(value)))
    return Detector.of(
        task,
        model,
        input_size=tuple(params["input_hw"]),
        keep_res="--keep_res" in params["args"],
        device="cpu",
        **settings,
    )


def detect(detector: Detector, image: np.ndarray, camera: np.ndarray | None) -> Detections:
    return next(detector.predict([detector.prepare(image, calibration=camera)]))[1]


@pytest.mark.parametrize("case", cases("detectors/ddd"))
def test_run_as_recorded(case: Any) -> None:
    """The published detector passed over --flip_test and moved boxes by half a translation."""
    params = case.params
    image = image_of(params["image"])
    assert parity_cases.recipe().digest(image) == params["image"]["image_digest"]
    camera = KITTI_CAMERA if params["calib"] is None else np.array(params["calib"])
    found = detect(detector_of(case), image, camera)
    recorded, shift = case.outputs["results"].copy(), case.outputs["wh_translation"]
    recorded[:, 2:4] += shift / 2
    recorded[:, 4:6] -= shift / 2
    modern = int(cv2.__version__.split(".")[0]) >= 5
    same, message = parity_cases.recipe().match_ranked(
        without_turns(recorded),
        without_turns(cuboid_rows(found)),
        score_col=13,
        atol=0.05 if modern else 0.5,
        rtol=0,
        score_atol=1e-4 if modern else 5e-3,
    )
    assert same, message
    assert found.scores.min() > (0.5 if "0.5" in params["args"] else 0.1)


def some_case() -> Any:
    """A recorded run with a camera of its own; the last is that of the smallest network."""
    found = [p.values[0] for p in cases("detectors/ddd", where=lambda c: c.params["calib"])]
    if not found or found[-1] is None:
        pytest.skip(f"{parity_cases.folder()} has no recorded run of ddd with a camera")
    return found[-1]


def test_flip_test_sees_the_mirrored_image_alike() -> None:
    """With the flip test, an image and its mirror image give mirrored results."""
    case = some_case()
    detector = detector_of(case, flip_test=True)
    # As large as the input, so that no pixel is interpolated; the axis in the middle.
    image = cv2.resize(image_of(case.params["image"]), (320, 96))
    camera = np.array([[180.0, 0, 159.5, 0], [0, 180.0, 48, 0], [0, 0, 1, 0]])
    maps = [
        detector.maps([detector.prepare(seen, calibration=camera).scales[0]])
        for seen in (image, np.ascontiguousarray(image[:, ::-1]))
    ]
    for name, head in detector.task.heads.items():
        if head.flip is None:
            continue
        own, mirrored = maps[0][name].whole(), head.flip(maps[1][name].whole())
        torch.testing.assert_close(own, mirrored, atol=2e-4, rtol=1e-4)


def test_several_scales_and_nms() -> None:
    """The published detector crashed at more than one scale."""
    case = some_case()
    image = image_of(case.params["image"])
    camera = np.array(case.params["calib"])
    one = detect(detector_of(case), image, camera)
    several = detect(detector_of(case, scales=(0.75, 1.0, 1.25)), image, camera)
    softened = detect(detector_of(case, nms=True), image, camera)
    assert 0 < len(several) <= 100
    assert several.cuboids is not None
    assert np.isfinite(several.cuboids.locations).all()
    assert softened.scores.sum() < one.scores.sum()


def test_every_image_of_a_batch_has_its_own_camera() -> None:
    """The published post-processing took the first image's for all."""
    case = some_case()
    image = image_of(case.params["image"])
    near, far = np.array(case.params["calib"]), np.array(case.params["calib"])
    far[0, 3] += 180.4 * 2  # two metres to the side
    detector = detector_of(case, batch_size=2)
    each = [detector.prepare(image, calibration=c) for c in (near, far)]
    found = [one for _, one in detector.predict(each)]
    assert found[0].cuboids is not None
    assert found[1].cuboids is not None
    moved = found[0].cuboids.locations - found[1].cuboids.locations
    np.testing.assert_allclose(moved, np.tile([2.0, 0, 0], (len(moved), 1)), atol=1e-4)
    np.testing.assert_array_equal(found[1].calibration, far)


def test_an_unknown_camera_is_assumed_for_the_size_of_the_image(
    capsys: pytest.CaptureFixture,
) -> None:
    case = some_case()
    detector = detector_of(case)
    image = image_of(case.params["image"])
    found = detector.detect(image)
    assert isinstance(found, Detections)
    np.testing.assert_array_equal(found.calibration, assumed_calibration(image.shape[:2]))
    assert capsys.readouterr().err.count("CAMERA UNKNOWN") == 1
    seen = found.above(0.3)
    assert len(seen)
    assert (found.plot(image) != image).any()
    above, empty = found.birds_eye(), found.birds_eye(threshold=1.0)
    assert above is not None
    assert empty is not None
    assert above.shape == empty.shape == (480, 480, 3)
    assert (above != empty).any()
    assert replace(found, cuboids=None).birds_eye() is None

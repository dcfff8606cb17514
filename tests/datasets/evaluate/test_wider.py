"""WIDER FACE's measure: recorded curves, and what the protocol says of doubles and of strangers."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

from centernet.datasets.evaluate.wider import LEVELS, wider_curve
from tests.parity_cases import folder


def recorded() -> list[Any]:
    path = folder() / "family" / "centerface" / "wider_eval.json"
    if not path.is_file():
        return [pytest.param(None, id="absent", marks=pytest.mark.skip(reason=f"no {path}"))]
    return [pytest.param(case, id=case["name"]) for case in json.loads(path.read_text())["cases"]]


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("case", recorded())
def test_as_recorded(case: Any, level: str) -> None:
    faces, counted, found = {}, {}, {}
    for (event, images), keep in zip(case["gt"], case["keep_index_1based"][level], strict=True):
        for (image, boxes), rows in zip(images, keep, strict=True):
            name = f"{event}/{image}"
            faces[name] = np.array(boxes, float).reshape(-1, 4)
            counted[name] = np.array(rows, int) - 1
    for event, images in case["predictions_xywhs"].items():
        for image, rows in images.items():
            found[f"{event}/{image}"] = np.array(rows, float).reshape(-1, 5)
    curve = wider_curve(faces, found, counted, case["iou_thresh"])
    assert curve.ap == pytest.approx(case["ap"][level], abs=1e-12)
    wanted = case["curve_every_50th_threshold"][level]
    for name in ("precision", "recall"):
        values = np.array([np.nan if v is None else v for v in wanted[name]], float)
        step = len(values) and 1000 // len(values)
        np.testing.assert_allclose(getattr(curve, name)[step - 1 :: step], values, atol=1e-12)


FACES = {"a": np.array([[10, 10, 40, 40], [100, 10, 40, 40.0]])}


def test_a_perfect_answer() -> None:
    found = {"a": np.array([[10, 10, 40, 40, 0.9], [100, 10, 40, 40, 0.3]])}
    assert wider_curve(FACES, found, {"a": [0, 1]}).ap == pytest.approx(1.0)


def test_faces_off_the_list_are_neither_right_nor_wrong() -> None:
    found = {"a": np.array([[100, 10, 40, 40, 0.95], [10, 10, 40, 40, 0.9], [0, 90, 9, 9, 0.1]])}
    curve = wider_curve(FACES, found, {"a": [0]})
    assert curve.ap == pytest.approx(1.0)
    assert np.isnan(curve.precision[0])  # the first detection does not count
    assert curve.precision[-1] == 0.5


def test_a_face_found_twice_is_one_right_and_one_wrong() -> None:
    found = {"a": np.array([[10, 10, 40, 40, 0.9], [11, 10, 40, 40, 0.8], [0, 90, 9, 9, 0.1]])}
    curve = wider_curve(FACES, found, {"a": [0, 1]})
    assert curve.recall[-1] == 0.5
    assert curve.precision[-1] == pytest.approx(1 / 3)


def test_nothing_found_and_nothing_there() -> None:
    assert wider_curve(FACES, {}, {"a": [0]}).ap == 0.0
    assert wider_curve({"a": np.zeros((0, 4))}, {"a": np.ones((2, 5))}, {}).ap == 0.0

"""The affine map against the recorded matrices."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.geometry.affine import affine, transform
from tests.parity_cases import cases


@pytest.mark.parametrize("case", cases("preprocess/affine", where=lambda c: c.name == "matrices"))
def test_matrices_and_points(case):
    points = case.inputs["pts"]
    compared = 0
    for i, p in enumerate(case.params["cases"]):
        scale = np.broadcast_to(np.asarray(p["s"], np.float32), 2)
        center = np.asarray(p["c"]) + scale * np.asarray(p["shift"])  # a shift is a moved centre
        size = tuple(p["output_size_wh"])
        ours = affine(center, scale, p["rot"], size, inverse=bool(p["inv"]))
        np.testing.assert_allclose(ours, case.outputs["trans"][i], atol=1e-4, rtol=1e-6)
        moved = case.outputs["affine_transform"][i]
        np.testing.assert_allclose(transform(points, ours), moved, atol=1e-3, rtol=1e-5)
        if p["shift"] == [0, 0]:  # transform_preds knows neither shift nor rotation
            back = affine(center, scale, 0.0, size, inverse=True)
            recorded = case.outputs["transform_preds"][i]
            np.testing.assert_allclose(transform(points, back), recorded, atol=1e-3, rtol=1e-5)
            compared += 1
    assert compared > 10


def test_inverse_undoes_the_map():
    there = affine((70.0, 40.0), 123.0, 25.0, (96, 64))
    back = affine((70.0, 40.0), 123.0, 25.0, (96, 64), inverse=True)
    points = np.array([[3.0, 5.0], [80.0, 61.0]])
    np.testing.assert_allclose(transform(transform(points, there), back), points, atol=1e-3)

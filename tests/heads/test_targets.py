"""Gaussians, radii and spread values against the recorded ones."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.heads.targets import draw_gaussian, draw_wide_gaussian, gaussian_radius, spread_value
from tests.parity_cases import cases


def named(prefix):
    return lambda case: case.name.startswith(prefix)


@pytest.mark.parametrize("case", cases("targets/gaussian", where=named("radius")))
def test_radius(case):
    sizes = case.inputs["height_width"]
    overlaps = case.params.get("min_overlaps") or [case.params["min_overlap"]]
    ours = [[gaussian_radius(float(h), float(w), o) for o in overlaps] for h, w in sizes]
    recorded = np.asarray(case.outputs["radius"])
    np.testing.assert_allclose(np.ravel(ours), recorded.ravel(), rtol=1e-5)


@pytest.mark.parametrize("case", cases("targets/gaussian", where=named("draw")))
def test_drawing(case):
    shape = tuple(case.params["shape_hw"])
    bell, wide = np.zeros(shape, np.float32), np.zeros(shape, np.float32)
    for x, y, radius in case.params["x_y_radius"]:
        draw_gaussian(bell, int(x), int(y), radius)
        if radius > 0:  # the wide one rounds its centre, the other truncates it
            draw_wide_gaussian(wide, int(x + 0.5), int(y + 0.5), radius)
    np.testing.assert_allclose(bell, case.outputs["umich"], atol=1e-6)
    np.testing.assert_allclose(wide, case.outputs["msra"], atol=1e-6)


@pytest.mark.parametrize("case", cases("targets/gaussian", where=named("dense_reg")))
def test_spreading(case):
    shape = case.outputs["hm"].shape
    heat, values = np.zeros(shape, np.float32), np.zeros((2, *shape), np.float32)
    heat_first = case.params["order"].startswith("gaussian")
    for (x, y), value, radius in case.params["items"]:
        if heat_first:
            draw_gaussian(heat, x, y, radius)
        wanted = np.asarray(value, np.float32)
        spread_value(values, heat, x, y, wanted, radius, bool(case.params["is_offset"]))
        if not heat_first:
            draw_gaussian(heat, x, y, radius)
    np.testing.assert_allclose(heat, case.outputs["hm"], atol=1e-6)
    np.testing.assert_allclose(values, case.outputs["regmap"], atol=1e-6)

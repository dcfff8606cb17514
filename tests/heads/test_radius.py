"""Radii of gaussians: every published rule, and the ellipses of TTFNet."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from centernet.heads.rows import draw_objects, fixed_radius, place
from centernet.heads.targets import draw_ellipse, exact_radius, gaussian_radius, ttf_radius
from centernet.runtime.errors import UserError
from tests.parity_cases import cases

OVERLAPS = cases("family/targets/radius", where=lambda c: "min_overlap" in c.params)
TTF = cases("family/targets/radius", where=lambda c: "alpha" in c.params)


@pytest.mark.parametrize("case", OVERLAPS)
@pytest.mark.parametrize(("rule", "name"), [(gaussian_radius, "bug"), (exact_radius, "fixed")])
def test_radii_of_an_overlap(case: Any, rule: Any, name: str) -> None:
    pairs = zip(case.inputs["h"], case.inputs["w"], strict=True)
    found = [rule(float(h), float(w), case.params["min_overlap"]) for h, w in pairs]
    np.testing.assert_allclose(found, case.outputs[name], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("case", TTF)
def test_radii_of_ttfnet(case: Any) -> None:
    for axis in ("h", "w"):
        found = [ttf_radius(float(side)) for side in case.inputs[axis]]
        assert found == case.outputs[f"{axis}_radius"].tolist()


def test_rows_take_the_radius_that_is_asked_for() -> None:
    boxes, classes = np.array([[2.0, 3, 32, 13]]), np.zeros(1, np.int64)
    found = {
        radius: place(boxes, classes, (24, 40), 2, radius=radius)
        for radius in ("published", "exact", "ttf", "fixed:3")
    }
    assert {k: (int(v.radii[0]), int(v.down[0])) for k, v in found.items()} == {
        "published": (int(gaussian_radius(10, 30)),) * 2,
        "exact": (int(exact_radius(10, 30)),) * 2,
        "ttf": (8, 2),
        "fixed:3": (3, 3),
    }
    heat = np.zeros((1, 24, 40), np.float32)
    draw_objects(heat, found["ttf"])
    assert heat[0, 8, 17] == 1
    assert (heat[0] > 0).any(axis=0).sum() == 17
    assert (heat[0] > 0).any(axis=1).sum() == 5


def test_an_ellipse_of_equal_radii_is_the_gaussian() -> None:
    one, other = np.zeros((9, 9), np.float32), np.zeros((1, 9, 9), np.float32)
    draw_ellipse(one, 4, 3, 3, 3)
    draw_objects(other, place(np.array([[2.0, 1, 6, 5]]), np.zeros(1, np.int64), (9, 9), 1,
                              radius="fixed:3"))  # fmt: skip
    np.testing.assert_allclose(one, other[0], atol=1e-6)


@pytest.mark.parametrize("word", ["fixed", "fixed:", "fixed:x", "fixed:-1", "big"])
def test_what_is_no_radius(word: str) -> None:
    with pytest.raises(UserError, match=r"--radius .* there are published, exact, ttf and fixed:N"):
        fixed_radius(word)

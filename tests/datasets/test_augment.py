"""Colour jitter and views: recorded numbers, and the properties training relies on."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.datasets.colour import COLOUR_VALUES, COLOUR_VECTORS, GREY_WEIGHTS, Colour, normalise
from centernet.datasets.framing import Augmentation, SquareFraming, WideFraming
from centernet.geometry.view import View
from tests.parity_cases import cases


def apply(colour: Colour, image: np.ndarray) -> np.ndarray:
    matrix = colour.matrix(float((image @ GREY_WEIGHTS).mean()))
    return image @ matrix[:, :3].T + matrix[:, 3]


@pytest.mark.parametrize("case", cases("augment/color"))
def test_jitter(case):
    image = case.inputs["image"].astype(np.float64)
    colour = Colour()
    if case.name.startswith("color_aug"):
        steps = zip(case.params["order"], case.outputs["alpha_in_order"], strict=True)
        for step, alpha in steps:
            colour = getattr(colour, step)(float(alpha))
        colour = colour.lighting(case.outputs["alpha_lighting"])
    elif case.name == "lighting":
        np.testing.assert_allclose(COLOUR_VALUES, case.inputs["eig_val"], rtol=1e-6)
        np.testing.assert_allclose(COLOUR_VECTORS, case.inputs["eig_vec"], rtol=1e-6)
        colour = colour.lighting(case.outputs["alpha"])
    else:
        colour = getattr(colour, case.name)(float(case.outputs["alpha"]))
    np.testing.assert_allclose(apply(colour, image), case.outputs["image"], atol=2e-6, rtol=1e-5)


def test_normalise_is_the_plain_formula():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (9, 7, 3), dtype=np.uint8)
    mean, std = (0.4, 0.45, 0.5), (0.2, 0.3, 0.25)
    plain = ((image / 255.0 - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(normalise(image, mean, std), plain, atol=1e-5)
    colour = Colour.draw(rng)
    plain = ((apply(colour, image / 255.0) - mean) / std).transpose(2, 0, 1)
    np.testing.assert_allclose(normalise(image, mean, std, colour), plain, atol=1e-4)


def test_training_views_stay_on_the_image():
    rng, framing = np.random.default_rng(1), SquareFraming()
    for _ in range(200):
        height, width = int(rng.integers(8, 500)), int(rng.integers(8, 500))
        whole, size = framing.whole((height, width), (64, 64), pad=31, keep_res=False)
        view = framing.train((height, width), whole, Augmentation(), rng)
        assert size == (64, 64)
        assert 0 <= view.center[0] <= width
        assert 0 <= view.center[1] <= height
        assert 0.59 < view.scale / max(height, width) < 1.41


def test_wide_training_views_stray_only_sometimes() -> None:
    rng, framing = np.random.default_rng(1), WideFraming()
    whole, size = framing.whole((100, 300), (96, 320), pad=31, keep_res=False)
    assert (whole, size) == (View((150.0, 50.0), (300.0, 100.0)), (96, 320))
    views = [framing.train((100, 300), whole, Augmentation(), rng) for _ in range(200)]
    strayed = [view for view in views if view.strayed]
    assert 60 < len(strayed) < 140  # half of them
    assert all(view == whole for view in views if not view.strayed)
    for view in strayed:
        assert view.mirror is None
        assert view.scale[0] / view.scale[1] == pytest.approx(3)
        assert 0.6 <= view.scale[0] / 300 <= 1.4
        assert abs(view.center[0] - 150) <= 60
        assert abs(view.center[1] - 50) <= 20


def test_wide_test_views_tell_their_zoom() -> None:
    for keep_res, spans in ((False, 300.0), (True, 320.0)):
        view, canvas, resized = WideFraming().test(
            (100, 300), (96, 320), pad=31, keep_res=keep_res, scale=1.5
        )
        assert (canvas, resized, view.zoom) == ((96, 320), (150, 450), 1.5)
        assert view.center == (225.0, 75.0)
        assert view.scale[0] == spans


def test_mirrored_view_equals_view_of_mirrored_image():
    """Folding the flip into the affine draws the same pixels as flipping first."""
    image = np.random.default_rng(2).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    folded = View((25.0, 20.0), 50.0, 0.0, mirror=60).warp(image, (48, 48))
    flipped = View((25.0, 20.0), 50.0).warp(np.ascontiguousarray(image[:, ::-1]), (48, 48))
    assert np.abs(folded.astype(int) - flipped).max() <= 1

"""Network inputs and the views behind them, against the recorded ones."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest
import torch

from centernet.datasets.colour import colour_table
from centernet.datasets.framing import SquareFraming
from centernet.datasets.pixels import looked_up
from centernet.datasets.published import PUBLISHED
from centernet.detectors.preprocess import Preprocess, as_image, to_batch, with_mirrored
from centernet.runtime.errors import UserError
from centernet.tasks import TASKS
from tests.detectors.recorded import MEAN, STD, image_of
from tests.parity_cases import cases


def argument(params: dict[str, Any], name: str, default: int) -> int:
    args = params["args"]
    return int(args[args.index(name) + 1]) if name in args else default


def preprocess_of(params: dict[str, Any]) -> Preprocess:
    task = TASKS.get(params["task"], TASKS["ctdet"])
    facts = PUBLISHED[task.Options.default_dataset]
    height, width = facts.resolution
    side = argument(params, "--input_res", -1)
    if side > 0:
        height, width = side, side
    size = argument(params, "--input_h", height), argument(params, "--input_w", width)
    own = facts.name == "kitti"  # the other published detectors round COCO's figures
    return Preprocess(
        framing=task.framing,
        mean=facts.mean if own else MEAN,
        std=facts.std if own else STD,
        input_size=size,
        pad=127 if params["arch"] == "hourglass" else 31,
        keep_res="--keep_res" in params["args"],
    )


@pytest.mark.parametrize("case", cases("preprocess/pre_process"))
def test_input_as_recorded(case: Any) -> None:
    params = case.params
    image = image_of(params)
    scale = params["scale"]
    prepared = preprocess_of(params)(image, scale)
    batch = to_batch([prepared.input])
    batch = (with_mirrored(batch) if "--flip_test" in params["args"] else batch).numpy()
    batch = np.ascontiguousarray(batch)  # so that NumPy's float32 means are as exact as recorded
    assert list(batch.shape) == params["shape"]
    assert batch.dtype == np.float32
    if "full" in case.outputs:
        np.testing.assert_allclose(batch, case.outputs["full"], atol=tolerance(), rtol=0)
    else:
        step = params["sub"]
        seen = batch[..., ::step, ::step]
        np.testing.assert_allclose(seen, case.outputs["sub"], atol=tolerance(), rtol=0)
    stats = np.stack([f(batch, axis=(2, 3)) for f in (np.mean, np.std, np.min, np.max)], axis=-1)
    np.testing.assert_allclose(stats, case.outputs["stats"], atol=tolerance(), rtol=1e-5)
    # The recorded view is one of the resized image, ours of the image itself.
    np.testing.assert_allclose(
        np.multiply(prepared.view.center, scale), case.outputs["meta.c"], rtol=1e-6
    )
    np.testing.assert_allclose(
        np.multiply(prepared.view.scale, scale), case.outputs["meta.s"], rtol=1e-6
    )


def tolerance() -> float:
    """OpenCV 4 rounds the weights of warpAffine to 1/32: up to three grey levels."""
    return 2e-5 if int(cv2.__version__.split(".")[0]) >= 5 else 0.1


def test_colours_by_the_table_are_those_by_arithmetic() -> None:
    image = np.random.default_rng(0).integers(0, 256, (9, 7, 3), dtype=np.uint8)
    seen = looked_up(image[:, ::-1], colour_table(MEAN, STD))
    expected = ((image[:, ::-1] / 255 - MEAN) / STD).astype(np.float32).transpose(2, 0, 1)
    assert np.array_equal(seen, expected)
    alone, both = to_batch([seen]), with_mirrored(to_batch([seen, seen]))
    assert alone.is_contiguous(memory_format=torch.channels_last)
    assert both.is_contiguous(memory_format=torch.channels_last)
    assert both.shape == (4, 3, 9, 7)
    assert torch.equal(both[2].flip(-1), alone[0])


def test_picture_undoes_the_normalisation() -> None:
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    prepare = Preprocess(SquareFraming(), MEAN, STD, (64, 64))
    assert np.array_equal(prepare.picture(prepare(image)), image)


def test_image_vanishing_at_a_scale() -> None:
    prepare = Preprocess(SquareFraming(), MEAN, STD, (64, 64))
    with pytest.raises(UserError, match=r"an image of 1x90 vanishes at test scale 0\.5"):
        prepare(np.zeros((90, 1, 3), np.uint8), 0.5)


def test_arrays_by_the_policy_for_files() -> None:
    grey = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for array in (grey, grey[:, :, None]):
        assert np.array_equal(as_image(array), np.dstack([grey] * 3))
    colours = np.dstack([grey, grey + 1, grey + 2, grey + 3])
    assert np.array_equal(as_image(colours), colours[:, :, :3])
    assert np.array_equal(as_image(colours[:, :, :3][:, ::-1]), colours[:, ::-1, :3])


@pytest.mark.parametrize(
    ("array", "reason"),
    [
        (np.zeros((4, 4, 3), np.float32), "uint8"),
        (np.zeros((3, 4, 7), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((1, 3, 4, 4), np.uint8), r"\(H, W, 3\)"),
        (np.zeros((0, 4, 3), np.uint8), r"\(H, W, 3\)"),
    ],
)
def test_no_image(array: np.ndarray, reason: str) -> None:
    with pytest.raises(UserError, match=reason):
        as_image(array)

"""Masks survive being written as polygons or run lengths, pixel for pixel."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from pycocotools import mask as coco_mask

from centernet.datasets.toy.masks import run_lengths, segmentation, tight_box

some_masks = arrays(bool, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.booleans())


def decoded(form: Any, height: int, width: int) -> np.ndarray:
    """The pixels as pycocotools sees them."""
    runs = coco_mask.frPyObjects(form, height, width)
    return coco_mask.decode(coco_mask.merge(runs) if isinstance(form, list) else runs).astype(bool)


@settings(max_examples=300, deadline=None)
@given(some_masks.filter(np.any))
def test_any_mask_comes_back(mask: np.ndarray) -> None:
    np.testing.assert_array_equal(decoded(segmentation(mask), *mask.shape), mask)
    np.testing.assert_array_equal(decoded(run_lengths(mask), *mask.shape), mask)
    runs = coco_mask.encode(np.asfortranarray(mask, np.uint8))
    assert coco_mask.toBbox(runs).tolist() == tight_box(mask)


def test_holes_need_run_lengths_and_pieces_need_polygons() -> None:
    ring = np.ones((5, 5), bool)
    ring[2, 2] = False
    assert isinstance(segmentation(ring), dict)
    pieces = np.zeros((5, 9), bool)
    pieces[1:4, 1:3] = pieces[2:5, 5:8] = True
    polygons = segmentation(pieces)
    assert isinstance(polygons, list)
    assert sorted(map(sorted, polygons)) == [[1, 1, 1, 1, 3, 3, 4, 4], [2, 2, 5, 5, 5, 5, 8, 8]]

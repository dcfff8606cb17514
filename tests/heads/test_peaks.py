"""Peaks, top-K, gathering and mirrored maps against the recorded ones."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from centernet.heads.peaks import (
    gather,
    local_maxima,
    mirror,
    mirror_channels,
    mirror_vectors,
    top_k,
    top_k_of_each,
)
from tests.parity_cases import cases


def named(*prefixes):
    return lambda case: case.name.startswith(prefixes)


@pytest.mark.parametrize("case", cases("decode/blocks", where=named("nms")))
def test_local_maxima(case):
    heat = local_maxima(torch.from_numpy(case.inputs["heat"]), case.params["kernel"])
    np.testing.assert_array_equal(heat, case.outputs["heat"])


@pytest.mark.parametrize("case", cases("decode/blocks", where=named("topk")))
def test_top_k(case):
    heat = torch.from_numpy(case.inputs["heat"])
    function = top_k_of_each if case.name.endswith("channel") else top_k
    peaks = function(heat, case.params["K"])
    np.testing.assert_allclose(peaks.scores, case.outputs["scores"], atol=1e-6)
    fields = {"index": "inds", "y": "ys", "x": "xs", "classes": "clses"}
    for ours, recorded in fields.items():
        if recorded in case.outputs:
            np.testing.assert_array_equal(getattr(peaks, ours), case.outputs[recorded])


@pytest.mark.parametrize("case", cases("decode/blocks", where=named("gather")))
def test_gather(case):
    found = gather(torch.from_numpy(case.inputs["feat"]), torch.from_numpy(case.inputs["ind"]))
    np.testing.assert_array_equal(found, case.outputs["out"])


@pytest.mark.parametrize("case", cases("decode/blocks", where=named("flips")))
def test_mirrored_maps(case):
    a, b = (torch.from_numpy(case.inputs[name]) for name in "ab")
    pairs = case.params["flip_idx"]
    np.testing.assert_array_equal(mirror(a), case.outputs["flip_tensor_a"])
    np.testing.assert_array_equal(mirror_channels(a, pairs), case.outputs["flip_lr_a"])
    np.testing.assert_array_equal(mirror_vectors(b, pairs), case.outputs["flip_lr_off_b"])


def test_k_larger_than_the_map_gives_all_of_it():
    peaks = top_k(torch.rand(2, 3, 2, 2), 100)
    assert peaks.scores.shape == (2, 12)
    assert peaks.classes.max() == 2

"""The compiled scan finds what pooling and sorting find, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.tasks.peak_scan import scan
from centernet.tasks.peaks import (
    best_peaks,
    best_peaks_of_each,
    local_maxima,
    top_k,
    top_k_of_each,
)

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@settings(max_examples=150, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, n) for n in (3, 9, 23, 19))),
    levels=st.sampled_from([2, 5, 100, 0]),
    k=st.integers(1, 60),
    kernel=st.sampled_from([1, 3, 5]),
    layout=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 2**16),
)
def test_the_same_peaks(shape, levels, k, kernel, layout, seed) -> None:
    """Scores to the bit; where they stand too, but for the choice among those equal to the last."""
    random = torch.Generator().manual_seed(seed)
    heat = torch.rand(shape, generator=random) + 0.01
    if levels:  # few different values: plateaus and ties
        heat = (heat * levels).ceil() / levels
    heat = heat.to(memory_format=layout)
    expected, found = top_k(local_maxima(heat, kernel), k), best_peaks(heat, k, kernel)
    assert torch.equal(found.scores, expected.scores)
    area = shape[2] * shape[3]
    for image in range(shape[0]):
        above = found.scores[image] > found.scores[image, -1]
        places = [p.classes[image][above] * area + p.index[image][above] for p in (found, expected)]
        assert torch.equal(places[0].sort().values, places[1].sort().values)
        maxima = local_maxima(heat, kernel)[image]
        x, y = found.x[image].long(), found.y[image].long()
        assert torch.equal(maxima[found.classes[image], y, x], found.scores[image])
        whole = found.classes[image] * area + found.index[image]
        assert len(whole.unique()) == len(whole)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_of_equal_peaks_the_first_in_the_map(layout: torch.memory_format) -> None:
    heat = torch.zeros(1, 4, 9, 9)
    heat[:, :, ::2, ::2] = 0.5
    heat[0, 2, 4, 4] = 0.75
    found = best_peaks(heat.to(memory_format=layout), 4)
    assert found.classes.tolist() == [[2, 0, 0, 0]]
    assert found.index.tolist() == [[4 * 9 + 4, 0, 2, 4]]
    assert scan(heat.numpy(), 4) is not None


def test_too_few_peaks_are_filled_up_as_before() -> None:
    """With cells that are none, of score 0; and with peaks below 0 after those."""
    heat = torch.zeros(1, 2, 3, 3)
    heat[0, 1, 1, 1] = 0.5
    assert scan(heat.numpy(), 2) is None
    assert best_peaks(heat, 5).scores.tolist() == [[0.5, 0, 0, 0, 0]]
    assert best_peaks(heat, 100).scores.shape == (1, 18)
    assert torch.equal(best_peaks(-heat - 1, 20).scores, top_k(local_maxima(-heat - 1), 20).scores)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_channel_by_itself(layout: torch.memory_format) -> None:
    heat = torch.rand(2, 5, 24, 31, generator=torch.Generator().manual_seed(0))
    found = best_peaks_of_each(heat.to(memory_format=layout), 20)
    for ours, expected in zip(found, top_k_of_each(local_maxima(heat), 20), strict=True):
        assert torch.equal(ours, expected)


def test_what_the_scan_does_not_serve_goes_by_tensors() -> None:
    heat = torch.rand(1, 2, 16, 16, requires_grad=True)
    best_peaks(heat, 3).scores.sum().backward()
    assert int((heat.grad > 0).sum()) == 3
    assert best_peaks(heat.detach().double(), 3).scores.dtype == torch.float64


def test_exported_decoding_is_tensor_code() -> None:
    class Decode(torch.nn.Module):
        def forward(self, heat: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return tuple(best_peaks(heat, 10))

    heat = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    program = torch.export.export(Decode(), (heat,)).module()
    for exported, here in zip(program(heat), best_peaks(heat, 10), strict=True):
        np.testing.assert_array_equal(exported, here)
    other = heat.flip(1)
    np.testing.assert_array_equal(program(other)[0], best_peaks(other, 10).scores)

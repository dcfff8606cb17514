"""The compiled scan finds what pooling and sorting find, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.tasks.peak_scan import scan
from centernet.tasks.peaks import (
    Peaks,
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
    """Scores to the bit and where they stand, but for the order of equal ones."""
    random = torch.Generator().manual_seed(seed)
    heat = torch.rand(shape, generator=random) + 0.01
    if levels:  # few different values: plateaus and ties
        heat = (heat * levels).ceil() / levels
    heat = heat.to(memory_format=layout)
    expected, found = top_k(local_maxima(heat, kernel), k), best_peaks(heat, k, kernel)
    assert torch.equal(found.scores, expected.scores)
    for image in range(shape[0]):
        there, here = ({*zip(*rows(peaks, image), strict=True)} for peaks in (expected, found))
        assert there == here
        assert len(here) == found.scores.shape[1]


def rows(peaks: Peaks, image: int) -> tuple[list[float], ...]:
    """The fields of one image."""
    return tuple(field[image].tolist() for field in peaks)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_equal_peaks_in_the_order_of_the_map(layout: torch.memory_format) -> None:
    heat = torch.zeros(1, 4, 9, 9)
    heat[0, 2, 4, 4] = 0.75
    heat[0, :3, 0, 8] = 0.5
    heat[0, 1, 8, 2] = 0.25
    heat = heat.to(memory_format=layout)
    assert scan(heat.numpy(), 4) is not None
    found = best_peaks(heat, 4)
    assert found.classes.tolist() == [[2, 0, 1, 2]]
    assert found.index.tolist() == [[4 * 9 + 4, 8, 8, 8]]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_tie_at_the_cut_is_the_choice_of_top_k(layout: torch.memory_format) -> None:
    """Which of the equal ones is no longer the scan's choice: everything as `top_k` has it."""
    heat = torch.zeros(2, 4, 40, 40)
    heat[:, :, ::2, ::2] = 0.5
    heat[:, 2, 4, 4] = 0.75
    heat = heat.to(memory_format=layout)
    assert scan(heat.numpy(), 30) is None
    for ours, expected in zip(best_peaks(heat, 30), top_k(local_maxima(heat), 30), strict=True):
        assert torch.equal(ours, expected)
    each = zip(best_peaks_of_each(heat, 30), top_k_of_each(local_maxima(heat), 30), strict=True)
    assert all(torch.equal(ours, expected) for ours, expected in each)


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

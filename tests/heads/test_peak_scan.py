"""The compiled scan finds what pooling and sorting find, ties included."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from centernet.datasets.published import PUBLISHED
from centernet.heads.head_map import Logits
from centernet.heads.peak_scan import scan, scan_logits
from centernet.heads.peaks import (
    Peaks,
    best_peaks,
    best_peaks_of_each,
    gather,
    local_maxima,
    top_k,
    top_k_of_each,
)
from centernet.tasks import TASKS

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


@settings(max_examples=300, deadline=None)
@given(
    shape=st.tuples(*(st.integers(1, n) for n in (2, 5)), st.integers(1, 20), st.integers(1, 20)),
    middle=st.sampled_from([-100, -20, -4, 0, 6, 12, 20]),
    spread=st.sampled_from([0.0001, 0.01, 1, 5, 40]),
    levels=st.sampled_from([0, 0, 3, 100, 100000]),
    strange=st.sampled_from([0, 0, 3]),
    k=st.integers(1, 40),
    kernel=st.sampled_from([1, 3, 5]),
    layout=st.sampled_from(LAYOUTS),
    seed=st.integers(0, 2**16),
)
def test_logits_have_the_peaks_of_their_sigmoid(
    shape, middle, spread, levels, strange, k, kernel, layout, seed
) -> None:
    """To the bit: also in plateaus, where the sigmoid saturates or underflows, and with NaN."""
    random = torch.Generator().manual_seed(seed)
    shape = (*shape[:2], shape[2] + -shape[2] % 4, shape[3] + -shape[3] % 8)
    raw = torch.randn(shape, generator=random)
    if levels:
        raw = (raw * levels).round() / levels
    raw = raw * spread + middle
    for value in (np.nan, -np.nan, np.inf, -np.inf)[: 4 if strange else 0]:
        raw.view(-1)[torch.randint(raw.numel(), (strange,), generator=random)] = value
    logits = Logits(raw.to(memory_format=layout))
    pairs = [(logits.peaks(k, kernel), top_k(local_maxima(logits.whole(), kernel), k))]
    each = top_k_of_each(local_maxima(logits.whole(), kernel), k)
    pairs.append((logits.peaks_of_each(k, kernel), each))
    for found, expected in pairs:
        found, expected = (Peaks(*(v.flatten(1) for v in peaks)) for peaks in (found, expected))
        for image in range(shape[0]):
            assert sorted(map(repr, zip(*rows(found, image), strict=True))) == sorted(
                map(repr, zip(*rows(expected, image), strict=True))
            )


@pytest.mark.parametrize("layout", LAYOUTS)
def test_the_scan_itself_finds_the_peaks_of_logits(layout: torch.memory_format) -> None:
    """In maps like those of a network; neighbours whose sigmoids are equal are peaks both."""
    random = torch.Generator().manual_seed(3)
    raw = torch.randn(2, 7, 64, 48, generator=random) - 4
    raw[:, 3, 10, 10:13] = torch.tensor([6.000001, 6.0000005, 6.0])
    raw[1, 2, 30:34, 30:40] = 30 + torch.rand(4, 10, generator=random)
    raw = raw.to(memory_format=layout)
    found = scan_logits(raw.numpy(), 100)
    expected = scan(torch.sigmoid(raw).numpy(), 100)
    assert found is not None
    assert expected is not None
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert (found[0][1] == 1).sum() == 40
    flat = (3 * 64 + 10) * 48 + 10
    assert {flat, flat + 1, flat + 2} <= {*found[1][0].tolist()}


def test_what_logits_leave_to_the_whole_sigmoid() -> None:
    raw = torch.randn(1, 3, 16, 32, generator=torch.Generator().manual_seed(0))
    assert scan_logits(raw.numpy(), 20) is not None
    assert scan_logits(raw[..., 1:].numpy(), 20) is None  # gaps
    assert scan_logits(raw[:, :1, :3, :3].contiguous().numpy(), 2) is None  # nine cells
    assert scan_logits((raw - 100).numpy(), 20) is None
    assert scan_logits(torch.zeros_like(raw).numpy(), 20) is None
    raw[0, 1, 5, 5] = -torch.nan
    assert scan_logits(raw.numpy(), 20) is None
    assert scan(raw.numpy(), 20) is None


def test_single_places_of_logits() -> None:
    random = torch.Generator().manual_seed(0)
    for size in ((16, 24), (5, 5)):
        logits = Logits(torch.randn(2, 3, *size, generator=random) * 4)
        index = torch.randint(size[0] * size[1], (2, 3, 21), generator=random)
        assert torch.equal(logits.at_each(index), logits.whole().flatten(2).gather(2, index))
        assert torch.equal(logits.at(index[:, 0]), gather(logits.whole(), index[:, 0]))


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


@pytest.mark.parametrize(
    ("name", "data"),
    [("ctdet", "coco"), ("multi_pose", "coco_hp"), ("ddd", "kitti"), ("triplet", "coco")],
)
def test_tasks_decode_logits_to_the_same_bits(name: str, data: str) -> None:
    task = TASKS[name](PUBLISHED[data])
    random = torch.Generator().manual_seed(5)
    raw = {
        head: torch.randn(2, facts.channels, 32, 48, generator=random) - 2 * (head in task.peaked)
        for head, facts in task.heads.items()
    }
    assert task.peaked
    whole = task.decode(task.activate(raw), 40)
    kept = task.activate(raw, logits=task.peaked)
    assert all(isinstance(kept[head], Logits) for head in task.peaked)
    for field, value in task.decode(kept, 40).items():
        assert torch.equal(value, whole[field])


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize("name", TASKS)
def test_a_broken_image_harms_no_other(name: str, whole: bool) -> None:
    """Maps that are no numbers decode to what is none; no index is taken from them."""
    task = TASKS[name](PUBLISHED[TASKS[name].Options.default_dataset])
    random = torch.Generator().manual_seed(5)
    raw = {
        head: torch.randn(2, facts.channels, 16, 24, generator=random)
        for head, facts in task.heads.items()
    }
    broken = {head: value.clone() for head, value in raw.items()}
    for value in broken.values():
        value[0] = torch.nan
    clean, spoiled = (
        task.decode(task.activate(maps, logits=() if whole else task.peaked), 10)
        for maps in (raw, broken)
    )
    assert not all(value[0].isfinite().all() for value in spoiled.values())
    real = clean["scores"][1] > 0  # the order of others is not defined
    for field, value in clean.items():
        assert value.isfinite().all()
        rows = real if value.shape[1] == len(real) else slice(None)
        assert torch.equal(spoiled[field][1][rows], value[1][rows])

"""The learning rate as a function of the epochs passed."""

from __future__ import annotations

import pytest

from centernet.options.rate import scaled_rate
from centernet.trains.schedules import Cosine, MultiStep, Warmup


def test_rates_of_the_published_schedule() -> None:
    """5e-4, to a tenth after epoch 90 and again after 120, within an epoch the same."""
    rate = MultiStep(5e-4, (90, 120))
    passed = (0, 89, 89.99, 90, 119.5, 120, 139)
    wanted = [5e-4, 5e-4, 5e-4, 5e-5, 5e-5, 5e-6, 5e-6]
    assert [rate(epochs) for epochs in passed] == pytest.approx(wanted)


def test_rate_is_in_proportion_to_the_batch() -> None:
    assert scaled_rate(32) == 1.25e-4
    assert scaled_rate(128) == pytest.approx(5e-4)
    assert scaled_rate(8) == pytest.approx(3.125e-5)
    assert scaled_rate(64, 1e-3, 16) == pytest.approx(4e-3)


def test_cosine_is_half_way_down_in_the_middle() -> None:
    rate = Cosine(2e-3, 100)
    assert [rate(e) for e in (0, 50, 100, 120)] == pytest.approx([2e-3, 1e-3, 0, 0], abs=1e-12)
    assert Cosine(2e-3, 100, floor=0.05)(100) == pytest.approx(1e-4)


def test_flat_cosine_stays_and_then_falls() -> None:
    rate = Cosine(1.0, 100, flat=0.5)
    assert [rate(e) for e in (0, 30, 50)] == [1.0, 1.0, 1.0]
    assert rate(75) == pytest.approx(0.5)
    assert rate(100) == pytest.approx(0.0, abs=1e-12)


def test_warm_up_scales_what_follows() -> None:
    rate = Warmup(MultiStep(1.0, (2,)), 4, start=0.2)
    assert rate(0) == pytest.approx(0.2)
    assert rate(1) == pytest.approx(0.4)
    assert rate(2) == pytest.approx(0.06)  # of a tenth
    assert rate(4) == pytest.approx(0.1)
    assert Warmup(MultiStep(1.0), 0)(0) == 1.0

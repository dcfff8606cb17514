"""Images of rare classes are seen more often, as often as the formula says."""

from __future__ import annotations

import numpy as np
import pytest

from centernet.runtime.errors import UserError
from centernet.trains.repeats import drawn, repeat_factors
from centernet.trains.sampler import BatchSampler


def test_factors_are_those_of_the_paper() -> None:
    """Class 1 is on 1 of 8 images: sqrt(0.5 / 0.125) = 2; class 0 on all of them."""
    classes = [np.array([0, 0])] * 7 + [np.array([1, 0, -1])]
    assert repeat_factors(classes, 3, 0.5).tolist() == [1.0] * 7 + [2.0]
    assert repeat_factors(classes, 3, 0.1).tolist() == [1.0] * 8
    assert repeat_factors([np.array([-1]), np.array([], np.int64)], 2, 0.5).tolist() == [1, 1]


def test_images_are_drawn_as_often_as_asked() -> None:
    repeats = np.array([1.0, 1.0, 2.5, 1.25])
    rng = np.random.default_rng(1)
    counts = np.array([np.bincount(drawn(repeats, rng), minlength=4) for _ in range(4000)])
    assert (counts.sum(axis=1) == 5).all()
    np.testing.assert_allclose(counts.mean(axis=0), repeats * 5 / 5.75, atol=0.03)
    assert (np.abs(counts - repeats * 5 / 5.75) < 1).all()


def test_epochs_are_of_one_length_and_can_be_repeated() -> None:
    repeats = np.array([1.0, 1.0, 3.7, 1.0])
    sampler = BatchSampler(4, 2, seed=3, repeats=repeats)
    epochs = []
    for epoch in (1, 2, 1):
        sampler.set_epoch(epoch)
        epochs.append(list(sampler))
    assert [len(batches) for batches in epochs] == [len(sampler)] * 3 == [3] * 3
    assert epochs[0] == epochs[2] != epochs[1]
    with pytest.raises(UserError, match="has 4 images"):
        BatchSampler(4, 9, seed=3, repeats=repeats)

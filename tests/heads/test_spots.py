"""Heat maps drawn from lists of spots are those that the encoder draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from centernet.datasets.source import Info
from centernet.heads.spots import draw_spots, drawn, no_spots
from centernet.structures.objects import Objects
from centernet.tasks.ctdet import Ctdet, CtdetOptions

CPU = torch.device("cpu")
INFO = Info("made up", tuple("abc"), (1, 2, 3), resolution=(160, 128), max_objects=40)
SIZE = (40, 32)


def crowd(seed: int, count: int) -> Objects:
    """Boxes of all sizes, some over the edge of the map, some outside it, some to be ignored."""
    random = np.random.default_rng(seed)
    corner = random.uniform(-10, 38, (count, 2))
    boxes = np.hstack([corner, corner + random.uniform(0, 30, (count, 2)) ** 1.2])
    return Objects(boxes.astype(np.float32), random.integers(-1, 3, count))


@pytest.mark.parametrize("options", [{}, {"cat_spec_wh": True}, {"not_reg_offset": True}])
@pytest.mark.parametrize("count", [0, 1, 7, 60])
def test_drawn_sketch_is_the_encoding(count: int, options: dict[str, bool]) -> None:
    task = Ctdet(INFO, CtdetOptions(**options))
    batch = [crowd(seed, count) for seed in range(3)]
    whole = [task.encode(objects, SIZE) for objects in batch]
    light = [task.sketch(objects, SIZE) for objects in batch]
    assert sum(a.nbytes for a in light[0].values()) < sum(a.nbytes for a in whole[0].values()) / 2
    stacked = {name: torch.from_numpy(np.stack([s[name] for s in light])) for name in light[0]}
    done = drawn(stacked, {"hm": 3}, SIZE, CPU)
    assert set(done) == set(whole[0])
    for name, value in done.items():
        np.testing.assert_array_equal(value, np.stack([w[name] for w in whole]), err_msg=name)
    assert (done["hm"].amax() == 1) == (count > 0)


def test_sizes_that_are_spread_stay_maps() -> None:
    """The spread goes by gaussians of its own: the heat map need not be there."""
    task = Ctdet(INFO, CtdetOptions(dense_wh=True))
    objects = crowd(0, 9)
    whole, light = task.encode(objects, SIZE), task.sketch(objects, SIZE)
    assert set(light) == set(whole) - {"hm"} | {"hm_spots"}
    for name in ("dense_wh", "dense_wh_mask", "reg", "ind"):
        np.testing.assert_array_equal(whole[name], light[name], err_msg=name)
    np.testing.assert_array_equal(whole["dense_wh_mask"][0], whole["hm"].max(axis=0))


def test_no_spot_at_all() -> None:
    spots = torch.from_numpy(np.stack([no_spots(4)] * 2))
    assert torch.equal(draw_spots(spots, (3, 5, 6), CPU), torch.zeros(2, 3, 5, 6))

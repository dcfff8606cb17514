from __future__ import annotations

import pytest

from centernet.datasets.skeleton import COCO_JOINTS, COCO_SIGMAS, flip_pairs, sigmas


def test_coco_pairs_are_neighbours() -> None:
    assert flip_pairs(COCO_JOINTS) == tuple((i, i + 1) for i in range(1, 17, 2))


@pytest.mark.parametrize(
    ("joints", "pairs"),
    [
        (["front", "back", "left", "right"], ((2, 3),)),
        (["LShoulder", "RShoulder", "Nose"], ((0, 1),)),
        (["leftEye", "rightEye"], ((0, 1),)),
        (["eye_l", "mouth", "eye_r"], ((0, 2),)),
        (["Left Ankle", "Right Ankle"], ((0, 1),)),
        (["kneeR", "kneeL"], ((0, 1),)),
        (["elbow", "erbow"], ()),
        (["l_elbow", "tail"], ()),
        (["bright", "bleft"], ()),
        (["1", "2", "3"], ()),
    ],
)
def test_sides_are_found_in_names(joints: list[str], pairs: tuple[tuple[int, int], ...]) -> None:
    assert flip_pairs(joints) == pairs


def test_sigmas_are_cocos_for_cocos_joints_only() -> None:
    assert sigmas(COCO_JOINTS) == COCO_SIGMAS
    assert len(COCO_SIGMAS) == len(COCO_JOINTS) == 17
    assert sigmas(["a", "b"]) == (0.05, 0.05)
    assert set(sigmas(COCO_JOINTS[::-1])) == {0.05}

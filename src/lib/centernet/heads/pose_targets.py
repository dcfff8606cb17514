"""Training targets of poses, drawn into arrays in compiled loops.

Method: "Objects as Points", arXiv 1904.07850.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from centernet.heads.targets import draw_gaussian, object_radius, spread_value
from centernet.runtime.jit import njit


class PoseTargets(NamedTuple):
    """The arrays of one image, for N objects of J joints; see `MultiPose.encode`.

    Where nobody wants the last maps they have room for no joint, and are left alone.
    """

    hm: NDArray[np.float32]
    reg_mask: NDArray[np.uint8]
    ind: NDArray[np.int64]
    wh: NDArray[np.float32]
    reg: NDArray[np.float32]
    hps: NDArray[np.float32]  # (N, J, 2)
    hps_mask: NDArray[np.uint8]
    hm_hp: NDArray[np.float32]  # (J or 0, h, w)
    hp_offset: NDArray[np.float32]
    hp_ind: NDArray[np.int64]
    hp_mask: NDArray[np.int64]
    dense_hps: NDArray[np.float32]  # (J or 0, 2, h, w)
    dense_hps_mask: NDArray[np.float32]


@njit
def encode_people(
    boxes: NDArray[np.float32],
    classes: NDArray[np.int64],
    keypoints: NDArray[np.float32],
    rotated: bool,
    targets: PoseTargets,
) -> None:
    """Fill `targets` from `boxes` (N, 4) and `keypoints` (N, J, 3) in map pixels.

    Boxes are clipped to the map. One with nothing inside is passed over with its joints, unless
    the view is `rotated`: its joints may lie inside although the upright box does not.
    """
    height, width = targets.hm.shape[1:]
    for n in range(boxes.shape[0]):
        x1 = min(max(boxes[n, 0], np.float32(0)), np.float32(width - 1))
        y1 = min(max(boxes[n, 1], np.float32(0)), np.float32(height - 1))
        x2 = min(max(boxes[n, 2], np.float32(0)), np.float32(width - 1))
        y2 = min(max(boxes[n, 3], np.float32(0)), np.float32(height - 1))
        w, h = x2 - x1, y2 - y1
        outside = w <= 0 or h <= 0
        if classes[n] < 0 or np.isnan(w + h) or (outside and not rotated):
            continue
        centre_x, centre_y = np.float32((x1 + x2) / 2), np.float32((y1 + y2) / 2)
        x, y = int(centre_x), int(centre_y)
        radius = object_radius(h, w)
        targets.wh[n, 0], targets.wh[n, 1] = w, h
        targets.reg[n, 0], targets.reg[n, 1] = centre_x - x, centre_y - y
        targets.ind[n] = y * width + x
        heat = targets.hm[classes[n]]
        # The dense vectors compare with the gaussians of the objects before, so joints come first.
        if encode_joints(n, keypoints[n], x, y, radius, heat, targets) > 0:
            targets.reg_mask[n] = 1
        draw_gaussian(heat, x, y, radius)


@njit
def encode_joints(
    n: int,
    keypoints: NDArray[np.float32],
    x: int,
    y: int,
    radius: int,
    heat: NDArray[np.float32],
    targets: PoseTargets,
) -> int:
    """Fill the targets of the joints (J, 3) of object `n`, centred at (x, y); count the labelled.

    A labelled joint outside the map counts but has no target.
    """
    height, width = heat.shape
    labelled = 0
    for j in range(keypoints.shape[0]):
        px, py = keypoints[j, 0], keypoints[j, 1]
        if keypoints[j, 2] <= 0:
            continue
        labelled += 1
        if not (0 <= px < width and 0 <= py < height):
            continue
        targets.hps[n, j, 0], targets.hps[n, j, 1] = px - x, py - y
        targets.hps_mask[n, j] = 1
        row = n * keypoints.shape[0] + j
        column_x, row_y = int(px), int(py)
        targets.hp_offset[row, 0], targets.hp_offset[row, 1] = px - column_x, py - row_y
        targets.hp_ind[row] = row_y * width + column_x
        targets.hp_mask[row] = 1
        if targets.dense_hps.shape[0] > 0:
            spread_value(targets.dense_hps[j], heat, x, y, targets.hps[n, j], radius, True)
            draw_gaussian(targets.dense_hps_mask[j, 0], x, y, radius)
            draw_gaussian(targets.dense_hps_mask[j, 1], x, y, radius)
        if targets.hm_hp.shape[0] > 0:
            draw_gaussian(targets.hm_hp[j], column_x, row_y, radius)
    return labelled

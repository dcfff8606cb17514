"""One box where detections of several classes share one, for drawings."""

from __future__ import annotations

import numpy as np
from pycocotools import mask as coco_mask

from centernet.structures.detections import Detections

SAME = 0.8  # IoU from which two boxes are one place


def strongest_of_each_place(found: Detections, overlap: float = SAME) -> Detections:
    """`found` without detections whose box is that of a stronger one of another class.

    Heat maps of several classes peak where an object resembles each of them, and share the size
    there. Boxes that overlap with an IoU of `overlap` and more count as one; detections of the same
    class are left alone. The order stays.
    """
    if len(found) < 2:
        return found
    corners = found.boxes.astype(np.float64)
    boxes = np.column_stack([corners[:, :2], corners[:, 2:] - corners[:, :2]])
    same = coco_mask.iou(boxes, boxes, np.zeros(len(boxes), np.uint8)) >= overlap
    same &= found.classes[:, None] != found.classes[None]
    keep = np.zeros(len(found), bool)
    for row in np.argsort(-found.scores, kind="stable"):
        keep[row] = not (same[row] & keep).any()
    return found.select(keep)

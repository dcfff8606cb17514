"""Scenes that the project draws itself, with every kind of annotation exact by construction.

Five parts: `shapes` (boxes, masks), `figures` (seventeen joints), `cuboids` (3D boxes before a
camera), `motion` (identities) and `faces` (five landmarks). `write_toy` draws them to disk in the
formats of COCO, KITTI and MOTChallenge, `open_toy` opens one as a data set.
"""

from centernet.datasets.toy.source import not_yet_drawn, open_toy
from centernet.datasets.toy.writer import PARTS, ensure_toy, write_toy

__all__ = ["PARTS", "ensure_toy", "not_yet_drawn", "open_toy", "write_toy"]

"""Joints: which of them trade places in a mirror, and how exactly people place them."""

from __future__ import annotations

import re
from collections.abc import Sequence

COCO_JOINTS = (
    "nose",
    *("left_eye", "right_eye", "left_ear", "right_ear"),
    *("left_shoulder", "right_shoulder", "left_elbow", "right_elbow", "left_wrist", "right_wrist"),
    *("left_hip", "right_hip", "left_knee", "right_knee", "left_ankle", "right_ankle"),
)

# Spread of human annotators as a part of the object's size, measured by the COCO consortium
# (cocodataset.org, "Keypoint Evaluation").
COCO_SIGMAS = (
    *(0.026, 0.025, 0.025, 0.035, 0.035, 0.079, 0.079, 0.072, 0.072),
    *(0.062, 0.062, 0.107, 0.107, 0.087, 0.087, 0.089, 0.089),
)
DEFAULT_SIGMA = 0.05  # of a joint nobody has measured; a category may state "sigmas" of its own

_OTHER_SIDE = {"left": "right", "right": "left", "l": "r", "r": "l"}
# A side is a word of the name ("left_eye", "eye.l", "R knee") or starts it before a capital
# ("leftEye", "LShoulder"). A letter within a word ("elbow") is none.
_SIDE = re.compile(
    r"(?<![A-Za-z])(?P<word>left|right|l|r)(?![A-Za-z])"
    r"|(?<![A-Za-z])(?P<prefix>left|right|l|r)(?-i:(?=[A-Z][a-z]))"
    r"|(?-i:(?<=[a-z])(?P<suffix>Left|Right|L|R))(?![a-zA-Z])",
    re.IGNORECASE,
)


def flip_pairs(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of joint indices (a < b) that differ in nothing but left and right."""
    places = {name: index for index, name in enumerate(joints)}
    pairs = []
    for index, name in enumerate(joints):
        other = places.get(_SIDE.sub(_mirrored, name, count=1), index)
        if other > index:
            pairs.append((index, other))
    return tuple(pairs)


def sigmas(joints: Sequence[str]) -> tuple[float, ...]:
    """COCO's own for its seventeen joints in their order, else DEFAULT_SIGMA for each."""
    if tuple(joints) == COCO_JOINTS:
        return COCO_SIGMAS
    return (DEFAULT_SIGMA,) * len(joints)


def _mirrored(match: re.Match[str]) -> str:
    side = match.group()
    other = _OTHER_SIDE[side.lower()]
    if side.isupper():
        return other.upper()
    return other.capitalize() if side[0].isupper() else other

"""Joints: which of them trade places in a mirror, and how exactly people place them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from centernet.io.door import shown
from centernet.runtime.errors import UserError

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

# The words for the two sides: English, German, Spanish, French, Italian, Portuguese, Dutch,
# Swedish, Polish, and romanised Japanese and Chinese; each word with its other side.
_SIDES = (
    ("left", "right"), ("l", "r"), ("lft", "rgt"), ("lt", "rt"), ("links", "rechts"),
    ("linke", "rechte"), ("linker", "rechter"), ("linkes", "rechtes"), ("izq", "der"),
    ("izquierdo", "derecho"), ("izquierda", "derecha"), ("gauche", "droite"), ("gauche", "droit"),
    ("sinistro", "destro"), ("sinistra", "destra"), ("sx", "dx"), ("esquerdo", "direito"),
    ("esquerda", "direita"), ("esq", "dir"), ("linker", "rechter"), ("vanster", "hoger"),
    ("lewy", "prawy"), ("lewa", "prawa"), ("lewe", "prawe"), ("hidari", "migi"), ("zuo", "you"),
    ("fl", "fr"), ("bl", "br"), ("rl", "rr"), ("lf", "rf"), ("lb", "rb"), ("lh", "rh"),
    ("左", "右"),
)  # fmt: skip
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+|[^\W\d_]+")


def flip_pairs(joints: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Pairs of joint indices (a < b) whose names differ in nothing but the word for the side.

    Words are distinguished by separators, capitals and digits, in any case: left_eye, eye.L, LFPaw,
    frontLeftPaw, wheel_FL, auge_links. "left" and "right" are found at the ends of a word too, and
    l or r at its start (lsho, rsho) where two pairs or more are called so: lamp and ramp are none.
    """
    places: dict[str, int] = {}
    for index, name in enumerate(joints):
        places.setdefault(_folded(name), index)
    partner: dict[int, int] = {}
    for readings in (_by_word, _by_part, _by_letter):
        found = {
            index: {places[o] for o in readings(name) if o in places and places[o] != index}
            for index, name in enumerate(joints)
            if index not in partner
        }
        new = {
            index: next(iter(others))
            for index, others in found.items()
            if len(others) == 1 and found.get(next(iter(others))) == {index}
        }
        if readings is not _by_letter or len(new) >= 4:
            partner |= new
    return tuple(sorted((a, b) for a, b in partner.items() if a < b))


def told(joints: Sequence[str], pairs: Sequence[tuple[int, int]], how: str, name: str) -> list[str]:
    """What a mirror does to the joints, in a line or two."""
    remedy = "state them by a key 'flip_pairs' of the category (YOLO: flip_idx)"
    paired = {joint for pair in pairs for joint in pair}
    alone = [joint for n, joint in enumerate(joints) if n not in paired and any(_by_word(joint))]
    lonely = []
    if alone and how != "stated":
        lonely = [f"{name}: without a partner on the other side: {', '.join(alone)}; {remedy}"]
    if not pairs:
        some = ", ".join(joints[:6]) + (", ..." if len(joints) > 6 else "")
        return [
            *lonely,
            f"{name}: no pair of joints changes sides in a mirror ({some}); if some do, {remedy},"
            " or train with --flip 0",
        ]
    some = ", ".join(f"{joints[a]}/{joints[b]}" for a, b in pairs[:4])
    more = ", ..." if len(pairs) > 4 else ""
    count = f"{len(pairs)} pairs of joints change" if len(pairs) > 1 else "1 pair of joints changes"
    return [f"{name}: {count} sides in a mirror, {how}: {some}{more}", *lonely]


def pairs_of_index(given: Any, joints: int, where: str) -> tuple[tuple[int, int], ...]:
    """The pairs of YOLO's `flip_idx`; UserError, beginning with `where`, when it is none."""
    whole = isinstance(given, list) and all(type(n) is int for n in given)
    if not (whole and sorted(given) == list(range(joints)) and _is_mutual(given)):
        raise UserError(
            f"{where} is {shown(given)}, not the number (0 to {joints - 1}) of each joint's"
            " counterpart, such as [0, 2, 1]"
        )
    return tuple((a, b) for a, b in enumerate(given) if a < b)


def _is_mutual(given: Sequence[int]) -> bool:
    return all(given[other] == n for n, other in enumerate(given))


def sigmas(joints: Sequence[str]) -> tuple[float, ...]:
    """COCO's own for its seventeen joints in their order, else DEFAULT_SIGMA for each."""
    if tuple(joints) == COCO_JOINTS:
        return COCO_SIGMAS
    return (DEFAULT_SIGMA,) * len(joints)


def _words(name: str) -> list[str]:
    """LFPaw is LF and Paw: of capitals before a small letter the last begins the next word."""
    return [word.lower() for word in _WORD.findall(name)]


def _folded(name: str) -> str:
    return " ".join(_words(name))


def _by_word(name: str) -> Iterator[str]:
    words = _words(name)
    for at, word in enumerate(words):
        for pair in _SIDES:
            for one, other in (pair, pair[::-1]):
                if word == one:
                    yield " ".join([*words[:at], other, *words[at + 1 :]])


def _by_part(name: str) -> Iterator[str]:
    words = _words(name)
    for at, word in enumerate(words):
        for one, other in (("left", "right"), ("right", "left"), ("左", "右"), ("右", "左")):
            rest = word.removeprefix(one)
            if rest != word:
                yield " ".join([*words[:at], other + rest, *words[at + 1 :]])
            elif len(word) > len(one) + 1 and word.endswith(one):  # not "bright"
                yield " ".join([*words[:at], word[: -len(one)] + other, *words[at + 1 :]])


def _by_letter(name: str) -> Iterator[str]:
    words = _words(name)
    for at, word in enumerate(words):
        for one, other in (("l", "r"), ("r", "l")):
            if len(word) > 1 and word.startswith(one):
                yield " ".join([*words[:at], other + word[1:], *words[at + 1 :]])

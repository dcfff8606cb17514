"""The joints of an object: vectors from its centre, and peaks of their own beside them.

The vectors tell which joint belongs to whom, the joints' heat maps where exactly it is. Method:
"Objects as Points", arXiv 1904.07850, section on pose.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from centernet.heads.head import Head, sigmoid_heat
from centernet.heads.head_map import HeadMap, Maps
from centernet.heads.losses import AtCentres, Dense, Focal, Loss, MeanSquare, at_centres
from centernet.heads.part import Centres, Part, Placing
from centernet.heads.peaks import mirror_channels, mirror_vectors
from centernet.heads.rows import Rows
from centernet.heads.targets import draw_gaussian, spread_value
from centernet.heads.term import Term
from centernet.runtime.jit import njit
from centernet.structures.objects import Objects

SNAP_SCORE = 0.1  # a peak of a joint counts above this
SNAP_REACH = 0.3  # and no farther away than this part of the longer side of the box


@dataclass(frozen=True)
class Joints(Part):
    """Heads `hps` (vectors to the joints), `hm_hp` (their heat maps), `hp_offset` (within cells).

    `count` joints, of which `pairs` change names with the side. `heat` and `offset` say whether
    there are heat maps and offsets in them, `dense` whether vectors are learned all over a
    gaussian, `squared` whether heat maps are learned by the squared error of raw values. `weights`
    are those of the vectors, the heat maps and the offsets; `distance` is that of the offsets.

    Targets: hps, hps_mask (R, 2 J) for R rows, with `dense` maps dense_hps, dense_hps_mask (2 J, h,
    w) in their place; hm_hp (J, h, w); for N objects of room hp_offset (N * J, 2), hp_ind, hp_mask
    (N * J,).
    """

    count: int
    pairs: Sequence[tuple[int, int]] = ()
    heat: bool = True
    offset: bool = True
    dense: bool = False
    squared: bool = False
    distance: str = "l1"
    weights: tuple[float, float, float] = (1.0, 1.0, 1.0)

    needs = frozenset({"keypoints"})

    def heads(self) -> dict[str, Head]:
        vectors = partial(mirror_vectors, pairs=self.pairs)
        heads = {"hps": Head(2 * self.count, flip=vectors, reads="places", oracle="kps")}
        if self.heat:
            heads["hm_hp"] = self._heat()
        if self.heat and self.offset:
            heads["hp_offset"] = Head(2, reads="places")
        return heads

    def _heat(self) -> Head:
        """Probabilities or, as published for the squared error, the raw values themselves."""
        flip = partial(mirror_channels, pairs=self.pairs)
        if self.squared:
            return Head(self.count, flip=flip, oracle="hmhp")
        return sigmoid_heat(self.count, flip=flip, reads="peaks", oracle="hmhp")

    def terms(self) -> Sequence[Term]:
        vectors: Loss = AtCentres("hps", mask="hps_mask")
        if self.dense:
            vectors = Dense("dense_hps", "dense_hps_mask")
        heat: Loss = MeanSquare("hm_hp") if self.squared else Focal("hm_hp")
        place = at_centres("hp_offset", self.distance, mask="hp_mask", index="hp_ind")
        of_vectors, of_heat, of_offset = self.weights
        terms = [Term("hp_loss", vectors, ("hps",), of_vectors)]
        if self.heat:
            terms.append(Term("hm_hp_loss", heat, ("hm_hp",), of_heat))
        if self.heat and self.offset:
            terms.append(Term("hp_offset_loss", place, ("hp_offset",), of_offset))
        return terms

    def labelled(self, objects: Objects) -> NDArray[np.bool_]:
        """Whether any joint (N,) of an object is annotated, in the image or beside it."""
        return np.asarray((self.keypoints(objects)[:, :, 2] > 0).any(axis=1))

    def keypoints(self, objects: Objects) -> NDArray[np.float32]:
        """Those (N, J, 3) of the objects; ValueError where there are more or fewer joints."""
        found = objects.keypoints
        if found is None:
            found = np.zeros((len(objects), self.count, 3), np.float32)
        if found.shape[1:] != (self.count, 3):  # compiled loops would write beyond their arrays
            raise ValueError(f"keypoints {found.shape} where the data has {self.count} joints")
        return np.ascontiguousarray(found, np.float32)

    def encode(self, rows: Rows, objects: Objects) -> dict[str, NDArray]:
        keypoints, (height, width) = self.keypoints(objects), rows.size
        x, y, labelled = keypoints[:, :, 0], keypoints[:, :, 1], keypoints[:, :, 2] > 0
        seen = labelled & (x >= 0) & (x < width) & (y >= 0) & (y < height)
        targets = self._empty(rows)
        kinds = rows.classes.max(initial=-1) + 1 if self.dense else 0
        highest = np.zeros((kinds, *rows.size), np.float32)
        encode_joints(
            rows.drawn,
            keypoints,
            seen,
            rows.classes,
            rows.cells,
            rows.radii,
            highest,
            targets,
        )
        return self._vectors(rows, objects, keypoints, seen, targets) | self._heats(targets)

    def _empty(self, rows: Rows) -> JointTargets:
        drawn, spread = self.count if self.heat else 0, self.count if self.dense else 0
        places = rows.room * self.count
        return JointTargets(
            hm_hp=np.zeros((drawn, *rows.size), np.float32),
            hp_offset=np.zeros((places, 2), np.float32),
            hp_ind=np.zeros(places, np.int64),
            hp_mask=np.zeros(places, np.int64),
            dense_hps=np.zeros((spread, 2, *rows.size), np.float32),
            dense_hps_mask=np.zeros((spread, 2, *rows.size), np.float32),
        )

    def _vectors(
        self,
        rows: Rows,
        objects: Objects,
        keypoints: NDArray[np.float32],
        seen: NDArray[np.bool_],
        targets: JointTargets,
    ) -> dict[str, NDArray]:
        """Targets of the vectors; none of a turned view, where centres are not the learned ones."""
        if self.dense:
            if objects.rotated:
                targets.dense_hps_mask[:] = 0
            named = {"dense_hps": targets.dense_hps, "dense_hps_mask": targets.dense_hps_mask}
            return {name: value.reshape(-1, *rows.size) for name, value in named.items()}
        mask = rows.filled(np.repeat(seen[:, :, None], 2, axis=2), np.uint8)
        vectors = np.where(mask > 0, rows.offsets(keypoints[:, :, :2]), np.float32(0))
        if objects.rotated:
            mask[:] = 0
        return {name: v.reshape(len(v), -1) for name, v in (("hps", vectors), ("hps_mask", mask))}

    def _heats(self, targets: JointTargets) -> dict[str, NDArray]:
        """Targets of the heat maps and the offsets in them, as far as there are heads."""
        named = targets._asdict()
        wanted = ["hm_hp"] if self.heat else []
        if self.heat and self.offset:
            wanted += ["hp_offset", "hp_ind", "hp_mask"]
        return {name: named[name] for name in wanted}

    def decode(self, maps: Maps, at: Centres, found: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """keypoints (B, K, J, 2) in map pixels and joint_scores (B, K, J).

        A score is the joint's heat where it lies, 0 outside the map, or the score of its object
        without heat maps of the joints. Where no part before has found boxes, those of the joints.
        """
        cells = torch.stack([at.peaks.x, at.peaks.y], dim=2)
        joints = cells.unsqueeze(2) + maps["hps"].at(at.peaks.index).unflatten(2, (-1, 2))
        scores = at.peaks.scores.unsqueeze(2).expand(-1, -1, joints.shape[2])
        within = "boxes" in found
        if self.heat:
            boxes = found["boxes"] if within else around(joints)
            joints, scores = snap(joints, boxes, maps, at.peaks.scores.shape[1], within=within)
        boxes = found["boxes"] if within else around(joints)
        return {"boxes": boxes, "keypoints": joints, "joint_scores": scores}

    def place(self, arrays: Mapping[str, NDArray], placing: Placing) -> dict[str, Any]:
        """Joints (B, K, J, 3): x y in image pixels, score in [0, 1]; and the boxes."""
        scores = np.clip(arrays["joint_scores"], 0, 1)[..., None]
        joints = np.concatenate([placing.points(arrays["keypoints"]), scores], axis=3)
        return {"boxes": placing.points(arrays["boxes"]), "keypoints": joints.astype(np.float32)}


def around(joints: Tensor) -> Tensor:
    """The boxes (B, K, 4) of joints (B, K, J, 2)."""
    return torch.cat([joints.amin(2), joints.amax(2)], dim=2)


def snap(
    joints: Tensor, boxes: Tensor, maps: Maps, k: int, *, within: bool = True
) -> tuple[Tensor, Tensor]:
    """Move `joints` (B, K, J, 2) to the nearest of the `k` best peaks of their heat maps.

    Only to a peak above SNAP_SCORE, inside the object's box (if `within`) and in its reach; other
    joints stay where the vectors put them. Returns the joints and their scores (B, K, J).
    """
    peaks = maps["hm_hp"].peaks_of_each(k)  # each (B, J, M)
    places = torch.stack([peaks.x, peaks.y], dim=3)
    if "hp_offset" in maps:
        offsets = maps["hp_offset"].at(peaks.index.flatten(1))
        places = places + offsets.unflatten(1, peaks.index.shape[1:])
    else:
        places = places + 0.5
    regressed = joints.transpose(1, 2)  # (B, J, K, 2)
    squared = (regressed.unsqueeze(3) - places.unsqueeze(2)).square().sum(4)  # (B, J, K, M)
    weak = (peaks.scores <= SNAP_SCORE).unsqueeze(2)
    nearest, which = squared.masked_fill(weak, math.inf).min(3)
    chosen = places.gather(2, which.unsqueeze(3).expand(-1, -1, -1, 2))
    low, high = boxes.unsqueeze(1).split(2, dim=3)  # (B, 1, K, 2)
    moved = nearest <= (SNAP_REACH * (high - low).amax(3)).square()
    if within:
        moved = moved & ((chosen >= low) & (chosen <= high)).all(3)
    placed = torch.where(moved.unsqueeze(3), chosen, regressed)
    scores = torch.where(moved, peaks.scores.gather(2, which), heat_at(maps["hm_hp"], regressed))
    return placed.transpose(1, 2), scores.transpose(1, 2)


def heat_at(heat: HeadMap, points: Tensor) -> Tensor:
    """`heat` (B, J, H, W) in the cells of `points` (B, J, K, 2 as x y); 0 outside: (B, J, K)."""
    height, width = heat.shape[-2:]
    x, y = points.floor().unbind(3)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    index = torch.where(inside, y * width + x, 0).long()  # a NaN is outside too
    return heat.at_each(index) * inside


class JointTargets(NamedTuple):
    """The arrays of one image that are drawn in a loop, for N objects of J joints; see `Joints`.

    Where nobody wants the maps they have room for no joint, and are left alone.
    """

    hm_hp: NDArray[np.float32]  # (J or 0, h, w)
    hp_offset: NDArray[np.float32]
    hp_ind: NDArray[np.int64]
    hp_mask: NDArray[np.int64]
    dense_hps: NDArray[np.float32]  # (J or 0, 2, h, w)
    dense_hps_mask: NDArray[np.float32]


@njit
def encode_joints(
    drawn: NDArray[np.int64],
    keypoints: NDArray[np.float32],
    seen: NDArray[np.bool_],
    classes: NDArray[np.int64],
    cells: NDArray[np.int64],
    radii: NDArray[np.int64],
    highest: NDArray[np.float32],
    targets: JointTargets,
) -> None:
    """Fill `targets` with the joints `keypoints` (N, J, 3) of the objects `drawn`, in that order.

    `seen` (N, J) are those that are labelled and lie on the map. Dense vectors stand where the
    object's gaussian is no lower than those of its class before it, which `highest` (classes, h,
    w) collects; it is empty without them.
    """
    joints, width = keypoints.shape[1], targets.hm_hp.shape[2]
    vector = np.zeros(2, np.float32)
    for n in drawn:
        x, y, radius = cells[n, 0], cells[n, 1], radii[n]
        for j in range(joints):
            if not seen[n, j]:
                continue
            px, py = keypoints[n, j, 0], keypoints[n, j, 1]
            row, column_x, row_y = n * joints + j, int(px), int(py)
            targets.hp_offset[row, 0], targets.hp_offset[row, 1] = px - column_x, py - row_y
            targets.hp_ind[row] = row_y * width + column_x
            targets.hp_mask[row] = 1
            if targets.dense_hps.shape[0] > 0:
                vector[0], vector[1] = px - x, py - y
                spread_value(targets.dense_hps[j], highest[classes[n]], x, y, vector, radius, True)
                draw_gaussian(targets.dense_hps_mask[j, 0], x, y, radius)
                draw_gaussian(targets.dense_hps_mask[j, 1], x, y, radius)
            if targets.hm_hp.shape[0] > 0:
                draw_gaussian(targets.hm_hp[j], column_x, row_y, radius)
        if highest.shape[0] > 0:
            draw_gaussian(highest[classes[n]], x, y, radius)

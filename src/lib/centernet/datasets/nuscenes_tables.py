"""The tables of nuScenes v1.0, read with nothing but json and numpy.

Lists of records that name one another by tokens; positions in metres, rotations as quaternions
w x y z, times in microseconds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.nuscenes import Boxes3D, yaw_of
from centernet.runtime.errors import UserError

Record = Mapping[str, Any]
Floats = NDArray[np.float64]

NAMES = (
    "attribute", "calibrated_sensor", "category", "ego_pose", "instance", "sample",
    "sample_annotation", "sample_data", "scene", "sensor",
)  # fmt: skip
# What the detection benchmark calls a category; others are no class.
CLASS_OF = {
    "movable_object.barrier": "barrier",
    "vehicle.bicycle": "bicycle",
    "vehicle.bus.bendy": "bus",
    "vehicle.bus.rigid": "bus",
    "vehicle.car": "car",
    "vehicle.construction": "construction_vehicle",
    "vehicle.motorcycle": "motorcycle",
    "human.pedestrian.adult": "pedestrian",
    "human.pedestrian.child": "pedestrian",
    "human.pedestrian.construction_worker": "pedestrian",
    "human.pedestrian.police_officer": "pedestrian",
    "movable_object.trafficcone": "traffic_cone",
    "vehicle.trailer": "trailer",
    "vehicle.truck": "truck",
}
LONGEST = 1.5  # seconds between annotations that a velocity is taken from, twice that across both


class Tables:
    """The records of all tables, by token."""

    def __init__(self, lists: Mapping[str, Sequence[Record]]) -> None:
        self.lists = lists
        self._by_token = {name: {row["token"]: row for row in rows} for name, rows in lists.items()}

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """The json files of `folder` (v1.0-trainval, v1.0-mini, ...)."""
        lists = {}
        for name in NAMES:
            path = folder / f"{name}.json"
            try:
                lists[name] = json.loads(path.read_text(encoding="utf-8"))
            except FileNotFoundError:
                raise UserError(f"{path}: no such table of nuScenes") from None
            except ValueError as error:
                raise UserError(f"{path}: not json ({error})") from None
            if not isinstance(lists[name], list):
                raise UserError(f"{path}: not a list of records")
        return cls(lists)

    def get(self, table: str, token: str) -> Record:
        """A record; UserError for a token that nothing has."""
        try:
            return self._by_token[table][token]
        except KeyError:
            raise UserError(f"nuScenes table {table}: no record {token!r}") from None

    @cached_property
    def annotations_of(self) -> dict[str, list[Record]]:
        """The annotations of each sample, in the order of the table."""
        found: dict[str, list[Record]] = {row["token"]: [] for row in self.lists["sample"]}
        for row in self.lists["sample_annotation"]:
            found[row["sample_token"]].append(row)
        return found

    @cached_property
    def frames_of(self) -> dict[str, dict[str, Record]]:
        """The key frame of each sensor of each sample, by channel."""
        found: dict[str, dict[str, Record]] = {row["token"]: {} for row in self.lists["sample"]}
        for row in self.lists["sample_data"]:
            if row["is_key_frame"]:
                found[row["sample_token"]][self.channel(row)] = row
        return found

    def channel(self, frame: Record) -> str:
        """CAM_FRONT, LIDAR_TOP, ..."""
        sensor = self.get("calibrated_sensor", frame["calibrated_sensor_token"])
        return str(self.get("sensor", sensor["sensor_token"])["channel"])

    def samples_of(self, scene: Record) -> list[Record]:
        """All samples of a scene in their order, the last one too."""
        rows, token = [], scene["first_sample_token"]
        while token:
            rows.append(self.get("sample", token))
            token = rows[-1]["next"]
        return rows

    def class_of(self, annotation: Record) -> str | None:
        """The benchmark's name of an annotation's class; None where it has none."""
        instance = self.get("instance", annotation["instance_token"])
        return CLASS_OF.get(self.get("category", instance["category_token"])["name"])

    def attribute_of(self, annotation: Record) -> str:
        """The name of its first attribute, "" without one."""
        tokens = annotation["attribute_tokens"]
        return str(self.get("attribute", tokens[0])["name"]) if tokens else ""

    def velocity(self, annotation: Record) -> Floats:
        """(3,) metres a second in global coordinates; NaN where it cannot be told."""
        first = self._neighbour(annotation, "prev")
        last = self._neighbour(annotation, "next")
        ends = [row for row in (first, last) if row is not None]
        if not ends:
            return np.full(3, np.nan)
        first, last = first or annotation, last or annotation
        times = [self.get("sample", row["sample_token"])["timestamp"] for row in (first, last)]
        seconds = 1e-6 * (times[1] - times[0])
        if seconds > LONGEST * len(ends):
            return np.full(3, np.nan)
        places = [np.array(row["translation"], np.float64) for row in (first, last)]
        return (places[1] - places[0]) / seconds

    def _neighbour(self, annotation: Record, which: str) -> Record | None:
        token = annotation[which]
        return self.get("sample_annotation", token) if token else None

    def truth(self, samples: Mapping[str, int]) -> tuple[Boxes3D, NDArray[np.int64]]:
        """The boxes of `samples` (token: row) that have a class, and the points in each."""
        rows = [
            (row, name)
            for token in samples
            for row in self.annotations_of[token]
            if (name := self.class_of(row)) is not None
        ]
        listed = [row for row, _ in rows]
        rotation = np.array([row["rotation"] for row in listed], np.float64).reshape(-1, 4)
        boxes = Boxes3D(
            sample=np.array([samples[row["sample_token"]] for row in listed], np.int64),
            names=np.array([name for _, name in rows], np.str_),
            translation=np.array([row["translation"] for row in listed]).reshape(-1, 3),
            size=np.array([row["size"] for row in listed], np.float64).reshape(-1, 3),
            yaw=yaw_of(rotation),
            velocity=np.array([self.velocity(row)[:2] for row in listed]).reshape(-1, 2),
            attribute=np.array([self.attribute_of(row) for row in listed], np.str_),
        )
        counts = [row["num_lidar_pts"] + row["num_radar_pts"] for row in listed]
        return boxes, np.array(counts, np.int64)

    def centres(self, samples: Mapping[str, int]) -> Floats:
        """(S, 3) where the car was when the lidar (else any sensor) saw each sample."""
        places = np.zeros((len(samples), 3))
        for token, row in samples.items():
            frames = self.frames_of[token]
            frame = frames.get("LIDAR_TOP") or next(iter(frames.values()))
            places[row] = self.get("ego_pose", frame["ego_pose_token"])["translation"]
        return places

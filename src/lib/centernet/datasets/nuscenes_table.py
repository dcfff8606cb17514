"""nuScenes as images of six cameras with cuboids, identities, velocities and attributes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.nuscenes_tables import Record, Tables
from centernet.datasets.table import Table
from centernet.datasets.videos import Videos
from centernet.structures.objects import Cuboids

CAMERAS = (
    "CAM_FRONT", "CAM_FRONT_RIGHT", "CAM_BACK_RIGHT", "CAM_BACK", "CAM_BACK_LEFT", "CAM_FRONT_LEFT",
)  # fmt: skip
CLASSES = (
    "car", "truck", "bus", "trailer", "construction_vehicle", "pedestrian", "motorcycle", "bicycle",
    "traffic_cone", "barrier",
)  # fmt: skip
ATTRIBUTES = (
    "", "cycle.with_rider", "cycle.without_rider", "pedestrian.moving", "pedestrian.standing",
    "pedestrian.sitting_lying_down", "vehicle.moving", "vehicle.parked", "vehicle.stopped",
)  # fmt: skip
_BEHIND, _NEAR = 0.1, 1.0  # metres before the camera: of every corner, of one that is in the image

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Seen:
    """One annotation as a camera sees it."""

    annotation: Record
    index: int  # class
    box: Floats  # (4,) x1 y1 x2 y2, clipped to the image
    dimensions: Floats  # (3,) height, width, length
    location: Floats  # (3,) bottom centre in the camera frame
    depth: float
    rotation: float
    alpha: float
    centre: Floats  # (2,) of the cuboid, in the image
    velocity: Floats  # (3,) in the camera frame


@dataclass(frozen=True)
class Camera:
    """A key frame of one camera."""

    frame: Record
    number: int  # from 1
    matrix: Floats  # (3, 4)
    to_camera: tuple[Floats, Floats]  # rotation (3, 3) and translation of global points
    size: tuple[int, int]  # height, width


def camera_of(tables: Tables, sample: Record, channel: str) -> Camera | None:
    """The key frame of `channel`; None where the sample has none."""
    frame = tables.frames_of[sample["token"]].get(channel)
    if frame is None:
        return None
    mount = tables.get("calibrated_sensor", frame["calibrated_sensor_token"])
    pose = tables.get("ego_pose", frame["ego_pose_token"])
    ego, sensor = (rotation_matrix(row["rotation"]) for row in (pose, mount))
    turn = (ego @ sensor).T
    origin = ego @ np.array(mount["translation"]) + np.array(pose["translation"])
    matrix = np.zeros((3, 4))
    matrix[:, :3] = mount["camera_intrinsic"]
    size = (int(frame["height"]), int(frame["width"]))
    return Camera(frame, CAMERAS.index(channel) + 1, matrix, (turn, -turn @ origin), size)


def rotation_matrix(quaternion: Sequence[float]) -> Floats:
    """(3, 3) of w x y z."""
    w, x, y, z = np.array(quaternion, np.float64) / np.linalg.norm(quaternion)
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )


def seen_by(tables: Tables, camera: Camera, annotations: Sequence[Record]) -> list[Seen]:
    """What a camera sees, in the order of the annotations; what lies wholly behind another goes."""
    seen = [each for row in annotations if (each := _seen(tables, camera, row)) is not None]
    return [each for each in seen if not any(_hides(other, each) for other in seen)]


def _seen(tables: Tables, camera: Camera, row: Record) -> Seen | None:
    name = tables.class_of(row)
    if name is None:
        return None
    turn, shift = camera.to_camera
    middle = turn @ np.array(row["translation"]) + shift
    axes = turn @ rotation_matrix(row["rotation"])
    width, length, height = row["size"]
    corners = middle + _CORNERS * np.array([length, width, height]) / 2 @ axes.T
    points = _project(corners, camera.matrix)
    inside = (points > 0).all(axis=1) & (points < np.array(camera.size[::-1])).all(axis=1)
    if not (inside & (corners[:, 2] > _NEAR)).any() or not (corners[:, 2] > _BEHIND).all():
        return None
    location = middle + np.array([0, height / 2, 0])
    yaw = -float(np.arctan2(axes[2, 0], axes[0, 0]))
    dimensions = np.array([height, width, length])
    box = _box(dimensions, location, yaw, camera)
    centre = _project(middle[None], camera.matrix)[0]
    focal, offset = camera.matrix[0, 0], camera.matrix[0, 2]
    alpha = yaw - float(np.arctan2((box[0] + box[2]) / 2 - offset, focal))
    return Seen(
        row,
        CLASSES.index(name),
        box,
        dimensions,
        location,
        float(location[2]),
        yaw,
        (alpha + np.pi) % (2 * np.pi) - np.pi,
        centre,
        turn @ tables.velocity(row),
    )


_CORNERS = np.array([[x, y, z] for x in (1, -1) for y in (1, -1) for z in (1, -1)], np.float64)


def _project(points: Floats, matrix: Floats) -> Floats:
    """(N, 2) pixels of points (N, 3) in the camera frame."""
    flat = points @ matrix[:, :3].T + matrix[:, 3]
    return flat[:, :2] / flat[:, 2:]


def _box(dimensions: Floats, location: Floats, yaw: float, camera: Camera) -> Floats:
    """The hull in the image of the upright cuboid, clipped."""
    height, width, length = dimensions
    cos, sin = np.cos(yaw), np.sin(yaw)
    x, z = _CORNERS[:, 0] * length / 2, _CORNERS[:, 1] * width / 2
    y = np.where(_CORNERS[:, 2] > 0, 0.0, -height)
    corners = np.stack([cos * x + sin * z, y, -sin * x + cos * z], axis=1) + location
    points = _project(corners, camera.matrix)
    high = np.array([camera.size[1], camera.size[0]], np.float64)
    return np.concatenate(
        [np.clip(points.min(axis=0), 0, high), np.clip(points.max(axis=0), 0, high)]
    )


def _hides(front: Seen, back: Seen) -> bool:
    """Whether `back` is farther away and its box lies within that of `front`."""
    apart = back.depth - back.dimensions.min() / 2 > front.depth + front.dimensions.max() / 2
    return bool(
        apart and (back.box[:2] > front.box[:2]).all() and (back.box[2:] < front.box[2:]).all()
    )


@dataclass(frozen=True)
class View:
    """One image: a camera of a sample, and what it sees."""

    sample: Record
    camera: Camera
    video: str  # scene and camera
    number: int  # of the sample in its scene, from 1
    seen: list[Seen]


def views_of(tables: Tables, scenes: Sequence[Record]) -> list[View]:
    """All images, scene by scene and camera by camera, every sample of each."""
    views = []
    for scene in scenes:
        samples = tables.samples_of(scene)
        for channel in CAMERAS:
            for number, sample in enumerate(samples, start=1):
                camera = camera_of(tables, sample, channel)
                if camera is not None:
                    seen = seen_by(tables, camera, tables.annotations_of[sample["token"]])
                    video = f"{scene['name']}/{channel}"
                    views.append(View(sample, camera, video, number, seen))
    return views


def table_of(tables: Tables, views: Sequence[View]) -> Table:
    """Images and objects as flat arrays. An object has one identity in all cameras."""
    flat = [each for view in views for each in view.seen]
    names = list(dict.fromkeys(view.video for view in views))
    instances: dict[str, int] = {}
    for each in flat:
        instances.setdefault(each.annotation["instance_token"], len(instances) + 1)

    def column(key: str, width: int) -> NDArray[np.float32]:
        return np.array([getattr(e, key) for e in flat], np.float32).reshape(-1, width)

    boxes = np.array([each.box for each in flat], np.float64).reshape(-1, 4)
    boxes[:, 2:] -= boxes[:, :2]
    return Table(
        image_ids=list(range(1, len(views) + 1)),
        files=np.array([view.camera.frame["filename"] for view in views], np.str_),
        sizes=np.array([view.camera.size for view in views], np.int64).reshape(-1, 2),
        image=np.repeat(np.arange(len(views)), [len(view.seen) for view in views]),
        ids=np.arange(1, len(flat) + 1),
        classes=np.array([each.index for each in flat], np.int64),
        boxes=boxes,
        areas=boxes[:, 2] * boxes[:, 3],
        crowd=np.zeros(len(flat), bool),
        identities=np.array([instances[e.annotation["instance_token"]] for e in flat], np.int64),
        cuboids=Cuboids(
            dimensions=column("dimensions", 3),
            locations=column("location", 3),
            rotations=column("rotation", 1)[:, 0],
            alphas=column("alpha", 1)[:, 0],
            depths=column("depth", 1)[:, 0],
        ),
        calibrations=np.array([view.camera.matrix for view in views], np.float32).reshape(-1, 3, 4),
        videos=Videos(
            names,
            np.array([names.index(view.video) for view in views], np.int64),
            np.array([view.number for view in views], np.int64),
        ),
    )

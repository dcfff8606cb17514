"""Detections: what a detector found in one image, the same type for every task."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from centernet.drawing.flat import draw_detections
from centernet.drawing.palette import colour
from centernet.drawing.solid import birds_eye
from centernet.io.files import write_text
from centernet.io.image import read_image
from centernet.io.picture_file import PICTURE_SUFFIXES, save_picture
from centernet.runtime.errors import UserError
from centernet.structures.columns import check, join_all, take_all

if TYPE_CHECKING:
    from centernet.structures.objects import Cuboids

# The fields with one row an object, besides boxes, scores and classes.
_OPTIONAL_ROWS = ("keypoints", "extremes", "cuboids", "masks", "identities")
_COUNTED = ("scores", "classes", *_OPTIONAL_ROWS)

# Those that are always there, as arrays of this type, and their shape when there are none.
_ROWS = (("boxes", np.float32, (0, 4)), ("scores", np.float32, 0), ("classes", np.int64, 0))


class Detection(NamedTuple):
    """One row of Detections in plain Python types, for loops that only want the box."""

    box: tuple[float, float, float, float]  # x1 y1 x2 y2, image pixels
    score: float
    index: int  # type: ignore[assignment]  # class, 0-based; hides tuple.index
    name: str


@dataclass(frozen=True, eq=False)
class Detections:
    """N objects found in one image, best first as the task's merge leaves them.

    Coordinates are pixels of the image as it was given to the detector: x to the right, y down,
    the centre of the first pixel at (0, 0). An optional field is None when the task does not
    predict it. `columns` are further arrays with one row an object, by name: `embeddings` (N, D),
    `displacements` (N, 2) from where each was in the previous frame, `centers` (N, 2), ...
    """

    boxes: np.ndarray  # (N, 4) float32, x1 y1 x2 y2
    scores: np.ndarray  # (N,) float32
    classes: np.ndarray  # (N,) int64, 0-based
    class_names: tuple[str, ...] = ()
    keypoints: np.ndarray | None = None  # (N, J, 3) float32, x y score
    extremes: np.ndarray | None = None  # (N, 4, 2) float32, top left bottom right
    cuboids: Cuboids | None = None
    masks: list[Any] | None = None  # N COCO segmentations: polygons, or a run-length dict
    identities: np.ndarray | None = None  # (N,) int64
    image_size: tuple[int, int] | None = None  # (height, width)
    path: Path | None = None
    skeleton: tuple[tuple[int, int], ...] = ()  # limbs to draw, as pairs of joints
    calibration: np.ndarray | None = None  # (3, 4) camera matrix the cuboids were found with
    columns: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        own = vars(self)  # the class being frozen, its way to set them
        for name, dtype, shape in _ROWS:
            value = np.asarray(own[name], dtype=dtype)
            own[name] = value if value.size else value.reshape(shape)
        own["class_names"] = tuple(self.class_names)
        count = len(self.boxes)
        check({name: own[name] for name in _COUNTED}, count)
        check({f"column {name}": value for name, value in self.columns.items()}, count)

    @classmethod
    def empty(cls, class_names: Sequence[str] = (), **facts: Any) -> Detections:
        """No object at all; `facts` are further fields (path, image_size, ...)."""
        return cls(np.zeros((0, 4)), np.zeros(0), np.zeros(0), tuple(class_names), **facts)

    def __len__(self) -> int:
        return len(self.boxes)

    def __iter__(self) -> Iterator[Detection]:
        for box, score, index in zip(self.boxes, self.scores, self.classes, strict=True):
            x1, y1, x2, y2 = box.tolist()
            yield Detection((x1, y1, x2, y2), float(score), int(index), self.class_name(int(index)))

    def class_name(self, index: int) -> str:
        """Name of class `index`; the number itself where the checkpoint knew no name."""
        return self.class_names[index] if 0 <= index < len(self.class_names) else str(index)

    def select(self, index: np.ndarray | slice | Sequence[int]) -> Detections:
        """The rows of a boolean mask, an index array or a slice, in that order."""
        rows: Any = index if isinstance(index, slice) else np.asarray(index)
        if not isinstance(rows, slice) and rows.size == 0 and rows.dtype != bool:
            rows = rows.astype(np.int64)
        taken = take_all(self._rows(), rows)
        return replace(self, columns=take_all(self.columns, rows), **taken)

    def _rows(self) -> dict[str, Any]:
        """The fields with one row an object."""
        return {name: getattr(self, name) for name in ("boxes", *_COUNTED)}

    def above(self, score: float) -> Detections:
        """Only the objects whose score is greater than `score`."""
        return self.select(self.scores > score)

    @staticmethod
    def concatenate(parts: Sequence[Detections]) -> Detections:
        """All rows of several results of one image; facts of the image come from the first.

        An optional field or a column must be present in every part or in none.
        """
        if not parts:
            raise ValueError("nothing to concatenate")
        if len(parts) == 1:
            return parts[0]
        joined = join_all([part._rows() for part in parts])
        further = join_all([part.columns for part in parts])
        return replace(parts[0], columns=further, **joined)

    def summary(self, threshold: float = 0.3, flag: str = "threshold") -> str:
        """One line: how many objects of which class lie above `threshold`.

        When none does, the best score is named instead, and a value of `flag` (how the user sets
        the threshold) that would show it.
        """
        strong = self.above(threshold)
        if len(strong):
            counts = Counter(self.class_name(int(index)) for index in strong.classes)
            listed = ", ".join(f"{count} {name}" for name, count in counts.most_common())
            return f"{len(strong)} above {threshold:g}: {listed}"
        if not len(self):
            return f"0 boxes above {threshold:g}; no candidate at all"
        best = self.select([int(np.argmax(self.scores))])
        score, name = float(best.scores[0]), self.class_name(int(best.classes[0]))
        hint = math.floor(score * 100) / 100 or round(score / 2, 6)
        if not len(best.above(hint)):
            hint = round(hint - 0.01, 2)
        return (
            f"0 boxes above {threshold:g}; best score {score:.3g} (class '{name}')."
            f" Try {flag} {hint:g}"
        )

    def plot(
        self, image: np.ndarray | None = None, *, threshold: float = 0.3, theme: str = "white"
    ) -> np.ndarray:
        """Draw the objects above `threshold`; return a new BGR uint8 image of the same size.

        Args:
            image: (H, W, 3) uint8 BGR; read from `path`, Exif orientation followed, when not given.
            threshold: objects of a lower score are left out.
            theme: "white" (bright label plates) or "black" (dark ones).
        """
        return draw_detections(self._image(image), self, threshold=threshold, theme=theme)

    def birds_eye(self, *, threshold: float = 0.3, theme: str = "white") -> np.ndarray | None:
        """A picture of the cuboids above `threshold` from above, BGR; None without cuboids."""
        found = self.above(threshold)
        if found.cuboids is None:
            return None
        return birds_eye(found.cuboids, [colour(int(c)) for c in found.classes], theme=theme)

    def _image(self, image: np.ndarray | None) -> np.ndarray:
        if image is not None:
            return image
        if self.path is None:
            raise UserError("plot: these detections have no file; pass the image: plot(image)")
        return read_image(self.path, upright=True)

    def save(
        self,
        path: str | Path,
        image: np.ndarray | None = None,
        *,
        threshold: float = 0.3,
        theme: str = "white",
    ) -> Path:
        """Write a picture (.jpg, .png, ...) or all numbers (.json); return the absolute path.

        The file appears under its name only when it is complete.
        """
        path = Path(path).absolute()
        suffix = path.suffix.lower()
        if suffix == ".json":
            return write_text(path, json.dumps(self.to_dict(), indent=1) + "\n")
        if suffix in PICTURE_SUFFIXES:
            return save_picture(path, self.plot(image, threshold=threshold, theme=theme))
        known = " ".join((".json", *PICTURE_SUFFIXES))
        raise UserError(f"save: '{path.name}' has no known suffix; use one of {known}")

    def to_dict(self) -> dict[str, Any]:
        """Plain types for json: the image, then one dict an object, fields that are None left out.

        `box` is x1 y1 x2 y2; `keypoints` J rows x y score; `extremes` top left bottom right;
        `cuboid` depth (m), dimensions h w l (m), locations x y z (m), rotations, alphas (rad). Each
        of `columns` stands under its own name.
        """
        objects = []
        for row, found in enumerate(self):
            entry: dict[str, Any] = {
                "class": found.name,
                "class_index": found.index,
                "score": _plain(found.score),
                "box": _plain(self.boxes[row]),
            }
            if self.keypoints is not None:
                entry["keypoints"] = _plain(self.keypoints[row])
            if self.extremes is not None:
                entry["extremes"] = _plain(self.extremes[row])
            if self.cuboids is not None:
                entry["cuboid"] = {
                    field.name: _plain(value[row])
                    for field in fields(self.cuboids)
                    if (value := getattr(self.cuboids, field.name)) is not None
                }
            if self.masks is not None:
                entry["mask"] = _plain_mask(self.masks[row])
            if self.identities is not None:
                entry["identity"] = int(self.identities[row])
            objects.append({n: _plain(column[row]) for n, column in self.columns.items()} | entry)
        return {
            "image": None if self.path is None else str(self.path),
            "image_size": None if self.image_size is None else [int(n) for n in self.image_size],
            "objects": objects,
        }

    def to_coco(
        self, image_id: int | str, category_ids: Sequence[int], digits: int | None = 2
    ) -> list[dict[str, Any]]:
        """Rows of a COCO results file: bbox is x y width height, width = x2 - x1.

        Args:
            category_ids: the data set's id of each class.
            digits: decimals kept, 2 as the published result files have; None keeps all.
        """

        def number(value: float) -> float:
            return float(value) if digits is None else float(f"{value:.{digits}f}")

        rows = []
        for row, found in enumerate(self):
            x1, y1, x2, y2 = self.boxes[row]
            entry: dict[str, Any] = {
                "image_id": image_id,
                "category_id": int(category_ids[found.index]),
                "bbox": [number(v) for v in (x1, y1, x2 - x1, y2 - y1)],
                "score": number(found.score),
            }
            if self.keypoints is not None:
                # COCO's results hold a flag, not a score, in the third place.
                joints = self.keypoints[row, :, :2]
                entry["keypoints"] = [v for x, y in joints for v in (number(x), number(y), 1.0)]
            if self.extremes is not None:
                entry["extreme_points"] = [number(v) for v in self.extremes[row].reshape(-1)]
            if self.masks is not None:
                entry["segmentation"] = _plain_mask(self.masks[row])
            rows.append(entry)
        return rows


def _plain(value: Any) -> Any:
    """Nested lists of floats with four decimals; a number that is not finite becomes None."""
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value]
    value = float(value)
    return round(value, 4) if math.isfinite(value) else None


def _plain_mask(mask: Any) -> Any:
    """A COCO segmentation that json can hold (run lengths come from pycocotools as bytes)."""
    if not isinstance(mask, dict):
        return mask
    counts = mask["counts"]
    return {
        "size": [int(n) for n in mask["size"]],
        "counts": counts.decode("ascii") if isinstance(counts, bytes) else counts,
    }

"""nuScenes' detection metrics: mAP over distances of centres, true-positive errors and NDS.

Caesar et al., "nuScenes: A Multimodal Dataset for Autonomous Driving", CVPR 2020, section 3. The
figures are those of the configuration detection_cvpr_2019.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Metres from the car within which a class counts.
RANGES = {
    "car": 50, "truck": 50, "bus": 50, "trailer": 50, "construction_vehicle": 50,
    "pedestrian": 40, "motorcycle": 40, "bicycle": 40, "traffic_cone": 30, "barrier": 30,
}  # fmt: skip
DISTANCES = (0.5, 1.0, 2.0, 4.0)  # metres between centres that are a match
TP_DISTANCE = 2.0  # the one that the errors are measured at
MIN_RECALL, MIN_PRECISION = 0.1, 0.1
MOST = 500  # boxes of a sample
AP_WEIGHT = 5
ERRORS = ("trans_err", "scale_err", "orient_err", "vel_err", "attr_err")
# Errors that mean nothing for a class.
UNDEFINED = {
    "traffic_cone": ("attr_err", "vel_err", "orient_err"),
    "barrier": ("attr_err", "vel_err"),
}
_RECALLS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Boxes3D:
    """N boxes of all samples in global coordinates, metres and radians."""

    sample: NDArray[np.int64]  # (N,)
    names: NDArray[np.str_]  # (N,) of the classes
    translation: NDArray[np.float64]  # (N, 3) centres
    size: NDArray[np.float64]  # (N, 3) width, length, height
    yaw: NDArray[np.float64]  # (N,)
    velocity: NDArray[np.float64]  # (N, 2) NaN where unknown
    attribute: NDArray[np.str_]  # (N,) "" where none
    score: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))  # of detections

    def __len__(self) -> int:
        return len(self.sample)

    def select(self, index: Any) -> Boxes3D:
        """The boxes of `index` (mask or integers)."""
        return Boxes3D(*(v[index] if len(v := getattr(self, f.name)) else v for f in fields(self)))

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, Any]], samples: Mapping[str, int]) -> Boxes3D:
        """From rows as a submission has them: sample_token, translation, size, rotation, ..."""

        def numbers(key: str, width: int) -> NDArray[np.float64]:
            return np.array([row[key] for row in rows], np.float64).reshape(len(rows), width)

        return cls(
            sample=np.array([samples[row["sample_token"]] for row in rows], np.int64),
            names=np.array([row["detection_name"] for row in rows], np.str_),
            translation=numbers("translation", 3),
            size=numbers("size", 3),
            yaw=yaw_of(numbers("rotation", 4)),
            velocity=numbers("velocity", 2),
            attribute=np.array([row.get("attribute_name") or "" for row in rows], np.str_),
            score=np.array([row.get("detection_score", 0.0) for row in rows], np.float64),
        )


def yaw_of(rotation: NDArray[np.float64]) -> NDArray[np.float64]:
    """(N,) heading in the ground plane of quaternions (N, 4) w x y z: where the x axis points."""
    w, x, y, z = rotation.T
    return np.arctan2(2 * (x * y + w * z), w * w + x * x - y * y - z * z)


@dataclass(frozen=True)
class Nuscenes:
    """The scores of a set of detections."""

    label_aps: dict[str, dict[float, float]]  # class: {distance: AP}
    label_tp_errors: dict[str, dict[str, float]]  # class: {error: value}, NaN where undefined

    @property
    def mean_dist_aps(self) -> dict[str, float]:
        """AP of each class, over the distances."""
        return {name: float(np.mean(list(aps.values()))) for name, aps in self.label_aps.items()}

    @property
    def mean_ap(self) -> float:
        """mAP."""
        return float(np.mean(list(self.mean_dist_aps.values())))

    @property
    def tp_errors(self) -> dict[str, float]:
        """Each error over the classes that have it: mATE, mASE, mAOE, mAVE, mAAE."""
        return {
            error: float(np.nanmean([errors[error] for errors in self.label_tp_errors.values()]))
            for error in ERRORS
        }

    @property
    def tp_scores(self) -> dict[str, float]:
        """1 - error, not below 0."""
        return {error: max(0.0, 1 - value) for error, value in self.tp_errors.items()}

    @property
    def nd_score(self) -> float:
        """NDS: half mAP, half the scores of the true positives."""
        total = AP_WEIGHT * self.mean_ap + sum(self.tp_scores.values())
        return float(total / (AP_WEIGHT + len(ERRORS)))

    def metrics(self) -> dict[str, float]:
        """NDS and mAP, then each error by its usual name."""
        names = ("mATE", "mASE", "mAOE", "mAVE", "mAAE")
        errors = dict(zip(names, self.tp_errors.values(), strict=True))
        return {"NDS": self.nd_score, "mAP": self.mean_ap, **errors}


def evaluate_nuscenes(
    truth: Boxes3D, found: Boxes3D, centres: NDArray[np.float64], points: NDArray[np.int64]
) -> Nuscenes:
    """Compare detections with the truth of all samples.

    Args:
        centres: (S, 2 or 3) where the car was in each sample; what is farther than its class's
            range does not count.
        points: (N,) lidar and radar points in each true box; boxes without any do not count.
    """
    truth = truth.select(points > 0)
    truth = truth.select(_in_range(truth, centres))
    found = found.select(_best_of_samples(found))
    found = found.select(_in_range(found, centres))
    aps: dict[str, dict[float, float]] = {}
    errors: dict[str, dict[str, float]] = {}
    for name in RANGES:
        true = truth.select(truth.names == name)
        ours = found.select(found.names == name)
        ours = ours.select(np.argsort(-ours.score, kind="stable"))
        aps[name] = {d: _average_precision(_matched(true, ours, d), len(true)) for d in DISTANCES}
        errors[name] = _errors(name, true, ours)
    return Nuscenes(aps, errors)


def _in_range(boxes: Boxes3D, centres: NDArray[np.float64]) -> NDArray[np.bool_]:
    away = np.linalg.norm(boxes.translation[:, :2] - centres[boxes.sample, :2], axis=1)
    return away < np.array([RANGES.get(name, 0) for name in boxes.names.tolist()])


def _best_of_samples(found: Boxes3D) -> NDArray[np.int64]:
    """The rows of the MOST best boxes of each sample."""
    order = np.lexsort((-found.score, found.sample))
    ranks = np.arange(len(order)) - np.searchsorted(found.sample[order], found.sample[order])
    return np.sort(order[ranks < MOST])


def _matched(truth: Boxes3D, found: Boxes3D, distance: float) -> NDArray[np.int64]:
    """(D,) the true box of each detection, best first, by nearest centre; -1 for none."""
    match = np.full(len(found), -1, np.int64)
    taken = np.zeros(len(truth), bool)
    rows_of = {sample: np.flatnonzero(truth.sample == sample) for sample in np.unique(truth.sample)}
    none = np.zeros(0, np.int64)
    for row in range(len(found)):
        rows = rows_of.get(found.sample[row], none)
        rows = rows[~taken[rows]]
        if not len(rows):
            continue
        gaps = truth.translation[rows, :2] - found.translation[row, :2]
        away = np.linalg.norm(gaps, axis=1)
        nearest = int(away.argmin())
        if away[nearest] < distance:
            match[row] = rows[nearest]
            taken[rows[nearest]] = True
    return match


def _average_precision(match: NDArray[np.int64], truths: int) -> float:
    """Area of precision above MIN_PRECISION over recalls above MIN_RECALL, as a share."""
    if truths == 0 or not (match >= 0).any():
        return 0.0
    hits = np.cumsum(match >= 0)
    precision, recall = hits / np.arange(1, len(match) + 1), hits / truths
    at = np.interp(_RECALLS, recall, precision, right=0)
    above = at[round(100 * MIN_RECALL) + 1 :] - MIN_PRECISION
    return float(np.mean(np.maximum(above, 0))) / (1 - MIN_PRECISION)


def _errors(name: str, truth: Boxes3D, found: Boxes3D) -> dict[str, float]:
    """The mean errors over recalls, 1 where nothing is found, NaN where one means nothing."""
    match = _matched(truth, found, TP_DISTANCE)
    hit = match >= 0
    values = dict.fromkeys(ERRORS, 1.0)
    if hit.any():
        recall = np.cumsum(hit) / len(truth)
        scores = np.interp(_RECALLS, recall, found.score, right=0)
        ours, true = found.select(hit), truth.select(match[hit])
        for error, each in _single_errors(name, true, ours).items():
            values[error] = _over_recalls(_running_mean(each), ours.score, scores)
    for error in UNDEFINED.get(name, ()):
        values[error] = float("nan")
    return values


def _single_errors(name: str, true: Boxes3D, ours: Boxes3D) -> dict[str, NDArray[np.float64]]:
    """Of every pair: metres, 1 - IoU of aligned sizes, radians, metres a second, 1 - right."""
    common = np.minimum(true.size, ours.size).prod(axis=1)
    union = true.size.prod(axis=1) + ours.size.prod(axis=1) - common
    period = np.pi if name == "barrier" else 2 * np.pi
    turn = (true.yaw - ours.yaw + period / 2) % period - period / 2
    turn = np.where(turn > np.pi, turn - 2 * np.pi, turn)
    right = (true.attribute == ours.attribute).astype(np.float64)
    return {
        "trans_err": np.linalg.norm(ours.translation[:, :2] - true.translation[:, :2], axis=1),
        "scale_err": 1 - common / union,
        "orient_err": np.abs(turn),
        "vel_err": np.linalg.norm(ours.velocity - true.velocity, axis=1),
        "attr_err": np.where(true.attribute == "", np.nan, 1 - right),
    }


def _running_mean(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Means of the first 1, 2, ... values, NaN left out; 0 before the first, 1 without any."""
    known = ~np.isnan(values)
    if not known.any():
        return np.ones(len(values))
    total, count = np.nancumsum(values), np.cumsum(known)
    return np.divide(total, count, out=np.zeros_like(total), where=count > 0)


def _over_recalls(
    means: NDArray[np.float64], scores: NDArray[np.float64], at: NDArray[np.float64]
) -> float:
    """The mean of the running means at the scores `at` of the recalls, from MIN_RECALL on."""
    curve = np.interp(at[::-1], scores[::-1], means[::-1])[::-1]
    reached = np.flatnonzero(at)
    last = int(reached[-1]) if len(reached) else 0
    first = round(100 * MIN_RECALL) + 1
    return 1.0 if last < first else float(np.mean(curve[first : last + 1]))

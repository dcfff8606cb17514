"""Why nothing was found: a look at predictions and ground truth when the metric is near 0."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from centernet.datasets.source import Source
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects

NEAR_ZERO = 0.001
LOOKED_AT = 500  # images; enough to see what is wrong
OVERLAP = 0.5


@dataclass
class Findings:
    """What predictions and ground truth have, and have in common."""

    images: int = 0
    unknown_ids: int = 0  # results under an id that the data set does not have
    without_result: int = 0
    objects: int = 0
    predictions: int = 0
    covered: int = 0  # objects that a prediction of any class meets
    named: int = 0  # objects that one of their own class meets
    best_score: float = 0.0
    best_class: str = ""
    true_classes: Counter[str] = field(default_factory=Counter)
    found_classes: Counter[str] = field(default_factory=Counter)
    true_sides: list[float] = field(default_factory=list)
    found_sides: list[float] = field(default_factory=list)


def post_mortem(source: Source, results: Mapping[int | str, Detections]) -> str:
    """A short paragraph that says where a metric near 0 comes from, as far as it can be told.

    Looks at the first LOOKED_AT images of `source`; `results` are by image id.
    """
    findings = examine(source, results)
    return " ".join(["Why the metric is so low:", *_counts(findings), _verdict(findings)])


def examine(source: Source, results: Mapping[int | str, Detections]) -> Findings:
    """Count what `results` and the ground truth of `source` have in common."""
    known = {source.image_id(index) for index in range(len(source))}
    findings = Findings(unknown_ids=sum(1 for name in results if name not in known))
    for index in range(min(len(source), LOOKED_AT)):
        findings.images += 1
        found = results.get(source.image_id(index))
        if found is None:
            findings.without_result += 1
            found = Detections.empty(source.info.class_names)
        objects = source.objects(index)
        _add(findings, objects.select(objects.classes >= 0), found, source.info.class_names)
    return findings


def _add(findings: Findings, objects: Objects, found: Detections, names: tuple[str, ...]) -> None:
    findings.objects += len(objects)
    findings.predictions += len(found)
    findings.true_classes.update(names[index] for index in objects.classes.tolist())
    if len(found):
        best = int(np.argmax(found.scores))
        if found.scores[best] > findings.best_score:
            findings.best_score = float(found.scores[best])
            findings.best_class = found.class_name(int(found.classes[best]))
    # As many of the best predictions as there are objects: what the network believes in.
    believed = found.select(np.argsort(-found.scores, kind="stable")[: len(objects)])
    findings.found_classes.update(found.class_name(int(index)) for index in believed.classes)
    findings.true_sides += _sides(objects.boxes)
    findings.found_sides += _sides(believed.boxes)
    if len(objects) and len(found):
        meets = overlaps(objects.boxes, found.boxes) >= OVERLAP
        same = objects.classes[:, None] == found.classes[None]
        findings.covered += int(meets.any(axis=1).sum())
        findings.named += int((meets & same).any(axis=1).sum())


def overlaps(a: NDArray[np.float32], b: NDArray[np.float32]) -> NDArray[np.float64]:
    """(N, M) intersection over union of boxes x1 y1 x2 y2, (N, 4) and (M, 4), both not empty."""
    first, second = (
        np.column_stack([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]]).astype(np.float64)
        for boxes in (a, b)
    )
    return coco_mask.iou(first, second, np.zeros(len(second), np.uint8))


def _sides(boxes: NDArray[np.float32]) -> list[float]:
    return np.sqrt((boxes[:, 2:] - boxes[:, :2]).clip(0).prod(axis=1)).tolist()


def _counts(findings: Findings) -> list[str]:
    said = [
        f"{findings.predictions} predictions for {findings.objects} objects on"
        f" {findings.images} images."
    ]
    if findings.predictions:
        said.append(f"Best score {findings.best_score:.3g} (class '{findings.best_class}').")
    if findings.predictions and findings.objects:
        said.append(
            f"Of the objects {findings.covered / findings.objects:.0%} are met by a box of any"
            f" class, {findings.named / findings.objects:.0%} by one of their own (IoU"
            f" {OVERLAP:g}). True classes: {_most(findings.true_classes)}; predicted:"
            f" {_most(findings.found_classes)}."
        )
    return said


def _most(counts: Counter[str], shown: int = 3) -> str:
    listed = [f"{name} {count}" for name, count in counts.most_common(shown)]
    return ", ".join(listed) + (", ..." if len(counts) > shown else "")


def _verdict(findings: Findings) -> str:
    """The first cause that explains it, and the one thing to try."""
    cause, proposal = _cause(findings)
    return f"{cause} Try this: {proposal}."


def _cause(findings: Findings) -> tuple[str, str]:
    if findings.objects == 0:
        return (
            "There is no ground truth in this split.",
            "look at it with check.py, which says what was read and what was left out",
        )
    if findings.unknown_ids or findings.without_result == findings.images:
        return (
            f"{findings.unknown_ids} results carry an image id that the data set does not have and"
            f" {findings.without_result} of {findings.images} images have none: results and"
            " annotations are not of the same images.",
            "name the annotations and images that the results were made of",
        )
    if findings.predictions == 0:
        return "Nothing was predicted at all.", "--debug 2, which draws the heat maps"
    if findings.covered > 2 * findings.named and findings.covered > findings.objects / 10:
        return (
            "The boxes are right but the classes are not: the checkpoint's classes are not those"
            " of this data, or in another order.",
            "give the data's classes the names and the order of the checkpoint (--class_map)",
        )
    if findings.best_score < 0.2:
        return (
            "No score is above 0.2: the network has hardly learned yet.",
            "train longer, or with a higher --lr if hm_loss stands still",
        )
    true, found = np.median(findings.true_sides), np.median(findings.found_sides)
    if not 0.5 < found / max(true, 1e-6) < 2:
        return (
            f"Predicted boxes are {found:.3g} pixels across, the true ones {true:.3g}: the sizes"
            " are not learned yet (watch wh_loss), or the input size differs from training's.",
            "test with the --input_res of training",
        )
    return (
        "Boxes have the right size but lie elsewhere.",
        "check.py, whose contact sheet shows the annotations as the network sees them, and then"
        " --debug 2 for what it answers",
    )

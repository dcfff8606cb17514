"""What a test leaves for the page of its run: the evaluation, the findings, the images shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Evaluation
from centernet.datasets.evaluate.findings import Findings, ImageFinding
from centernet.datasets.evaluate.part_findings import DepthFindings, JointFindings
from centernet.datasets.source import Source
from centernet.detectors.detector import Detector
from centernet.detectors.sketches import heat_of
from centernet.io.files import write_text
from centernet.io.picture_file import save_picture
from centernet.io.run_folder import EVALUATION, RunFolder
from centernet.structures.detections import Detections
from centernet.structures.objects import Objects

SHOWN = 6  # of the worst, and of the best images
QUALITY = 75  # of their JPEG files
SIDE = 320  # pixels of the longer side of each panel

Image = NDArray[np.uint8]


def keep_evaluation(folder: RunFolder, evaluation: Evaluation) -> None:
    """Write metrics, figures of each class and curves for the page."""
    curves = {
        name: [curve.recall.round(4).tolist(), curve.precision.round(4).tolist()]
        for name, curve in evaluation.curves.items()
    }
    content = {
        "metrics": evaluation.metrics,
        "per_class": evaluation.per_class,
        "curves": curves,
        "curves_at": evaluation.curves_at,
        "table": evaluation.table,
        "by_size": evaluation.by_size,
    }
    write_text(folder.file(EVALUATION), json.dumps(content, default=float) + "\n")


def keep_findings(
    folder: RunFolder,
    detector: Detector,
    source: Source,
    results: Mapping[int | str, Detections],
    threshold: float,
) -> None:
    """Write what became of every object and detection, and images of the best and worst images.

    Only images that were tested count.
    """
    findings = Findings(source.info.class_names, threshold)
    joints, depths = JointFindings(source.info.joints), DepthFindings()
    for index in range(len(source)):
        found = results.get(source.image_id(index))
        if found is not None:
            objects = source.objects(index)
            match = findings.add(index, objects, found)
            joints.add(objects, found, match)
            depths.add(objects, found, match)
    worst, best = findings.ranked(SHOWN)
    content: dict[str, Any] = findings.as_dict()
    content |= {"joints": joints.as_rows(), "depths": depths.as_rows()}
    for title, images in (("worst", worst), ("best", best)):
        content[title] = [
            _picture(folder, f"{title}_{number}", detector, source, results, image, threshold)
            for number, image in enumerate(images, 1)
        ]
    write_text(folder.findings, json.dumps(content) + "\n")


def _picture(
    folder: RunFolder,
    name: str,
    detector: Detector,
    source: Source,
    results: Mapping[int | str, Detections],
    finding: ImageFinding,
    threshold: float,
) -> dict[str, Any]:
    """Truth, prediction and heat map of an image side by side in a file; what is known of it."""
    index = finding.index
    image, objects = source.image(index), source.objects(index)
    real = objects.classes >= 0
    truth = Detections(
        objects.boxes[real],
        np.ones(int(real.sum()), np.float32),
        objects.classes[real],
        source.info.class_names,
        keypoints=None if objects.keypoints is None else objects.keypoints[real],
        masks=_masks(objects, real),
        cuboids=None if objects.cuboids is None else objects.cuboids.select(real),
        calibration=objects.calibration,
        skeleton=source.info.skeleton,
    )
    prediction = results[source.image_id(index)]
    ready = detector.prepare(image, source.path(index), objects.calibration, 0.0, objects)
    panels = [truth.plot(image), prediction.plot(image, threshold=threshold)]
    above = [truth.birds_eye(threshold=0.0), prediction.birds_eye(threshold=threshold)]
    panels += [panel for panel in above if panel is not None]
    heat = heat_of(detector, ready)
    panels += [] if heat is None else [heat]
    place = save_picture(folder.findings.parent / f"{name}.jpg", _side_by_side(panels), QUALITY)
    return {
        "file": str(source.path(index).name),
        "picture": place.name,
        **{key: value for key, value in asdict(finding).items() if key != "index"},
    }


def _masks(objects: Objects, real: NDArray[np.bool_]) -> list[Any] | None:
    """The masks of the `real` objects, where each of them has one."""
    if objects.masks is None:
        return None
    masks = [mask for mask, own in zip(objects.masks, real, strict=True) if own]
    return None if any(mask is None for mask in masks) else masks


def _side_by_side(panels: list[Image]) -> Image:
    height = max(1, round(SIDE * min(1.0, panels[0].shape[0] / max(panels[0].shape[1], 1))))
    scaled = [
        cv2.resize(
            panel,
            (max(1, round(panel.shape[1] * height / panel.shape[0])), height),
            interpolation=cv2.INTER_AREA,
        )
        for panel in panels
    ]
    gap = np.full((height, 6, 3), 128, np.uint8)
    parts = [each for panel in scaled for each in (panel, gap)][:-1]
    return np.concatenate(parts, axis=1)

"""COCO's average precision of boxes and keypoints, for any data set.

The numbers are those of pycocotools. The ground truth is built from the annotation table, with
images, objects and classes numbered from 1: the file's own ids may be strings, repeat, or be 0,
which pycocotools takes for "no match". Images are numbered in the order of their ids, as that
order decides between equal scores.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.evaluate.evaluation import Curve, Evaluation
from centernet.datasets.source import Info
from centernet.datasets.table import Table
from centernet.io.files import atomic_write, write_text
from centernet.runtime.errors import UserError

if TYPE_CHECKING:
    from centernet.structures.detections import Detections

    Results = Mapping[Any, Detections]

BACKENDS = ("pycocotools", "hotcoco")
BOX_METRICS = (
    *("AP", "AP50", "AP75", "APs", "APm", "APl"),
    *("AR1", "AR10", "AR100", "ARs", "ARm", "ARl"),
)
KEYPOINT_METRICS = ("AP", "AP50", "AP75", "APm", "APl", "AR", "AR50", "AR75", "ARm", "ARl")
RESULTS = "results.json"
SHOWN_CLASSES = 30  # the per-class table is shown up to this many classes, saved always


class Backend(NamedTuple):
    """The two classes of pycocotools, or of a package that has the same."""

    COCO: Any
    COCOeval: Any


def evaluate_coco(
    truth: Table,
    info: Info,
    results: Results,
    folder: Path,
    *,
    backend: str = "pycocotools",
    results_name: str = RESULTS,
) -> Evaluation:
    """COCO's metrics and tables; `results_name` and `classes.json` are written into `folder`.

    `results` maps image ids to detections in image pixels; an image without an entry counts as
    one where nothing was found. Detections with keypoints are evaluated by keypoints: "AP" and
    its kin are those of object keypoint similarity, with the data set's own sigmas, and the box
    metrics follow as "box_AP" and so on. A metric that nothing in the data can decide is -1.

    Raises UserError for an unknown or missing `backend`, and for results of foreign images.
    """
    tools = load_backend(backend)
    foreign = set(results) - set(truth.image_ids)
    if foreign:
        raise UserError(f"results name image {min(map(str, foreign))}, which {info.name} lacks")
    write_results(folder / results_name, results, truth.image_ids, info.category_ids)
    numbering = image_numbers(truth.image_ids)
    found = [
        row
        for image_id, number in zip(truth.image_ids, numbering.tolist(), strict=True)
        for row in _rows(results, image_id, number)
    ]
    kinds = ["bbox"]
    if truth.keypoints is not None and any(d.keypoints is not None for d in results.values()):
        kinds.insert(0, "keypoints")
    with contextlib.redirect_stdout(io.StringIO()):  # "creating index..."
        annotated = tools.COCO()
        annotated.dataset = ground_truth(truth, info.class_names, numbering)
        annotated.createIndex()
    evaluation = Evaluation({})
    own = truth.classes[(truth.classes >= 0) & ~truth.crowd]
    counts = np.bincount(own, minlength=info.num_classes).tolist()
    for kind in kinds:
        judged, table = _judge(tools, annotated, found, kind, info.sigmas)
        names = KEYPOINT_METRICS if kind == "keypoints" else BOX_METRICS
        prefix = "box_" if evaluation.metrics else ""
        per_class = class_precisions(judged, info.class_names)
        write_text(folder / f"{prefix}classes.json", json.dumps(per_class, indent=1) + "\n")
        one = Evaluation(
            metrics={prefix + n: float(v) for n, v in zip(names, judged.stats, strict=True)},
            per_class={c: {prefix + n: v for n, v in m.items()} for c, m in per_class.items()},
            curves=class_curves(judged, info.class_names),
            curves_at="OKS 0.5" if kind == "keypoints" else "IoU 0.5",
            table="\n".join([table, *_class_lines(per_class, counts)]),
            by_size=size_precisions(judged),
        )
        evaluation = evaluation.joined(one)
    if evaluation.metrics["AP"] < 0:
        reason = f"AP is -1: {_undecided(truth, kinds)}"
        evaluation = replace(evaluation, table=f"{evaluation.table}\n{reason}")
    return evaluation


def _undecided(truth: Table, kinds: Sequence[str]) -> str:
    """Why the annotations decide nothing."""
    own = truth.classes >= 0
    if not own.any():
        return "there is no ground truth in this part of the data set"
    if truth.crowd[own].all():
        return f"all {int(own.sum())} objects of this part are marked as crowd (iscrowd)"
    if kinds[0] == "keypoints" and not (truth.keypoints[own][:, :, 2] > 0).any():  # type: ignore
        return f"no object of the {int(own.sum())} in this part has a labelled joint"
    return "there is no ground truth that counts in this part of the data set"


def coco_metrics(keypoints: bool) -> tuple[str, ...]:
    """The names of what `evaluate_coco` gives for detections with or without `keypoints`."""
    if not keypoints:
        return BOX_METRICS
    return (*KEYPOINT_METRICS, *(f"box_{name}" for name in BOX_METRICS))


def load_backend(name: str) -> Backend:
    """The classes of the package `name`; raises UserError when it is unknown or absent."""
    if name == "pycocotools":
        from pycocotools.coco import COCO
        from pycocotools.cocoeval import COCOeval

        return Backend(COCO, COCOeval)
    if name == "hotcoco":
        try:
            import hotcoco
        except ImportError:
            raise UserError(
                "the evaluation backend hotcoco is not installed: pip install 'centernet[fast]', "
                "or leave the choice to pycocotools"
            ) from None
        return Backend(hotcoco.COCO, hotcoco.COCOeval)
    raise UserError(f"unknown evaluation backend '{name}'; choose from {', '.join(BACKENDS)}")


def image_numbers(image_ids: Sequence[Any]) -> NDArray[np.int64]:
    """(M,): 1 for the lowest id, and so on; of ids that cannot be compared, by their text."""
    try:
        order = sorted(range(len(image_ids)), key=image_ids.__getitem__)
    except TypeError:
        order = sorted(range(len(image_ids)), key=lambda place: str(image_ids[place]))
    numbers = np.empty(len(image_ids), np.int64)
    numbers[order] = np.arange(1, len(image_ids) + 1)
    return numbers


def ground_truth(
    truth: Table, class_names: Sequence[str], numbering: NDArray[np.int64]
) -> dict[str, Any]:
    """The table as the dict of a COCO annotation file; all numbering starts from 1."""
    columns = [numbering[truth.image], truth.classes + 1, truth.boxes, truth.areas, truth.crowd]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    annotations: list[dict[str, Any]] = [
        {
            "id": number,
            "image_id": image,
            "category_id": category,
            "bbox": box,
            "area": area,
            "iscrowd": int(crowd),
        }
        for number, (image, category, box, area, crowd) in enumerate(rows, 1)
        if category > 0  # a class below 0 is a region to ignore in other formats
    ]
    if truth.keypoints is not None:
        seen = (truth.keypoints[:, :, 2] > 0).sum(axis=1).tolist()
        for annotation in annotations:
            row = annotation["id"] - 1
            annotation["keypoints"] = truth.keypoints[row].ravel().tolist()
            annotation["num_keypoints"] = seen[row]
    return {
        "info": {},
        "images": [
            {"id": int(number), "file_name": str(file), "height": int(h), "width": int(w)}
            for number, file, (h, w) in zip(numbering, truth.files, truth.sizes, strict=True)
        ],
        "categories": [{"id": n, "name": name} for n, name in enumerate(class_names, 1)],
        "annotations": annotations,
    }


def write_results(
    path: Path, results: Results, image_ids: Iterable[Any], category_ids: Sequence[Any]
) -> Path:
    """Write a COCO results file: one row a detection, the file's own ids, two decimals."""
    places = range(len(category_ids))
    with atomic_write(path) as temporary, open(temporary, "w", encoding="utf-8") as file:
        file.write("[")
        separator = ""
        for image_id in image_ids:
            if image_id not in results:
                continue
            for row in results[image_id].to_coco(image_id, places):
                row["category_id"] = category_ids[row["category_id"]]
                file.write(separator + json.dumps(row))
                separator = ",\n"
        file.write("]\n")
    return path


def class_precisions(judged: Any, class_names: Sequence[str]) -> dict[str, dict[str, float]]:
    """{class name: {"AP", "AP50"}} over all areas and most detections; -1 without ground truth."""
    precision = np.asarray(judged.eval["precision"])[:, :, :, 0, -1]  # (IoU, recall, class)
    return {
        name: {"AP": _mean(precision[:, :, place]), "AP50": _mean(precision[0, :, place])}
        for place, name in enumerate(class_names)
    }


def size_precisions(judged: Any) -> dict[str, dict[str, float]]:
    """{size of the objects: {overlap: AP}}, means over the classes, with most detections."""
    precision = np.asarray(judged.eval["precision"])[:, :, :, :, -1]  # (IoU, recall, class, size)
    return {
        str(size): {
            f"{overlap:.2f}": _mean(precision[row, :, :, place])
            for row, overlap in enumerate(judged.params.iouThrs)
        }
        for place, size in enumerate(judged.params.areaRngLbl)
    }


def class_curves(judged: Any, class_names: Sequence[str]) -> dict[str, Curve]:
    """Precision at 101 recalls of each class that has ground truth, at the lowest overlap."""
    precision = np.asarray(judged.eval["precision"])[0, :, :, 0, -1]  # (recall, class)
    recall = np.linspace(0, 1, len(precision))
    return {
        name: Curve(recall, precision[:, place])
        for place, name in enumerate(class_names)
        if precision[0, place] >= 0
    }


def _rows(results: Results, image_id: Any, number: int) -> list[dict[str, Any]]:
    """Detections of one image under the numbering of `ground_truth`."""
    if image_id not in results:
        return []
    found = results[image_id]
    highest = int(found.classes.max(initial=0))
    return found.to_coco(number, range(1, highest + 2))


def _judge(
    tools: Backend,
    annotated: Any,
    found: list[dict[str, Any]],
    kind: str,
    sigmas: Sequence[float] | None,
) -> tuple[Any, str]:
    """An evaluator that has run, and the table that it prints."""
    with contextlib.redirect_stdout(io.StringIO()):
        if found:
            detected = annotated.loadRes([dict(row) for row in found])
        else:
            detected = tools.COCO()
            detected.dataset = {**annotated.dataset, "annotations": []}
            detected.createIndex()
        judged = tools.COCOeval(annotated, detected, kind)
        if kind == "keypoints" and sigmas is not None:
            judged.params.kpt_oks_sigmas = np.asarray(sigmas, np.float64)
        judged.evaluate()
        judged.accumulate()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        judged.summarize()
    return judged, printed.getvalue().rstrip()


def _mean(values: NDArray[np.float64]) -> float:
    values = values[values > -1]
    return float(values.mean()) if values.size else -1.0


def _class_lines(per_class: Mapping[str, Mapping[str, float]], counts: list[int]) -> list[str]:
    """A line a class that has objects: its precisions and how many objects it has."""
    rows = [(n, v, c) for (n, v), c in zip(per_class.items(), counts, strict=True) if c]
    if len(per_class) < 2 or not rows:
        return []
    shown = sorted(rows, key=lambda row: -row[2])[:SHOWN_CLASSES]
    width = max(len(name) for name, _, _ in shown)
    lines = [
        f" {name:<{width}}  AP {v['AP']:.3f}  AP50 {v['AP50']:.3f}  {count} objects"
        for name, v, count in rows
        if any(name == other for other, _, _ in shown)
    ]
    if len(rows) > len(shown):
        lines.append(f" ... the {len(shown)} classes with most objects; all are in classes.json")
    return lines

"""How sure a difference of two detectors' AP is: images drawn with replacement, in pairs.

Efron, "Bootstrap Methods: Another Look at the Jackknife" (1979). Both detectors are measured on the
same drawn images, so that what the images alone decide cancels.
"""

from __future__ import annotations

import contextlib
import io
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from centernet.datasets.source import Source
from centernet.structures.detections import Detections

Results = Mapping[int | str, Detections]


def paired_interval(
    source: Source,
    results: Results,
    reference: Results,
    *,
    draws: int = 200,
    part: float = 0.95,
    seed: int = 0,
) -> tuple[float, float, float]:
    """(difference, low, high) of COCO's box AP in [0, 1]: `results` less `reference`.

    The interval holds `part` of the differences of `draws` samples of the images.
    """
    truth = _truth(source)
    both = [_evaluated(truth, source, each) for each in (results, reference)]
    count, rng = len(source), np.random.default_rng(seed)
    orders = [np.arange(count), *(rng.integers(0, count, count) for _ in range(draws))]
    first, *others = (_ap(both[0], order) - _ap(both[1], order) for order in orders)
    low, high = np.quantile(others, [(1 - part) / 2, (1 + part) / 2])
    return first, float(low), float(high)


def _truth(source: Source) -> Any:
    """The boxes of `source` as pycocotools holds them; classes below 0 are crowds of all."""
    from pycocotools.coco import COCO

    annotations: list[dict[str, Any]] = []
    classes = range(source.info.num_classes)
    for image in range(len(source)):
        objects = source.objects(image)
        for (x1, y1, x2, y2), kind in zip(
            objects.boxes.tolist(), objects.classes.tolist(), strict=True
        ):
            box = [x1, y1, x2 - x1, y2 - y1]
            for each in [kind] if kind >= 0 else classes:
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": image,
                        "category_id": each,
                        "bbox": box,
                        "area": box[2] * box[3],
                        "iscrowd": int(kind < 0),
                    }
                )
    truth = COCO()
    truth.dataset = {
        "images": [{"id": image} for image in range(len(source))],
        "annotations": annotations,
        "categories": [{"id": each} for each in classes],
    }
    with contextlib.redirect_stdout(io.StringIO()):
        truth.createIndex()
    return truth


def _evaluated(truth: Any, source: Source, results: Results) -> Any:
    """pycocotools' evaluation, image by image."""
    from pycocotools.cocoeval import COCOeval

    rows = [
        row
        for image in range(len(source))
        if (found := results.get(source.image_id(image))) is not None
        for row in found.to_coco(image, range(source.info.num_classes), None)
    ]
    plain = [{n: r[n] for n in ("image_id", "category_id", "bbox", "score")} for r in rows]
    with contextlib.redirect_stdout(io.StringIO()):
        evaluation = COCOeval(truth, truth.loadRes(plain), "bbox")
        evaluation.params.areaRng = evaluation.params.areaRng[:1]
        evaluation.params.areaRngLbl = evaluation.params.areaRngLbl[:1]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
    return evaluation


def _ap(evaluation: Any, order: NDArray[np.int64]) -> float:
    """AP on the images `order`, each as often as it is there."""
    from pycocotools.cocoeval import COCOeval

    count, classes = len(order), len(evaluation.params.catIds)
    drawn = COCOeval(iouType="bbox")
    drawn.params = evaluation.params.__class__("bbox")
    for name in ("catIds", "areaRng", "areaRngLbl", "maxDets"):
        setattr(drawn.params, name, getattr(evaluation.params, name))
    drawn.params.imgIds = list(range(count))
    drawn._paramsEval = drawn.params
    drawn.evalImgs = [
        evaluation.evalImgs[kind * count + image] for kind in range(classes) for image in order
    ]
    with contextlib.redirect_stdout(io.StringIO()):
        drawn.accumulate()
    precision = drawn.eval["precision"]
    known = precision[precision > -1]
    return float(known.mean()) if known.size else -1.0

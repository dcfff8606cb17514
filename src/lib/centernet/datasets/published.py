"""Facts of the data sets that the published checkpoints learned, for those without the data.

A published checkpoint does not say what its classes are called or how its images were normalised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from centernet.datasets import skeleton
from centernet.datasets.source import Info

COCO_CLASSES = tuple(
    """person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light,
    fire hydrant, stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant,
    bear, zebra, giraffe, backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard,
    sports ball, kite, baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle,
    wine glass, cup, fork, knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot,
    hot dog, pizza, donut, cake, chair, couch, potted plant, bed, dining table, toilet, tv, laptop,
    mouse, remote, keyboard, cell phone, microwave, oven, toaster, sink, refrigerator, book, clock,
    vase, scissors, teddy bear, hair drier, toothbrush""".replace("\n    ", " ").split(", ")
)
_UNUSED_IDS = {12, 26, 29, 30, 45, 66, 68, 69, 71, 83}  # of 1..90: named, never annotated
COCO_LIMBS = (
    *((15, 13), (13, 11), (16, 14), (14, 12), (11, 12), (5, 11), (6, 12), (5, 6), (5, 7), (6, 8)),
    *((7, 9), (8, 10), (1, 2), (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6)),
)
_COCO = Info(
    name="coco",
    class_names=COCO_CLASSES,
    category_ids=tuple(number for number in range(1, 91) if number not in _UNUSED_IDS),
    provides=frozenset({"boxes", "masks", "extremes"}),
)

VOC_CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa"),
    *("train", "tvmonitor"),
)
# The published Pascal models were trained with ImageNet's RGB figures on BGR images; kept for them.
PASCAL_FACTS: Mapping[str, Any] = {
    "mean": (0.485, 0.456, 0.406),
    "std": (0.229, 0.224, 0.225),
    "resolution": (384, 384),
    "max_objects": 50,
}
KITTI = Info(
    name="kitti",
    class_names=("Pedestrian", "Car", "Cyclist"),
    category_ids=(1, 2, 3),
    provides=frozenset({"boxes", "cuboids"}),
    # The published models were trained with ImageNet's RGB figures on BGR images; kept for them.
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
    resolution=(384, 1280),
    max_objects=50,
)

PUBLISHED: dict[str, Info] = {
    "coco": _COCO,
    "coco_hp": replace(
        _COCO,
        name="coco_hp",
        class_names=("person",),
        category_ids=(1,),
        provides=frozenset({"boxes", "keypoints"}),
        joints=skeleton.COCO_JOINTS,
        flip_pairs=skeleton.flip_pairs(skeleton.COCO_JOINTS),
        skeleton=COCO_LIMBS,
        sigmas=skeleton.COCO_SIGMAS,
        max_objects=32,
    ),
    "pascal": Info(
        name="pascal",
        class_names=VOC_CLASSES,
        category_ids=tuple(range(1, len(VOC_CLASSES) + 1)),
        **PASCAL_FACTS,
    ),
    "kitti": KITTI,
}

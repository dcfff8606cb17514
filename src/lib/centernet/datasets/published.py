"""Facts of the data sets that the published checkpoints learned, for those without the data.

A published checkpoint does not say what its classes are called or how its images were normalised.
"""

from __future__ import annotations

from dataclasses import replace

from centernet.datasets import skeleton
from centernet.datasets.kitti import KITTI
from centernet.datasets.pascal import PASCAL_FACTS, VOC_CLASSES
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

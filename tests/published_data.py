"""Little data sets and weights where the published commands look for the real ones."""

from __future__ import annotations

from pathlib import Path

import torch

from centernet.datasets.skeleton import COCO_JOINTS
from centernet.models.networks import create_backbone
from tests.datasets.made_up import annotation, image_entry, write_coco, write_image, write_voc

CAR = "Car 0.00 0 1.57 5 6 25 30 1.5 1.6 3.9 1.0 1.6 20.0 1.57\n"
CAMERA = "P2: 40 0 30 0 0 40 20 0 0 0 1 0\n"


def write_published(root: Path, images: int = 40) -> Path:
    """COCO, VOC and KITTI of so many pictures each in `root`/data, and the weights to start from.

    ImageNet's classifiers are not among them.
    """
    _coco(root / "data" / "coco", images)
    _voc(root / "data" / "voc", images)
    _kitti(root / "data" / "kitti", images)
    for name, arch in (
        ("ExtremeNet_500000", "hourglass"),
        ("ctdet_coco_hg", "hourglass"),
        ("ctdet_coco_dla_2x", "dla_34"),
    ):
        _some_weights(root / "models" / f"{name}.pth", arch)
    return root


def _coco(root: Path, count: int) -> None:
    images = [image_entry(number) for number in range(1, count + 1)]
    outline = {"segmentation": [[5, 6, 25, 6, 25, 16, 5, 16]]}
    joints = {"keypoints": [10, 10, 2] * len(COCO_JOINTS), "num_keypoints": len(COCO_JOINTS)}
    for kind, more, words in (
        ("instances", outline, {}),
        ("person_keypoints", joints, {"keypoints": list(COCO_JOINTS), "skeleton": [[1, 2]]}),
    ):
        rows = [annotation(number, image=number, **more) for number in range(1, count + 1)]
        for part in ("train2017", "val2017"):
            write_coco(
                root / "annotations" / f"{kind}_{part}.json",
                rows,
                [{"id": 1, "name": "person", **words}],
                images,
                folder=root / part,
            )


def _voc(root: Path, count: int) -> None:
    names = [f"{number:06d}" for number in range(1, count + 1)]
    objects = {name: [("car", (1, 1, 10, 20))] for name in names}
    write_voc(root / "VOC2007", {"trainval": names, "test": names}, objects)
    write_voc(root / "VOC2012", {"trainval": names[:1]}, objects)


def _kitti(root: Path, count: int) -> None:
    names = [f"{number:06d}" for number in range(count)]
    for name in names:
        write_image(root / "training" / "image_2" / f"{name}.png")
        for folder, text in (("label_2", CAR), ("calib", CAMERA)):
            path = root / "training" / folder / f"{name}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    for split in ("3dop", "subcnn"):
        for part in ("train", "val"):
            path = root / f"ImageSets_{split}" / f"{part}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(names))


def _some_weights(path: Path, arch: str) -> None:
    """A checkpoint in the published layout with the first tensors of `arch`, which are enough."""
    with torch.device("meta"):
        shapes = {key: value.shape for key, value in create_backbone(arch).state_dict().items()}
    first = dict(list(shapes.items())[:3])
    path.parent.mkdir(parents=True, exist_ok=True)
    tensors = {f"module.{key}": torch.zeros(shape) for key, shape in first.items()}
    torch.save({"epoch": 1, "state_dict": tensors}, path)
